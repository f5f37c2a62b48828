"""Promise: whatever would keep an item from ever being worked on is told, and how to mend it."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.work.backlog.item import DELIVER, Claim, Item, Pool, Status
from orchestrator.work.backlog.selection import next_action
from orchestrator.work.backlog.soundness import unsound
from tests.backlogs import RULES


def told(*items: Item) -> list[tuple[str, str]]:
    found = list(unsound(items, RULES))
    assert all(one.fix for one in found)
    return [(one.item, one.what) for one in found]


def under_way(**fields: object) -> Item:
    return attrs.evolve(Item(id="A", title="a", status=Status.IN_PROGRESS), **fields)  # type: ignore[arg-type]  # tests name real fields


def test_sound_items_are_not_told_of() -> None:
    assert not told(
        Item(id="A", title="a", status=Status.DONE, pipeline="gone", phase="gone"),
        Item(id="B", title="b", needs=("A", "C")),
        Item(id="C", title="c", status=Status.READY, pipeline="chore"),
        Item(id="D", title="d", status=Status.SCOPING, phase="scope", pool=Pool.PRE),
        Item(id="E", title="e", status=Status.IN_PROGRESS, phase=DELIVER, pool=Pool.MAIN),
        Item(id="F", title="f", status=Status.IN_PROGRESS),
        Item(id="G", title="g", status=Status.NEW, pipeline="gone"),
    )


@pytest.mark.parametrize("status", [Status.SCOPING, Status.READY, Status.IN_PROGRESS])
def test_unknown_pipeline_is_told(status: Status) -> None:
    claimed = Claim(by="me", at=1)
    for item in (
        under_way(status=status, pipeline="gone"),
        under_way(pipeline="gone", claim=claimed),
    ):
        assert told(item) == [("A", "its pipeline gone is not configured")]


@pytest.mark.parametrize(
    ("item", "what"),
    [
        (under_way(phase="gone"), "its phase gone is not in its pipeline feature"),
        (under_way(phase="scope"), "its phase scope is not in pipelines.feature.phases"),
        (
            under_way(phase="build", pool=Pool.PRE),
            "its phase build is not in pipelines.feature.pre_phases",
        ),
        (
            under_way(status=Status.SCOPING, phase="plan"),
            "its phase plan is not in pipelines.feature.pre_phases",
        ),
        (
            under_way(status=Status.SCOPING, pipeline="chore"),
            "it is scoping, and pipelines.chore.pre_phases has nothing for it to do",
        ),
    ],
)
def test_phase_that_nobody_would_run_is_told(item: Item, what: str) -> None:
    ((id, said),) = told(item)
    assert id == "A"
    assert said.startswith(what)


def test_needs_that_are_never_met_are_told() -> None:
    assert told(
        Item(id="A", title="a", needs=("B", "X")),
        Item(id="B", title="b", needs=("A",)),
        Item(id="C", title="c", needs=("C",)),
        Item(id="D", title="d", status=Status.DONE, needs=("X",)),
    ) == [
        ("A", "needs X, and there is no such item"),
        ("A", "waits for itself: A → B → A"),
        ("C", "waits for itself: C → C"),
    ]


@given(
    st.sampled_from(Status),
    st.sampled_from([None, "feature", "chore", "gone"]),
    st.sampled_from([None, "scope", "plan", "do", "gone", DELIVER]),
    st.sampled_from([None, *Pool]),
)
def test_what_the_scheduler_passes_by_is_told(
    status: Status, pipeline: str | None, phase: str | None, pool: Pool | None
) -> None:
    item = under_way(status=status, pipeline=pipeline, phase=phase, pool=pool)
    waits = status.is_final or status is Status.BLOCKED
    assert bool(told(item)) == (not waits and next_action(item, RULES) is None)
