"""What a git leaves that was killed, or whose engine was: processes of its hooks, and its lock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.guardian.reaper import sweep_leftovers
from orchestrator.guardian.tree import processes

_PATIENCE = 1.0


@contextmanager
def noted(git_dir: Path, mark: str, checkout: Path, lock: Path | None) -> Iterator[None]:
    """Leave word of a git with that mark for as long as the block lasts; see `clear_noted`.

    Args:
      git_dir: the one that all work trees share.
      lock: as for `clear_leftovers`.
    """
    note = _notes(git_dir) / mark.rpartition("#")[2]
    held = os.fspath(lock) if lock is not None else None
    # Where nothing can be written git is run all the same: it may only look.
    with suppress(OSError):
        note.parent.mkdir(exist_ok=True)
        note.write_text(json.dumps([mark, os.fspath(checkout), held]))
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink()


def clear_noted(git_dir: Path) -> None:
    """Clear what gits left whose engine was killed. For the start of an engine, which is alone."""
    for note in sorted(_notes(git_dir).glob("*")):
        with suppress(ValueError, TypeError):  # killed while it was written: nothing was run yet
            mark, checkout, lock = json.loads(note.read_text())
            clear_leftovers(mark, Path(checkout), Path(lock) if lock is not None else None)
        note.unlink(missing_ok=True)


def clear_leftovers(mark: str, checkout: Path, lock: Path | None) -> None:
    """Kill every process with that mark, then remove the lock that they held.

    Git removes its lock when it is asked to end; one that a wrapper started is not asked.

    Args:
      lock: the index's lock, when there was none before the git that was killed.
    """
    sweep_leftovers(mark)
    if lock is None or (held := _identity(lock)) is None:
        return
    # Somebody else's may have begun meanwhile: his git works in the checkout, or ends soon.
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        time.sleep(0.05)
        if _identity(lock) != held:
            return
    if not any(_is_git_in(checkout, process.pid) for process in processes()):
        lock.unlink(missing_ok=True)


def _notes(git_dir: Path) -> Path:
    return git_dir / "orchestrator" / "gits"


def _identity(lock: Path) -> tuple[int, int] | None:
    try:
        found = os.lstat(lock)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _is_git_in(checkout: Path, pid: int) -> bool:
    try:
        place = Path(os.readlink(f"/proc/{pid}/cwd"))
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace")
    except OSError:
        return False
    return name.startswith("git") and place.is_relative_to(checkout)
