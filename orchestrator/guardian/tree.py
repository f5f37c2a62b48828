"""Stops and kills process trees whatever their members do. Standard library only."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple


class Known(NamedTuple):
    """A process as /proc shows it; the start time tells it from a later one of the same id."""

    pid: int
    parent: int
    start: str
    state: str


class Toll(NamedTuple):
    """How many processes were killed, and which ones outlived that."""

    killed: int
    survivors: tuple[int, ...]


def look(pid: int) -> Known | None:
    """Return what /proc says about a process, or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command name may hold spaces and brackets; the fields begin after the last one.
            fields = file.read().decode("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return Known(pid, int(fields[1]), fields[19], fields[0])


def processes() -> list[Known]:
    """Return every process that /proc shows."""
    seen = (look(int(name)) for name in os.listdir("/proc") if name.isdecimal())
    return [process for process in seen if process is not None]


def descendants(root: int, spare: Iterable[int] = ()) -> list[Known]:
    """Return the processes below ``root``; those in ``spare`` are left out with all of theirs."""
    children: dict[int, list[Known]] = {}
    for process in processes():
        children.setdefault(process.parent, []).append(process)
    spared = set(spare)
    found = [process for process in children.get(root, []) if process.pid not in spared]
    for process in found:
        found.extend(children.get(process.pid, []))
    return found


def hold(process: Known) -> int | None:
    """Return a pidfd of exactly that process, or None when it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return None
    now = look(process.pid)
    if now is None or now.start != process.start:
        os.close(handle)
        return None
    return handle


def kill_all(find: Callable[[], list[Known]], reap: Callable[[], None], seconds: float) -> Toll:
    """Kill what ``find`` returns until it returns nothing.

    Everything is stopped first: a process that forks faster than it is killed cannot escape.

    Args:
      reap: collects the dead children of this process, so that ``find`` stops returning them.
      seconds: how long to try.
    """
    deadline = time.monotonic() + seconds
    killed: set[tuple[int, str]] = set()
    while True:
        reap()
        handles: dict[tuple[int, str], int] = {}
        try:
            found = _stop(find, handles)
            if not found:
                return Toll(len(killed), ())
            for key, handle in handles.items():
                if _signal(handle, signal.SIGKILL):
                    killed.add(key)
            _await_ends(list(handles.values()), min(deadline, time.monotonic() + 0.1))
        finally:
            for handle in handles.values():
                os.close(handle)
        reap()
        if time.monotonic() >= deadline:
            left = [process.pid for process in find()]
            return Toll(len(killed) - len(left), tuple(left))


def _stop(find: Callable[[], list[Known]], handles: dict[tuple[int, str], int]) -> list[Known]:
    while True:
        found = find()
        new = 0
        for process in found:
            key = (process.pid, process.start)
            if process.state == "Z" or key in handles:
                continue
            handle = hold(process)
            if handle is not None:
                handles[key] = handle
                _signal(handle, signal.SIGSTOP)
                new += 1
        if not new:
            return found


def _signal(handle: int, number: signal.Signals) -> bool:
    try:
        signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _await_ends(handles: list[int], until: float) -> None:
    for handle in handles:
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        with contextlib.suppress(InterruptedError):
            poller.poll(max(0.0, until - time.monotonic()) * 1000)
