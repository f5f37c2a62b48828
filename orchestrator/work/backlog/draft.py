"""A change in the making: the backlog as it will be. The only place that sets a status."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypedDict, Unpack

import attrs

from orchestrator.errors import IllegalStepError, UnknownItemError

from .change import Change, Entry, Passage, View
from .item import Item, Question, Status
from .transitions import LEGAL, route


class Detail(TypedDict, total=False):
    """What an entry says beyond its item, its word and the statuses; see `Entry`."""

    phase: str
    outcome: str
    text: str
    by: str
    attempt: str
    passage: Passage


class Draft:
    """The backlog with the changes so far, which is a `View` again. What it is made of stays.

    Args:
      now: Unix time in nanoseconds, for the items that come out different.
    """

    def __init__(self, view: View, now: int) -> None:
        self._view = view
        self._now = now
        self._items: dict[str, Item] = {}
        self._entries: list[Entry] = []
        self._added = 0

    def get(self, id: str, /) -> Item | None:
        """Return an item as it will be."""
        return self._items.get(id) or self._view.get(id)

    def dependents(self, id: str, /) -> tuple[str, ...]:
        """Return the ids of the items that will need this one, sorted."""
        return self._linked(self._view.dependents(id), lambda item: id in item.needs)

    def children(self, id: str, /) -> tuple[str, ...]:
        """Return the ids of the items that will be parts of this one, sorted."""
        return self._linked(self._view.children(id), lambda item: item.parent == id)

    def item(self, id: str) -> Item:
        """Return an item as it will be.

        Raises:
          UnknownItemError: there is none.
        """
        item = self.get(id)
        if item is None:
            raise UnknownItemError(f"no item {id}", where=id, fix="orc list")
        return item

    def open_item(self, id: str) -> Item:
        """Return an item that is not over.

        Raises:
          UnknownItemError: there is none.
          IllegalStepError: it is done or closed.
        """
        item = self.item(id)
        if item.status.is_final:
            raise IllegalStepError(
                f"{id} is {item.status.value}, and stays so", where=id, fix="orc add a new item"
            )
        return item

    def add(self, item: Item, **detail: Unpack[Detail]) -> Item:
        """Add a new item; of several, an earlier one is older, by a nanosecond."""
        made = attrs.evolve(item, created=self._now + self._added)
        self._added += 1
        self._items[item.id] = made
        self.note(made, "added", **detail)
        return made

    def put(self, item: Item) -> Item:
        """Replace an item; its status stays.

        Raises:
          IllegalStepError: the status is another one than it was.
        """
        if self.item(item.id).status is not item.status:
            raise IllegalStepError(f"{item.id}: a status is changed by a step", where=item.id)
        self._items[item.id] = item
        return item

    def note(self, item: Item, what: str, **detail: Unpack[Detail]) -> None:
        """Add an entry about an item whose status stays."""
        entry = Entry(item=item.id, what=what, before=item.status, after=item.status, **detail)
        self._entries.append(entry)

    def step(self, item: Item, to: Status, what: str, **detail: Unpack[Detail]) -> Item:
        """Bring an item to a status, one legal step after another, each with an entry.

        Only the last one has the detail. A question does not outlive the step.

        Raises:
          IllegalStepError: nothing leads there, or it is BLOCKED, which takes a question.
        """
        if to is Status.BLOCKED:
            raise IllegalStepError(f"{item.id}: nothing is blocked without a question")
        self.put(item)
        before = item.status
        for after in route(before, to):
            said: Detail = detail if after is to else {"by": detail.get("by", "")}
            self._entries.append(Entry(item=item.id, what=what, before=before, after=after, **said))
            before = after
        moved = attrs.evolve(item, status=to, question=None)
        self._items[item.id] = moved
        return moved

    def block(self, item: Item, question: Question, what: str, **detail: Unpack[Detail]) -> Item:
        """Let an item wait for a person; the entry's text is the question, unless it has one.

        Raises:
          IllegalStepError: it waits already, or is over; or it cannot go on where the question
            says.
        """
        if Status.BLOCKED not in LEGAL[item.status] or question.since not in LEGAL[Status.BLOCKED]:
            raise IllegalStepError(
                f"{item.id} is {item.status.value}: it cannot wait for a person", where=item.id
            )
        self.put(item)
        said: Detail = {"text": question.text, **detail}
        self._entries.append(
            Entry(item=item.id, what=what, before=item.status, after=Status.BLOCKED, **said)
        )
        blocked = attrs.evolve(item, status=Status.BLOCKED, question=question)
        self._items[item.id] = blocked
        return blocked

    def change(self) -> Change:
        """Return all of it: the items that differ, stamped, and the entries in order."""
        changed = [
            attrs.evolve(item, updated=max(self._now, item.created))
            for id, item in self._items.items()
            if item != self._view.get(id)
        ]
        return Change(items=tuple(changed), entries=tuple(self._entries))

    def _linked(self, known: Iterable[str], is_linked: Callable[[Item], bool]) -> tuple[str, ...]:
        kept = {id for id in known if id not in self._items}
        changed = {id for id, item in self._items.items() if is_linked(item)}
        return tuple(sorted(kept | changed))
