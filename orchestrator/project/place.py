"""Where a project lies: the files that mark its directory, the nearest one to a file. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MANIFESTS = ("package.json", "pyproject.toml", "Cargo.toml", "go.mod")
"""Files that only the root of a project has, wherever it lies."""

_MARKS = ("orchestrator.toml", *MANIFESTS, "setup.py", "Makefile")


def nearest_project(top: Path, start: Path) -> Path:
    """Return the nearest directory at or above ``start`` that declares a project, else the top."""
    for directory in upwards(top, start):
        if any((directory / mark).is_file() for mark in _MARKS):
            return directory
    return top


def upwards(top: Path, start: Path) -> Sequence[Path]:
    """Return the directories from ``start`` up to ``top``; only the top when it lies outside."""
    if not start.is_relative_to(top):
        return (top,)
    chain = [start, *start.parents]
    return chain[: chain.index(top) + 1]
