"""Promises of an engine that answers clients: it ends when nobody calls, and makes way in time."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from orchestrator.errors import StoppedError, StoreError
from orchestrator.run.engine.calls import Calls
from orchestrator.run.lock import HAND_OVER

LINGER = 5.0


async def ended_at(calls: Calls, ends: list[float]) -> None:
    """Note when the engine may end."""
    await calls.over(LINGER)
    ends.append(trio.current_time())


async def use(calls: Calls, seconds: float) -> None:
    """Make a call that takes so long."""
    with calls.one():
        await trio.sleep(seconds)


async def test_it_lingers_after_the_last_call(autojump_clock: trio.testing.MockClock) -> None:
    calls, ends = Calls(), list[float]()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ended_at, calls, ends)
        await trio.sleep(4)
        await use(calls, 20)
        await trio.sleep(4)
        await use(calls, 0)
    assert ends == [began + 28 + LINGER]
    with pytest.raises(StoppedError):
        await use(calls, 0)


async def test_it_makes_way_when_what_is_under_way_has_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    calls, ends = Calls(), list[float]()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ended_at, calls, ends)
        nursery.start_soon(use, calls, 3)
        await trio.sleep(1)
        calls.give_way(HAND_OVER)
        with pytest.raises(StoppedError):
            await use(calls, 0)
    assert ends == [began + 3]
    idle = Calls()
    idle.give_way(HAND_OVER)
    with trio.fail_after(0.1):
        await idle.over(LINGER)


async def test_it_goes_on_when_what_is_under_way_takes_longer_than_others_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    calls, ends = Calls(), list[float]()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ended_at, calls, ends)
        nursery.start_soon(use, calls, 100)
        await trio.sleep(1)
        calls.give_way(HAND_OVER * 100)
        calls.give_way(1)
        await trio.sleep(HAND_OVER - 0.1)
        with pytest.raises(StoppedError):
            await use(calls, 0)
        await trio.sleep(0.2)
        await use(calls, 0)
    assert ends == [began + 100 + LINGER]


async def test_it_ends_after_the_calls_that_run_when_it_is_closed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    calls, ends = Calls(), list[float]()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ended_at, calls, ends)
        nursery.start_soon(use, calls, 7)
        await trio.sleep(1)
        calls.close()
        with pytest.raises(StoppedError):
            await use(calls, 0)
    assert ends == [began + 7]


async def test_it_ends_at_once_when_its_store_cannot_be_written(
    autojump_clock: trio.testing.MockClock,
) -> None:
    calls, ends = Calls(), list[float]()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ended_at, calls, ends)
        nursery.start_soon(use, calls, 2)
        await trio.sleep(1)
        with pytest.raises(StoreError), calls.one():
            raise StoreError("the disk is full")
    assert ends == [began + 2]
