"""One ring of events that every subscriber reads at its own pace; publishing never blocks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio

from .messages import Event


@attrs.frozen(kw_only=True)
class Lagged(Event):
    """The subscriber fell behind the ring; ``count`` events are gone for it."""

    count: int


class EventBus:
    """Keeps the last ``capacity`` events in order; an event's number is its sequence."""

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._ring: list[Event | None] = [None] * capacity
        self._next = 0
        self._closed = False
        self.closed = trio.Event()
        """Set after the last event."""
        self._readers = trio.lowlevel.ParkingLot()

    def publish(self, event: Event) -> None:
        """Append the event and wake who waits. Synchronous; no effect once closed."""
        if self._closed:
            return
        self._ring[self._next % self._capacity] = event
        self._next += 1
        if self._readers:
            self._readers.unpark_all()

    def close(self) -> None:
        """Let every subscriber end after what it has not read yet."""
        self._closed = True
        self.closed.set()
        self._readers.unpark_all()

    @contextmanager
    def subscribe(self) -> Generator[Subscription, None, None]:
        """Read what is published from now on, for as long as the block lasts."""
        yield Subscription(self)


class Subscription:
    """One reader's place in the ring. For one task; iterate, or take `batch` after `batch`."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._batch: list[Event] = []
        self.sequence = bus._next
        """Number of the next event that will be taken from the ring."""

    async def batch(self) -> list[Event]:
        """Wait for news and return all of it in order; empty: the bus is closed and drained.

        What was overwritten before it was read is reported first, as `Lagged`. Cancellation
        loses nothing.
        """
        bus = self._bus
        if self.sequence == bus._next and not bus._closed:
            await bus._readers.park()
        else:
            await trio.lowlevel.checkpoint()
        events: list[Event] = []
        lag = bus._next - self.sequence - bus._capacity
        if lag > 0:
            events.append(Lagged(count=lag))
            self.sequence += lag
        begin, end = self.sequence % bus._capacity, bus._next % bus._capacity
        if bus._next > self.sequence:
            parts = bus._ring[begin:end] if begin < end else bus._ring[begin:] + bus._ring[:end]
            events += [event for event in parts if event is not None]
        self.sequence = bus._next
        return events

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        if not self._batch:
            self._batch = (await self.batch())[::-1]
            if not self._batch:
                raise StopAsyncIteration
        return self._batch.pop()
