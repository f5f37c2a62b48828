"""Promises of the coordinator: lanes, nested calls, cancellation, deadlines, back-pressure."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from orchestrator import (
    Command,
    CommandTimedOutError,
    Context,
    Orchestrator,
    Plugin,
    PluginError,
    StoppedError,
    UnknownCommandError,
    open_orchestrator,
)
from orchestrator.envelope import Envelope, Mailbox


@attrs.frozen(kw_only=True)
class Write(Command[str]):
    """Take ``seconds`` in ``lane``, then call what is ``nested``."""

    name: str = "w"
    lane: str = "a"
    seconds: float = 1.0
    nested: Write | None = None


@attrs.frozen(kw_only=True)
class Read(Command[int]):
    pass


@attrs.frozen(kw_only=True)
class Fetch(Command[int]):
    pass


@attrs.frozen(kw_only=True)
class Fail(Command[None]):
    error: Exception


class Trace:
    def __init__(self) -> None:
        self.steps: list[str] = []


plugin = Plugin("test")


@plugin.handles(Write, name="write-it", deadline=30, lane=lambda command: command.lane)
async def write_it(command: Write, context: Context) -> str:
    steps = context.service(Trace).steps
    steps.append(f"+{command.name}")
    try:
        await trio.sleep(command.seconds)
        if command.nested is not None:
            await context.call(command.nested)
    finally:
        with trio.move_on_after(1, shield=True):
            await trio.sleep(0.5)
        steps.append(f"-{command.name}")
    return command.name


@plugin.handles(Read, name="read-it")
def read_it(command: Read, context: Context) -> int:
    return len(context.service(Trace).steps)


@plugin.handles(Fetch, name="fetch-it", deadline=30)
async def fetch_it(command: Fetch, context: Context) -> int:
    await trio.sleep(1)
    return 1


@plugin.handles(Fail, name="fail-it")
def fail_it(command: Fail, context: Context) -> None:
    raise command.error


@asynccontextmanager
async def opened() -> AsyncGenerator[tuple[Orchestrator, list[str]], None]:
    trace = Trace()
    async with open_orchestrator(plugins=[plugin], services={Trace: trace}) as orch:
        yield orch, trace.steps


async def call_all(orch: Orchestrator, *commands: Command[object]) -> None:
    async with trio.open_nursery() as nursery:
        for command in commands:
            nursery.start_soon(orch.call, command)
            await trio.testing.wait_all_tasks_blocked()


async def test_one_lane_runs_in_order(autojump_clock: trio.testing.MockClock) -> None:
    async with opened() as (orch, steps):
        await call_all(orch, *(Write(name=name) for name in "123"))
        assert steps == ["+1", "-1", "+2", "-2", "+3", "-3"]


async def test_lanes_and_reads_run_side_by_side(autojump_clock: trio.testing.MockClock) -> None:
    async with opened() as (orch, _):
        start = trio.current_time()
        await call_all(orch, Write(lane="a"), Write(lane="b"), Fetch(), Fetch())
        assert trio.current_time() - start == pytest.approx(1.5)


async def test_inline_read_waits_for_no_lane(autojump_clock: trio.testing.MockClock) -> None:
    async with opened() as (orch, _), trio.open_nursery() as nursery:
        nursery.start_soon(orch.call, Write())
        await trio.testing.wait_all_tasks_blocked()
        start = trio.current_time()
        assert await orch.call(Read()) == 1
        assert trio.current_time() == start


async def test_nested_call_of_its_own_lane_runs_inside_the_turn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened() as (orch, steps):
        await call_all(orch, Write(name="1", nested=Write(name="2")), Write(name="3"))
        assert steps == ["+1", "+2", "-2", "-1", "+3", "-3"]


async def test_nested_call_of_another_lane_waits_for_its_turn_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened() as (orch, steps):
        nested = Write(name="2", lane="b")
        await call_all(orch, Write(name="b", lane="b", seconds=9), Write(name="1", nested=nested))
        assert steps == ["+b", "+1", "-b", "+2", "-2", "-1"]


async def test_turns_that_would_wait_for_each_other_are_refused(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened() as (orch, steps):
        with pytest.RaisesGroup(PluginError):
            await call_all(
                orch,
                Write(name="1", lane="a", nested=Write(name="2", lane="b")),
                Write(name="3", lane="b", seconds=2, nested=Write(name="4", lane="a")),
            )
        assert "+4" not in steps
        assert await orch.call(Write(name="5", lane="b")) == "5"


async def test_cancelled_caller_waits_for_the_clean_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened() as (orch, steps):
        start = trio.current_time()
        with trio.move_on_after(0.2) as scope:
            await orch.call(Write())
        assert scope.cancelled_caught
        assert steps == ["+w", "-w"]
        assert trio.current_time() - start == pytest.approx(0.7)


async def test_cancelled_caller_of_a_queued_command_leaves_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened() as (orch, steps), trio.open_nursery() as nursery:
        nursery.start_soon(orch.call, Write(name="1"))
        await trio.testing.wait_all_tasks_blocked()
        start = trio.current_time()
        with trio.move_on_after(0.2):
            await orch.call(Write(name="2"))
        assert trio.current_time() - start == pytest.approx(0.2)
    assert steps == ["+1", "-1"]


async def test_cancelled_caller_takes_its_nested_call_along(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened() as (orch, steps):
        with trio.move_on_after(2):
            await orch.call(Write(name="1", nested=Write(name="2", lane="b", seconds=9)))
        assert steps == ["+1", "+2", "-2", "-1"]


async def test_deadline_is_a_typed_error(autojump_clock: trio.testing.MockClock) -> None:
    async with opened() as (orch, steps):
        with pytest.raises(CommandTimedOutError, match="30 s"):
            await orch.call(Write(seconds=1000))
        assert steps == ["+w", "-w"]


async def test_handlers_own_exception_object_reaches_the_caller() -> None:
    error = LookupError("x")
    async with opened() as (orch, _):
        with pytest.raises(LookupError) as caught:
            await orch.call(Fail(error=error))
        assert caught.value is error
        assert await orch.call(Read()) == 0


async def test_unknown_command() -> None:
    async with open_orchestrator(plugins=[]) as orch:
        with pytest.raises(UnknownCommandError):
            await orch.call(Read())


async def test_missing_service_is_named() -> None:
    async with open_orchestrator(plugins=[plugin]) as orch:
        with pytest.raises(PluginError, match="Trace"):
            await orch.call(Read())


async def test_full_mailbox_holds_senders_in_order() -> None:
    mailbox = Mailbox(2)
    envelopes = [Envelope(Read()) for _ in range(5)]
    async with trio.open_nursery() as nursery:
        for envelope in envelopes:
            nursery.start_soon(mailbox.put, envelope)
            await trio.testing.wait_all_tasks_blocked()
        assert (mailbox.queued, mailbox.waiting) == (2, 3)
        taken = []
        while (oldest := mailbox.take()) is not None:
            taken.append(oldest)
            await trio.testing.wait_all_tasks_blocked()
            assert mailbox.queued <= 2
        assert list(map(id, taken)) == list(map(id, envelopes))


async def test_closing_refuses_waiting_senders() -> None:
    mailbox = Mailbox(1)
    await mailbox.put(Envelope(Read()))
    with pytest.RaisesGroup(StoppedError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mailbox.put, Envelope(Read()))
            await trio.testing.wait_all_tasks_blocked()
            mailbox.close()
    assert mailbox.take() is not None


async def test_more_callers_than_the_mailbox_holds_are_all_answered() -> None:
    async with opened() as (orch, _), trio.open_nursery() as nursery:
        for _ in range(2000):
            nursery.start_soon(orch.call, Read())
