"""Promises of an event bridge: in order, one batch at a time, on after a crash, then drained."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import trio
import trio.testing

from orchestrator.bridge import EventBridge
from orchestrator.bus import EventBus
from orchestrator.messages import Event
from orchestrator.supervisor import RestartPolicy, supervise
from orchestrator.testing import EventLog


@attrs.frozen(kw_only=True)
class Numbered(Event):
    number: int


async def test_sink_gets_everything_in_order_then_the_pump_ends() -> None:
    bus, log = EventBus(), EventLog()
    with bus.subscribe() as events:
        async with trio.open_nursery() as nursery:
            await nursery.start(EventBridge(events=events, sink=log).run)
            for number in range(3):
                bus.publish(Numbered(number=number))
                await trio.testing.wait_all_tasks_blocked()
            bus.publish(Numbered(number=3))
            bus.close()
    assert log.events == [Numbered(number=number) for number in range(4)]


async def test_slow_sink_gets_one_batch_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    bus = EventBus()
    batches: list[Sequence[Event]] = []

    async def slow(batch: Sequence[Event]) -> None:
        batches.append(batch)
        await trio.sleep(10)

    with bus.subscribe() as events:
        async with trio.open_nursery() as nursery:
            await nursery.start(EventBridge(events=events, sink=slow).run)
            for number in range(3):
                bus.publish(Numbered(number=number))
                await trio.sleep(1)
            bus.close()
    assert [len(batch) for batch in batches] == [1, 2]


async def test_crash_costs_the_batch_it_held_and_no_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    bus = EventBus()
    taken: list[Event] = []

    async def brittle(batch: Sequence[Event]) -> None:
        await trio.lowlevel.checkpoint()
        if Numbered(number=1) in batch:
            raise ValueError("bug")
        taken.extend(batch)

    with bus.subscribe() as events:
        bridge = EventBridge(events=events, sink=brittle)
        async with trio.open_nursery() as nursery:
            await nursery.start(supervise, "sink", bridge.run, RestartPolicy(), lambda event: None)
            for number in range(4):
                bus.publish(Numbered(number=number))
                await trio.testing.wait_all_tasks_blocked()
            bus.close()
    assert taken == [Numbered(number=number) for number in (0, 2, 3)]
