"""Runs a process at the operator's terminal, in its foreground, as a shell would. Blocking."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from orchestrator.errors import AdapterTimedOutError

from .process import Spawned, raise_if_cancelled, spawn_attached

_TICK = 0.05
_LINGER = 5.0
"""Seconds that what a stopped process started has to tidy up; a hook may have files to put back."""


def run_attached(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    deadline: float,
    stop_grace: float = 2.0,
) -> int:
    """Run a process with our standard streams to its end, and return its return code.

    Keys such as Ctrl-C and Ctrl-Z reach it and what it starts, and not us; when it is suspended we
    are too. When such a key ended it, what it started has 5 s to end too. Trio's cancellation of
    the thread is noticed within 50 ms: its group gets SIGTERM, then SIGKILL.

    Args:
      deadline: seconds it may take.
      stop_grace: seconds between SIGTERM and SIGKILL.

    Raises:
      NotStartedError: when it cannot be executed.
      AdapterTimedOutError: when it outran ``deadline``; it was killed, what it did is unknown.
    """
    until = time.monotonic() + deadline
    process = spawn_attached(argv, cwd=cwd, env=env)
    with _sigttou_blocked():  # not before: a child inherits what is blocked
        terminal = _terminal()
        try:
            _to_foreground(terminal, process)
            while not process.ended():
                raise_if_cancelled()
                if time.monotonic() >= until:
                    raise AdapterTimedOutError(Path(argv[0]).name, deadline)
                if _stopped(process):
                    _suspend(terminal)
                    _to_foreground(terminal, process)
                _wait(process, _TICK)
            if _was_killed(process):
                _end_rest(process, stop_grace)
        except BaseException:
            _end(process, stop_grace)
            raise
        finally:
            returncode = process.reap()
            _from_foreground(terminal)
    return returncode


@contextlib.contextmanager
def _sigttou_blocked() -> Generator[None, None, None]:
    """Let this thread choose the terminal's foreground group while we are in its background."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _terminal() -> int | None:
    """Return the descriptor of a terminal whose foreground is ours to give."""
    try:
        descriptor = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
        return descriptor if os.tcgetpgrp(descriptor) == os.getpgrp() else None
    except (OSError, ValueError):
        return None


def _to_foreground(terminal: int | None, process: Spawned) -> None:
    if terminal is not None:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, process.pid)
    # It may have asked for the terminal before it had it, and been stopped for that.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGCONT)


def _from_foreground(terminal: int | None) -> None:
    if terminal is not None:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, os.getpgrp())


def _stopped(process: Spawned) -> bool:
    return os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG) is not None


def _suspend(terminal: int | None) -> None:
    """Give the terminal back and stop ourselves, until the shell has us go on."""
    if terminal is not None:
        _from_foreground(terminal)
        os.killpg(os.getpgrp(), signal.SIGTSTP)


def _end(process: Spawned, grace: float) -> None:
    for signum, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, grace)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
            os.killpg(process.pid, signal.SIGCONT)
        _wait(process, patience)


def _was_killed(process: Spawned) -> bool:
    """Whether a signal ended it; it stays to be reaped."""
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ended is not None and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED)


def _end_rest(process: Spawned, grace: float) -> None:
    """Wait for what it left in its group, which may have missed the signal; then end that."""
    for signum, patience in ((None, _LINGER), (signal.SIGTERM, grace), (signal.SIGKILL, grace)):
        if signum is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signum)
        until = time.monotonic() + patience
        while (left := _group_lives(process.pid)) and time.monotonic() < until:
            raise_if_cancelled()
            time.sleep(_TICK)
        if not left:
            return


def _group_lives(group: int) -> bool:
    """Whether a process of the group is alive."""
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if not name.isdecimal():
                continue
            # The command name may hold spaces and brackets; the fields begin after the last one.
            text = Path(f"/proc/{name}/stat").read_text(errors="replace")
            state, _, its_group = text.rpartition(")")[2].split()[:3]
            if state not in "ZX" and int(its_group) == group:
                return True
    return False


def _wait(process: Spawned, seconds: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(process.pidfd, selectors.EVENT_READ)
        selector.select(seconds)
