"""What deciding what to start next costs, against a bare heap with counters; prints a table.

``python tests/benchmarks/bench_scheduling.py [--million] [ROUNDS]``. One decision: say what the
best item does next, note that it runs, take up that it is done, let go the items that needed it.

The heap of ids does that to ids alone. The heap of items takes up the same changes and says the
same, as plainly as it can be written for one phase: it knows nothing of other statuses, limits,
filters, or of items that change otherwise. Changes are made before the clock starts. Every round
runs all, every other round backwards; a ratio is the median over the rounds, each taken in its own
round, because absolute times move with the load of the machine.
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
from orchestrator.work.backlog.selection import RunPhase, scan

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


@attrs.frozen(kw_only=True)
class Case:
    """Items, and the changes that end the best of them one after another."""

    items: list[Item]
    ends: list[Change]


def make_case(size: int) -> Case:
    """Return items, and what comes of them in the order the heap gives."""
    items = make_items(size)
    known = {item.id: item for item in items}
    bare = Bare(items)
    ends = []
    for _ in range(min(DECISIONS, size // 2)):
        id = bare.pop()
        bare.release(id)
        ends.append(Change(items=(attrs.evolve(known[id], status=Status.DONE),)))
    return Case(items=items, ends=ends)


class Bare:
    """A heap of ids and counters of open needs."""

    def __init__(self, items: list[Item]) -> None:
        self.keys = {item.id: (-item.priority, item.created, item.id) for item in items}
        self.missing = {item.id: len(item.needs) for item in items}
        self.dependents: dict[str, list[str]] = {item.id: [] for item in items}
        for item in items:
            for need in item.needs:
                self.dependents[need].append(item.id)
        self.heap = [self.keys[id] for id, count in self.missing.items() if not count]
        heapify(self.heap)

    def pop(self) -> str:
        """Return the best item, and take it out."""
        return heappop(self.heap)[-1]

    def release(self, id: str) -> None:
        """Let go what needed an item."""
        for dependent in self.dependents[id]:
            self.missing[dependent] -= 1
            if not self.missing[dependent]:
                heappush(self.heap, self.keys[dependent])


def heap_of_ids(case: Case) -> float:
    """Return the seconds per decision about ids."""
    bare = Bare(case.items)
    start = settled_clock()
    for _ in case.ends:
        bare.release(bare.pop())
    return (time.perf_counter() - start) / len(case.ends)


def heap_of_items(case: Case) -> float:
    """Return the seconds per decision about items."""
    known = {item.id: item for item in case.items}
    running: set[str] = set()
    bare = Bare(case.items)
    start = settled_clock()
    for change in case.ends:
        item = known[bare.pop()]
        assert item.phase is not None
        action = RunPhase(item=item.id, phase=item.phase, pool=Pool.MAIN)
        running.add(action.item)
        for item in change.items:
            known[item.id] = item
            if item.status.is_final:
                bare.release(item.id)
        running.discard(action.item)
    return (time.perf_counter() - start) / len(case.ends)


def index(case: Case) -> float:
    """Return the seconds per decision of the backlog's index."""
    backlog = Backlog(RULES, case.items)
    start = settled_clock()
    for change in case.ends:
        (action,) = backlog.select()
        backlog.begin(action.item)
        backlog.apply(change)
        backlog.end(action.item)
    spent = time.perf_counter() - start
    assert backlog.counts[Status.DONE] == len(case.ends)
    return spent / len(case.ends)


def idle_tick(case: Case) -> float:
    """Return the seconds that it takes to see that all slots are taken."""
    backlog = Backlog(RULES, case.items)
    backlog.begin(case.items[0].id)
    start = settled_clock()
    for _ in range(DECISIONS):
        backlog.select()
    return (time.perf_counter() - start) / DECISIONS


def build(case: Case) -> float:
    """Return the seconds per item that it takes to index them."""
    start = settled_clock()
    Backlog(RULES, case.items)
    return (time.perf_counter() - start) / len(case.items)


def settled_clock() -> float:
    """Return the time when there is no garbage left of what came before."""
    gc.collect()
    return time.perf_counter()


def full_scan(items: list[Item]) -> float:
    """Return the seconds of one look at everything."""
    start = settled_clock()
    scan(items, {}, RULES)
    return time.perf_counter() - start


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


COLUMNS: dict[str, Callable[[Case], float]] = {
    "heap of ids": heap_of_ids,
    "heap of items": heap_of_items,
    "index": index,
    "idle tick": idle_tick,
    "build, per item": build,
}


def measure(case: Case, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every column, round by round."""
    found: dict[str, list[float]] = {name: [] for name in COLUMNS}
    for number in range(rounds):
        for name in list(COLUMNS) if number % 2 else list(COLUMNS)[::-1]:
            found[name].append(COLUMNS[name](case))
    return found


def main(sizes: tuple[int, ...], rounds: int) -> None:
    """Measure and print everything."""
    limits = list(COLUMNS)[:2]
    heads = [f"{name}, us" for name in COLUMNS] + [f"index : {name}" for name in limits]
    print(f"{'items':>9}" + "".join(f"{head:>22}" for head in heads))
    costs: dict[str, dict[int, float]] = {name: {} for name in COLUMNS}
    for size in sizes:
        found = measure(make_case(size), rounds)
        row = f"{size:9,}"
        for name, times in found.items():
            costs[name][size] = statistics.median(times)
            row += f"{costs[name][size] * 1e6:22.2f}"
        for limit in limits:
            pairs = zip(found["index"], found[limit], strict=True)
            row += f"{statistics.median(cost / bound for cost, bound in pairs):22.2f}"
        print(row, flush=True)
    print(f"{'exponent':>9}" + "".join(f"{growth(costs[name]):22.2f}" for name in COLUMNS))
    print(f"\nfull scan of {sizes[1]:,} items: {full_scan(make_items(sizes[1])) * 1e6:,.0f} us")
    of_item, of_index = memory(sizes[1])
    print(f"memory: {of_item:.0f} bytes per item, and {of_index:.0f} in the index")


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--million"]
    million = (1_000_000,) if "--million" in sys.argv else ()
    main((*SIZES, *million), *map(int, arguments or ["7"]))
