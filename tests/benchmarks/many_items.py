"""Stores with many items, and rules to work them by: what the benchmarks of the backlog share."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from pathlib import Path

from orchestrator.store.store import open_store
from orchestrator.store.transaction import Transaction
from orchestrator.work.backlog.document import write_line
from orchestrator.work.backlog.item import (
    Assessments,
    Description,
    Item,
    Level,
    Pool,
    Size,
    Status,
)
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.rules import Rules

SIZES = (100, 10_000, 100_000)
AT_WORK = 5

RULES = Rules(pipelines={"feature": Pipeline(name="feature", phases=(Phase(name="build"),))})


def make_items(count: int) -> list[Item]:
    """Return items as people write them, that need up to three earlier ones each.

    `AT_WORK` are in progress, the others wait for their turn.
    """
    chance = random.Random(count)
    created = 1_700_000_000_000_000_000
    return [
        Item(
            id=item_id(number),
            title=f"Do the thing number {number}",
            description=Description(
                context="It came up while something else was done. " * 3,
                problem="It is not done yet.",
            ),
            status=Status.IN_PROGRESS if number < AT_WORK else Status.READY,
            phase="build" if number < AT_WORK else None,
            pool=Pool.MAIN if number < AT_WORK else None,
            priority=chance.randrange(100),
            tags=("later", "maybe"),
            ratings=Assessments(size=Size.SMALL, risk=Level.LOW),
            needs=tuple(
                item_id(need)
                for need in {
                    chance.randrange(number) for _ in range(chance.randrange(4) if number else 0)
                }
            ),
            created=created + number,
            updated=created + number,
        )
        for number in range(count)
    ]


def item_id(number: int) -> str:
    """Return the id of the item of this number."""
    return f"WRK-{number:07}"


def fill_store(directory: Path, count: int) -> None:
    """Make a store in a directory and put items into it."""
    rows = [(item.id, item.status.value, write_line(item)) for item in make_items(count)]

    def put(tx: Transaction) -> None:
        for row in rows:
            tx.put_item(*row)

    with open_store(directory) as store:
        store.write(put)


def growth(costs: Mapping[int, float]) -> float:
    """Return the exponent with which costs grow from the smallest to the largest size."""
    small, large = min(costs), max(costs)
    return math.log(costs[large] / costs[small]) / math.log(large / small)
