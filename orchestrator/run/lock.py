"""One engine per repository: a file lock whose inode is checked again. Blocking."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import BusyError

BACKLOG = "*"
"""What an engine is about that works on any item of the backlog."""

BRIEF = "-"
"""What an engine is about that does nothing but answer one command."""

_NAME = "engine.lock"
# A `status` elsewhere may hold the lock for an instant.
_PATIENCE = 0.5


@contextmanager
def engine_lock(state_dir: Path, item: str) -> Generator[None, None, None]:
    """Own the repository for as long as the block lasts, for the sake of ``item``.

    The kernel drops the lock when the process ends, however it ends. A lock file that was
    deleted and made anew is noticed by its inode (reliability E23).

    Raises:
      BusyError: when another process owns it; names its process id.
    """
    path = state_dir / _NAME
    try:
        descriptor = acquire(path, _PATIENCE)
    except BlockingIOError:
        owner = (path.read_text(errors="replace")[:32].split() or ["unknown"])[0]
        raise BusyError(
            f"another orchestrator works on this repository (process {owner})",
            where=str(path),
            fix="orc status shows what it does, orc stop ends it",
        ) from None
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {item}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def in_words(item: str) -> str:
    """Return what an engine is about as a person calls it, "" when it is about nothing."""
    return {BACKLOG: "the backlog", BRIEF: "a command"}.get(item, item)


def running_item(state_dir: Path) -> str | None:
    """Return what the engine that owns the repository works on, None when none does."""
    try:
        descriptor = os.open(state_dir / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        words = os.pread(descriptor, 256, 0).decode(errors="replace").split()
        return words[1] if len(words) > 1 else ""
    finally:
        os.close(descriptor)
    return None


def acquire(path: Path, patience: float) -> int:
    """Lock a file exclusively, making it, and return the descriptor that holds the lock.

    Args:
      patience: seconds to wait for whoever has it.

    Raises:
      BlockingIOError: when somebody still has it then.
    """
    until = time.monotonic() + patience
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor, until)
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise
        time.sleep(0.02)
