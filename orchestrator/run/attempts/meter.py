"""Follows what an attempt uses while it runs, and asks it to stop when that is enough."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import trio

from orchestrator.work.budget import Budget, Reached
from orchestrator.work.worker import Usage

RECORD_EVERY = 5.0
"""Seconds at least between two records of what an attempt has used so far."""

LAST_GRACE = 30.0
"""Seconds for an attempt to end after it was asked to: its adapter kills it well before."""


@attrs.define(eq=False)
class Meter:
    """Measures one attempt against what it may use.

    Attributes:
      budget: limits of this attempt; its time is what the worker may take.
      usage: what it has used so far, as far as it tells.
      reached: the limit that it came up to, or None.
      stop: is set when the worker shall stop by its own protocol.
    """

    budget: Budget
    usage: Usage = attrs.field(factory=Usage, init=False)
    reached: Reached | None = attrs.field(default=None, init=False)
    stop: trio.Event = attrs.field(factory=trio.Event, init=False)
    _used_more: trio.Event = attrs.field(factory=trio.Event, init=False)

    def take(self, usage: Usage) -> None:
        """Note what has been used since the attempt began, all of it."""
        if usage != self.usage:
            self.usage = usage
            self._used_more.set()
        self._end(self.budget.reached(usage))

    async def record(self, keep: Callable[[Usage], Awaitable[None]]) -> None:
        """Keep what is used, for ever: a killed engine takes little of it with it."""
        while True:
            await self._used_more.wait()
            self._used_more = trio.Event()
            await keep(self.usage)
            await trio.sleep(RECORD_EVERY)

    async def watch(self, interrupt: trio.Event) -> None:
        """Ask the worker to stop when its time is over or ``interrupt`` is set."""
        seconds = self.budget.seconds
        with trio.move_on_after(float("inf") if seconds is None else seconds) as scope:
            await interrupt.wait()
        if scope.cancelled_caught:
            self._end(self.budget.reached(self.usage, seconds or 0.0))
        self.stop.set()

    def _end(self, reached: Reached | None) -> None:
        if reached is not None and self.reached is None:
            self.reached = reached
            self.stop.set()
