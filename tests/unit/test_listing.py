"""Promise: the table of items fits every terminal, and its order is that of the work."""

from __future__ import annotations

import os
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.cells import cells
from orchestrator.cli.listing import in_order, print_items, ready
from orchestrator.work.backlog.default_pipeline import FEATURE
from orchestrator.work.backlog.filters import EVERYTHING
from orchestrator.work.backlog.index import Backlog
from orchestrator.work.backlog.item import Assessments as Ratings
from orchestrator.work.backlog.item import Item, Level, Status
from orchestrator.work.backlog.pipeline import DEFAULT
from orchestrator.work.backlog.rules import Limits, Rules
from tests.any_items import items

RULES = Rules(pipelines={DEFAULT: FEATURE}, limits=Limits(max_wip=1_000, max_concurrent=1_000))
some = st.lists(items(), min_size=1, max_size=4, unique_by=lambda item: item.id)
few = settings(max_examples=25)


@few
@given(some, st.integers(40, 200))
def test_no_row_is_wider_than_the_terminal(found: list[Item], columns: int) -> None:
    printed: list[str] = []
    with (
        mock.patch.dict(os.environ, {"COLUMNS": str(columns)}),
        mock.patch("builtins.print", lambda *words: printed.extend(words)),
    ):
        print_items(found, {item.id: item for item in found})
    assert len(printed) >= len(found) + 2
    assert all(cells(line) <= columns for line in printed)
    for item in found:
        assert any(line.startswith(item.id) for line in printed)


@few
@given(some)
def test_what_is_ready_is_what_a_run_would_select(found: list[Item]) -> None:
    known = {item.id: item for item in found}
    selected = {action.item for action in Backlog(RULES, found, EVERYTHING).select()}
    assert selected <= {item.id for item in ready(known, RULES)}


def test_items_are_in_the_order_of_status_priority_impact_and_age() -> None:
    def item(id: str, status: Status, **more: object) -> Item:
        return Item(id=id, title=id, status=status, **more)  # type: ignore[arg-type]

    wanted = [
        item("a", Status.IN_PROGRESS),
        item("b", Status.BLOCKED),
        item("c", Status.READY, priority=1),
        item("d", Status.READY, ratings=Ratings(impact=Level.HIGH)),
        item("e", Status.READY, ratings=Ratings(impact=Level.LOW), created=1),
        item("f", Status.READY, created=1),
        item("g", Status.READY, created=2),
        item("h", Status.SCOPING),
        item("i", Status.NEW),
        item("j", Status.DONE),
        item("k", Status.CLOSED),
    ]
    assert in_order(reversed(wanted)) == wanted


@pytest.mark.parametrize("columns", [40, 200])
def test_the_title_is_always_there(columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    one = Item(id="WRK-1", title="Title", ratings=Ratings(impact=Level.HIGH, risk=Level.LOW))
    with mock.patch.dict(os.environ, {"COLUMNS": str(columns)}):
        print_items([one], {"WRK-1": one})
    shown = capsys.readouterr().out
    assert "Title" in shown
    assert ("IMPACT" in shown) is (columns == 200)
