"""Promises of an engine that answers clients: it ends when nobody calls, and makes way in time."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from orchestrator.errors import CommandCancelledError, StoppedError, StoreError
from orchestrator.run.engine.calls import FAREWELL, Calls
from orchestrator.run.lock import HAND_OVER

LINGER = 5.0


async def ended_at(calls: Calls, ends: list[float]) -> None:
    """Note when the engine may end."""
    await calls.over(LINGER)
    ends.append(trio.current_time())


async def use(calls: Calls, seconds: float) -> None:
    """Make a call that takes so long."""
    with calls.one("toys.use"):
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


async def test_it_may_end_when_it_is_closed_or_what_closes_it_has_happened(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for close in (Calls.close, None):
        calls, stop = Calls(), trio.Event()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(use, calls, 7)
            with trio.move_on_after(1):
                await calls.over(LINGER, trio.Event(), stop)
            if close is not None:
                close(calls)
            stop.set()
            await calls.over(LINGER, trio.Event(), stop)
            assert trio.current_time() == began + 1
            with pytest.raises(StoppedError):
                await use(calls, 0)


@pytest.mark.parametrize(("seconds", "cleaning"), [(3, 0), (100, 0), (100, 2)])
async def test_its_end_is_awaited_a_while_by_what_runs_which_then_hears_that_it_was_cut_short(
    autojump_clock: trio.testing.MockClock, seconds: float, cleaning: float
) -> None:
    calls = Calls()
    said: list[CommandCancelledError] = []

    async def one() -> None:
        try:
            with calls.one("toys.use"):
                try:
                    await trio.sleep(seconds)
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(cleaning)
        except CommandCancelledError as error:
            said.append(error)

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        await trio.testing.wait_all_tasks_blocked()
        await calls.finish()
        assert trio.current_time() == began + min(seconds, FAREWELL) + cleaning
        with pytest.raises(StoppedError):
            await use(calls, 0)
    assert [error.document() for error in said] == [
        {
            "code": "command-cancelled",
            "message": "the engine that answered ended while this was under way",
            "where": "toys.use",
            "fix": "look at the state, then ask again",
        }
    ] * (seconds > FAREWELL)
    with trio.fail_after(0.1):
        await calls.finish()


@pytest.mark.parametrize("error", [StoppedError("before"), CommandCancelledError("by nobody")])
async def test_what_was_begun_is_never_called_not_begun(error: Exception) -> None:
    await trio.lowlevel.checkpoint()
    with (
        pytest.raises(CommandCancelledError, match="while this was under way"),
        Calls().one("toys.use"),
    ):
        raise error


async def test_a_call_that_nobody_wants_is_cancelled_as_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    calls = Calls()
    began = trio.current_time()
    with trio.move_on_after(1) as scope:
        await use(calls, 10)
    assert scope.cancelled_caught
    await calls.finish()
    assert trio.current_time() == began + 1


async def test_it_ends_at_once_when_its_store_cannot_be_written(
    autojump_clock: trio.testing.MockClock,
) -> None:
    calls, ends = Calls(), list[float]()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ended_at, calls, ends)
        nursery.start_soon(use, calls, 2)
        await trio.sleep(1)
        with pytest.raises(StoreError), calls.one("toys.use"):
            raise StoreError("the disk is full")
    assert ends == [began + 2]
