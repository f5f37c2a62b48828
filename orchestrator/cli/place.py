"""Where a light command works: the repository that it stands in, in whatever state that is."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.adapters.git.runner import Git


def find_state(arguments: argparse.Namespace) -> Path:
    """Return the product's directory in the repository.

    It is looked for where git would find it; only where nothing has been run yet git is asked.

    Raises:
      RepositoryError: when there is no repository.
    """
    marker = _marker(arguments)
    if marker is not None and (found := _common_dir(marker) / "orchestrator").is_dir():
        return found
    from orchestrator.adapters.git.discover import discover, state_dir

    return state_dir(discover(Path(arguments.directory)).common_dir)


def reader_git(state: Path) -> Git:
    """Return a git to read the repository with; light commands start it only where they must."""
    import shutil

    from orchestrator.adapters.git.runner import Git

    return Git(state.parent, None, shutil.which("git") or "git")


def _common_dir(marker: Path) -> Path:
    """Return the git directory that all work trees of this ``.git`` share."""
    try:
        if marker.is_file():
            marker = marker.parent / _read(marker).partition("gitdir: ")[2]
        return (marker / _read(marker / "commondir")).resolve()
    except OSError:
        return marker.resolve()


def _read(path: Path) -> str:
    return os.fsdecode(path.read_bytes()[:4096]).rstrip("\n")


def find_checkout(arguments: argparse.Namespace) -> str | None:
    """Return the work tree that a command is for, None when git would have to be asked."""
    marker = _marker(arguments)
    return os.fspath(marker.parent) if marker is not None else None


def _marker(arguments: argparse.Namespace) -> Path | None:
    """Return what marks the top of the work tree."""
    start = Path(arguments.directory).resolve()
    markers = (place / ".git" for place in (start, *start.parents))
    return next(filter(os.path.lexists, markers), None)
