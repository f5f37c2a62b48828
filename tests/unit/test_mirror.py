"""Promises of the backlog's copy beside the code: written whole, inside, and never over changes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings

from orchestrator.adapters.backlog.mirror import (
    LEFT_OUT,
    mirrored,
    parse_mirror,
    read_mirror,
    restored,
    write_mirror,
)
from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.item import Cause, Item, Question, Status
from tests.any_items import EVERYTHING, items

ONE = Item(id="WRK-1", title="Größe")
HEADER = b'{"orchestrator_backlog": 1}\n'
LINE = HEADER + '{"id":"WRK-1","title":"Größe"}\n'.encode()


def write(path: Path, *made: Item, over: bytes | None = None) -> bytes | None:
    """Write the mirror of a checkout that is the directory of the test."""
    return write_mirror(path, made, checkout=path.parent, over=over)


@settings(max_examples=30)
@given(items())
def test_a_line_changes_nothing_of_the_item_that_it_is_of(item: Item) -> None:
    (document,) = mirrored([item]).values()
    assert restored(document, item) == item


def test_what_means_something_here_alone_is_left_out() -> None:
    (document,) = mirrored([EVERYTHING]).values()
    assert not document.keys() & set(LEFT_OUT)
    assert "claim" in document


def test_keys_that_a_person_added_stay_in_their_line() -> None:
    document = {"id": "WRK-1", "title": "T", "estimate": "3d"}
    item = restored(document, None)
    assert mirrored([attrs.evolve(item, head="c0ffee")]) == {"WRK-1": document}
    assert restored({"id": "WRK-1", "title": "T"}, item).foreign == {}


def test_a_question_goes_by_the_status() -> None:
    now = Item(id="WRK-1", title="T", status=Status.READY)
    held = restored({"id": "WRK-1", "title": "T", "status": "blocked"}, now)
    assert held.question == Question(
        text="blocked in the mirror", cause=Cause.HELD, since=Status.READY
    )
    free = restored({"id": "WRK-1", "title": "T", "question": {"text": "?"}}, held)
    assert free.question is None


def test_it_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "backlog.jsonl"
    assert read_mirror(path, checkout=tmp_path) is None
    assert write_mirror(path, [ONE], checkout=tmp_path, over=None) == LINE
    found = read_mirror(path, checkout=tmp_path)
    assert found is not None
    assert found.data == path.read_bytes() == LINE
    assert found.documents == {"WRK-1": {"id": "WRK-1", "title": "Größe"}}


def test_a_file_that_is_right_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "backlog.jsonl"
    write(path, ONE)
    before = path.stat()
    assert write(path, ONE, over=b"anything") == LINE
    assert path.stat() == before


def test_it_keeps_its_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "backlog.jsonl"
    path.write_bytes(HEADER)
    path.chmod(0o640)
    (tmp_path / ".backlog.jsonl.new").write_text("left by one that was killed")
    assert write(path, ONE, over=HEADER) == LINE
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["backlog.jsonl"]


def test_a_new_one_has_the_usual_mode(tmp_path: Path) -> None:
    path = tmp_path / "backlog.jsonl"
    (tmp_path / "usual").touch()
    write(path, ONE)
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("over", [None, HEADER])
def test_a_change_that_was_not_taken_over_is_not_written_over(
    tmp_path: Path, over: bytes | None
) -> None:
    path = tmp_path / "backlog.jsonl"
    path.write_bytes(b"changed")
    assert write(path, ONE, over=over) is None
    assert path.read_bytes() == b"changed"


def test_a_mirror_that_was_removed_is_not_written_before_that_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "backlog.jsonl"
    assert write(path, ONE, over=LINE) is None
    assert write(path, ONE, over=None) == LINE


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (LINE + b"<<<<<<< HEAD\n", "line 3: an unresolved conflict"),
        (LINE + b"{\n", "line 3: it is not JSON"),
        (LINE + b'{"id":"WRK-2"}\n', "line 3: title: missing"),
        (LINE + b'{"id":"WRK-1","title":"T"}\n', "lines 2 and 3 are both WRK-1"),
        (LINE[:-9], "line 2: it is not"),
        (b'{"orchestrator_backlog":7}\n', "unsupported orchestrator_backlog 7"),
    ],
)
def test_what_cannot_be_understood_is_named_and_left_alone(
    tmp_path: Path, data: bytes, says: str
) -> None:
    path = tmp_path / "backlog.jsonl"
    path.write_bytes(data)
    with pytest.raises(BacklogFileError) as caught:
        read_mirror(path, checkout=tmp_path)
    assert says in caught.value.message
    assert path.read_bytes() == data
    with pytest.raises(BacklogFileError):
        parse_mirror(data, "backlog.jsonl")


def test_a_link_inside_the_checkout_leads_to_the_file(tmp_path: Path) -> None:
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    link.symlink_to("real.jsonl")
    assert write(link, ONE) == LINE
    assert link.is_symlink()
    assert real.read_bytes() == LINE


def test_nothing_outside_of_the_checkout_is_written(tmp_path: Path) -> None:
    checkout, outside = tmp_path / "checkout", tmp_path / "outside"
    (checkout / ".git").mkdir(parents=True)
    outside.mkdir()
    (checkout / "directory").symlink_to(outside)
    (checkout / "file").symlink_to(outside / "file")
    (checkout / "loop").symlink_to("loop")
    paths = ["directory/file", "file", "../outside/file", ".git/config", ".", "loop", "loop/x"]
    for path in paths:
        with pytest.raises(BacklogFileError):
            write_mirror(checkout / path, [ONE], checkout=checkout, over=None)
        with pytest.raises(BacklogFileError):
            read_mirror(checkout / path, checkout=checkout)
    assert not any(outside.iterdir())
    assert not any((checkout / ".git").iterdir())


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    for name in ("directory", "fifo", "file/below"):
        with pytest.raises(BacklogFileError):
            write(tmp_path / name, ONE)
        if name != "file/below":
            with pytest.raises(BacklogFileError, match="is not a regular file"):
                read_mirror(tmp_path / name, checkout=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BacklogFileError, match="cannot be written: Permission denied"):
        write(tmp_path / "backlog.jsonl", ONE)


@pytest.mark.parametrize("data", [b"", b"\n", b" \n\n"])
def test_an_emptied_file_is_not_taken_for_items_that_were_removed(data: bytes) -> None:
    with pytest.raises(BacklogFileError, match="is empty"):
        parse_mirror(data, "backlog.jsonl")
    assert parse_mirror(HEADER, "backlog.jsonl") == {}
