"""Promises of finding a backlog: by its place and content, and never beyond what is asked for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestrator.adapters.backlog import files
from orchestrator.adapters.backlog.own import write_own
from orchestrator.adapters.backlog.reading import read_backlog
from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.item import Item, Status
from tests.any_items import EVERYTHING

HEADER = '{"schema_version":1}\n'


def task(id: str, status: str = "todo") -> str:
    """Return a line of task-golem."""
    at = "2026-04-15T16:45:25Z"
    document = {"id": id, "title": id, "status": status, "created_at": at, "updated_at": at}
    return json.dumps(document) + "\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a store of task-golem with an archive; one item is in both."""
    store = tmp_path / ".task-golem"
    store.mkdir()
    (store / "tasks.jsonl").write_text(HEADER + task("A-1") + task("A-2"))
    (store / "archive.jsonl").write_text(HEADER + task("A-2", "done") + task("A-3", "done"))
    return store


@pytest.mark.parametrize("place", ["", ".task-golem", ".task-golem/tasks.jsonl"])
def test_a_store_is_found_and_read_with_its_archive(store: Path, place: str) -> None:
    found = read_backlog(store.parent / place)
    assert [(item.id, item.status) for item in found.items] == [
        ("A-1", Status.NEW),
        ("A-2", Status.DONE),
        ("A-3", Status.DONE),
    ]
    assert found.notes == ("tasks.jsonl: A-2: it is in archive.jsonl, too, which counts",)


def test_an_archive_can_be_read_alone(store: Path) -> None:
    found = read_backlog(store / "archive.jsonl")
    assert [item.id for item in found.items] == ["A-2", "A-3"]
    (store / "tasks.jsonl").unlink()
    assert read_backlog(store) == found


def test_a_copy_of_a_store_is_known_by_its_content(store: Path) -> None:
    copy = store.parent / "copy"
    for first in (HEADER, "", "\ufeff" + HEADER):
        copy.write_text(first + task("A-1"))
        assert [item.id for item in read_backlog(copy).items] == ["A-1"]


def test_what_lies_beside_a_store_and_is_not_read_is_told(store: Path) -> None:
    (store.parent / "BACKLOG.yaml").write_text("items: []")
    assert read_backlog(store.parent).notes[-1].startswith("BACKLOG.yaml: lies beside")


def test_yaml_is_read_with_its_inbox(tmp_path: Path) -> None:
    (tmp_path / "BACKLOG.yaml").write_text("items:\n- {id: HAMY-001, title: T}\n")
    inbox = tmp_path / "BACKLOG_INBOX.yaml"
    inbox.write_text("- title: Wish\n")
    first, second = read_backlog(tmp_path).items
    assert first.id == "HAMY-001"
    assert second.id.startswith("HAMY-")
    assert second.created == inbox.stat().st_mtime_ns
    assert read_backlog(inbox, prefix="X").items[0].id.startswith("X-")


def test_an_inbox_that_cannot_be_read_is_only_noted(tmp_path: Path) -> None:
    (tmp_path / "BACKLOG.yaml").write_text("items:\n- {id: HAMY-001, title: T}\n")
    (tmp_path / "BACKLOG_INBOX.yaml").write_text("items: []")
    found = read_backlog(tmp_path)
    assert len(found.items) == 1
    assert found.notes == ("BACKLOG_INBOX.yaml: line 1: an inbox is a list of entries; not read",)


def test_the_settings_say_where_the_yaml_is_and_which_phases_there_are(tmp_path: Path) -> None:
    (tmp_path / "phase-golem.toml").write_text(
        '[project]\nbacklog_path = "todo.yml"\n[pipelines.feature]\nphases = [{ name = "build" }]\n'
    )
    (tmp_path / "todo.yml").write_text(
        "schema_version: 1\nitems:\n"
        "- {id: A-1, title: T, status: in_progress, phase: build}\n"
        "- {id: A-2, title: T, status: in_progress, phase: polish}\n"
    )
    assert [item.phase for item in read_backlog(tmp_path).items] == ["build", None]


@pytest.mark.parametrize(
    "settings",
    ["[", "a = " + "[" * 5000, "pipelines = 1", "[pipelines.feature]\nphases = 1", "project = 1"],
)
def test_settings_that_are_broken_keep_no_backlog_from_being_read(
    tmp_path: Path, settings: str
) -> None:
    (tmp_path / "phase-golem.toml").write_text(settings)
    (tmp_path / "BACKLOG.yaml").write_text("items:\n- {id: A-1, title: T}\n")
    assert [item.id for item in read_backlog(tmp_path).items] == ["A-1"]


def test_our_own_file_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "backlog.jsonl"
    items = (EVERYTHING, Item(id="WRK-0", title="T"))
    path.write_bytes(write_own(items))
    assert read_backlog(path).items == tuple(reversed(items))
    headless = path.read_bytes().partition(b"\n")[2]
    path.write_bytes(headless)
    assert read_backlog(path).items == tuple(reversed(items))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"orchestrator_backlog":2}\n', "unsupported orchestrator_backlog 2"),
        (b'{"orchestrator_backlog": 1}\n{"id":"A"}\n', "line 2: title: missing"),
        (b'{"id":"A","title":"T"}\n{"id":"A","title":"T"}\n', "lines 1 and 2 are both A"),
        (b'{"id":"a/../b","title":"T"}\n', "line 1: 'a/../b' is no id"),
        (b'{"id":"A","title":"T","status":"don', "line 1: it is not JSON"),
        (b'\n\n{"id":"A","title":1}\n', "line 3: title: must be a string"),
        (b"=======\n", "line 1: an unresolved conflict"),
        (b"\xff", "line 1: it is not UTF-8"),
        (b"hello", "line 1: it is not JSON"),
    ],
)
def test_what_is_no_file_of_ours_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "backlog.jsonl"
    path.write_bytes(data)
    with pytest.raises(BacklogFileError) as caught:
        read_backlog(path)
    assert says in caught.value.message


def test_what_is_there_is_never_waited_for_or_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"")
    link, fifo = tmp_path / "link", tmp_path / "fifo"
    link.symlink_to(real)
    os.mkfifo(fifo)
    for path, says in ((link, "is a symbolic link"), (fifo, "is not a regular file")):
        with pytest.raises(BacklogFileError, match=says):
            read_backlog(path)


@pytest.mark.parametrize("name", ["missing.jsonl", "missing.yaml", "."])
def test_where_there_is_nothing_that_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(BacklogFileError, match=r"No such file|holds no backlog"):
        read_backlog(tmp_path / name)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "backlog.jsonl"
    path.touch()
    os.truncate(path, files.LIMIT + 1)
    with pytest.raises(BacklogFileError, match="is larger than 256 MiB"):
        read_backlog(path)
    path.rename(tmp_path / "BACKLOG.yaml")
    with pytest.raises(BacklogFileError, match="is larger than 32 MiB"):
        read_backlog(tmp_path)
