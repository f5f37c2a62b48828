"""Promise: what is begun is carried on first, within limits; what must be alone gets its turn."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.work.backlog.filters import parse_filters
from orchestrator.work.backlog.item import (
    DELIVER,
    Assessments,
    Claim,
    Item,
    Level,
    Pool,
    Question,
    Status,
)
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.rules import Limits, Rules
from orchestrator.work.backlog.selection import (
    Action,
    Promote,
    Running,
    RunPhase,
    Triage,
    next_action,
    scan,
    targeted,
    urgency,
)

RULES = Rules(
    pipelines={
        "feature": Pipeline(
            name="feature",
            pre_phases=(Phase(name="research"), Phase(name="design")),
            phases=(
                Phase(name="plan"),
                Phase(name="build", destructive=True),
                Phase(name="review"),
            ),
        ),
        "fix": Pipeline(name="fix", phases=(Phase(name="mend"),)),
        "empty": Pipeline(name="empty", phases=()),
    },
    limits=Limits(max_wip=9, max_concurrent=9),
)


def within(max_wip: int = 9, max_concurrent: int = 9) -> Rules:
    return attrs.evolve(RULES, limits=Limits(max_wip=max_wip, max_concurrent=max_concurrent))


def new(id: str, **more: Any) -> Item:
    return Item(id=id, title=f"Do {id}", **more)


def ready(id: str, impact: Level | None = None, **more: Any) -> Item:
    return new(id, status=Status.READY, ratings=Assessments(impact=impact), **more)


def scoping(id: str, phase: str | None = "research", **more: Any) -> Item:
    return new(id, status=Status.SCOPING, phase=phase, **more)


def going(id: str, phase: str | None = "plan", **more: Any) -> Item:
    return new(id, status=Status.IN_PROGRESS, phase=phase, **more)


def order(*items: Item, running: Running | None = None, rules: Rules = RULES) -> list[str]:
    """Return the ids of what is started."""
    return [action.item for action in scan(items, running or {}, rules)]


@pytest.mark.parametrize(
    ("item", "action"),
    [
        (new("a"), Triage(item="a")),
        (ready("a"), Promote(item="a")),
        (ready("a", pipeline="fix"), Promote(item="a")),
        (ready("a", pipeline="unheard"), None),
        (ready("a", pipeline="empty"), None),
        (scoping("a"), RunPhase(item="a", phase="research", pool=Pool.PRE)),
        (scoping("a", None), RunPhase(item="a", phase="research", pool=Pool.PRE)),
        (scoping("a", "design"), RunPhase(item="a", phase="design", pool=Pool.PRE)),
        (scoping("a", None, pipeline="fix"), None),
        (scoping("a", "unheard"), None),
        (going("a"), RunPhase(item="a", phase="plan", pool=Pool.MAIN)),
        (going("a", "build"), RunPhase(item="a", phase="build", pool=Pool.MAIN, destructive=True)),
        (going("a", None), RunPhase(item="a", phase="plan", pool=Pool.MAIN)),
        (going("a", None, pool=Pool.PRE), RunPhase(item="a", phase="research", pool=Pool.PRE)),
        (going("a", "research"), None),
        (
            going("a", "research", pool=Pool.PRE),
            RunPhase(item="a", phase="research", pool=Pool.PRE),
        ),
        (going("a", DELIVER), RunPhase(item="a", phase=DELIVER, pool=Pool.MAIN)),
        (going("a", pipeline="unheard"), None),
        (new("a", status=Status.BLOCKED, question=Question(text="?")), None),
        (new("a", status=Status.DONE, phase="review"), None),
        (new("a", status=Status.CLOSED), None),
        (new("a", claim=Claim(by="ann", at=1)), None),
        (ready("a", claim=Claim(by="ann", at=1)), None),
        (going("a", claim=Claim(by="ann", at=1)), None),
    ],
)
def test_what_comes_next_for_an_item(item: Item, action: Action | None) -> None:
    assert next_action(item, RULES) == action
    assert (urgency(item, RULES) is None) is (action is None)
    assert scan([item], {}, RULES) == (() if action is None else (action,))


def test_promotions_then_the_furthest_then_preparation_then_triage() -> None:
    items = [
        new("new"),
        scoping("early"),
        scoping("late", "design"),
        going("plan"),
        going("review", "review"),
        going("deliver", DELIVER),
        ready("ready"),
    ]
    expected = ["ready", "deliver", "review", "plan", "late", "early", "new"]
    assert order(*items) == expected
    assert order(*items[::-1]) == expected


def test_priority_then_progress_or_impact_then_age_then_id() -> None:
    assert order(
        ready("none", created=1),
        ready("low", Level.LOW, created=1),
        ready("high", Level.HIGH, created=3),
        ready("older", Level.HIGH, created=2),
        ready("first", priority=1, created=9),
    ) == ["first", "older", "high", "low", "none"]
    assert order(
        going("b", created=1),
        going("a", created=1),
        going("older", created=0),
        going("further", "review", created=9),
        going("urgent", priority=1, created=9),
        going("late", priority=-1, phase=DELIVER),
    ) == ["urgent", "further", "older", "a", "b", "late"]
    assert order(new("b", created=2), new("a", created=2), new("c", created=1)) == ["c", "a", "b"]


def test_promotion_fills_work_in_progress_and_uses_no_slot() -> None:
    items = [ready("a"), ready("b"), ready("c"), going("x"), new("n")]
    assert order(*items, rules=within(max_wip=3, max_concurrent=1)) == ["a", "b", "x"]
    assert order(*items, rules=within(max_wip=1)) == ["x", "n"]
    assert order(*items, going("y"), rules=within(max_wip=1)) == ["x", "y", "n"]


def test_blocked_and_ended_items_are_no_work_in_progress_but_running_ones_are() -> None:
    blocked = new("b", status=Status.BLOCKED, question=Question(text="?"))
    one = within(max_wip=1)
    assert order(ready("a"), blocked, new("d", status=Status.DONE), rules=one) == ["a"]
    assert order(ready("a"), going("g"), running={"g": False}, rules=one) == []


def test_slots_are_what_is_not_taken_by_what_runs() -> None:
    items = [going("a"), going("b"), going("c"), ready("r")]
    two = within(max_concurrent=2)
    assert order(*items, rules=two) == ["r", "a", "b"]
    assert order(*items, running={"a": False}, rules=two) == ["r", "b"]
    assert order(*items, running={"a": False, "b": False}, rules=two) == []


def test_a_destructive_phase_is_alone() -> None:
    build = going("build", "build")
    assert order(build, going("a"), new("n"), ready("r")) == ["r", "build"]
    assert order(build, going("a"), running={"build": True}) == []


def test_what_comes_before_a_destructive_phase_is_started_and_what_comes_after_waits() -> None:
    items = [going("review", "review"), going("build", "build"), going("plan"), new("n")]
    assert order(*items) == ["review"]
    assert order(*items, running={"review": False}) == []
    assert order(*items[1:], running={"x": False}) == []


def test_needs_hold_back_every_kind_and_take_no_place() -> None:
    held = [
        ready("a", Level.HIGH, needs=("open",)),
        new("b", needs=("gone",)),
        scoping("c", needs=("open",)),
        going("d", needs=("open", "done")),
    ]
    done, closed = new("done", status=Status.DONE), new("closed", status=Status.CLOSED)
    others = [new("open"), done, closed, ready("r", needs=("done", "closed"))]
    assert order(*held, *others, rules=within(max_wip=2)) == ["r", "open"]


def test_a_filter_restricts_what_is_started_and_nothing_else() -> None:
    items = [
        ready("wanted", tags=("ui",)),
        ready("other", Level.HIGH),
        going("going"),
        new("held", tags=("ui",), needs=("going",)),
    ]
    ui = parse_filters(["tag=ui"])
    assert scan(items, {}, within(max_wip=2), ui) == (Promote(item="wanted"),)
    assert scan(items, {}, within(max_wip=1), ui) == ()
    kept = scan(items, {}, within(max_wip=1), ui, kept={"going"})
    assert kept == (RunPhase(item="going", phase="plan", pool=Pool.MAIN),)


def aim(target: Item, *others: Item, running: Running | None = None) -> tuple[Action, ...]:
    known = {item.id: item for item in (target, *others)}
    return targeted(known, target.id, running or {}, within(max_wip=0, max_concurrent=0))


@pytest.mark.parametrize("target", [new("a"), ready("a"), scoping("a"), going("a", "build")])
def test_a_target_is_worked_on_whatever_the_limits(target: Item) -> None:
    assert aim(target) == (next_action(target, RULES),)


@pytest.mark.parametrize(
    "target",
    [
        new("a", needs=("other",)),
        new("a", needs=("gone",)),
        new("a", status=Status.DONE),
        new("a", claim=Claim(by="ann", at=1)),
        new("a", status=Status.BLOCKED, question=Question(text="?")),
    ],
)
def test_a_target_that_cannot_be_worked_on_is_left_alone(target: Item) -> None:
    assert aim(target, new("other")) == ()


def test_a_target_keeps_out_of_the_way_of_what_runs() -> None:
    assert aim(new("a"), running={"a": False}) == ()
    assert aim(new("a"), running={"other": True}) == ()
    assert aim(going("a", "build"), running={"other": False}) == ()
    assert aim(new("a"), running={"other": False}) == (Triage(item="a"),)
    assert targeted({}, "gone", {}, RULES) == ()
