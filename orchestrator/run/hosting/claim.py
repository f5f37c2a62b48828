"""The right to touch a workspace: its lock, and nobody of an earlier run left in it. Blocking."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.adapters.git.workspace import Workspace
from orchestrator.adapters.process import raise_if_cancelled
from orchestrator.errors import BusyError
from orchestrator.run.lock import acquire

_TICK = 0.05


def worker_lock(place: Workspace) -> Path:
    """Return the file that a guardian holds locked until its process tree is empty."""
    return place.directory / "worker.lock"


@contextmanager
def claim_workspace(place: Workspace, *, patience: float = 10.0) -> Generator[None, None, None]:
    """Own a workspace, made or to be made, for as long as the block lasts.

    Waits for the guardian of an engine that was just killed, which may still be killing its
    tree, then kills what was left by an engine that died together with its guardian. No guardian
    can start a worker in the workspace meanwhile. The wait listens for cancellation.

    Args:
      patience: seconds to wait for the lock.

    Raises:
      BusyError: when the lock was not free in time, or a process cannot be killed.
    """
    # Late: `orc status` reads the ledger, claims nothing, and must not wait for ctypes.
    from orchestrator.guardian.reaper import sweep_leftovers

    place.directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    descriptor = _wait_for(worker_lock(place), patience)
    try:
        left = sweep_leftovers(str(place.path)).survivors
        if left:
            raise BusyError(
                "processes of an earlier run still work in the workspace and cannot be killed: "
                + ", ".join(map(str, left)),
                where=str(place.path),
                fix="end them, and run it again",
            )
        yield
    finally:
        os.close(descriptor)


def _wait_for(lock: Path, patience: float) -> int:
    until = time.monotonic() + patience
    while True:
        raise_if_cancelled()
        try:
            return acquire(lock, _TICK)
        except BlockingIOError:
            if time.monotonic() > until:
                raise BusyError(
                    "processes of an earlier run are still working in the workspace",
                    where=str(lock),
                    fix="wait until they have ended, or end them",
                ) from None
