"""What changing and reading the backlog costs, against the disk's floor; prints tables.

``python -m tests.benchmarks.bench_backlog [CHANGES [ROUNDS]]``, on the disk of TMPDIR. A change is
the command that edits one item, called through a coordinator; it is durable when it returns. The
floor is 4 KiB written over the same place and forced to the disk by fdatasync. Every round runs
everything once, every other round backwards; a ratio is the median over the rounds, each taken in
its own round, because absolute times move with the load of the machine. How many changes share a
sync is counted in a run of its own, by the commits of the writer's connection.

Reads: how late an answer comes that was wanted at a given moment, idle and while 100 callers change
items: one item, and a copy of all.
"""

from __future__ import annotations

import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import trio

from orchestrator.run.backlog.book import Book, load_book
from orchestrator.run.backlog.commands import EditItem
from orchestrator.run.backlog.handlers import plugin
from orchestrator.runtime import Orchestrator, open_orchestrator
from orchestrator.store.database import open_for_reading, open_for_writing, store_path
from orchestrator.store.store import Store, open_store
from orchestrator.store.writer import Writer
from tests.benchmarks.many_items import RULES, SIZES, fill_store, growth, item_id

CALLERS = 100
READING = 2.0
"""Seconds that reads are timed for."""

PAUSE = 0.001
"""Seconds between two timed reads."""


