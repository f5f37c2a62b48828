"""The backlog in memory and the one way to change it: decided at once, seen when it is durable."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
import trio

from orchestrator.errors import StoreError, UsageError
from orchestrator.messages import Event, Fact
from orchestrator.run.backlog.events import ItemChanged
from orchestrator.run.backlog.rows import no_collection, read_rows
from orchestrator.run.records.facts import add_fact
from orchestrator.store.store import DEADLINE, Store
from orchestrator.store.transaction import Transaction
from orchestrator.work.backlog.change import Change, Entry, View
from orchestrator.work.backlog.document import read_line, write_line
from orchestrator.work.backlog.filters import EVERYTHING, Filters
from orchestrator.work.backlog.index import Backlog
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.rules import Rules

Decide = Callable[[View, int], Change]
"""Takes the backlog as it will be, and now in Unix nanoseconds; returns what comes next."""


@attrs.frozen(kw_only=True)
class Recorded:
    """A change that is durable, and the facts that tell of it."""

    change: Change
    facts: tuple[Fact, ...]

    def tell(self, publish: Callable[[Event], None]) -> Change:
        """Publish the facts; returns the change."""
        for fact in self.facts:
            publish(fact)
        return self.change


def _nothing_else(_: Transaction) -> tuple[Fact, ...]:
    """Record nothing besides."""
    return ()


@attrs.define(eq=False, kw_only=True)
class Book:
    """Owns the backlog of one engine.

    A decision sees what was decided before it, durable or not (this is a `View`); everybody else
    reads `backlog`, which holds only what is on the disk. So changes that come close together
    share one sync, and nobody acts on what a crash could take back.

    Attributes:
      backlog: what is durable.
      is_changed: whether anything was changed since it was loaded.
      clock: tells Unix nanoseconds; one that jumps back stands still here.
    """

    store: Store
    rules: Rules
    backlog: Backlog
    clock: Callable[[], int] = time.time_ns
    is_changed: bool = attrs.field(default=False, init=False)
    _ahead: dict[str, Item] = attrs.field(factory=dict, init=False)
    _now: int = attrs.field(default=0, init=False)
    _readers: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    def get(self, id: str) -> Item | None:
        """Return an item as it was last decided."""
        return self._ahead.get(id) or self.backlog.get(id)

    def dependents(self, id: str) -> Iterable[str]:
        """Return the ids of the items that need this one, as it was last decided."""
        return self._related(self.backlog.dependents(id), lambda item: id in item.needs)

    def children(self, id: str) -> Iterable[str]:
        """Return the ids of the items that are parts of this one, as it was last decided."""
        return self._related(self.backlog.children(id), lambda item: item.parent == id)

    async def change(
        self, decide: Decide, also: Callable[[Transaction], tuple[Fact, ...]] = _nothing_else
    ) -> Recorded:
        """Decide a change and record it, with all that belongs to it, in one transaction.

        Args:
          decide: is called before anything is awaited; what it raises, nothing came of.
          also: records what comes with the change and returns the facts that tell of it, or raises
            to refuse both.

        Cancellation waits until it is decided: what was begun is recorded.

        Raises:
          StoreError: when it could not be recorded; the engine has to stop then.
          UsageError: when an item could not be read back; nothing is changed then.
          Exception: whatever ``decide`` or ``also`` raised; nothing is changed then.
        """
        self._now = now = max(self.clock(), self._now)
        change = decide(self, now)
        lines = [_line(item) for item in change.items]
        titles = {item.id: item.title for item in change.items}
        self._ahead.update((item.id, item) for item in change.items)

        def record(tx: Transaction) -> tuple[Fact, ...]:
            first = also(tx)
            for item, line in zip(change.items, lines, strict=True):
                tx.put_item(item.id, item.status.value, line)
            for entry in change.entries:
                tx.add_history(now, entry.item, entry.what, _document(entry))
            told = (
                add_fact(tx, _fact(entry, titles), item=entry.item, run="")
                for entry in change.entries
            )
            return (*first, *told)

        decided = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def arrive() -> None:
            # In the order of the submissions: Trio runs these one by one as they come.
            if job.error is None:
                self.backlog.apply(change)
                self.is_changed = self.is_changed or bool(change.items)
                self._readers.unpark_all()
            for item in change.items:
                if self._ahead.get(item.id) is item:
                    del self._ahead[item.id]
            decided.set()

        def tell() -> None:
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(arrive)

        try:
            job = self.store.submit(record, tell)
        except StoreError:
            for item in change.items:
                self._ahead.pop(item.id, None)
            raise
        with trio.move_on_after(DEADLINE, shield=True) as patience:
            await decided.wait()
        if patience.cancelled_caught:
            raise self.store.unanswered()
        return Recorded(change=change, facts=job.result())

    async def wait_changed(self) -> None:
        """Wait for the next change to become durable."""
        await self._readers.park()

    def _related(self, durable: Iterable[str], is_related: Callable[[Item], bool]) -> Iterator[str]:
        yield from (id for id in durable if id not in self._ahead)
        yield from (id for id, item in self._ahead.items() if is_related(item))


def load_book(store: Store, rules: Rules, wanted: Filters = EVERYTHING) -> Book:
    """Read the whole backlog. Blocking.

    Args:
      wanted: only these items are selected for work.

    Raises:
      StoreError: when an item cannot be read; names it.
    """
    with no_collection():
        backlog = Backlog(rules, read_rows(store.items()), wanted)
    return Book(store=store, rules=rules, backlog=backlog)


def _line(item: Item) -> str:
    """Return an item as the store keeps it, which reads back.

    Raises:
      UsageError: when it would not: the whole backlog could not be read any more.
    """
    try:
        line = write_line(item)
        read_line(line)
    except ValueError as error:
        raise UsageError(f"{item.id} cannot be kept like this: {error}", where=item.id) from error
    return line


def _fact(entry: Entry, titles: dict[str, str]) -> ItemChanged:
    return ItemChanged(
        item=entry.item,
        title=titles.get(entry.item, ""),
        what=entry.what,
        before=entry.before.value,
        after=entry.after.value,
        phase=entry.phase,
        outcome=entry.outcome,
        text=entry.text,
        by=entry.by,
        attempt=entry.attempt,
    )


def _document(entry: Entry) -> dict[str, Any]:
    passage = {} if entry.passage is None else {"passage": attrs.asdict(entry.passage)}
    return {
        "before": entry.before.value,
        "after": entry.after.value,
        "phase": entry.phase,
        "outcome": entry.outcome,
        "text": entry.text,
        "by": entry.by,
        "attempt": entry.attempt,
        **passage,
    }
