"""Promise: an item is found by a beginning of its id that no other has, and by its exact name."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import UnknownItemError, UsageError
from orchestrator.run.delivery.items import item_named
from orchestrator.store.store import open_store
from orchestrator.store.transaction import Transaction
from orchestrator.work.backlog.document import write_line
from orchestrator.work.backlog.item import Item
from orchestrator.work.records import RunRecord, to_json
from tests.gitrepo import make_repository


def repository(directory: Path, *ids: str, runs: tuple[str, ...] = ()) -> Repository:
    """A repository with these items, and runs of these changes."""
    repo = Repository.open(make_repository(directory / "project"))
    with open_store(repo.state_dir) as store:
        store.write(partial(_put, ids, runs))
    return repo


def _put(ids: tuple[str, ...], runs: tuple[str, ...], tx: Transaction) -> None:
    for id in ids:
        tx.put_item(id, "new", write_line(Item(id=id, title=id)))
    for name in runs:
        run = RunRecord(
            id=f"r-{name}", item=name, change=f"change/{name}", title="", base="", start="",
            seen="", target="", root=".", at=1,
        )  # fmt: skip
        tx.put_run(to_json(run))


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("WRK-a1b2c", "WRK-a1b2c"),
        ("wrk-a1", "WRK-a1b2c"),
        ("A1", "WRK-a1b2c"),
        ("z", "WRK-zzzzz"),
        ("add", "add"),
        ("change/add", "add"),
    ],
)
def test_an_item_is_named_by_the_beginning_of_its_id(tmp_path: Path, told: str, meant: str) -> None:
    repo = repository(tmp_path, "WRK-a1b2c", "WRK-a9999", "WRK-zzzzz", "add-more", runs=("add",))
    assert item_named(repo, told) == meant


def test_what_nobody_can_tell_apart_is_told(tmp_path: Path) -> None:
    repo = repository(tmp_path, "WRK-a1b2c", "WRK-a9999", runs=("add",))
    with pytest.raises(UnknownItemError, match=r"2 items begin with .*WRK-a1b2c, WRK-a9999"):
        item_named(repo, "a")
    with pytest.raises(UnknownItemError, match="no item"):
        item_named(repo, "ad")


def test_without_a_backlog_names_are_exact_and_the_known_are_listed(tmp_path: Path) -> None:
    repo = repository(tmp_path, runs=("add-things",))
    with pytest.raises(UsageError) as caught:
        item_named(repo, "add")
    assert caught.value.fix == "known: add-things"
