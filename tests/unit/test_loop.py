"""Promise: the loop always knows one next step, and never more than the allowance of them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.git.refs import parse_trailers
from orchestrator.work.loop import (
    AllDone,
    GiveUp,
    Park,
    Pause,
    Selection,
    TryStory,
    gather_learnings,
    next_step,
)
from orchestrator.work.records import (
    LEARNINGS_LIMIT,
    AttemptRecord,
    AttemptState,
    RunRecord,
    RunState,
    attempt_from,
    run_from,
    tail,
    to_document,
    to_json,
)
from orchestrator.work.spec import Story, Task
from orchestrator.work.states import first_object
from orchestrator.work.trailers import attempt_trailers, checkpointed_attempt
from orchestrator.work.worker import Usage


def story(id: str, *done: bool) -> Story:
    tasks = tuple(
        Task(id=f"{id}.{n}", description="do", done=box, line=n) for n, box in enumerate(done)
    )
    return Story(id=id, title=f"Story {id}", tasks=tasks)


def attempt(story_id: str, number: int, state: AttemptState, **more: Any) -> AttemptRecord:
    return AttemptRecord(
        id=f"a.{story_id}.{number}",
        item="a",
        run="r",
        story=story_id,
        number=number,
        at=number,
        state=state,
        **more,
    )


def test_first_open_story_in_document_order_is_next() -> None:
    step = next_step([story("1", True), story("2", False), story("3", False)], [], max_attempts=3)
    assert isinstance(step, TryStory)
    assert (step.story.id, step.position, step.number, step.previous) == ("2", 2, 1, None)


def test_story_without_tasks_is_never_tried() -> None:
    assert next_step([story("1"), story("2", True)], [], max_attempts=3) == AllDone()


def test_failures_up_to_the_allowance_then_giving_up_with_the_last_one() -> None:
    failures = [attempt("1", n, AttemptState.FAILED, reason=f"no {n}") for n in (1, 2, 3)]
    step = next_step([story("1", False)], failures[:2], max_attempts=3)
    assert isinstance(step, TryStory)
    assert step.number == 3
    assert step.previous == failures[1]
    assert next_step([story("1", False)], failures, max_attempts=3) == GiveUp(
        story=story("1", False), last=failures[2]
    )


def test_interruptions_use_up_no_allowance_but_keep_the_last_failure() -> None:
    attempts = [
        attempt("1", 1, AttemptState.FAILED, reason="wrong"),
        *(attempt("1", n, AttemptState.INTERRUPTED) for n in range(2, 9)),
    ]
    step = next_step([story("1", False)], attempts, max_attempts=2)
    assert isinstance(step, TryStory)
    assert step.number == 9
    assert step.previous is not None
    assert step.previous.reason == "wrong"


def test_question_parks_the_story_even_when_the_run_did_not_get_to_say_so() -> None:
    asked = attempt("1", 1, AttemptState.BLOCKED, reason="which?")
    assert next_step([story("1", False)], [asked], max_attempts=3) == Park(
        story=story("1", False), last=asked
    )


def test_workers_lost_to_crashes_are_bounded_too() -> None:
    lost = [attempt("1", n, AttemptState.LOST) for n in (1, 2)]
    assert isinstance(next_step([story("1", False)], lost, max_attempts=2), GiveUp)


states = st.sampled_from(
    [AttemptState.FAILED, AttemptState.LOST, AttemptState.INTERRUPTED, AttemptState.VERIFIED]
)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=4), st.data(), st.integers(1, 3))
def test_any_run_ends(shape: list[int], data: st.DataObject, allowance: int) -> None:
    """However workers behave short of interruptions, the loop comes to an end."""
    stories = [story(str(n), *([False] * size)) for n, size in enumerate(shape)]
    attempts: list[AttemptRecord] = []
    for _ in range(len(stories) * allowance * 2 + 1):
        step = next_step(stories, attempts, max_attempts=allowance)
        if not isinstance(step, TryStory):
            return
        state = data.draw(states.filter(lambda state: state is not AttemptState.INTERRUPTED))
        attempts.append(attempt(step.story.id, step.number, state))
        if state is AttemptState.VERIFIED:
            done = attrs.evolve(
                step.story, tasks=tuple(attrs.evolve(t, done=True) for t in step.story.tasks)
            )
            stories[step.position - 1] = done
    pytest.fail("the loop went on after every allowance was used up")


ids = st.sampled_from(["0", "1", "2", "3", "nope"])
selections = st.builds(
    Selection,
    only=st.lists(ids, max_size=2).map(tuple),
    first=st.none() | ids,
    steps=st.none() | st.integers(1, 2),
)


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=4),
    selections,
    st.data(),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_selection_never_runs_a_story_outside_it_and_always_ends(
    shape: list[int], selection: Selection, data: st.DataObject, allowance: int, earlier: int
) -> None:
    stories = [story(str(n), *([False] * size)) for n, size in enumerate(shape)]
    attempts = [attempt("9", n, AttemptState.VERIFIED) for n in range(earlier)]
    order = [one.id for one in stories]
    verified = 0
    for _ in range(len(stories) * allowance * 2 + 1):
        step = next_step(
            stories, attempts, max_attempts=allowance, selection=selection, earlier=earlier
        )
        if isinstance(step, Pause):
            assert not step.story.is_complete
        if not isinstance(step, TryStory):
            return
        assert not selection.only or step.story.id in selection.only
        if selection.first is not None:
            assert order.index(step.story.id) >= order.index(selection.first)
        assert selection.steps is None or verified < selection.steps
        state = data.draw(states.filter(lambda state: state is not AttemptState.INTERRUPTED))
        attempts.append(attempt(step.story.id, step.number, state))
        if state is AttemptState.VERIFIED:
            verified += 1
            stories[step.position - 1] = story(step.story.id, *([True] * len(step.story.tasks)))
    pytest.fail("the loop went on after every allowance was used up")


def test_pause_names_the_next_open_story_and_unknown_ones_are_found() -> None:
    stories = [story("1", False), story("2", True), story("3", False)]
    assert next_step(stories, [], max_attempts=3, selection=Selection(only=("2",))) == Pause(
        story=stories[0]
    )
    step = next_step(stories, [], max_attempts=3, selection=Selection(first="2"))
    assert isinstance(step, TryStory)
    assert (step.story.id, step.position) == ("3", 3)
    assert Selection(only=("1", "x"), first="y").unknown(stories) == ("x", "y")
    assert next_step([], [], max_attempts=3, selection=Selection(steps=1)) == AllDone()


@given(st.text(), st.text(), st.text(), states, st.floats(0, 1e6))
def test_attempt_survives_as_json_with_trailers_behind_it(
    reason: str, evidence: str, learnings: str, state: AttemptState, cost: float
) -> None:
    record = attrs.evolve(
        attempt("1", 1, state, reason=reason, evidence=evidence, learnings=learnings),
        usage=Usage(turns=1, cost=cost),
    )
    text = to_json(record) + "\n\nOrchestrator-Item: a\n"
    assert attempt_from(first_object(text)) == record


def test_run_survives_as_json() -> None:
    run = RunRecord(
        id="r",
        item="a",
        change="A b",
        title="A",
        base="1",
        start="2",
        seen="3",
        target="refs/heads/main",
        root=".",
        at=1,
        state=RunState.BLOCKED,
        reason="why?",
        story="2",
        carried=("x\udcff",),
    )
    assert run_from(to_document(run)) == run


@pytest.mark.parametrize("data", [{}, {"state": "new"}, {"state": "open", "more": 1}])
def test_what_is_not_a_record_is_none(data: dict[str, object]) -> None:
    assert attempt_from(data) is None
    assert run_from(data) is None


@pytest.mark.parametrize("usage", [Usage(), Usage(cost=0.125, turns=3, output_tokens=7)])
def test_verified_attempt_is_read_back_from_its_trailers(usage: Usage) -> None:
    record = attrs.evolve(attempt("1.2", 4, AttemptState.VERIFIED), id="a.r.1-2-x.4", usage=usage)
    message = f"a: 1.2 Story\n\n{attempt_trailers(record, verified=True)}"
    trailers = parse_trailers(message)
    assert attempt_from(checkpointed_attempt(trailers, record.at) or {}) == record


def test_message_of_another_attempt_or_commit_is_no_checkpoint() -> None:
    record = attrs.evolve(attempt("1", 1, AttemptState.FAILED), id="a.r.1.1")
    assert checkpointed_attempt(parse_trailers(f"a\n\n{attempt_trailers(record)}"), 1) is None
    for id in ("", "a", "a.r.1", "b.r.1.1", "a.r.1.x"):
        named = {
            "Orchestrator-Attempt": id,
            "Orchestrator-Item": "a",
            "Orchestrator-Verified": "no",
        }
        assert checkpointed_attempt(named, 1) is None


def test_learnings_are_joined_once_and_bounded() -> None:
    notes = [attempt("1", n, AttemptState.VERIFIED, learnings=f"note {n % 2}") for n in range(4)]
    assert gather_learnings(notes) == "note 0\n\nnote 1"
    long = attempt("1", 9, AttemptState.VERIFIED, learnings="line\n" * LEARNINGS_LIMIT)
    assert len(gather_learnings([long])) <= LEARNINGS_LIMIT + 40


def test_tail_says_what_it_cut() -> None:
    assert tail("short", 10) == "short"
    assert tail("one\ntwo\nthree", 9) == "[8 characters cut]\nthree"
