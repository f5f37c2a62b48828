"""Promises of two backlogs that grew apart: what one side changed is taken, nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.backlog.mirror import Merged, merge
from orchestrator.work.backlog.reconcile import REMOVED

BASE: dict[str, Any] = {"id": "A", "title": "T", "status": "ready", "tags": ["x"], "updated": 1}

Documents = dict[str, dict[str, Any]]


FIELDS = {
    "status": st.sampled_from(("ready", "in_progress", "done")),
    "phase": st.sampled_from(("prd", "build")),
    "priority": st.integers(1, 2),
    "tags": st.lists(st.sampled_from("xyz"), min_size=1, unique=True),
    "description": st.sampled_from(({"context": "C"}, {"problem": "P"}, {"context": "D"})),
    "claim": st.just({"by": "me", "at": 1}),
}
TITLES = {"title": st.sampled_from(("T", "U"))}
DOCUMENTS = st.dictionaries(
    st.sampled_from("ABC"), st.fixed_dictionaries(TITLES, optional=FIELDS)
).map(lambda found: {id: {"id": id, **document} for id, document in found.items()})
"""Items of few ids and values, so that sides meet."""


def one(here: dict[str, Any], there: dict[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
    """Merge two changes of `BASE`; return what becomes of it, None when it stays, and notes."""
    merged = merge({"A": BASE}, {"A": BASE | here}, {"A": BASE | there})
    return merged.documents.get("A"), list(merged.notes)


@given(DOCUMENTS, DOCUMENTS)
def test_where_only_we_changed_something_nothing_is_to_be_done(
    base: Documents, ours: Documents
) -> None:
    assert merge(base, base | ours, base) == Merged()


@given(DOCUMENTS, DOCUMENTS)
def test_where_only_they_changed_something_all_of_it_is_taken(
    base: Documents, theirs: Documents
) -> None:
    merged = merge(base, base, base | theirs)
    assert base | merged.documents == base | theirs
    assert merged.notes == ()


@given(DOCUMENTS, DOCUMENTS)
def test_where_both_did_the_same_nothing_is_to_be_done(base: Documents, both: Documents) -> None:
    assert merge(base, base | both, base | both) == Merged()


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_what_was_taken_is_not_taken_again(
    base: Documents, ours: Documents, theirs: Documents
) -> None:
    here, there = base | ours, base | theirs
    merged = merge(base, here, there)
    assert merge(there, here | merged.documents, there) == Merged()


@given(DOCUMENTS, DOCUMENTS)
def test_items_that_either_side_added_are_on_both(first: Documents, second: Documents) -> None:
    one = first | merge({}, first, second).documents
    other = second | merge({}, second, first).documents
    assert set(one) == set(other) == set(first) | set(second)
    for id in first.keys() ^ second.keys():
        assert one[id] == other[id]


def test_changes_of_different_fields_come_together() -> None:
    here, there = {"title": "Ours", "updated": 5}, {"priority": 3, "updated": 7}
    assert one(here, there) == (BASE | {"title": "Ours", "priority": 3, "updated": 7}, [])


def test_a_field_that_both_changed_stays_and_theirs_is_told() -> None:
    here, there = {"title": "Ours"}, {"title": "Theirs\x1b[2J", "phase": "build"}
    merged, notes = one(here, there)
    assert merged == BASE | {"title": "Ours", "phase": "build"}
    assert notes == ["A: title: changed on both sides; not taken: Theirs[2J"]


def test_parts_of_a_description_come_together() -> None:
    here = {"description": {"context": "Ours"}}
    there = {"description": {"problem": "Theirs"}, "ratings": {"risk": "low"}}
    expected = BASE | {"description": {"context": "Ours", "problem": "Theirs"}}
    assert one(here, there) == (expected | {"ratings": {"risk": "low"}}, [])


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        (["x", "a"], ["x", "b"], ["x", "a", "b"]),
        (["a"], ["x", "b"], ["a", "b"]),
        ([], ["x", "b"], ["b"]),
        (["x", "a"], [], ["a"]),
        (["a"], ["a", "b"], ["a", "b"]),
    ],
)
def test_entries_of_lists_are_added_and_removed_by_both(
    here: list[str], there: list[str], expected: list[str]
) -> None:
    assert one({"tags": here}, {"tags": there}) == (BASE | {"tags": expected}, [])


def test_where_an_item_is_is_decided_by_one_side() -> None:
    here = {"status": "in_progress", "phase": "build"}
    there = {"status": "blocked", "question": {"text": "?"}, "title": "Theirs"}
    merged, notes = one(here, there)
    assert merged == BASE | here | {"title": "Theirs"}
    assert notes == [
        "A: status: changed on both sides; not taken: blocked",
        "A: question: changed on both sides; not taken: {'text': '?'}",
    ]


def test_where_an_item_is_is_taken_as_a_whole() -> None:
    base = BASE | {"status": "blocked", "question": {"text": "?"}}
    there = BASE | {"status": "in_progress", "phase": "build", "pool": "main"}
    merged = merge({"A": base}, {"A": base}, {"A": there})
    assert merged.documents == {"A": there}


def test_an_item_that_both_added_is_brought_together() -> None:
    here, there = {"id": "A", "title": "T", "priority": 1}, {"id": "A", "title": "U", "phase": "p"}
    merged = merge({}, {"A": here}, {"A": there})
    assert merged.documents == {"A": here | {"phase": "p"}}
    assert merged.notes == (
        "A: added on both sides",
        "A: title: changed on both sides; not taken: U",
    )


def test_a_new_item_that_they_removed_waits_for_a_person() -> None:
    new = {"id": "A", "title": "T"}
    merged = merge({"A": new}, {"A": new}, {})
    question = {"text": REMOVED, "cause": "held", "asks": "decision"}
    assert merged == Merged({"A": new | {"status": "blocked", "question": question}})


@pytest.mark.parametrize("here", [BASE, {"id": "A", "title": "Changed"}])
def test_an_item_under_way_that_they_removed_stays(here: dict[str, Any]) -> None:
    base = BASE if here is BASE else {"id": "A", "title": "T"}
    merged = merge({"A": base}, {"A": here}, {})
    assert merged.documents == {}
    assert merged.notes == ("A: removed there, but it is under way here; it stays",)


def test_what_is_over_may_be_removed_there() -> None:
    done = BASE | {"status": "done"}
    assert merge({"A": done}, {"A": done}, {}) == Merged()


def test_what_is_not_here_any_more_does_not_come_back() -> None:
    merged = merge({"A": BASE}, {}, {"A": BASE | {"title": "Changed"}})
    assert merged.documents == {}
    assert merged.notes == ("A: changed there, but it is not here any more; left out",)
