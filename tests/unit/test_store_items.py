"""Promises of the store about the backlog: items, their history, and whose store it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator.errors import StoreError
from orchestrator.store import transaction
from orchestrator.store.database import store_path
from orchestrator.store.reading import ItemRow, open_reader
from orchestrator.store.store import Store, open_store
from orchestrator.store.transaction import Transaction


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def test_items_are_kept_as_they_were_last_recorded_in_the_order_they_came(store: Store) -> None:
    store.write(lambda tx: tx.put_item("b", "new", "{}"))
    store.write(lambda tx: tx.put_item("a", "new", "{}"))
    store.write(lambda tx: tx.put_item("b", "ready", '{"title": "B"}'))
    assert store.items() == (ItemRow("b", "ready", '{"title": "B"}'), ItemRow("a", "new", "{}"))
    assert store.item("a") == ItemRow("a", "new", "{}")
    assert store.item("c") is None


def test_history_is_numbered_and_the_oldest_goes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "HISTORY_KEPT", 3)
    for at in range(5):
        store.write(
            partial(Transaction.add_history, at=at, item="ab"[at % 2], what="edited", document={})
        )
    assert [row.at for row in store.history()] == [2, 3, 4]
    assert [row.at for row in store.history("a")] == [2, 4]
    assert [row.seq for row in store.history(since=3, limit=1)] == [4]


def test_only_the_newest_engine_may_write(tmp_path: Path) -> None:
    """The lock file was deleted, so that two engines believe that the repository is theirs."""
    with open_store(tmp_path) as old, open_store(tmp_path) as new:
        new.write(lambda tx: tx.put_item("a", "new", "{}"))
        with pytest.raises(StoreError, match="took this repository over"):
            old.write(lambda tx: tx.put_item("a", "done", "{}"))
        with pytest.raises(StoreError, match="took this repository over"):
            old.write(lambda tx: tx.put_item("b", "new", "{}"))
        assert new.items() == (ItemRow("a", "new", "{}"),)


def test_a_store_that_was_killed_while_it_was_made_is_made_again(tmp_path: Path) -> None:
    kill = (
        "import os, sqlite3, sys\n"
        "store = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "store.execute('PRAGMA cache_size = 1')\n"
        "store.execute('BEGIN')\n"
        "store.execute('CREATE TABLE things (text TEXT)')\n"
        "for _ in range(200):\n"
        "    store.execute('INSERT INTO things VALUES (?)', ('x' * 4000,))\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", kill, store_path(tmp_path)], check=False)
    assert store_path(tmp_path).stat().st_size > 0
    with open_reader(tmp_path) as reader:
        assert reader is None
    with open_store(tmp_path) as store:
        store.write(lambda tx: tx.put_item("a", "new", "{}"))
        assert [row.id for row in store.items()] == ["a"]


def test_submitted_changes_are_applied_in_the_order_they_were_submitted(store: Store) -> None:
    told: list[int] = []
    jobs = [
        store.submit(
            partial(Transaction.put_item, id="a", status="new", document=str(n)),
            partial(told.append, n),
        )
        for n in range(50)
    ]
    assert all(job.wait(60) for job in jobs)
    assert told == list(range(50))
    assert store.items() == (ItemRow("a", "new", "49"),)
