"""Promises of steering: a pause holds until it is lifted or a stop comes; one attempt is hit."""

from __future__ import annotations

import trio
import trio.testing

from orchestrator.run.engine.steering import Steering


async def test_work_that_is_not_paused_is_not_held() -> None:
    assert not await Steering().hold(trio.Event())


async def test_a_pause_holds_until_it_is_lifted_for_good(
    autojump_clock: trio.testing.MockClock,
) -> None:
    steering = Steering()
    held: list[float] = []

    async def work() -> None:
        assert await steering.hold(trio.Event())
        held.append(trio.current_time())

    steering.pause()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        await trio.sleep(10)
        steering.resume()
        steering.pause()
        await trio.sleep(10)
        assert held == []
        steering.resume()
    assert held == [began + 20]


async def test_a_stop_ends_a_pause(autojump_clock: trio.testing.MockClock) -> None:
    steering, stopping = Steering(), trio.Event()
    steering.pause()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(steering.hold, stopping)
            await trio.sleep(1)
            stopping.set()
        assert await steering.hold(stopping) is False


async def test_only_the_attempt_that_runs_is_interrupted() -> None:
    steering, stop = Steering(), trio.Event()
    assert not steering.interrupt("a")
    with steering.attempt("a", stop) as first, steering.attempt("b", stop) as other:
        assert steering.interrupt("a")
        assert first.is_set()
        assert not other.is_set()
        steering.interrupt_all()
        assert other.is_set()
    assert not steering.interrupt("a")
    with steering.attempt("a", stop) as second:
        assert not second.is_set()
    stop.set()
    with steering.attempt("a", stop) as third:
        assert third.is_set()
