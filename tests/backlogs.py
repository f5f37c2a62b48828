"""A backlog in memory, and rules to work it by: what tests of the domain stand on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

import attrs

from orchestrator.work.backlog.change import Change, Entry
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.outcomes import Attempted
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.rules import Rules

LONG = Pipeline(
    name="feature",
    pre_phases=(Phase(name="research"), Phase(name="scope")),
    phases=(Phase(name="plan"), Phase(name="build", destructive=True), Phase(name="review")),
)
SHORT = Pipeline(name="chore", phases=(Phase(name="do"),))
RULES = Rules(pipelines={"feature": LONG, "chore": SHORT})
DELIVERING = attrs.evolve(RULES, delivers=True)


class Backlog:
    """Items, and the entries so far. Changes are applied as they come."""

    def __init__(self, *items: Item) -> None:
        self.items = {item.id: item for item in items}
        self.entries: list[Entry] = []

    def get(self, id: str, /) -> Item | None:
        return self.items.get(id)

    def dependents(self, id: str, /) -> Iterable[str]:
        return [item.id for item in self.items.values() if id in item.needs]

    def children(self, id: str, /) -> Iterable[str]:
        return [item.id for item in self.items.values() if item.parent == id]

    def apply(self, change: Change) -> Change:
        """Take a change over, which must name each item once."""
        assert len({item.id for item in change.items}) == len(change.items)
        self.items.update((item.id, item) for item in change.items)
        self.entries += change.entries
        return change

    def attempt(self, id: str, phase: str | None = None) -> Attempted:
        """Return an attempt at the phase that an item is in."""
        item = self.items[id]
        return Attempted(
            item=id, phase=phase or item.phase or "triage", visit=item.visit, id=f"{id}.1"
        )


def minting(start: int = 1) -> Callable[[], str]:
    """Return what gives fresh ids: N-1, N-2, …"""
    numbers = count(start)
    return lambda: f"N-{next(numbers)}"
