"""Promises of an export as a store of task-golem: both files are there, and read as one backlog."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.adapters.backlog.reading import read_backlog
from orchestrator.adapters.backlog.writing import write_task_files
from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.item import Item, Status

ITEMS = (Item(id="A-1", title="T"), Item(id="A-2", title="T", status=Status.DONE))


def test_a_store_is_written_that_is_read_as_it_was(tmp_path: Path) -> None:
    store = tmp_path / ".task-golem"
    write_task_files(store, ITEMS)
    found = read_backlog(tmp_path)
    assert [(item.id, item.status) for item in found.items] == [
        ("A-1", Status.NEW),
        ("A-2", Status.DONE),
    ]
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    assert set(before) == {"tasks.jsonl", "archive.jsonl"}
    write_task_files(store, found.items)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "tasks.jsonl").symlink_to("real")
    with pytest.raises(BacklogFileError, match="is not a regular file"):
        write_task_files(tmp_path, ITEMS)
    assert (tmp_path / "real").read_bytes() == b""
