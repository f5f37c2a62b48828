"""Promises of the documents of items: nothing is lost, nothing wrong gets in."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.work.backlog.document import (
    UNKNOWN,
    item_from,
    item_to,
    read_line,
    write_line,
)
from orchestrator.work.backlog.item import Item, Level, Question, Status
from tests.any_items import EVERYTHING, items, jsons


@settings(max_examples=50)
@given(items())
def test_an_item_comes_back_from_its_line_as_it_was(item: Item) -> None:
    line = write_line(item)
    assert read_line(line) == item
    assert read_line(line.encode()) == item


@settings(max_examples=50)
@given(items(), st.dictionaries(st.text(), jsons(), max_size=3))
def test_keys_of_others_keep_their_place(item: Item, others: dict[str, Any]) -> None:
    document = item_to(item) | {f"x-{key}": value for key, value in others.items()}
    assert item_to(item_from(document)) == document


def test_every_field_of_an_item_has_its_place() -> None:
    found = item_from(item_to(EVERYTHING))
    assert found == EVERYTHING
    assert set(item_to(EVERYTHING)) == {field.name for field in attrs.fields(Item)}


def test_what_is_at_its_default_is_left_out() -> None:
    assert write_line(Item(id="WRK-1", title="Title")) == '{"id":"WRK-1","title":"Title"}'


def test_a_line_is_readable_and_sorted() -> None:
    item = Item(id="WRK-1", title="Größe", status=Status.READY, tags=("b", "a"))
    expected = '{"id":"WRK-1","status":"ready","tags":["b","a"],"title":"Größe"}'
    assert write_line(item) == expected


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "an item is an object"),
        ({"title": "T"}, "id: missing"),
        ({"id": "", "title": "T"}, "id: missing"),
        ({"id": "A"}, "title: missing"),
        ({"id": 1, "title": "T"}, "id: must be a string"),
        ({"id": "A", "title": "\ud800"}, "title: holds half a character"),
        ({"id": "A", "title": "T", "status": "Done"}, "status: must be one of new, scoping"),
        ({"id": "A", "title": "T", "status": []}, "status: must be one of"),
        ({"id": "A", "title": "T", "priority": True}, "priority: must be a whole number"),
        ({"id": "A", "title": "T", "created": 2**63}, "created: must fit into 64 bits"),
        ({"id": "A", "title": "T", "needs_review": 1}, "needs_review: must be true or false"),
        ({"id": "A", "title": "T", "tags": "x"}, "tags: must be a list"),
        ({"id": "A", "title": "T", "tags": ["x", 2]}, r"tags\[1\]: must be a string"),
        ({"id": "A", "title": "T", "ratings": {"risk": "big"}}, r"ratings\.risk: must be one of"),
        ({"id": "A", "title": "T", "ratings": {"cost": "low"}}, r"ratings\.cost: no such key"),
        ({"id": "A", "title": "T", "question": {}}, r"question\.text: missing"),
        ({"id": "A", "title": "T", "claim": {"by": "me"}}, r"claim\.at: missing"),
        ({"id": "A", "title": "T", "waiting": [{}]}, r"waiting\[0\]\.phase: missing"),
        ({"id": "A", "title": "T", "foreign": []}, "foreign: must be an object"),
        ({"id": "A", "title": "T", "x": 1, "foreign": {UNKNOWN: 1}}, r"foreign\.unknown: must be"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(document: object, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        item_from(document)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"\xff", "not UTF-8"),
        (b'{"id": ', "not JSON"),
        (b'{"id":"A","title":"T"} x', "not JSON"),
        (b'{"id":"A","title":"T","x":NaN}', "NaN is no JSON number"),
        (b'{"id":"A","title":"T","x":1e999}', "1e999 is too large"),
        (b'{"id":"A","title":"T","x":' + b"9" * 5000 + b"}", "too large a number"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_a_line_that_is_no_document_is_refused(line: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_line(line)


def test_half_a_character_in_what_others_wrote_is_kept() -> None:
    line = write_line(Item(id="A", title="Ä", foreign={"x": "\ud800"}))
    assert line.encode()
    assert read_line(line).foreign == {"x": "\ud800"}


def test_null_stands_for_absent_where_something_may_be_absent() -> None:
    keys = ("parent", "pipeline", "phase", "pool", "question", "claim")
    document = {"id": "A", "title": "T", **dict.fromkeys(keys)}
    assert item_from(document) == Item(id="A", title="T")


def test_equal_ratings_are_one_value_in_memory() -> None:
    line = json.dumps({"id": "A", "title": "T", "ratings": {"risk": "high"}})
    first, second = read_line(line), read_line(line)
    assert first.ratings.risk is Level.HIGH
    assert first.ratings is second.ratings


def test_a_question_is_written_with_what_differs() -> None:
    question = Question(text="Which?", since=Status.READY)
    item = Item(id="A", title="T", status=Status.BLOCKED, question=question)
    assert item_to(item)["question"] == {"text": "Which?", "since": "ready"}
