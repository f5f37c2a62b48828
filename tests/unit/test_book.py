"""Promises of the book: changes come whole, in order, durable before they are seen."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from orchestrator.errors import StoreError
from orchestrator.messages import Fact
from orchestrator.run.backlog.book import Book, load_book
from orchestrator.store.store import Store, open_store
from orchestrator.store.transaction import Transaction
from orchestrator.store.writer import Job
from orchestrator.work.backlog.change import Change, Entry, View
from orchestrator.work.backlog.default_pipeline import FEATURE
from orchestrator.work.backlog.document import read_line
from orchestrator.work.backlog.item import Item, Status
from orchestrator.work.backlog.rules import Rules

RULES = Rules(pipelines={FEATURE.name: FEATURE})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def book(store: Store) -> Book:
    return load_book(store, RULES)


def put(item: Item, view: View, now: int) -> Change:
    """Decide that an item is like this."""
    before = view.get(item.id)
    status = before.status if before is not None else item.status
    entry = Entry(item=item.id, what="put", before=status, after=item.status)
    return Change(items=(attrs.evolve(item, updated=now),), entries=(entry,))


def raise_priority(id: str, view: View, now: int) -> Change:
    """Decide that an item is one step more urgent than it was decided to be."""
    item = view.get(id)
    assert item is not None
    return put(attrs.evolve(item, priority=item.priority + 1), view, now)


async def test_a_change_is_in_the_store_its_history_and_its_facts_and_comes_back(
    book: Book, store: Store
) -> None:
    recorded = await book.change(partial(put, Item(id="a-1", title="One")))
    (item,) = recorded.change.items
    assert book.backlog.get("a-1") == item
    assert load_book(store, RULES).backlog.get("a-1") == item
    assert [(row.item, row.what) for row in store.history()] == [("a-1", "put")]
    assert [row.name for row in store.facts()] == ["item_changed"]
    assert [fact.seq for fact in recorded.facts] == [1]


async def test_a_decision_sees_those_before_it_and_readers_only_what_is_durable(
    book: Book, store: Store
) -> None:
    await book.change(partial(put, Item(id="a-1", title="One")))
    seen = []

    async def change() -> None:
        await book.change(partial(raise_priority, "a-1"))
        now, durable = book.backlog.get("a-1"), store.item("a-1")
        assert now is not None
        assert durable is not None
        assert read_line(durable.document).priority >= now.priority
        seen.append(now.priority)

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(change)
    assert sorted(seen) == seen
    assert seen[-1] == 100
    assert len(store.history("a-1")) == 101


async def test_many_changes_share_a_few_syncs(
    book: Book, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    writer = store._writer
    commit = writer._commit

    def count(group: list[Job[Any]]) -> None:
        commit(group)
        commits.append(len(group))

    monkeypatch.setattr(writer, "_commit", count)
    async with trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(book.change, partial(put, Item(id=f"a-{number}", title="T")))
    assert sum(commits) == 200
    assert len(commits) < 20


async def test_what_raises_changes_nothing(book: Book, store: Store) -> None:
    def refuse(_: View, __: int) -> Change:
        raise ValueError("no")

    def refuse_both(_: Transaction) -> tuple[Fact, ...]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await book.change(refuse)
    with pytest.raises(ValueError, match="no"):
        await book.change(partial(put, Item(id="a-1", title="One")), refuse_both)
    assert book.get("a-1") is None
    assert (store.items(), store.history(), store.facts()) == ((), (), ())
    await book.change(partial(put, Item(id="a-1", title="One")))
    assert [row.id for row in store.items()] == ["a-1"]


async def test_a_cancelled_change_is_recorded_or_never_begun(book: Book, store: Store) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await book.change(partial(put, Item(id="a-1", title="One")))
    assert (book.backlog.get("a-1") is not None) is (store.item("a-1") is not None)
    assert book.get("a-1") == book.backlog.get("a-1")


async def test_a_store_that_refuses_stops_everything_loudly(book: Book, tmp_path: Path) -> None:
    with open_store(tmp_path):  # another engine took it over
        for id in ("a-1", "a-2"):
            with pytest.raises(StoreError, match="took this repository over"):
                await book.change(partial(put, Item(id=id, title="One")))
    assert len(book.backlog) == 0


async def test_time_never_goes_back(store: Store) -> None:
    times = iter([100, 50, 120])
    book = attrs.evolve(load_book(store, RULES), clock=lambda: next(times))
    for id in ("a-1", "a-2", "a-3"):
        await book.change(partial(put, Item(id=id, title="T")))
    assert [item.updated for item in book.backlog.ordered()] == [100, 100, 120]


async def test_who_waits_for_a_change_is_woken_by_it(book: Book) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(book.wait_changed)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(5):
            await book.change(partial(put, Item(id="a-1", title="One")))
            while nursery.child_tasks:
                await trio.lowlevel.checkpoint()


async def test_relations_are_those_of_what_was_decided_last(book: Book) -> None:
    await book.change(partial(put, Item(id="a-1", title="One")))
    await book.change(partial(put, Item(id="a-2", title="Two", needs=("a-1",), parent="a-1")))
    await book.change(partial(put, Item(id="a-3", title="Three", needs=("a-1",))))
    known: list[tuple[list[str], list[str]]] = []

    def look(view: View, _: int) -> Change:
        known.append((sorted(view.dependents("a-1")), sorted(view.children("a-1"))))
        return Change()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(book.change, partial(put, Item(id="a-2", title="Two")))
        nursery.start_soon(book.change, look)
    assert known in ([(["a-3"], [])], [(["a-2", "a-3"], ["a-2"])])


def test_an_item_that_cannot_be_read_is_named(store: Store) -> None:
    store.write(lambda tx: tx.put_item("a-1", "new", '{"id": "a-1"}'))
    with pytest.raises(StoreError, match="a-1 cannot be read: title: missing"):
        load_book(store, RULES)


async def test_a_final_item_frees_what_needs_it(book: Book) -> None:
    await book.change(partial(put, Item(id="a-1", title="One")))
    await book.change(partial(put, Item(id="a-2", title="Two", needs=("a-1",))))
    assert [action.item for action in book.backlog.select()] == ["a-1"]
    done = Item(id="a-1", title="One", status=Status.DONE)
    await book.change(partial(put, done))
    assert [action.item for action in book.backlog.select()] == ["a-2"]
