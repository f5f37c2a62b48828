"""Promises of the product's own file: all of the backlog, in an order that git can compare."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.adapters.backlog.own import read_own, write_own
from orchestrator.work.backlog.item import Item
from tests.any_items import EVERYTHING, items


@settings(max_examples=25)
@given(st.lists(items(), max_size=2, unique_by=lambda item: item.id))
def test_a_backlog_comes_back_from_its_file(made: list[Item]) -> None:
    assert list(read_own(write_own(made), "file")) == sorted(made, key=lambda item: item.id)


def test_items_are_sorted_by_their_ids() -> None:
    made = [Item(id=id, title="T") for id in ("b", "B", "a-10", "a-1", "a")]
    assert [item.id for item in read_own(write_own(made), "file")] == ["B", "a", "a-1", "a-10", "b"]
    assert write_own(made) == write_own(reversed(made))


def test_the_first_line_says_what_it_is() -> None:
    assert write_own([EVERYTHING]).startswith(b'{"orchestrator_backlog": 1}\n{"')
    assert write_own([]) == b'{"orchestrator_backlog": 1}\n'
