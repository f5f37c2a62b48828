"""Clears what a killed guardian, or a killed engine, left running. Blocking."""

from __future__ import annotations

import contextlib
import ctypes
import os

from orchestrator.adapters.process import live_pids
from orchestrator.guardian import tree

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_SECONDS = 5.0
TOKEN = "ORCHESTRATOR_WORKSPACE"


def become_subreaper() -> None:
    """Make orphans below this process its children. For the command line, never in a library."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_subreaper() -> bool:
    """Say whether orphans below this process become its children."""
    answer = ctypes.c_int(0)
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return answer.value == 1


def sweep_orphans() -> tree.Toll:
    """Kill and reap every child of this process that it did not start itself.

    Does nothing unless this process is a subreaper.
    """
    if not is_subreaper():
        return tree.Toll(0, ())
    orphans: set[int] = set()

    def find() -> list[tree.Known]:
        with live_pids() as live:
            found = tree.descendants(os.getpid(), live)
        me = os.getpid()
        orphans.update(process.pid for process in found if process.parent == me)
        return found

    def reap() -> None:
        for pid in tuple(orphans):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    continue
            orphans.discard(pid)

    return tree.kill_all(find, reap, _SECONDS)


def sweep_leftovers(workspace: str) -> tree.Toll:
    """Kill the processes whose environment names that workspace, never this one or an ancestor.

    For the start of a run, and only under the workspace's lock: what still has the token then was
    left by a run that was killed together with its guardian.
    """
    mark = f"\0{TOKEN}={workspace}\0".encode("utf-8", "surrogateescape")
    spared = _ancestry()

    def find() -> list[tree.Known]:
        return [
            process
            for process in tree.processes()
            if process.pid not in spared and mark in _environment(process.pid)
        ]

    return tree.kill_all(find, lambda: None, _SECONDS)


def _ancestry() -> set[int]:
    chain = {os.getpid()}
    pid = os.getppid()
    while pid and (process := tree.look(pid)) is not None:
        chain.add(pid)
        pid = process.parent
    return chain


def _environment(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return b"\0" + file.read()
    except OSError:
        return b""
