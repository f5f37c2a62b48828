"""Promises of the assembled orchestrator: shutdown order, stop levels, every call settles."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Literal

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import (
    Command,
    CommandCancelledError,
    CommandTimedOutError,
    Context,
    Event,
    Orchestrator,
    Plugin,
    StopLevel,
    StoppedError,
    StopRequested,
    open_orchestrator,
)
from orchestrator.runtime import ServerGivenUp
from orchestrator.supervisor import Service
from orchestrator.testing import EventLog


@attrs.frozen(kw_only=True)
class Work(Command[str]):
    seconds: float = 0.0
    lane: str = "a"
    fails: bool = False


@attrs.frozen(kw_only=True)
class Worked(Event):
    lane: str


class Live:
    """Handlers that are running, the most per lane at once."""

    def __init__(self) -> None:
        self.running: dict[str, int] = {}
        self.most = 0


plugin = Plugin("test")


@plugin.handles(Work, name="do-work", deadline=5, lane=lambda command: command.lane)
async def do_work(command: Work, context: Context) -> str:
    live = context.service(Live)
    live.running[command.lane] = live.running.get(command.lane, 0) + 1
    live.most = max(live.most, live.running[command.lane])
    try:
        await trio.sleep(command.seconds)
        if command.fails:
            raise ValueError(command.lane)
        context.publish(Worked(lane=command.lane))
        return command.lane
    finally:
        with trio.move_on_after(0.5, shield=True):
            await trio.sleep(0.3)
        live.running[command.lane] -= 1


def services() -> dict[type, object]:
    return {Live: Live()}


async def test_body_exception_comes_out_bare() -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        async with open_orchestrator(plugins=[]):
            raise error
    assert caught.value is error


async def test_outer_cancellation_passes_through() -> None:
    with trio.CancelScope() as scope:
        async with open_orchestrator(plugins=[]):
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_polite_stop_lets_executions_end_within_the_grace(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ended: list[str] = []

    async def execution(seconds: float, name: str) -> None:
        await trio.sleep(seconds)
        ended.append(name)

    start = trio.current_time()
    async with open_orchestrator(plugins=[], grace=10) as orch:
        orch.start_execution(execution, 9, "short")
        orch.start_execution(execution, 11, "long")
        orch.stop()
        with pytest.raises(StoppedError):
            orch.start_execution(execution, 1, "late")
        await orch.wait_stopped()
    assert ended == ["short"]
    assert trio.current_time() - start == pytest.approx(10)


@pytest.mark.parametrize("how", ["stop", "raise", "outside"])
async def test_cancelled_executions_can_still_record(
    how: str, autojump_clock: trio.testing.MockClock
) -> None:
    recorded: list[str] = []

    async def execution(orch: Orchestrator) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(5, shield=True):
                recorded.append(await orch.call(Work(lane="last", seconds=1)))

    async def run(scope: trio.CancelScope) -> None:
        async with open_orchestrator(plugins=[plugin], services=services()) as orch:
            orch.start_execution(execution, orch)
            await trio.testing.wait_all_tasks_blocked()
            if how == "stop":
                orch.stop(StopLevel.CANCEL)
            elif how == "raise":
                raise KeyError(how)
            else:
                scope.cancel()
                await trio.lowlevel.checkpoint()

    with trio.CancelScope() as scope:
        try:
            await run(scope)
        except KeyError:
            assert how == "raise"
    assert recorded == ["last"]


async def test_force_does_not_wait_for_the_block() -> None:
    forced: list[bool] = []

    async def run() -> None:
        async with open_orchestrator(plugins=[], on_force=lambda: forced.append(True)) as orch:
            orch.stop(StopLevel.FORCE)
            await trio.sleep_forever()

    with pytest.raises(StoppedError):
        await run()
    assert forced == [True]


async def test_calls_are_refused_once_stopped() -> None:
    async with open_orchestrator(plugins=[plugin], services=services()) as orch:
        orch.stop()
        await orch.wait_stopped()
        with pytest.raises(StoppedError):
            await orch.call(Work())


async def test_coordinator_crash_ends_everything(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr("orchestrator.coordinator.Coordinator._dispatch", crash)
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="bug"), flatten_subgroups=True):
        async with (
            open_orchestrator(plugins=[plugin], services=services()) as orch,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(trio.sleep_forever)
            await orch.call(Work())


async def test_sinks_get_the_last_events(autojump_clock: trio.testing.MockClock) -> None:
    log = EventLog()
    async with open_orchestrator(plugins=[plugin], services=services(), sinks={"log": log}) as orch:
        await orch.call(Work(lane="x"))
        orch.stop(StopLevel.CANCEL)
    assert log.of(Worked) == [Worked(lane="x")]
    assert log.events[-1] == StopRequested(level=StopLevel.CANCEL)


async def test_stuck_sink_holds_the_end_for_the_flush_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def stuck(_: Sequence[Event]) -> None:
        await trio.sleep_forever()

    start = trio.current_time()
    async with open_orchestrator(plugins=[], sinks={"stuck": stuck}, flush=2) as orch:
        orch.publish(Event())
    assert trio.current_time() - start == pytest.approx(2)


async def test_leaving_the_block_is_not_told_as_a_stop() -> None:
    log = EventLog()
    async with open_orchestrator(plugins=[], sinks={"log": log}):
        pass
    assert log.events == []


async def test_signals_are_requests() -> None:
    with trio.fail_after(5):
        async with open_orchestrator(plugins=[], signals=True) as orch:
            os.kill(os.getpid(), signal.SIGHUP)
            await orch.stopping.requested.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await orch.stopping.wait(StopLevel.CANCEL)


Calls = list[tuple[float, str, bool, float, float]]
How = Literal["polite", "cancel", "force", "leave", "raise"]
calls = st.lists(
    st.tuples(
        st.floats(0, 8),
        st.sampled_from("abc"),
        st.booleans(),
        st.floats(0.01, 10),
        st.floats(0, 6),
    ),
    max_size=25,
)


@settings(max_examples=120, deadline=None)
@given(
    calls,
    st.floats(0, 12),
    st.sampled_from(["polite", "cancel", "force", "leave", "raise"]),
    st.sampled_from([0.0, 0.5, 3.0]),
)
def test_every_call_settles(calls: Calls, when: float, how: How, grace: float) -> None:
    live = Live()
    outcomes: list[str] = []

    async def caller(
        orch: Orchestrator,
        seconds: float,
        lane: str,
        fails: bool,
        patience: float,
        start: float,
    ) -> None:
        await trio.sleep(start)
        with trio.move_on_after(patience) as scope:
            try:
                await orch.call(Work(seconds=seconds, lane=lane, fails=fails))
                outcomes.append("done")
            except (ValueError, StoppedError, CommandTimedOutError, CommandCancelledError) as exc:
                outcomes.append(type(exc).__name__)
        if scope.cancelled_caught:
            outcomes.append("gone")

    async def main() -> None:
        with trio.fail_after(1000):
            async with trio.open_nursery() as callers:
                try:
                    async with open_orchestrator(
                        plugins=[plugin], services={Live: live}, grace=grace
                    ) as orch:
                        for call in calls:
                            callers.start_soon(caller, orch, *call)
                        await trio.sleep(when)
                        if how == "raise":
                            raise KeyError(how)
                        if how != "leave":
                            orch.stop(StopLevel[how.upper()])
                            await orch.wait_stopped()
                except (KeyError, StoppedError):
                    pass
                assert not any(live.running.values())

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(outcomes) == len(calls)
    assert live.most <= 1


async def test_server_is_up_before_the_block_and_after_its_last_event() -> None:
    seen: list[str] = []

    def make(orchestrator: Orchestrator) -> Service:
        async def serve(*, task_status: trio.TaskStatus[None]) -> None:
            with orchestrator.events() as events:
                task_status.started()
                seen.append("up")
                await orchestrator.wait_closed()
                seen.extend(type(event).__name__ for event in await events.batch())

        return serve

    async with open_orchestrator(plugins=[], servers={"mine": make}) as orchestrator:
        assert seen == ["up"]
        orchestrator.publish(Worked(lane="a"))
    assert seen == ["up", "Worked"]


async def test_server_that_keeps_crashing_is_given_up_and_the_work_goes_on(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    log = EventLog()
    starts = 0

    def make(_: Orchestrator) -> Service:
        async def crash(*, task_status: trio.TaskStatus[None]) -> None:
            nonlocal starts
            starts += 1
            task_status.started()
            await trio.lowlevel.checkpoint()
            raise ValueError("bad luck")

        return crash

    async with open_orchestrator(
        plugins=[plugin], services=services(), sinks={"log": log}, servers={"mine": make}
    ) as orchestrator:
        await trio.sleep(60)
        assert await orchestrator.call(Work()) == "a"
    (given_up,) = log.of(ServerGivenUp)
    assert (given_up.server, starts) == ("mine", 4)
    assert "bad luck" in given_up.error


async def test_server_that_does_not_end_is_cut_off_after_the_flush(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def make(_: Orchestrator) -> Service:
        async def linger(*, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()
            await trio.sleep_forever()

        return linger

    began = trio.current_time()
    async with open_orchestrator(plugins=[], servers={"mine": make}, flush=3.0):
        pass
    assert trio.current_time() - began == pytest.approx(3.0)
