"""Promise: of two duplicates one stays, with all that was said; no merge makes a circle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import IllegalStepError, UnknownItemError, UsageError
from orchestrator.work.backlog.draft import Draft
from orchestrator.work.backlog.item import (
    Asks,
    Cause,
    Claim,
    Description,
    Item,
    Question,
    Status,
)
from orchestrator.work.backlog.merging import merge, reaches, surviving
from orchestrator.work.backlog.moves import close
from tests.backlogs import Backlog


def merged(backlog: Backlog, source: str, target: str) -> Backlog:
    draft = Draft(backlog, 9)
    merge(draft, source, target, by="ann")
    backlog.apply(draft.change())
    return backlog


def test_what_the_source_said_and_needed_goes_over() -> None:
    source = Item(
        id="S",
        title="s",
        needs=("X", "T", "Y"),
        tags=("t",),
        origin="Z/plan",
        description=Description(context="c", problem="p", solution="not told"),
        claim=Claim(by="ann", at=1),
    )
    target = Item(id="T", title="t", needs=("Y",), description=Description(context="own"))
    backlog = merged(Backlog(source, target, *(Item(id=i, title=i) for i in "XY")), "S", "T")
    after = backlog.items["T"]
    assert after.description.context == (
        "own\n[Merged from S] Title: s. Context: c. Problem: p. Origin: Z/plan"
    )
    assert after.needs == ("Y", "X")
    assert after.tags == ()
    assert after.updated == 9
    gone = backlog.items["S"]
    assert (gone.status, gone.reason, gone.claim) == (Status.CLOSED, "merged into T", None)
    assert [(e.item, e.outcome, e.text, e.by) for e in backlog.entries] == [
        ("S", "Merged", "Merged into T", "ann"),
        ("T", "", "Merged from S", "ann"),
    ]


def test_an_undescribed_target_is_described_by_the_source() -> None:
    backlog = merged(Backlog(Item(id="S", title="s"), Item(id="T", title="t")), "S", "T")
    assert backlog.items["T"].description.context == "[Merged from S] Title: s"


def test_what_needed_the_source_needs_the_target() -> None:
    items = [
        Item(id="S", title="s"),
        Item(id="T", title="t"),
        Item(id="A", title="a", needs=("X", "S")),
        Item(id="B", title="b", needs=("S", "T")),
        Item(id="X", title="x"),
    ]
    backlog = merged(Backlog(*items), "S", "T")
    assert backlog.items["A"].needs == ("X", "T")
    assert backlog.items["B"].needs == ("T",)


def test_parts_of_the_source_become_parts_of_the_target() -> None:
    items = [
        Item(id="P", title="p"),
        Item(id="S", title="s", parent="P"),
        Item(id="C", title="c", parent="S"),
        Item(id="M", title="m", parent="S"),
        Item(id="T", title="t", parent="M"),
    ]
    backlog = merged(Backlog(*items), "S", "T")
    assert {id: item.parent for id, item in backlog.items.items()} == {
        "P": None,
        "S": "P",
        "C": "T",
        "M": "P",
        "T": "M",
    }


def test_merging_into_what_is_over_leaves_it_as_it_is() -> None:
    target = Item(id="T", title="t", status=Status.DONE)
    waits = Item(id="A", title="a", needs=("S",))
    backlog = merged(Backlog(Item(id="S", title="s", needs=("A",)), target, waits), "S", "T")
    assert backlog.items["T"] == target
    assert backlog.items["A"].needs == ("T",)


def test_what_cannot_be_merged_is_refused() -> None:
    backlog = Backlog(
        Item(id="S", title="s", status=Status.DONE),
        Item(id="T", title="t"),
        Item(id="U", title="u"),
    )
    with pytest.raises(UsageError, match="into itself"):
        merged(backlog, "T", "T")
    with pytest.raises(UnknownItemError):
        merged(backlog, "T", "Z")
    with pytest.raises(UnknownItemError):
        merged(backlog, "Z", "T")
    with pytest.raises(IllegalStepError):
        merged(backlog, "S", "T")


def test_a_person_closes_an_item_as_a_duplicate() -> None:
    backlog = Backlog(Item(id="S", title="s"), Item(id="T", title="t"))
    backlog.apply(close(backlog, "S", "seen twice", duplicate_of="T", now=9, by="ann"))
    assert backlog.items["S"].reason == "merged into T"
    assert backlog.entries[0].text == "Merged into T: seen twice"


BLOCKED = Question(text="?", asks=Asks.DECISION, cause=Cause.FAILED, since=Status.IN_PROGRESS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Item(id="B", title="b", created=1), Item(id="A", title="a", created=2)),
        (Item(id="A", title="a", created=1), Item(id="B", title="b", created=1)),
        (
            Item(id="B", title="b", created=2, status=Status.IN_PROGRESS, phase="p"),
            Item(id="A", title="a", created=1),
        ),
        (
            Item(id="B", title="b", created=2, status=Status.BLOCKED, question=BLOCKED),
            Item(id="A", title="a", created=1),
        ),
        (
            Item(id="B", title="b", created=2, claim=Claim(by="ann", at=1)),
            Item(id="A", title="a", created=1),
        ),
        (
            Item(id="B", title="b", created=1, status=Status.IN_PROGRESS),
            Item(id="A", title="a", created=2, status=Status.IN_PROGRESS),
        ),
    ],
)
def test_what_has_begun_stays_else_what_is_older(one: Item, other: Item) -> None:
    assert surviving(one, other) == (one, other)
    assert surviving(other, one) == (one, other)


@st.composite
def backlogs(draw: st.DrawFn) -> Backlog:
    """Items that need earlier ones only: no circle; and the parents are earlier, too."""
    ids = [f"I{n}" for n in range(draw(st.integers(2, 7)))]
    items = []
    for index, id in enumerate(ids):
        earlier = st.sampled_from(ids[:index]) if index else st.nothing()
        needs = draw(st.lists(earlier, unique=True)) if index else []
        parent = draw(st.none() | earlier) if index else None
        items.append(Item(id=id, title=id, needs=tuple(needs), parent=parent, created=index))
    return Backlog(*draw(st.permutations(items)))


@given(backlogs(), st.data())
def test_no_merge_makes_a_circle_or_loses_an_item(backlog: Backlog, data: st.DataObject) -> None:
    ids = sorted(backlog.items)
    source, target = data.draw(st.permutations(ids), label="source, target")[:2]
    merged(backlog, source, target)
    assert sorted(backlog.items) == ids
    for item in backlog.items.values():
        assert len(set(item.needs)) == len(item.needs)
        if item.id != source:
            assert source not in item.needs
            assert item.parent != source
        assert not reaches(backlog, item.id, item.id)
        above, seen = item.parent, {item.id}
        while above is not None:
            assert above not in seen
            seen.add(above)
            above = backlog.items[above].parent
