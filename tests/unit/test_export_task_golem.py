"""Promises of task-golem's lines as they are written: what did not change is as it was."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.adapters.backlog.task_golem import read_tasks
from orchestrator.adapters.backlog.task_golem_export import export_task_files, export_task_golem
from orchestrator.work.backlog.item import (
    Asks,
    Cause,
    Description,
    Item,
    Level,
    Question,
    Status,
)
from tests.any_items import items, jsons

HEADER = b'{"schema_version":1}\n'
NATIVE = [
    "id",
    "title",
    "status",
    "priority",
    "description",
    "tags",
    "dependencies",
    "created_at",
    "updated_at",
    "blocked_reason",
    "blocked_from_status",
    "claimed_by",
    "claimed_at",
]
LINE = (
    '{"id":"tg-1","title":"Größe","status":"doing","priority":0,"description":null,"tags":[],'
    '"dependencies":[],"created_at":"2026-04-15T16:45:25.138488510Z",'
    '"updated_at":"2026-04-15T16:45:25.138Z","blocked_reason":null,"blocked_from_status":null,'
    '"claimed_by":null,"claimed_at":null,"x-pg-phase":"build","x-pg-size":"HUGE",'
    '"x-pg-status":"ready","x-team":{"a":1.5,"b":[null]}}'
)


def read_one(line: str) -> Item:
    """Return the item of a line."""
    (item,) = read_tasks(HEADER + line.encode(), "tasks.jsonl").items
    return item


def written(item: Item) -> dict[str, Any]:
    """Return what the line of an item says."""
    _, line = export_task_golem([item]).splitlines()
    document: dict[str, Any] = json.loads(line)
    return document


def fields(item: Item) -> dict[str, Any]:
    """Return what another tool's line can say of an item."""
    question = item.question
    asks = None
    if question is not None and question.cause is Cause.ASKED:
        asks = question.asks
    return {
        "id": item.id,
        "title": item.title,
        "status": item.status,
        "priority": item.priority,
        "description": item.description,
        "tags": item.tags,
        "needs": item.needs,
        "parent": item.parent,
        "pipeline": item.pipeline,
        "phase": item.phase,
        "ratings": item.ratings,
        "needs_review": item.needs_review,
        "origin": item.origin,
        "answer": item.answer,
        "claim": item.claim,
        "based_on": item.based_on,
        "created": item.created,
        "updated": item.updated,
        "since": question.since if question else None,
        "text": question.text if question else None,
        "asks": None if asks is Asks.APPROVAL else asks,
    }


def test_an_item_that_did_not_change_is_written_as_its_very_line() -> None:
    odd = LINE.replace('","title"', '" ,  "title"')
    assert export_task_golem([read_one(odd)]) == HEADER + odd.encode() + b"\n"


def test_what_only_this_product_knows_changes_no_line() -> None:
    item = attrs.evolve(read_one(LINE), visit=3, head="c0ffee", summary="Done so far")
    assert export_task_golem([item]) == HEADER + LINE.encode() + b"\n"


def test_only_what_changed_is_written_anew() -> None:
    item = attrs.evolve(read_one(LINE), title="Title", updated=1_776_271_525_200_000_000)
    expected = LINE.replace("Größe", "Title").replace("16:45:25.138Z", "16:45:25.200Z")
    assert export_task_golem([item]) == HEADER + expected.encode() + b"\n"


def test_a_status_that_was_left_over_does_not_come_back_to_life() -> None:
    item = attrs.evolve(read_one(LINE), status=Status.NEW)
    assert read_one(json.dumps(written(item))).status is Status.NEW


def test_keys_come_in_the_order_of_the_tool() -> None:
    item = Item(id="a", title="T", phase="build", answer="A", description=Description(impact="I"))
    document = written(item)
    assert list(document)[: len(NATIVE)] == NATIVE
    extensions = list(document)[len(NATIVE) :]
    assert extensions == sorted(extensions)
    assert list(document["x-pg-description"]) == sorted(document["x-pg-description"])


def test_items_are_sorted_by_the_bytes_of_their_ids() -> None:
    ids = ["b-1", "B-1", "a-10", "a-1", "_a"]
    lines = export_task_golem(Item(id=id, title="T") for id in ids).splitlines()[1:]
    assert [json.loads(line)["id"] for line in lines] == ["B-1", "_a", "a-1", "a-10", "b-1"]


