"""Promise: the end of a phase leads on, or to a question; its result is taken over once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from orchestrator.errors import OvertakenError, UnknownItemError, UsageError
from orchestrator.work.backlog import followups, outcomes
from orchestrator.work.backlog.change import Change
from orchestrator.work.backlog.item import (
    Asks,
    Assessments,
    Cause,
    Claim,
    Description,
    Item,
    Level,
    Pool,
    Size,
    Status,
    Waiting,
)
from orchestrator.work.backlog.moves import answer, retry
from orchestrator.work.backlog.outcomes import MAX_SUBPHASES, Attempted, Landed
from orchestrator.work.backlog.pipeline import Pipeline
from orchestrator.work.backlog.result import FollowUp, Outcome, PhaseResult
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.triage import MOST_DUPLICATES, triaged
from tests.backlogs import DELIVERING, RULES, Backlog, minting

HIGH = Assessments(risk=Level.HIGH)
LANDED = Landed(head="c1", based_on="c0")
NOW = 5


def item(phase: str | None, **more: Any) -> Item:
    """Return an item in a phase, or a new one."""
    if phase is None:
        return Item(id="A", title="a thing", **more)
    pool = Pool.PRE if phase in ("research", "scope") else Pool.MAIN
    status = Status.SCOPING if pool is Pool.PRE else Status.IN_PROGRESS
    return Item(id="A", title="a thing", **{"status": status, "pool": pool, "phase": phase, **more})


def done(**more: Any) -> PhaseResult:
    return PhaseResult(**{"outcome": Outcome.COMPLETE, "summary": "did it", **more})


def completed(
    backlog: Backlog,
    result: PhaseResult | None = None,
    *,
    rules: Rules = RULES,
    landed: Landed = LANDED,
    part: bool = False,
) -> Change:
    end = outcomes.subphase_completed if part else outcomes.phase_completed
    attempt = backlog.attempt("A")
    return backlog.apply(
        end(backlog, rules, attempt, result or done(), landed, mint=minting(), now=NOW)
    )


def triage(backlog: Backlog, landed: Landed | None = LANDED, **result: Any) -> Change:
    attempt = backlog.attempt("A", "triage")
    return backlog.apply(
        triaged(backlog, RULES, attempt, done(**result), landed, mint=minting(), now=NOW)
    )


def outcomes_of(change: Change) -> list[tuple[str, str]]:
    return [(entry.outcome, entry.phase) for entry in change.entries if entry.outcome]


# --- a phase is complete


@pytest.mark.parametrize(
    ("phase", "rules", "status", "then"),
    [
        ("research", RULES, Status.SCOPING, "scope"),
        ("scope", RULES, Status.READY, None),
        ("plan", RULES, Status.IN_PROGRESS, "build"),
        ("review", RULES, Status.DONE, "review"),
        ("review", DELIVERING, Status.IN_PROGRESS, "deliver"),
    ],
)
def test_after_a_phase_comes_the_next(
    phase: str, rules: Rules, status: Status, then: str | None
) -> None:
    backlog = Backlog(item(phase))
    change = completed(backlog, rules=rules)
    after = backlog.items["A"]
    assert (after.status, after.phase) == (status, then)
    assert outcomes_of(change)[0] == ("Complete", phase)
    assert after.head == "c1"
    assert after.based_on == "c0"
    if then not in (phase, None):
        assert after.visit == 1


def test_a_done_item_remembers_its_last_phase_and_no_summary() -> None:
    backlog = Backlog(item("review", claim=Claim(by="ann", at=1)))
    change = completed(backlog)
    after = backlog.items["A"]
    assert (after.phase, after.summary, after.claim) == ("review", "", None)
    assert outcomes_of(change) == [("Complete", "review"), ("Archived", "review")]


def test_the_next_prompt_knows_the_summary() -> None:
    backlog = Backlog(item("plan"))
    completed(backlog)
    assert backlog.items["A"].summary == "did it"


@pytest.mark.parametrize("cause", [Cause.REVIEW, Cause.GUARDRAILS])
def test_the_end_of_the_pre_phases_waits_for_approval_and_is_not_repeated(cause: Cause) -> None:
    more = {"needs_review": True} if cause is Cause.REVIEW else {"ratings": HIGH}
    backlog = Backlog(item("scope", **more))
    completed(backlog)
    waits = backlog.items["A"]
    assert waits.question is not None
    assert (waits.question.cause, waits.question.asks) == (cause, Asks.APPROVAL)
    assert (waits.question.since, waits.phase, waits.pool) == (Status.READY, None, None)
    backlog.apply(answer(backlog, RULES, "A", verdict=True, now=NOW))
    assert backlog.items["A"].status is Status.READY
    backlog.apply(outcomes.promoted(backlog, RULES, "A", now=NOW))
    assert backlog.items["A"].phase == "plan"


def test_ratings_that_a_phase_finds_too_high_stop_the_item_where_it_goes_on() -> None:
    backlog = Backlog(item("plan", overridden=True, ratings=Assessments(size=Size.SMALL)))
    completed(backlog, done(ratings=HIGH))
    after = backlog.items["A"]
    assert after.ratings == Assessments(size=Size.SMALL, risk=Level.HIGH)
    assert after.question is not None
    assert (after.question.cause, after.question.since) == (Cause.GUARDRAILS, Status.IN_PROGRESS)
    assert after.phase == "build"
    backlog.apply(answer(backlog, RULES, "A", verdict=True, now=NOW))
    completed(backlog, done(ratings=HIGH))
    assert backlog.items["A"].phase == "review"


def test_a_phase_that_is_configured_no_more_waits_for_a_person() -> None:
    for gone, text in ((item("away"), "Phase away"), (item("plan", pipeline="gone"), "'gone'")):
        backlog = Backlog(gone)
        completed(backlog)
        question = backlog.items["A"].question
        assert question is not None
        assert question.cause is Cause.CONFIGURATION
        assert text in question.text


def test_results_wait_until_they_are_committed() -> None:
    backlog = Backlog(item("research"))
    kept = Landed(head="p1", committed=False)
    completed(backlog, done(commit_summary="research\nit"), landed=kept)
    completed(backlog, done(), landed=attrs.evolve(kept, head="p2"))
    backlog.apply(outcomes.promoted(backlog, RULES, "A", now=NOW))
    after = backlog.items["A"]
    assert after.head == "p2"
    assert after.waiting == (
        Waiting(phase="research", summary="research it", attempt="A.1"),
        Waiting(phase="scope", summary="", attempt="A.1"),
    )
    completed(backlog, landed=Landed(head="c3"))
    assert (backlog.items["A"].waiting, backlog.items["A"].head) == ((), "c3")


def test_a_batch_is_committed_whatever_became_of_the_item() -> None:
    waiting = (Waiting(phase="plan", summary="", attempt="A.1"),)
    for status in Status:
        backlog = Backlog(Item(id="A", title="a", status=status, waiting=waiting, head="p1"))
        backlog.apply(outcomes.batch_committed(backlog, "A", "c1", now=NOW))
        after = backlog.items["A"]
        assert (after.status, after.waiting, after.head) == (status, (), "c1")
        assert not outcomes.batch_committed(backlog, "A", "c1", now=NOW)


def test_a_result_for_where_the_item_is_no_more_applies_to_nothing() -> None:
    here = item("plan", visit=4)
    attempt = Attempted(item="A", phase="plan", visit=4, id="A.1")
    gone = [
        attrs.evolve(here, visit=5),
        attrs.evolve(here, phase="build"),
        attrs.evolve(here, status=Status.DONE),
        attrs.evolve(here, status=Status.CLOSED),
        attrs.evolve(here, status=Status.BLOCKED),
        attrs.evolve(here, status=Status.READY, phase=None),
    ]
    for elsewhere in gone:
        backlog = Backlog(elsewhere)
        with pytest.raises(OvertakenError):
            outcomes.phase_completed(
                backlog, RULES, attempt, done(), LANDED, mint=minting(), now=NOW
            )
        backlog.apply(outcomes.overtaken(backlog, attempt, LANDED, now=NOW))
        assert backlog.items["A"] == attrs.evolve(elsewhere, head="c1", based_on="c0", updated=NOW)
        assert backlog.entries[-1].what == "overtaken"
    with pytest.raises(UnknownItemError):
        outcomes.phase_failed(Backlog(), attempt, attempts=1, failure="x", now=NOW)


# --- follow-ups


def test_follow_ups_become_new_items_that_know_where_they_came_from() -> None:
    found = (
        FollowUp(title="other\nthing", context="Problem: p", ratings=HIGH),
        FollowUp(title=" \x00 "),
        FollowUp(title="x" * 500),
    )
    backlog = Backlog(item("plan"))
    change = completed(backlog, done(follow_ups=found))
    assert backlog.items["N-1"] == Item(
        id="N-1",
        title="other thing",
        description=Description(problem="p"),
        ratings=HIGH,
        origin="A/plan",
        created=NOW,
        updated=NOW,
    )
    assert len(backlog.items["N-2"].title) == 200
    assert set(backlog.items) == {"A", "N-1", "N-2"}
    assert "skipped" in [entry.what for entry in change.entries]


def test_one_result_brings_no_flood_of_items() -> None:
    found = tuple(FollowUp(title=f"t{n}") for n in range(followups.MOST + 7))
    backlog = Backlog(item("plan"))
    change = completed(backlog, done(follow_ups=found))
    assert len(backlog.items) == followups.MOST + 1
    assert any("7 of 57" in entry.text for entry in change.entries)


# --- a part of a phase is done


def test_a_part_that_is_done_gives_the_same_phase_a_fresh_allowance() -> None:
    backlog = Backlog(item("build", visit=2))
    change = completed(backlog, part=True)
    after = backlog.items["A"]
    assert (after.status, after.phase, after.visit) == (Status.IN_PROGRESS, "build", 3)
    assert after.summary == "did it"
    assert outcomes_of(change) == [("Subphase Complete", "build")]


def test_a_phase_of_parts_without_an_end_waits_for_a_person() -> None:
    backlog = Backlog(item("build"))
    for _ in range(MAX_SUBPHASES):
        assert backlog.items["A"].status is Status.IN_PROGRESS
        completed(backlog, part=True)
    question = backlog.items["A"].question
    assert question is not None
    assert question.asks is Asks.DECISION
    backlog.apply(retry(backlog, RULES, "A", now=NOW))
    completed(backlog, part=True)
    assert backlog.items["A"].status is Status.IN_PROGRESS


def test_the_parts_of_one_phase_do_not_count_for_the_next() -> None:
    backlog = Backlog(item("plan"))
    completed(backlog, part=True)
    completed(backlog)
    assert backlog.items["A"].subphases == 0


def test_ratings_of_a_part_that_are_too_high_stop_its_phase() -> None:
    backlog = Backlog(item("build"))
    completed(backlog, done(ratings=HIGH), part=True)
    after = backlog.items["A"]
    assert after.status is Status.BLOCKED
    assert after.phase == "build"


# --- what stops an item


def test_used_up_attempts_wait_for_a_person_and_are_given_anew() -> None:
    backlog = Backlog(item("build", visit=1))
    attempt = backlog.attempt("A")
    change = backlog.apply(
        outcomes.phase_failed(backlog, attempt, attempts=3, failure="no\x00pe", now=NOW)
    )
    question = backlog.items["A"].question
    assert question is not None
    assert question.text == "Phase build failed after 3 attempts. Last failure: nope"
    assert (question.cause, question.since) == (Cause.FAILED, Status.IN_PROGRESS)
    assert outcomes_of(change) == [("Failed", "build")]
    backlog.apply(retry(backlog, RULES, "A", now=NOW))
    after = backlog.items["A"]
    assert (after.status, after.phase, after.visit) == (Status.IN_PROGRESS, "build", 2)


def test_a_failed_triage_waits_too_and_is_triaged_anew() -> None:
    backlog = Backlog(item(None))
    attempt = backlog.attempt("A")
    backlog.apply(outcomes.phase_failed(backlog, attempt, attempts=3, failure="x", now=NOW))
    assert backlog.items["A"].status is Status.BLOCKED
    backlog.apply(retry(backlog, RULES, "A", now=NOW))
    after = backlog.items["A"]
    assert (after.status, after.visit) == (Status.NEW, 1)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"context": "which one?", "summary": "stuck"}, "which one?"),
        ({"summary": "stuck"}, "stuck"),
        ({"summary": ""}, "It does not say what it waits for"),
    ],
)
def test_a_question_is_asked_as_the_phase_put_it(result: dict[str, Any], text: str) -> None:
    backlog = Backlog(item("plan"))
    asked = PhaseResult(
        outcome=Outcome.BLOCKED, asks=Asks.DECISION, follow_ups=(FollowUp(title="t"),), **result
    )
    change = backlog.apply(outcomes.phase_blocked(backlog, backlog.attempt("A"), asked, now=NOW))
    question = backlog.items["A"].question
    assert question is not None
    assert (question.text, question.asks, question.cause) == (text, Asks.DECISION, Cause.ASKED)
    assert set(backlog.items) == {"A"}
    assert outcomes_of(change) == [("Blocked", "plan")]


def test_a_cancelled_phase_leaves_its_item_where_it_is() -> None:
    backlog = Backlog(item("plan"))
    change = outcomes.phase_cancelled(backlog, backlog.attempt("A"), now=NOW)
    assert not change.items
    (entry,) = change.entries
    assert (entry.outcome, entry.text) == ("Cancelled", "Shutdown requested")


STOPS: list[tuple[Cause, Callable[[Backlog, Attempted], Change]]] = [
    (Cause.GATE, lambda b, a: outcomes.gate_refused(b, a, "no plan.md", now=NOW)),
    (Cause.STALE, lambda b, a: outcomes.stale(b, a, "abc", now=NOW)),
    (Cause.PARKED, lambda b, a: outcomes.parked(b, a.item, "orc settle", now=NOW)),
    (
        Cause.CONFIGURATION,
        lambda b, a: outcomes.bad_configuration(b, a.item, "no such agent", now=NOW),
    ),
]


@pytest.mark.parametrize(("cause", "stop"), STOPS)
@pytest.mark.parametrize("phase", [None, "research", "build", "deliver"])
def test_what_stops_an_item_is_asked_where_it_stopped(
    cause: Cause, stop: Callable[[Backlog, Attempted], Change], phase: str | None
) -> None:
    start = item(phase)
    backlog = Backlog(start)
    backlog.apply(stop(backlog, backlog.attempt("A")))
    question = backlog.items["A"].question
    assert question is not None
    assert (question.cause, question.since) == (cause, start.status)
    assert question.text
    backlog.apply(retry(backlog, RULES, "A", now=NOW))
    after = backlog.items["A"]
    assert (after.status, after.phase) == (start.status, start.phase)


def test_parking_forgets_no_question() -> None:
    backlog = Backlog(item("plan"))
    asked = PhaseResult(outcome=Outcome.BLOCKED, context="which one?")
    backlog.apply(outcomes.phase_blocked(backlog, backlog.attempt("A"), asked, now=NOW))
    backlog.apply(outcomes.parked(backlog, "A", "someone moved the branch", now=NOW))
    question = backlog.items["A"].question
    assert question is not None
    assert question.text == "someone moved the branch\n\nBefore that: which one?"
    assert (question.cause, question.since) == (Cause.PARKED, Status.IN_PROGRESS)
    assert not outcomes.parked(backlog, "A", "someone moved the branch", now=NOW)


@pytest.mark.parametrize("status", [Status.DONE, Status.CLOSED])
def test_what_is_over_is_parked_in_its_history_alone(status: Status) -> None:
    backlog = Backlog(Item(id="A", title="a", status=status))
    change = outcomes.parked(backlog, "A", "odd", now=NOW)
    assert not change.items
    assert [entry.text for entry in change.entries] == ["odd"]
    assert not outcomes.bad_configuration(backlog, "A", "odd", now=NOW)


# --- promotion and delivery


def test_a_promotion_is_one_step_and_happens_once() -> None:
    backlog = Backlog(item(None, status=Status.READY))
    change = backlog.apply(outcomes.promoted(backlog, RULES, "A", now=NOW))
    after = backlog.items["A"]
    assert (after.status, after.phase, after.pool) == (Status.IN_PROGRESS, "plan", Pool.MAIN)
    assert len(change.items) == 1
    assert not outcomes.promoted(backlog, RULES, "A", now=NOW)


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"ratings": HIGH}, Cause.GUARDRAILS),
        ({"needs_review": True}, Cause.REVIEW),
        ({"pipeline": "gone"}, Cause.CONFIGURATION),
    ],
)
def test_what_may_not_begin_waits_for_a_person_and_then_begins(
    more: dict[str, Any], cause: Cause
) -> None:
    backlog = Backlog(item(None, status=Status.READY, **more))
    backlog.apply(outcomes.promoted(backlog, RULES, "A", now=NOW))
    question = backlog.items["A"].question
    assert question is not None
    assert (question.cause, question.since) == (cause, Status.READY)
    rules = attrs.evolve(
        RULES,
        pipelines={
            **RULES.pipelines,
            "gone": Pipeline(name="gone", phases=RULES.pipelines["chore"].phases),
        },
    )
    backlog.apply(answer(backlog, rules, "A", verdict=True, now=NOW))
    backlog.apply(outcomes.promoted(backlog, rules, "A", now=NOW))
    assert backlog.items["A"].status is Status.IN_PROGRESS


def test_what_was_delivered_is_done() -> None:
    backlog = Backlog(item("deliver"))
    change = backlog.apply(
        outcomes.delivered(backlog, backlog.attempt("A"), text="merged into main", now=NOW)
    )
    assert backlog.items["A"].status is Status.DONE
    assert outcomes_of(change) == [("Complete", "deliver"), ("Archived", "deliver")]


def test_a_refused_delivery_is_tried_again_when_a_person_says_so() -> None:
    start = item("deliver")
    backlog = Backlog(start)
    attempt = backlog.attempt("A")
    backlog.apply(outcomes.delivery_refused(backlog, attempt, "a conflict", now=NOW))
    question = backlog.items["A"].question
    assert question is not None
    assert (question.cause, question.text) == (Cause.DELIVERY, "a conflict")
    backlog.apply(retry(backlog, RULES, "A", now=NOW))
    assert backlog.items["A"].phase == "deliver"


def end_of_phase(backlog: Backlog) -> Change:
    attempt = backlog.attempt("A")
    return outcomes.phase_completed(
        backlog, RULES, attempt, done(), LANDED, mint=minting(), now=NOW
    )


def end_of_triage(backlog: Backlog) -> Change:
    attempt = backlog.attempt("A")
    return triaged(backlog, RULES, attempt, done(), LANDED, mint=minting(), now=NOW)


def end_of_delivery(backlog: Backlog) -> Change:
    return outcomes.delivered(backlog, backlog.attempt("A"), text="", now=NOW)


ENDS = {"plan": end_of_phase, None: end_of_triage, "deliver": end_of_delivery}


@pytest.mark.parametrize("phase", ENDS)
def test_a_phase_a_triage_and_a_delivery_end_each_in_its_own_way(phase: str | None) -> None:
    backlog = Backlog(item(phase))
    for own, end in ENDS.items():
        if own == phase:
            assert end(backlog)
        else:
            with pytest.raises(UsageError):
                end(backlog)


# --- triage


@pytest.mark.parametrize(
    ("result", "status", "phase"),
    [
        ({"ratings": Assessments(size=Size.MEDIUM)}, Status.SCOPING, "research"),
        ({"ratings": Assessments(size=Size.SMALL)}, Status.READY, None),
        (
            {"ratings": Assessments(size=Size.SMALL, risk=Level.LOW)},
            Status.READY,
            None,
        ),
        (
            {"ratings": Assessments(size=Size.SMALL, risk=Level.MEDIUM)},
            Status.SCOPING,
            "research",
        ),
        ({"pipeline": "chore"}, Status.READY, None),
        ({}, Status.SCOPING, "research"),
    ],
)
def test_triage_sends_an_item_where_it_belongs(
    result: dict[str, Any], status: Status, phase: str | None
) -> None:
    backlog = Backlog(item(None))
    described = Description(problem="p")
    change = triage(backlog, description=described, **result)
    after = backlog.items["A"]
    assert (after.status, after.phase) == (status, phase)
    assert after.description == described
    assert after.pipeline == result.get("pipeline")
    assert outcomes_of(change) == [("Complete", "triage")]
    assert after.head == "c1"


@pytest.mark.parametrize(
    "ratings",
    [
        Assessments(size=Size.SMALL, complexity=Level.HIGH),
        Assessments(size=Size.LARGE),
    ],
)
def test_guardrails_hold_for_what_skips_the_pre_phases_too(ratings: Assessments) -> None:
    backlog = Backlog(item(None, pipeline="chore"))
    triage(backlog, ratings=ratings)
    question = backlog.items["A"].question
    assert question is not None
    assert (question.cause, question.since) == (Cause.GUARDRAILS, Status.READY)


def test_triage_into_an_unknown_pipeline_waits_for_a_person() -> None:
    backlog = Backlog(item(None))
    triage(backlog, pipeline="magic\n")
    question = backlog.items["A"].question
    assert question is not None
    assert question.text == (
        "Triage assigned invalid pipeline type 'magic'. Available: chore, feature"
    )
    assert question.since is Status.NEW
    assert backlog.items["A"].pipeline is None


def test_triage_that_asks_waits_and_brings_nothing_twice() -> None:
    backlog = Backlog(item(None))
    triage(
        backlog, outcome=Outcome.BLOCKED, context="is it done?", follow_ups=(FollowUp(title="t"),)
    )
    question = backlog.items["A"].question
    assert question is not None
    assert (question.text, question.since) == ("is it done?", Status.NEW)
    assert set(backlog.items) == {"A"}
    backlog.apply(answer(backlog, RULES, "A", "no", now=NOW))
    triage(backlog, follow_ups=(FollowUp(title="t"),))
    assert backlog.items["A"].status is Status.SCOPING
    assert set(backlog.items) == {"A", "N-1"}


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SUBPHASE])
def test_triage_that_neither_ends_nor_asks_leads_nowhere(outcome: Outcome) -> None:
    with pytest.raises(UsageError):
        triage(Backlog(item(None)), outcome=outcome)


def test_triage_that_leaves_no_files_moves_no_head() -> None:
    backlog = Backlog(item(None, head="c0"))
    triage(backlog, landed=None)
    assert backlog.items["A"].head == "c0"


def test_a_newer_duplicate_goes_into_the_triaged_item() -> None:
    backlog = Backlog(item(None, created=1), Item(id="B", title="b", created=2))
    triage(backlog, duplicates=("B", "B", "A", "no\nsuch"), description=Description(context="c"))
    assert backlog.items["B"].status is Status.CLOSED
    after = backlog.items["A"]
    assert after.status is Status.SCOPING
    assert after.description.context == "c\n[Merged from B] Title: b"
    assert [e.what for e in backlog.entries].count("skipped") == 2


def test_a_triaged_item_goes_into_an_older_duplicate_and_no_further() -> None:
    backlog = Backlog(
        item(None, created=3),
        Item(id="B", title="b", created=1),
        Item(id="C", title="c", created=2),
    )
    change = triage(backlog, duplicates=("B", "C"))
    assert backlog.items["A"].status is Status.CLOSED
    assert backlog.items["A"].reason == "merged into B"
    assert backlog.items["C"].status is Status.NEW
    assert ("Merged", "triage") in outcomes_of(change)


def test_one_triage_puts_no_flood_of_items_together() -> None:
    others = [Item(id=f"B{n}", title="b", created=2) for n in range(MOST_DUPLICATES + 5)]
    backlog = Backlog(item(None, created=1), *others)
    triage(backlog, duplicates=tuple(other.id for other in others))
    closed = [one for one in backlog.items.values() if one.status is Status.CLOSED]
    assert len(closed) == MOST_DUPLICATES
