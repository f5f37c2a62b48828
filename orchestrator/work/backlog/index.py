"""All items of the backlog, with what is needed to decide about them at no more than a few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from .change import Change
from .filters import EVERYTHING, Filters
from .ids import resolve
from .item import Item, Status
from .needs import unmet
from .queue import Queue
from .rules import Rules
from .selection import (
    PROMOTION,
    Action,
    Key,
    Promote,
    Running,
    fill,
    free_slots,
    next_action,
    urgency,
)


class Backlog:
    """The items as they are, a `View` for decisions; changes are applied to it, one by one.

    It keeps who needs whom, how many needs of each item are open, and the items that could be
    worked on in their order, so that `select` costs what it starts, not what there is.
    """

    def __init__(self, rules: Rules, items: Iterable[Item] = (), wanted: Filters = EVERYTHING):
        """Take up items.

        Args:
          wanted: only these items are selected, and those that were promoted for being wanted.
        """
        self.rules = rules
        self.wanted = wanted
        self._filtered = bool(wanted)
        self._items: dict[str, Item] = {item.id: item for item in items}
        self._dependents: dict[str, list[str]] = {}
        self._children: dict[str, list[str]] = {}
        self._open: dict[str, int] = {}
        self._keys: dict[str, Key] = {}
        self._kept: set[str] = set()
        self._running: dict[str, bool] = {}
        self._counts: Counter[Status] = Counter()
        self._wanted_counts: Counter[Status] = Counter() if wanted else self._counts
        for item in self._items.values():
            self._connect(item)
            self._count(item, 1)
            if (key := self._key(item)) is not None:
                self._keys[item.id] = key
        selectable = [key for id, key in self._keys.items() if id not in self._open]
        ready = [key for key in selectable if key[0] == PROMOTION]
        work = [key for key in selectable if key[0] != PROMOTION]
        self._ready = Queue(self._keys, self._open, self._running, ready)
        self._work = Queue(self._keys, self._open, self._running, work)

    def __len__(self) -> int:
        return len(self._items)

    def get(self, id: str, /) -> Item | None:
        """Return an item."""
        return self._items.get(id)

    def items(self) -> Collection[Item]:
        """Return all items, in the order they came."""
        return self._items.values()

    def ordered(self) -> list[Item]:
        """Return all items in the order of their ids."""
        return [self._items[id] for id in sorted(self._items)]

    def dependents(self, id: str, /) -> tuple[str, ...]:
        """Return the ids of the items that need this one, in their order."""
        return tuple(sorted(set(self._dependents.get(id, ()))))

    def children(self, id: str, /) -> tuple[str, ...]:
        """Return the ids of the items that are parts of this one, in their order."""
        return tuple(sorted(self._children.get(id, ())))

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many items there are of each status, without those that have a track."""
        return MappingProxyType(self._counts)

    @property
    def wanted_counts(self) -> Mapping[Status, int]:
        """How many of the wanted items there are of each status."""
        return MappingProxyType(self._wanted_counts)

    @property
    def running(self) -> Running:
        """What was begun and has not ended."""
        return MappingProxyType(self._running)

    @property
    def kept(self) -> Collection[str]:
        """The ids that are wanted though they may match no more: they were promoted."""
        return self._kept

    def apply(self, change: Change) -> None:
        """Take up the items of a change."""
        for item in change.items:
            self._put(item)

    def begin(self, id: str, *, destructive: bool = False) -> None:
        """Note that an item is worked on: it is selected no more until that ended."""
        self._running[id] = destructive

    def end(self, id: str) -> None:
        """Note that an item is not worked on any longer."""
        if self._running.pop(id, None) is not None:
            self._queue(id)

    def select(self) -> tuple[Action, ...]:
        """Decide what to start now: the same as `scan` does."""
        slots = free_slots(self._running, self.rules)
        if not slots:
            return ()
        promotions: list[Key] = []
        if self._ready:
            places = self.rules.limits.max_wip - self._counts[Status.IN_PROGRESS]
            promotions = self._ready.first(max(0, places))
        candidates = [
            action
            for key in self._work.first(slots)
            if (action := next_action(self._items[key[-1]], self.rules)) is not None
        ]
        return (
            *[Promote(item=key[-1]) for key in promotions],
            *fill(candidates, slots, idle=not self._running),
        )

    def find(self, beginning: str) -> str:
        """Return the id that a person means; see `resolve`.

        Raises:
          UnknownItemError: there is no such item, or there are several.
        """
        return resolve(beginning, self._items)

    def _put(self, item: Item) -> None:
        id = item.id
        old = self._items.get(id)
        if old is not None and self._filtered:
            self._keep(old, item)
        self._items[id] = item
        if (
            old is None
            or self._filtered
            or old.status is not item.status
            or (old.track is None) is not (item.track is None)
        ):
            if old is not None:
                self._count(old, -1)
            self._count(item, 1)
        was_final = old is not None and old.status.is_final
        is_final = item.status.is_final
        if was_final is not is_final:
            self._release(id, 1 if was_final else -1)
        moved = old is None or old.needs != item.needs or old.parent != item.parent
        if moved:
            if old is not None:
                self._disconnect(old)
            self._connect(item)
        key = None if is_final else self._key(item)
        if key is None:
            self._keys.pop(id, None)
        elif moved or self._keys.get(id) != key:
            self._keys[id] = key
            self._queue(id)

    def _release(self, id: str, step: int) -> None:
        """Count a need that was met, or is open again, with all that have it."""
        for dependent in self._dependents.get(id, ()):
            missing = self._open.get(dependent, 0) + step
            if missing:
                self._open[dependent] = missing
            else:
                del self._open[dependent]
                self._queue(dependent)

    def _queue(self, id: str) -> None:
        """Let an item be selected, if it has work and nothing holds it."""
        key = self._keys.get(id)
        if key is not None and id not in self._open and id not in self._running:
            (self._ready if key[0] == PROMOTION else self._work).put(key)

    def _key(self, item: Item) -> Key | None:
        """Return where a wanted item stands among those that can be worked on."""
        return urgency(item, self.rules) if self._is_wanted(item) else None

    def _is_wanted(self, item: Item) -> bool:
        return not self._filtered or item.id in self._kept or self.wanted.matches(item)

    def _keep(self, old: Item, item: Item) -> None:
        promoted = old.status is Status.READY and item.status is Status.IN_PROGRESS
        if promoted and self.wanted.matches(old):
            self._kept.add(item.id)

    def _count(self, item: Item, step: int) -> None:
        if item.track is not None:
            return
        self._counts[item.status] += step
        if self._filtered and self._is_wanted(item):
            self._wanted_counts[item.status] += step

    def _connect(self, item: Item) -> None:
        """Note what an item needs and is a part of."""
        for need in item.needs:
            self._dependents.setdefault(need, []).append(item.id)
        if missing := len(unmet(self._items, item)):
            self._open[item.id] = missing
        if item.parent is not None:
            self._children.setdefault(item.parent, []).append(item.id)

    def _disconnect(self, item: Item) -> None:
        for need in item.needs:
            self._dependents[need].remove(item.id)
        self._open.pop(item.id, None)
        if item.parent is not None:
            self._children[item.parent].remove(item.id)
