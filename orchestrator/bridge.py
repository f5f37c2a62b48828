"""Carries events from the bus into a sink outside: a log, a socket, a plugin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import attrs
import trio

from .bus import Subscription
from .messages import Event


class EventSink(Protocol):
    """Takes batches of events, in order, one batch at a time."""

    async def emit(self, batch: Sequence[Event], /) -> None:
        """Take the batch; the next one comes when this has returned."""


Sink = EventSink | Callable[[Sequence[Event]], Awaitable[None]]


@attrs.define(eq=False, kw_only=True)
class EventBridge:
    """One sink's pump. A restarted one goes on after the batch that the crashed one held."""

    events: Subscription
    sink: Sink

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Pump until the bus is closed and drained."""
        emit = self.sink if callable(self.sink) else self.sink.emit
        task_status.started()
        while batch := await self.events.batch():
            await emit(batch)