def test_a_new_item_is_written_like_those_beside_it() -> None:
    parent = '"claimed_at":null,"parent":null'
    theirs = read_one(LINE.replace("x-pg-", "x-").replace('"claimed_at":null', parent))
    new = Item(id="new", title="T", phase="build")
    document = json.loads(export_task_golem([theirs, new]).splitlines()[1])
    assert document["x-phase"] == "build"
    assert document["parent"] is None
    assert "parent" not in written(new)
    assert written(new)["x-pg-phase"] == "build"


@pytest.mark.parametrize(
    ("status", "native", "extension"),
    [
        (Status.NEW, "todo", "new"),
        (Status.SCOPING, "todo", "scoping"),
        (Status.READY, "todo", "ready"),
        (Status.IN_PROGRESS, "doing", None),
        (Status.DONE, "done", None),
        (Status.CLOSED, "done", None),
    ],
)
def test_a_status_is_said_in_their_words(
    status: Status, native: str, extension: str | None
) -> None:
    document = written(Item(id="a", title="T", status=status))
    assert (document["status"], document.get("x-pg-status")) == (native, extension)


def test_a_blocked_item_tells_where_it_goes_back_to_twice() -> None:
    question = Question(text="Which?", asks=Asks.DECISION, since=Status.READY)
    document = written(Item(id="a", title="T", status=Status.BLOCKED, question=question))
    assert document["blocked_reason"] == "Which?"
    assert document["blocked_from_status"] == "todo"
    assert document["x-pg-blocked-from-status"] == "ready"
    assert document["x-pg-blocked-type"] == "decision"


def test_why_an_item_was_closed_comes_back() -> None:
    item = Item(id="a", title="T", status=Status.CLOSED, reason="a duplicate")
    back = read_one(json.dumps(written(item)))
    assert (back.status, back.reason) == (Status.CLOSED, "a duplicate")


def test_what_is_over_goes_to_the_archive() -> None:
    kinds = {status: Item(id=status.value, title="T", status=status) for status in Status}
    files = export_task_files(kinds.values())
    over = {json.loads(line)["id"] for line in files.archive.splitlines()[1:]}
    open_ = {json.loads(line)["id"] for line in files.active.splitlines()[1:]}
    assert over == {"done", "closed"}
    assert open_ == {"new", "scoping", "ready", "in_progress", "blocked"}


def test_an_archived_line_stays_as_it_was() -> None:
    line = LINE.replace('"doing"', '"todo"').encode() + b"\n"
    found = read_tasks(HEADER + line, "archive.jsonl", archived=True)
    assert export_task_files(found.items).archive == HEADER + line


def test_a_line_that_was_tampered_with_is_not_written() -> None:
    for line in ("{", '{"id":"a",\n"title":"T","status":"todo"}', 5):
        item = Item(id="a", title="Mine", foreign={"task_golem": {"line": line}})
        assert written(item)["title"] == "Mine"


@settings(max_examples=30)
@given(st.lists(items(), max_size=3, unique_by=lambda item: item.id))
def test_what_can_be_said_comes_back(made: list[Item]) -> None:
    made = [attrs.evolve(item, foreign={}) for item in made]
    first = export_task_golem(made)
    back = read_tasks(first, "tasks.jsonl").items
    expected = sorted((fields(item) for item in made), key=lambda said: said["id"].encode())
    for item, said in zip(back, expected, strict=True):
        # An approval, and a stop of the orchestrator, are told by the reason alone.
        asked = said["asks"] or fields(item)["asks"]
        assert {**fields(item), "asks": asked} == {**said, "asks": asked}
    assert export_task_golem(back) == first


@settings(max_examples=50)
@given(items(), st.dictionaries(st.from_regex(r"x-[a-z]{1,5}", fullmatch=True), jsons()), st.data())
def test_a_change_leaves_the_keys_of_others_alone(
    item: Item, others: dict[str, Any], data: st.DataObject
) -> None:
    document = written(attrs.evolve(item, foreign={}))
    others = {f"{key}-theirs": value for key, value in others.items()}
    theirs = read_one(json.dumps(document | others))
    level = data.draw(st.sampled_from(Level))
    changed = attrs.evolve(theirs, title="New", ratings=attrs.evolve(theirs.ratings, risk=level))
    assert written(changed) == document | others | {"title": "New", "x-pg-risk": level.value}
