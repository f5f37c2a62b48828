"""Waits by the wall clock: for a limit to end, across suspends and clock changes."""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

LOOK_AGAIN = 30.0
"""Seconds after which the clock is read again: it jumps when a computer wakes up or is set."""


async def wait_until(
    at: float, stopping: trio.Event, *, clock: Callable[[], float] = time.time
) -> None:
    """Wait until the Unix time ``at``, in seconds, or until ``stopping`` is set.

    Args:
      clock: tells the Unix time.
    """
    while (left := at - clock()) > 0 and not stopping.is_set():
        with trio.move_on_after(min(left, LOOK_AGAIN)):
            await stopping.wait()