class Many:
    """An open backlog of many items."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._ids = [item.id for item in book.backlog.items()]
        self.size = size = len(self._ids)
        self._chance = random.Random(size)
        self._priority = 1_000

    def next_change(self) -> EditItem:
        """Return a change of any item, different from every other."""
        self._priority += 1
        number = self._chance.randrange(self.size)
        return EditItem(item=self._ids[number], priority=self._priority)

    async def change(self, orchestrator: Orchestrator, callers: int, count: int) -> None:
        """Let so many callers share ``count`` changes, each waiting until its own is durable."""

        async def caller() -> None:
            for _ in range(count // callers):
                await orchestrator.call(self.next_change())

        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(caller)

    async def timed(self, callers: int, count: int) -> float:
        """Return the seconds per change."""
        async with open_orchestrator(plugins=[plugin], services={Book: self.book}) as orchestrator:
            await self.change(orchestrator, callers, CALLERS)
            gc.collect()
            start = time.perf_counter()
            await self.change(orchestrator, callers, count)
            return (time.perf_counter() - start) / count

    async def latencies(self, read: Callable[[Book], object], *, busy: bool) -> list[float]:
        """Return how late the answers were, sorted."""
        late = []
        async with (
            open_orchestrator(plugins=[plugin], services={Book: self.book}) as orchestrator,
            trio.open_nursery() as nursery,
        ):
            if busy:
                nursery.start_soon(self.change, orchestrator, CALLERS, 10**9)
                await trio.sleep(0.2)
            end = time.perf_counter() + READING
            while (due := time.perf_counter() + PAUSE) < end:
                await trio.sleep(PAUSE)
                read(self.book)
                late.append(time.perf_counter() - due)
            nursery.cancel_scope.cancel()
        return sorted(late)


def floor(directory: Path, count: int) -> float:
    """Return the seconds that 4 KiB take to the disk."""
    file = os.open(directory / "floor", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for number in range(count + 1):
            if number == 1:  # the first one makes the file
                start = time.perf_counter()
            os.pwrite(file, number.to_bytes(4096, "little"), 0)
            os.fdatasync(file)
        return (time.perf_counter() - start) / count
    finally:
        os.close(file)


@contextmanager
def counting(directory: Path, commits: list[str]) -> Generator[Store, None, None]:
    """Open a store whose commits are noted."""
    path = store_path(directory)
    with ExitStack() as stack:
        writing = stack.enter_context(closing(open_for_writing(path)))
        reading = open_for_reading(path)
        assert reading is not None
        stack.enter_context(closing(reading))
        writer = stack.enter_context(closing(Writer(writing, path)))
        writing.set_trace_callback(lambda said: commits.append(said) if said == "COMMIT" else None)
        yield Store(reading, writer)


def syncs(directory: Path, callers: int, count: int) -> float:
    """Return how many syncs of the disk one change takes."""
    commits: list[str] = []

    async def run(many: Many) -> int:
        async with open_orchestrator(plugins=[plugin], services={Book: many.book}) as orchestrator:
            await many.change(orchestrator, callers, callers)
            before = len(commits)
            await many.change(orchestrator, callers, count)
            return len(commits) - before

    with counting(directory, commits) as store:
        return trio.run(run, Many(load_book(store, RULES))) / (count // callers * callers)


def measure(
    directory: Path, backlogs: list[Many], changes: int, rounds: int
) -> dict[tuple[str, int], list[float]]:
    """Return the seconds per change for each number of callers and items, round by round."""
    ways: dict[tuple[str, int], Callable[[], float]] = {
        ("floor", 0): partial(floor, directory, changes)
    }
    for many in backlogs:
        ways["1 caller", many.size] = partial(trio.run, many.timed, 1, changes)
        ways[f"{CALLERS} callers", many.size] = partial(
            trio.run, many.timed, CALLERS, changes * 10 // CALLERS * CALLERS
        )
    found: dict[tuple[str, int], list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way in list(ways) if number % 2 else list(ways)[::-1]:
            seconds = ways[way]()
            if number:  # round 0 warms up
                found[way].append(seconds)
    return found


def print_changes(found: dict[tuple[str, int], list[float]]) -> None:
    """Print the cost of changes, their ratios to the floor, and how they grow."""
    floors = found["floor", 0]
    print(f"{'durable changes':24}{'items':>9}{'per second':>12}{'us':>9}{'x floor':>10}")
    ratios: dict[str, dict[int, float]] = {}
    for (name, size), times in found.items():
        ratio = statistics.median(a / b for a, b in zip(times, floors, strict=True))
        ratios.setdefault(name, {})[size] = ratio
        seconds = statistics.median(times)
        count = f"{size:,}" if size else ""
        print(f"{name:24}{count:>9}{1 / seconds:12,.0f}{seconds * 1e6:9.0f}{ratio:10.2f}")
    for name, by_size in ratios.items():
        if len(by_size) > 1:
            print(f"growth exponent, {name}: {growth(by_size):.3f}")


def print_reads(many: Many) -> None:
    """Print how late reads are answered, idle and under load."""
    reads: dict[str, Callable[[Book], object]] = {
        "one item": lambda book: book.backlog.get(item_id(many.size // 2)),
        "all items": lambda book: tuple(book.backlog.items()),
    }
    for name, read in reads.items():
        idle = 0.0
        for busy in (False, True):
            late = trio.run(partial(many.latencies, read, busy=busy))
            p50, p99 = (late[len(late) * percent // 100] * 1e3 for percent in (50, 99))
            idle = idle or p99
            print(
                f"{name:12}{'100 callers' if busy else 'idle':14}{many.size:9,}"
                f"{p50:9.2f}{p99:9.2f}{late[-1] * 1e3:9.2f}{p99 / idle:12.2f}"
            )


def main(changes: int = 300, rounds: int = 5) -> None:
    """Measure and print everything."""
    with tempfile.TemporaryDirectory() as root, ExitStack() as stack:
        places = {size: Path(root, str(size)) for size in SIZES}
        backlogs = []
        for size, place in places.items():
            place.mkdir()
            fill_store(place, size)
            for callers in (1, CALLERS):
                shared = syncs(place, callers, changes * min(callers, 10))
                print(f"syncs per change, {callers:3} callers, {size:7,} items: {shared:.3f}")
            backlogs.append(Many(load_book(stack.enter_context(open_store(place)), RULES)))
        gc.collect()
        gc.freeze()
        print()
        print_changes(measure(Path(root), backlogs, changes, rounds))
        print(f"\n{'reads, ms':26}{'items':>9}{'p50':>9}{'p99':>9}{'worst':>9}{'p99 x idle':>12}")
        for many in backlogs:
            print_reads(many)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
