"""The way off the event loop: a blocking function in a worker thread, under a deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

import trio

from orchestrator.errors import AdapterTimedOutError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def in_thread(
    fn: Callable[[Unpack[Ts]], T],
    *args: *Ts,
    deadline: float,
    limiter: trio.CapacityLimiter,
    what: str,
) -> T:
    """Run a blocking function that listens for cancellation, as ``run`` does, in a thread.

    The wait for ``limiter`` does not count; a caller cancelled in it has started nothing. A
    cancelled caller waits until the function has cleaned up.

    Args:
      deadline: seconds from the moment that the function may start.
      what: name of the call in the error.

    Raises:
      AdapterTimedOutError: the deadline passed; what the function did is unknown.
    """
    borrower = object()
    await limiter.acquire_on_behalf_of(borrower)
    try:
        with trio.move_on_after(deadline):
            own = trio.CapacityLimiter(1)
            return await trio.to_thread.run_sync(fn, *args, limiter=own)
    finally:
        limiter.release_on_behalf_of(borrower)
    raise AdapterTimedOutError(what, deadline)
