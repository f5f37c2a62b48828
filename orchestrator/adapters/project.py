"""The directory of the project that a file of a checkout belongs to. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_MARKS = (
    "orchestrator.toml", "pyproject.toml", "setup.py", "package.json", "Cargo.toml", "go.mod",
    "Makefile",
)  # fmt: skip


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
