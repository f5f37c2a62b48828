"""Promise: a run of the backlog keeps every limit, starves nothing and ends for a reason."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.work.backlog.change import Change
from orchestrator.work.backlog.filters import EVERYTHING, parse_filters
from orchestrator.work.backlog.halt import (
    BREAKER,
    Course,
    Ending,
    Halt,
    Orders,
    Stop,
    Wait,
    Work,
)
from orchestrator.work.backlog.index import Backlog
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
from orchestrator.work.backlog.needs import unmet
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.rules import Limits, Rules
from orchestrator.work.backlog.selection import (
    Action,
    Promote,
    RunPhase,
    Triage,
    next_action,
    scan,
    urgency,
)

PIPELINE = Pipeline(
    name="feature",
    pre_phases=(Phase(name="research"),),
    phases=(Phase(name="plan"), Phase(name="build", destructive=True), Phase(name="review")),
)
TWO = Limits(max_wip=2, max_concurrent=2)
RULES = Rules(pipelines={"feature": PIPELINE}, limits=TWO)
BUILD: dict[str, Any] = {"status": Status.IN_PROGRESS, "phase": "build", "pool": Pool.MAIN}
REVIEW: dict[str, Any] = {"status": Status.IN_PROGRESS, "phase": "review", "pool": Pool.MAIN}


def item(id: str, **more: Any) -> Item:
    more.setdefault(
        "question", Question(text="?") if more.get("status") is Status.BLOCKED else None
    )
    return Item(id=id, title=f"Do {id}", **more)


def after(one: Item, outcome: str) -> Item:
    """Return an item whose phase ended, as the simplest executor would have it."""
    if outcome == "blocked" or outcome == "failed":
        question = Question(text="?", since=one.status)
        return attrs.evolve(one, status=Status.BLOCKED, question=question)
    if one.status is Status.NEW:
        return attrs.evolve(one, status=Status.SCOPING, phase="research", pool=Pool.PRE)
    if one.status is Status.SCOPING:
        return attrs.evolve(one, status=Status.READY, phase=None, pool=None)
    if one.status is not Status.IN_PROGRESS:
        return one  # a person took it out of the way meanwhile
    following = {None: "build", "plan": "build", "build": "review", "review": DELIVER}
    if one.phase in following:
        return attrs.evolve(one, phase=following[one.phase])
    return attrs.evolve(one, status=Status.DONE)


def promoted(one: Item) -> Item:
    return attrs.evolve(one, status=Status.IN_PROGRESS, phase="plan", pool=Pool.MAIN)


class World:
    """A backlog under a run, with workers and persons who do at random what they may."""

    def __init__(self, chance: Random, rules: Rules, items: Iterable[Item], orders: Orders) -> None:
        self.chance = chance
        self.rules = rules
        self.orders = orders
        self.backlog = Backlog(rules, items, orders.only)
        self.course = Course(orders)
        self.surprises = 12  # what may come in between, so that there is an end to it

    def put(self, *changed: Item) -> None:
        self.backlog.apply(Change(items=changed))

    def run(self) -> Halt:
        """Run to the end; return why it ended."""
        for _ in range(1_000):
            step = self.course.next(self.backlog)
            if isinstance(step, Stop):
                assert not self.backlog.running
                return step.halt
            if isinstance(step, Wait):
                assert self.backlog.running, "nothing that could be waited for"
                self.end_one()
            else:
                assert step.actions
                self.start(step.actions)
            if self.chance.random() < 0.3:
                self.surprise()
        raise AssertionError("the run goes on for ever")

    def start(self, actions: tuple[Action, ...]) -> None:
        self.check(actions)
        for action in actions:
            one = self.backlog.get(action.item)
            assert one is not None
            if isinstance(action, Promote):
                self.put(promoted(one) if self.chance.random() < 0.8 else after(one, "blocked"))
            else:
                destructive = isinstance(action, RunPhase) and action.destructive
                self.backlog.begin(action.item, destructive=destructive)

    def check(self, actions: tuple[Action, ...]) -> None:
        """Assert of what is about to start all that is promised of it."""
        running = self.backlog.running
        limits = self.rules.limits
        phases = [action for action in actions if not isinstance(action, Promote)]
        alone = [action for action in phases if isinstance(action, RunPhase) and action.destructive]
        assert not any(running.values())
        assert not alone or (not running and len(phases) == 1)
        for action in actions:
            one = self.backlog.get(action.item)
            assert one is not None
            assert action.item not in running
            assert not unmet(self.backlog, one)
            assert action == next_action(one, self.rules)
        assert len({action.item for action in actions}) == len(actions)
        if self.orders.targets:
            assert {action.item for action in actions} <= set(self.orders.targets)
            assert not running
            return
        assert not phases or len(running) + len(phases) <= limits.max_concurrent
        promotions = len(actions) - len(phases)
        in_progress = self.backlog.counts[Status.IN_PROGRESS]
        assert not promotions or in_progress + promotions <= limits.max_wip
        self.check_order([action.item for action in phases])

    def check_order(self, started: list[str]) -> None:
        """Assert that nothing is started before a destructive phase that is more urgent."""
        waiting = {}
        for one in self.backlog.items():
            action = next_action(one, self.rules)
            if (
                action is not None
                and not isinstance(action, Promote)
                and one.id not in self.backlog.running
                and not unmet(self.backlog, one)
                and (one.id in self.backlog.kept or self.orders.only.matches(one))
            ):
                waiting[one.id] = action
        in_order = sorted(waiting, key=lambda id: urgency_of(self.backlog, id))
        assert started == in_order[: len(started)]
        for id in in_order[: len(started) - 1]:
            action = waiting[id]
            assert not (isinstance(action, RunPhase) and action.destructive)

    def end_one(self) -> None:
        id = self.chance.choice(sorted(self.backlog.running))
        one = self.backlog.get(id)
        assert one is not None
        outcomes = ["success"] * 5 + ["blocked", "failed"]
        if self.surprises > 0:
            outcomes += ["subphase", "cancelled"]
        outcome = self.chance.choice(outcomes)
        if outcome in ("subphase", "cancelled"):
            self.surprises -= 1
        elif not one.status.is_final and not one.is_blocked:
            self.put(after(one, outcome))
        self.backlog.end(id)
        how = {
            "blocked": Ending.BLOCKED,
            "failed": Ending.EXHAUSTED,
            "cancelled": Ending.CANCELLED,
        }
        self.course.ended(id, how.get(outcome, Ending.SUCCEEDED))

    def surprise(self) -> None:
        """Let something come in between: a follow-up, or what a person does."""
        if self.surprises <= 0:
            return
        self.surprises -= 1
        one = self.chance.choice(self.backlog.ordered())
        what = self.chance.choice(["add", "answer", "claim", "release", "close", "need", "stop"])
        if what == "add":
            self.put(item(f"f-{self.surprises}", created=self.surprises))
        elif what == "stop" and self.chance.random() < 0.2:
            self.course.stop(self.chance.choice([Halt.STOPPED, Halt.LIMITED]))
        elif one.is_blocked and what == "answer":
            since = one.question.since if one.question else Status.NEW
            self.put(attrs.evolve(one, status=since, question=None))
        elif what in ("claim", "release"):
            claim = Claim(by="ann", at=1) if what == "claim" else None
            self.put(attrs.evolve(one, claim=claim))
        elif what == "close":
            self.put(attrs.evolve(one, status=Status.CLOSED, question=None))
        elif what == "need":
            self.put(attrs.evolve(one, needs=(self.chance.choice(self.backlog.ordered()).id,)))


def urgency_of(backlog: Backlog, id: str) -> tuple[int, int, int, int, str]:
    one = backlog.get(id)
    key = urgency(one, backlog.rules) if one else None
    assert key is not None
    return key


IDS = [f"WRK-{number}" for number in range(8)]


@st.composite
def backlogs(draw: st.DrawFn) -> list[Item]:
    """Return some items on all parts of their way; there may be circles of needs."""
    places: list[dict[str, Any]] = [
        {"status": Status.NEW},
        {"status": Status.NEW},
        {"status": Status.SCOPING, "phase": "research", "pool": Pool.PRE},
        {"status": Status.READY},
        {"status": Status.READY},
        {"status": Status.IN_PROGRESS},
        {"status": Status.IN_PROGRESS, "phase": "plan", "pool": Pool.MAIN},
        BUILD,
        REVIEW,
        {"status": Status.BLOCKED},
        {"status": Status.DONE},
    ]
    return [
        item(
            id,
            priority=draw(st.integers(0, 1)),
            created=draw(st.integers(0, 3)),
            tags=draw(st.sampled_from([(), ("ui",)])),
            ratings=Assessments(impact=draw(st.sampled_from([None, *Level]))),
            needs=tuple(draw(st.lists(st.sampled_from(IDS), max_size=1))),
            **draw(st.sampled_from(places)),
        )
        for id in IDS[: draw(st.integers(1, len(IDS)))]
    ]


ORDERS = st.builds(
    Orders,
    targets=st.lists(st.sampled_from(IDS), max_size=3, unique=True).map(tuple),
    auto_advance=st.booleans(),
    only=st.sampled_from(
        [EVERYTHING, parse_filters(["tag=ui"]), parse_filters(["status=ready,new"])]
    ),
    cap=st.none() | st.integers(0, 6),
    step=st.sampled_from([False, False, False, True]),
)
LIMITS = st.builds(Limits, max_wip=st.integers(1, 3), max_concurrent=st.integers(1, 3))


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), backlogs(), ORDERS, LIMITS)
def test_a_run_keeps_every_limit_and_ends_for_a_reason_that_is_true(
    chance: Random, items: list[Item], orders: Orders, limits: Limits
) -> None:
    rules = attrs.evolve(RULES, limits=limits)
    world = World(chance, rules, items, orders)
    halt = world.run()
    backlog, course = world.backlog, world.course
    left = [one for one in backlog.items() if not one.status.is_final]
    more = scan(backlog.items(), {}, rules, orders.only, kept=backlog.kept)
    allowed = min(orders.cap if orders.cap is not None else 1_000, 1 if orders.step else 1_000)
    assert course.started <= allowed
    targets = [one for id in orders.targets if (one := backlog.get(id)) is not None]
    match halt:
        case Halt.ALL_DONE:
            assert not left
        case Halt.WAITING:
            assert left
            assert orders.targets or not more
        case Halt.CAP_REACHED | Halt.STEP_DONE:
            assert course.started == allowed
            assert orders.step is (halt is Halt.STEP_DONE)
            assert more or orders.targets
        case Halt.CIRCUIT_BREAKER:
            assert len(course.exhausted) >= BREAKER
        case Halt.TARGETS_DONE:
            assert all(one.status.is_final for one in targets)
        case Halt.TARGET_BLOCKED:
            assert any(one.is_blocked for one in targets)
        case Halt.FILTER_EXHAUSTED | Halt.NO_MATCHING_ITEMS:
            wanted = [one for one in left if orders.only.matches(one) or one.id in backlog.kept]
            assert not more
            assert all(one.is_blocked for one in wanted)
        case Halt.STOPPED | Halt.LIMITED:
            assert world.surprises < 12


@given(backlogs())
def test_a_destructive_phase_gets_its_turn_however_much_else_comes(items: list[Item]) -> None:
    """A worker always runs when the item gets ready, and new items come all the time."""
    rules = attrs.evolve(RULES, limits=Limits(max_wip=9, max_concurrent=2))
    backlog = Backlog(rules, [one for one in items if not one.is_blocked and not one.needs])
    backlog.apply(Change(items=(item("waits", priority=1, created=-1, **BUILD),)))
    backlog.apply(Change(items=(item("runs", created=-2, **REVIEW),)))
    backlog.begin("runs")
    course = Course(Orders())
    for number in range(100):
        backlog.apply(Change(items=(item(f"new-{number}"),)))
        step = course.next(backlog)
        if isinstance(step, Wait):
            id = sorted(backlog.running)[0]
            one = backlog.get(id)
            assert one is not None
            backlog.apply(Change(items=(after(one, "success"),)))
            backlog.end(id)
            continue
        assert isinstance(step, Work)
        for action in step.actions:
            if action.item == "waits":
                assert isinstance(action, RunPhase)
                assert not backlog.running
                return
            one = backlog.get(action.item)
            assert one is not None
            if isinstance(action, Promote):
                backlog.apply(Change(items=(promoted(one),)))
            else:
                backlog.begin(action.item, destructive=getattr(action, "destructive", False))
    raise AssertionError("it never got its turn")


def course_of(*items: Item, limits: Limits = TWO, **orders: Any) -> tuple[Course, Backlog]:
    asked = Orders(**orders)
    return Course(asked), Backlog(attrs.evolve(RULES, limits=limits), items, asked.only)


def test_an_empty_backlog_is_all_done() -> None:
    course, backlog = course_of()
    assert course.next(backlog) == Stop(halt=Halt.ALL_DONE)


def test_what_only_a_person_can_move_is_waited_for_by_nobody() -> None:
    course, backlog = course_of(
        item("a", status=Status.BLOCKED), item("b", claim=Claim(by="ann", at=1))
    )
    assert course.next(backlog) == Stop(halt=Halt.WAITING)


def test_a_cap_counts_phases_and_lets_what_runs_end() -> None:
    course, backlog = course_of(item("a"), item("b"), item("c"), cap=2)
    assert course.next(backlog) == Work(actions=(Triage(item="a"), Triage(item="b")))
    backlog.begin("a")
    backlog.begin("b")
    backlog.end("a")
    assert course.next(backlog) == Wait()
    backlog.end("b")
    assert course.next(backlog) == Stop(halt=Halt.CAP_REACHED)
    assert course.started == 2


def test_a_cap_starts_no_more_than_are_left() -> None:
    course, backlog = course_of(item("a"), item("b"), cap=1)
    assert course.next(backlog) == Work(actions=(Triage(item="a"),))


def test_promotions_do_not_count() -> None:
    course, backlog = course_of(item("a", status=Status.READY), cap=1)
    assert course.next(backlog) == Work(actions=(Promote(item="a"),))
    backlog.apply(Change(items=(promoted(item("a")),)))
    assert course.next(backlog) == Work(actions=(RunPhase(item="a", phase="plan", pool=Pool.MAIN),))
    assert course.started == 1


def test_nothing_is_promoted_for_phases_that_are_not_run() -> None:
    course, backlog = course_of(item("a", status=Status.READY), cap=0)
    assert course.next(backlog) == Stop(halt=Halt.CAP_REACHED)


def test_a_step_is_one_phase() -> None:
    course, backlog = course_of(item("a"), item("b"), step=True, cap=5)
    assert course.next(backlog) == Work(actions=(Triage(item="a"),))
    backlog.apply(Change(items=(after(item("a"), "success"),)))
    assert course.next(backlog) == Stop(halt=Halt.STEP_DONE)


def test_the_last_phase_of_all_ends_a_capped_run_as_done() -> None:
    course, backlog = course_of(item("a"), cap=1)
    course.next(backlog)
    backlog.apply(Change(items=(item("a", status=Status.DONE),)))
    assert course.next(backlog) == Stop(halt=Halt.ALL_DONE)


@pytest.mark.parametrize("between", [Ending.SUCCEEDED, Ending.BLOCKED])
def test_any_success_resets_the_circuit_breaker(between: Ending) -> None:
    course, backlog = course_of(item("a"))
    course.ended("x", Ending.EXHAUSTED)
    course.ended("y", between)
    course.ended("z", Ending.EXHAUSTED)
    assert isinstance(course.next(backlog), Work)


def test_two_exhaustions_in_a_row_trip_the_circuit_breaker_when_nothing_runs_any_longer() -> None:
    course, backlog = course_of(item("a"), item("b"))
    backlog.begin("b")
    course.ended("x", Ending.EXHAUSTED)
    course.ended("w", Ending.CANCELLED)
    course.ended("y", Ending.EXHAUSTED)
    assert course.next(backlog) == Wait()
    course.ended("b", Ending.SUCCEEDED)
    backlog.end("b")
    assert course.next(backlog) == Stop(halt=Halt.CIRCUIT_BREAKER)


def test_the_first_reason_to_stop_is_told() -> None:
    course, backlog = course_of(item("a"))
    course.stop(Halt.LIMITED)
    course.stop()
    assert course.next(backlog) == Stop(halt=Halt.LIMITED)


def test_targets_are_worked_on_one_after_the_other_whatever_the_limits() -> None:
    other = item("other", priority=9, **REVIEW)
    full = Limits(max_wip=1, max_concurrent=1)
    course, backlog = course_of(
        item("a", status=Status.READY), item("b", **REVIEW), other, limits=full, targets=("a", "b")
    )
    assert course.next(backlog) == Work(actions=(Promote(item="a"),))
    backlog.apply(Change(items=(promoted(item("a")),)))
    work = course.next(backlog)
    assert work == Work(actions=(RunPhase(item="a", phase="plan", pool=Pool.MAIN),))
    backlog.begin("a")
    assert course.next(backlog) == Wait()
    backlog.apply(Change(items=(item("a", status=Status.CLOSED),)))
    backlog.end("a")
    work = course.next(backlog)
    assert work == Work(actions=(RunPhase(item="b", phase="review", pool=Pool.MAIN),))
    backlog.apply(Change(items=(item("b", status=Status.DONE),)))
    assert course.next(backlog) == Stop(halt=Halt.TARGETS_DONE)


def blocked_on_the_way(*, auto_advance: bool) -> tuple[Course, Backlog]:
    course, backlog = course_of(
        item("a", **REVIEW), item("b", **REVIEW), targets=("a", "b"), auto_advance=auto_advance
    )
    course.next(backlog)
    backlog.apply(Change(items=(item("a", status=Status.BLOCKED),)))
    course.ended("a", Ending.EXHAUSTED)
    return course, backlog


def test_a_target_that_gets_blocked_ends_the_run() -> None:
    course, backlog = blocked_on_the_way(auto_advance=False)
    assert course.next(backlog) == Stop(halt=Halt.TARGET_BLOCKED)


def test_with_auto_advance_a_blocked_target_is_passed_over_and_told_of_at_the_end() -> None:
    course, backlog = blocked_on_the_way(auto_advance=True)
    work = course.next(backlog)
    assert work == Work(actions=(RunPhase(item="b", phase="review", pool=Pool.MAIN),))
    backlog.apply(Change(items=(item("b", status=Status.BLOCKED),)))
    course.ended("b", Ending.EXHAUSTED)
    assert course.next(backlog) == Stop(halt=Halt.TARGET_BLOCKED)


def test_a_target_that_was_blocked_before_is_passed_over() -> None:
    course, backlog = course_of(
        item("a", status=Status.BLOCKED), item("b", **REVIEW), targets=("a", "gone", "b")
    )
    work = course.next(backlog)
    assert work == Work(actions=(RunPhase(item="b", phase="review", pool=Pool.MAIN),))


def test_a_target_waits_for_what_it_needs_but_auto_advance_does_that_first() -> None:
    items = item("a", needs=("b",)), item("b", **REVIEW)
    course, backlog = course_of(*items, targets=("a", "b"))
    assert course.next(backlog) == Stop(halt=Halt.WAITING)
    course, backlog = course_of(*items, targets=("a", "b"), auto_advance=True)
    work = course.next(backlog)
    assert work == Work(actions=(RunPhase(item="b", phase="review", pool=Pool.MAIN),))
    backlog.apply(Change(items=(item("b", status=Status.DONE),)))
    assert course.next(backlog) == Work(actions=(Triage(item="a"),))


def test_a_filter_that_matches_nothing_is_told_from_one_that_is_used_up() -> None:
    course, backlog = course_of(item("a"), only=parse_filters(["tag=ui"]))
    assert course.next(backlog) == Stop(halt=Halt.NO_MATCHING_ITEMS)
    course, backlog = course_of(item("a"), only=parse_filters(["status=new"]))
    assert course.next(backlog) == Work(actions=(Triage(item="a"),))
    backlog.apply(Change(items=(after(item("a"), "success"),)))
    assert course.next(backlog) == Stop(halt=Halt.FILTER_EXHAUSTED)


def test_a_filter_whose_items_wait_for_others_ends_as_waiting() -> None:
    course, backlog = course_of(
        item("a", tags=("ui",), needs=("b",)), item("b"), only=parse_filters(["tag=ui"])
    )
    assert course.next(backlog) == Stop(halt=Halt.WAITING)


def test_what_was_promoted_for_being_ready_is_worked_on_to_its_end() -> None:
    course, backlog = course_of(
        item("a", status=Status.READY), only=parse_filters(["status=ready"])
    )
    assert course.next(backlog) == Work(actions=(Promote(item="a"),))
    one = promoted(item("a"))
    for phase in ("plan", "build", "review", DELIVER):
        backlog.apply(Change(items=(one,)))
        step = course.next(backlog)
        assert isinstance(step, Work)
        assert isinstance(step.actions[0], RunPhase)
        assert step.actions[0].phase == phase
        one = after(one, "success")
    backlog.apply(Change(items=(one,)))
    assert course.next(backlog) == Stop(halt=Halt.FILTER_EXHAUSTED)


def test_every_reason_is_a_sentence_for_people() -> None:
    sentences = [halt.sentence for halt in Halt]
    assert len(set(sentences)) == len(Halt)
    assert all(text[0].isupper() and text.endswith(".") for text in sentences)
