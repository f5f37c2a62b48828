"""Promises of the event ring: order, nothing silently lost, nobody waits, closing drains."""

from __future__ import annotations

import attrs
import pytest
import trio
import trio.testing

from orchestrator.bus import EventBus, Lagged
from orchestrator.messages import Event


@attrs.frozen(kw_only=True)
class Numbered(Event):
    number: int


def publish(bus: EventBus, begin: int, end: int) -> list[Event]:
    """Publish events with these numbers and return them."""
    events: list[Event] = [Numbered(number=number) for number in range(begin, end)]
    for event in events:
        bus.publish(event)
    return events


async def test_every_subscriber_gets_every_event_in_order() -> None:
    bus = EventBus()
    with bus.subscribe() as one, bus.subscribe() as other:
        events = publish(bus, 0, 5)
        assert await one.batch() == events
        assert await other.batch() == events


async def test_what_was_published_before_subscribing_is_not_seen() -> None:
    bus = EventBus()
    publish(bus, 0, 3)
    with bus.subscribe() as subscription:
        events = publish(bus, 3, 4)
        assert await subscription.batch() == events


async def test_publishing_wakes_a_reader_that_waits() -> None:
    bus = EventBus()
    got: list[Event] = []

    async def read() -> None:
        with bus.subscribe() as subscription:
            got.extend(await subscription.batch())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        events = publish(bus, 0, 2)
    assert got == events


@pytest.mark.parametrize("step", range(1, 5))
async def test_reader_that_keeps_up_loses_nothing_when_the_ring_wraps(step: int) -> None:
    bus = EventBus(capacity=4)
    with bus.subscribe() as subscription:
        for begin in range(0, 12 * step, step):
            events = publish(bus, begin, begin + step)
            assert await subscription.batch() == events
            assert subscription.sequence == begin + step


@pytest.mark.parametrize("published", [5, 6, 8, 11, 400])
async def test_what_was_overwritten_is_counted_before_the_rest(published: int) -> None:
    bus = EventBus(capacity=4)
    with bus.subscribe() as subscription:
        events = publish(bus, 0, published)
        assert await subscription.batch() == [Lagged(count=published - 4), *events[-4:]]
        later = publish(bus, published, published + 1)
        assert await subscription.batch() == later


async def test_slow_reader_costs_the_others_nothing() -> None:
    bus = EventBus(capacity=4)
    with bus.subscribe() as slow, bus.subscribe() as quick:
        for number in range(9):
            events = publish(bus, number, number + 1)
            assert await quick.batch() == events
        assert (await slow.batch())[0] == Lagged(count=5)


async def test_closing_drains_then_ends() -> None:
    bus = EventBus()
    with bus.subscribe() as subscription:
        events = publish(bus, 0, 3)
        bus.close()
        assert [event async for event in subscription] == events
        assert await subscription.batch() == []


async def test_closing_ends_a_reader_that_waits() -> None:
    bus = EventBus()
    ended = trio.Event()

    async def read() -> None:
        with bus.subscribe() as subscription:
            assert await subscription.batch() == []
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        bus.close()
        with trio.fail_after(5):
            await ended.wait()


async def test_publishing_after_closing_has_no_effect() -> None:
    bus = EventBus()
    with bus.subscribe() as subscription:
        bus.close()
        publish(bus, 0, 1)
        assert await subscription.batch() == []


async def test_cancelled_reader_loses_nothing() -> None:
    bus = EventBus()
    with bus.subscribe() as subscription:
        with trio.CancelScope() as scope:
            scope.cancel()
            await subscription.batch()
        events = publish(bus, 0, 2)
        with trio.CancelScope() as scope:
            scope.cancel()
            await subscription.batch()
        assert scope.cancelled_caught
        assert await subscription.batch() == events
