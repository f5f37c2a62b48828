"""What a git that was killed leaves: processes that its hooks started, and its lock."""

from __future__ import annotations

import os
import time
from pathlib import Path

from orchestrator.guardian.reaper import sweep_leftovers
from orchestrator.guardian.tree import processes

_PATIENCE = 1.0


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
