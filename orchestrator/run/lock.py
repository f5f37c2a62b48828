"""One engine per repository: a file lock whose inode is checked again. Blocking."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.control.client import connect
from orchestrator.errors import BusyError, OrchestratorError

BACKLOG = "*"
"""What an engine is about that works on any item of the backlog."""

BRIEF = "-"
"""What an engine is about that carries out one command, and others meanwhile; it makes way too."""

SESSION = "@"
"""What an engine is about that answers a connected client, and makes way for any work."""

HAND_OVER = 10.0
"""Seconds that work waits for those to make way who do nothing but answer commands."""

_NAME = "engine.lock"
_WANTED = "engine.wanted"
_MAKE_WAY = {SESSION: "a command of a connected client", BRIEF: "another command"}
# A `status` elsewhere may hold the lock for an instant.
_PATIENCE = 0.5
_ANSWER = 2.0


@contextmanager
def engine_lock(state_dir: Path, item: str) -> Generator[None, None, None]:
    """Own the repository for as long as the block lasts, for the sake of ``item``.

    The kernel drops the lock when the process ends, however it ends. A lock file that was
    deleted and made anew is noticed by its inode (reliability E23). Who only answers commands
    makes way for work; that may take ten seconds, for what was called is finished first.

    Raises:
      BusyError: when another process owns it; names its process id.
    """
    descriptor = _own(state_dir, item)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {item}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def in_words(item: str) -> str:
    """Return what an engine is about as a person calls it, "" when it is about nothing."""
    words = {BACKLOG: "the backlog", BRIEF: "a command", SESSION: "a connected client"}
    return words.get(item, item)


def worked_on(item: str | None) -> str | None:
    """Return what an engine works on, None when it only answers commands, or there is none."""
    return None if item in (BRIEF, SESSION) else item


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


def _own(state_dir: Path, item: str) -> int:
    path, makes_way = state_dir / _NAME, item in _MAKE_WAY
    if item == SESSION and _is_wanted(state_dir):
        raise BusyError("others want to work on this repository, and come first", where=str(path))
    if makes_way or running_item(state_dir) not in _MAKE_WAY:
        try:
            return acquire(path, _PATIENCE)
        except BlockingIOError:
            if makes_way or running_item(state_dir) not in _MAKE_WAY:
                raise _busy(path) from None
    return _take_over(state_dir, path)


def _take_over(state_dir: Path, path: Path) -> int:
    """Lock the repository as soon as who answers commands has finished what it was called for."""
    until = time.monotonic() + HAND_OVER
    what = "a command"
    with _wanting(state_dir):
        while (patience := until - time.monotonic()) > 0:
            # It may have ended by now, or be stuck: the lock tells.
            with suppress(OrchestratorError), connect(state_dir, patience=_ANSWER) as engine:
                engine.call("yield", patience=_ANSWER, seconds=patience)
            with suppress(BlockingIOError):
                return acquire(path, _PATIENCE)
            item = running_item(state_dir)
            if worked_on(item) is not None:
                raise _busy(path)
            what = _MAKE_WAY.get(item or "", what)
    raise BusyError(
        f"{what} is still under way (process {_owner(path)})",
        where=str(path),
        fix="try again when it is done, or end that process",
    )


@contextmanager
def _wanting(state_dir: Path) -> Generator[None, None, None]:
    """Let no client's engine be opened before ours, for as long as the block lasts."""
    descriptor = os.open(state_dir / _WANTED, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # others have it for an instant only
        yield
    finally:
        os.close(descriptor)


def _is_wanted(state_dir: Path) -> bool:
    try:
        descriptor = os.open(state_dir / _WANTED, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _busy(path: Path) -> BusyError:
    return BusyError(
        f"another orchestrator works on this repository (process {_owner(path)})",
        where=str(path),
        fix="orc status shows what it does, orc stop ends it",
    )


def _owner(path: Path) -> str:
    return (path.read_text(errors="replace")[:32].split() or ["unknown"])[0]


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
