"""What a command costs, as ratios to Trio's own primitives; run by hand, prints a table.

``python tests/benchmarks/bench_coordinator.py [COMMANDS [ROUNDS]]``. Every round runs everything
once, every other round backwards; a ratio is the median over the rounds, each taken in its own
round, because absolute times move with the load of the machine.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio

from orchestrator import (
    Command,
    Context,
    Event,
    Orchestrator,
    Plugin,
    Subscription,
    open_orchestrator,
)

WORK = 1.0
"""Seconds that the slow handler works while reads are timed."""

PAUSE = 0.001
"""Seconds between two timed reads."""


@attrs.frozen(kw_only=True)
class Read(Command[int]):
    """An inline read."""


@attrs.frozen(kw_only=True)
class Tell(Command[int]):
    """An inline command that publishes one event."""


@attrs.frozen(kw_only=True)
class Write(Command[None]):
    """Work in a lane, in a thread, for `WORK` seconds."""


@attrs.frozen(kw_only=True)
class Told(Event):
    """What `Tell` publishes."""


plugin = Plugin("bench")


@plugin.handles(Read, name="read-it")
def read_it(command: Read, context: Context) -> int:
    """Handle `Read`."""
    return 1


@plugin.handles(Tell, name="tell-it")
def tell_it(command: Tell, context: Context) -> int:
    """Handle `Tell`."""
    context.publish(Told())
    return 1


@plugin.handles(Write, name="write-it", deadline=30, lane=lambda command: "a")
async def write_it(command: Write, context: Context) -> None:
    """Handle `Write`."""
    await trio.to_thread.run_sync(time.sleep, WORK)


async def reschedule(count: int) -> float:
    """Two tasks that wake each other with nothing between them: the limit of a round trip."""
    waiting: list[trio.lowlevel.Task] = []

    async def wake(times: int) -> None:
        for _ in range(times):
            if waiting:
                trio.lowlevel.reschedule(waiting.pop())
            waiting.append(trio.lowlevel.current_task())
            await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
        if waiting:
            trio.lowlevel.reschedule(waiting.pop())

    start = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wake, count)
        nursery.start_soon(wake, count)
    return time.perf_counter() - start


async def one_way(count: int) -> float:
    """Send ``count`` items through a channel to one receiver: the bare channel rate."""
    send, receive = trio.open_memory_channel[int](256)

    async def produce() -> None:
        with send:
            for number in range(count):
                await send.send(number)

    start = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        async for _ in receive:
            pass
    return time.perf_counter() - start


async def channel_round_trip(count: int) -> float:
    """One caller; request and reply each through a channel of one place."""
    requests, inbox = trio.open_memory_channel[int](1)
    replies, outcome = trio.open_memory_channel[int](1)

    async def serve() -> None:
        async for number in inbox:
            await replies.send(number)

    start = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with requests:
            for number in range(count):
                await requests.send(number)
                await outcome.receive()
    return time.perf_counter() - start


async def call_all(orch: Orchestrator, command: Command[int], callers: int, count: int) -> float:
    """Let ``callers`` tasks share ``count`` calls, each waiting for its answer."""

    async def caller() -> None:
        for _ in range(count // callers):
            await orch.call(command)

    start = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(caller)
    return time.perf_counter() - start


def coordinator(callers: int, command: Command[int]) -> Callable[[int], Awaitable[float]]:
    """Return a benchmark of the coordinator, with one subscriber that reads every event."""

    async def drain(events: Subscription) -> None:
        while await events.batch():
            pass

    async def run(count: int) -> float:
        async with trio.open_nursery() as nursery, open_orchestrator(plugins=[plugin]) as orch:
            with orch.events() as events:
                nursery.start_soon(drain, events)
                return await call_all(orch, command, callers, count)

    return run


async def read_latencies(*, busy: bool) -> list[float]:
    """Time reads for `WORK` seconds, with or without a handler at work in a lane."""
    latencies = []
    async with open_orchestrator(plugins=[plugin]) as orch, trio.open_nursery() as nursery:
        if busy:
            nursery.start_soon(orch.call, Write())
        end = time.perf_counter() + WORK * 0.95
        while (start := time.perf_counter()) < end:
            await orch.call(Read())
            latencies.append(time.perf_counter() - start)
            await trio.sleep(PAUSE)
    return sorted(latencies)


BENCHMARKS: dict[str, Callable[[int], Awaitable[float]]] = {
    "two-task reschedule": reschedule,
    "channel, one way": one_way,
    "channel round trip": channel_round_trip,
    "1 caller": coordinator(1, Read()),
    "1 caller, events": coordinator(1, Tell()),
    "100 callers": coordinator(100, Read()),
    "100 callers, events": coordinator(100, Tell()),
}


def measure(count: int, rounds: int) -> dict[str, list[float]]:
    """Return the seconds per command of every benchmark, round by round."""
    found: dict[str, list[float]] = {name: [] for name in BENCHMARKS}
    for number in range(rounds + 1):
        names = list(BENCHMARKS) if number % 2 else list(BENCHMARKS)[::-1]
        for name in names:
            gc.collect()
            seconds = trio.run(BENCHMARKS[name], count)
            if number:  # round 0 warms up
                found[name].append(seconds / count)
    return found


def print_ratios(found: dict[str, list[float]]) -> None:
    """Print one row per benchmark: cost, and its ratios to the three primitives."""
    limits = list(BENCHMARKS)[:3]
    print(f"{'':22}{'us':>8}" + "".join(f"{'x ' + name:>24}" for name in limits))
    for name, times in found.items():
        row = f"{name:22}{statistics.median(times) * 1e6:8.2f}"
        for limit in limits:
            ratio = statistics.median(a / b for a, b in zip(times, found[limit], strict=True))
            row += f"{ratio:24.2f}"
        print(row)


def print_latencies(title: str, latencies: list[float]) -> None:
    """Print median, 99th percentile and worst of sorted seconds."""
    picks = [latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100], latencies[-1]]
    p50, p99, worst = (seconds * 1e3 for seconds in picks)
    print(
        f"{title:44} p50 {p50:.3f}  p99 {p99:.3f}  worst {worst:.3f} ms  ({len(latencies)} reads)"
    )


def main(count: int = 20_000, rounds: int = 7) -> None:
    """Measure and print everything."""
    print_ratios(measure(count, rounds))
    print()
    for busy in (False, True):
        title = f"inline read, {'a lane at work' if busy else 'idle'}"
        print_latencies(title, trio.run(partial(read_latencies, busy=busy)))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
