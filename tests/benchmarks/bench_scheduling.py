"""What deciding what to start next costs, against a bare heap with counters; prints a table.

``python tests/benchmarks/bench_scheduling.py [--million] [ROUNDS]``. One decision: pick the best
item, note that it runs and that it ended, take up that it is done, let go the items that needed
it. The bare one does the same to plain ids, and knows nothing of pipelines, limits or filters.
Values of items are made outside the clock. Every round runs both, in turns; a ratio is the median
over the rounds, each taken in its own round, because absolute times move with the load of the
machine.
"""

from __future__ import annotations

import gc
import math
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from heapq import heapify, heappop, heappush

import attrs

from orchestrator.work.backlog.change import Change
from orchestrator.work.backlog.index import Backlog
from orchestrator.work.backlog.item import Item, Pool, Status
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.selection import scan

SIZES = (100, 10_000, 100_000)
DECISIONS = 2_000
"""Timed per round at most; half the items at the smaller sizes."""

RULES = Rules(
    pipelines={"feature": Pipeline(name="feature", phases=(Phase(name="build"),))},
)


def make_items(count: int) -> list[Item]:
    """Return items in progress that need up to three earlier ones each."""
    chance = random.Random(count)
    return [
        Item(
            id=f"WRK-{number:07}",
            title="Do it",
            status=Status.IN_PROGRESS,
            phase="build",
            pool=Pool.MAIN,
            priority=chance.randrange(100),
            needs=tuple(
                f"WRK-{need:07}"
                for need in {
                    chance.randrange(number) for _ in range(chance.randrange(4) if number else 0)
                }
            ),
            created=1_700_000_000_000_000_000 + number,
        )
        for number in range(count)
    ]


def bare(items: list[Item], decisions: int) -> float:
    """Return the seconds per decision of a heap of ids and counters of open needs."""
    keys = {item.id: (-item.priority, item.created, item.id) for item in items}
    missing = {item.id: len(item.needs) for item in items}
    dependents: dict[str, list[str]] = {item.id: [] for item in items}
    for item in items:
        for need in item.needs:
            dependents[need].append(item.id)
    heap = [keys[id] for id, count in missing.items() if not count]
    heapify(heap)
    gc.collect()
    spent = 0.0
    for _ in range(decisions):
        start = time.perf_counter()
        id = heappop(heap)[-1]
        spent += time.perf_counter() - start
        start = time.perf_counter()
        for dependent in dependents[id]:
            missing[dependent] -= 1
            if not missing[dependent]:
                heappush(heap, keys[dependent])
        spent += time.perf_counter() - start
    return spent / decisions


def indexed(items: list[Item], decisions: int) -> float:
    """Return the seconds per decision of the backlog's index."""
    backlog = Backlog(RULES, items)
    gc.collect()
    spent = 0.0
    for _ in range(decisions):
        start = time.perf_counter()
        (action,) = backlog.select()
        backlog.begin(action.item)
        spent += time.perf_counter() - start
        item = backlog.get(action.item)
        assert item is not None
        change = Change(items=(attrs.evolve(item, status=Status.DONE),))
        start = time.perf_counter()
        backlog.apply(change)
        backlog.end(action.item)
        spent += time.perf_counter() - start
    return spent / decisions


def scanned(items: list[Item], decisions: int) -> float:
    """Return the seconds per decision of looking at everything, without taking up its end."""
    start = time.perf_counter()
    for _ in range(decisions):
        scan(items, {}, RULES)
    return (time.perf_counter() - start) / decisions


def nothing_to_do(items: list[Item], decisions: int) -> float:
    """Return the seconds that it takes to see that all slots are taken."""
    backlog = Backlog(RULES, items)
    backlog.begin(items[0].id)
    start = time.perf_counter()
    for _ in range(decisions):
        backlog.select()
    return (time.perf_counter() - start) / decisions


def built(items: list[Item], _: int) -> float:
    """Return the seconds per item that it takes to index them."""
    start = time.perf_counter()
    Backlog(RULES, items)
    return (time.perf_counter() - start) / len(items)


def memory(count: int) -> tuple[float, float]:
    """Return the bytes of one item, and what the index adds to it."""
    gc.collect()
    tracemalloc.start()
    items = make_items(count)
    of_items, _ = tracemalloc.get_traced_memory()
    backlog = Backlog(RULES, items)
    of_both, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(backlog) == count
    return of_items / count, (of_both - of_items) / count


def growth(costs: dict[int, float]) -> float:
    """Return the exponent with which costs grow from the smallest to the largest size."""
    small, large = min(costs), max(costs)
    return math.log(costs[large] / costs[small]) / math.log(large / small)


COLUMNS: dict[str, Callable[[list[Item], int], float]] = {
    "heap": bare,
    "index": indexed,
    "idle tick": nothing_to_do,
    "build/item": built,
}


def main(sizes: tuple[int, ...], rounds: int) -> None:
    """Measure and print everything."""
    print(
        f"{'items':>9}"
        + "".join(f"{name + ', us':>16}" for name in COLUMNS)
        + f"{'index : heap':>14}"
    )
    costs: dict[str, dict[int, float]] = {name: {} for name in COLUMNS}
    for size in sizes:
        items = make_items(size)
        decisions = min(DECISIONS, size // 2)
        found: dict[str, list[float]] = {name: [] for name in COLUMNS}
        for number in range(rounds):
            for name in list(COLUMNS) if number % 2 else list(COLUMNS)[::-1]:
                found[name].append(COLUMNS[name](items, decisions))
        row = f"{size:9,}"
        for name, times in found.items():
            costs[name][size] = statistics.median(times)
            row += f"{costs[name][size] * 1e6:16.2f}"
        pairs = zip(found["index"], found["heap"], strict=True)
        print(row + f"{statistics.median(index / heap for index, heap in pairs):14.2f}")
    exponents = "".join(f"{growth(costs[name]):16.2f}" for name in COLUMNS)
    print(f"{'exponent':>9}{exponents}")
    print(f"\nfull scan of {sizes[1]:,}: {scanned(make_items(sizes[1]), 3) * 1e6:,.0f} us")
    of_item, of_index = memory(sizes[1])
    print(f"memory per item: {of_item:.0f} bytes, and {of_index:.0f} in the index")


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--million"]
    million = (1_000_000,) if "--million" in sys.argv else ()
    main((*SIZES, *million), *map(int, arguments or ["7"]))
