"""Promise: `why` has a reason, a way on and a command for every item of a backlog."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.report.model import Attempt
from orchestrator.report.why_item import Circumstances, why_item
from orchestrator.work.backlog.default_pipeline import FEATURE
from orchestrator.work.backlog.item import Asks, Cause, Claim, Item, Pool, Question, Status
from orchestrator.work.backlog.pipeline import DEFAULT
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.records import AttemptRecord, AttemptState
from tests.any_items import items

RULES = Rules(pipelines={DEFAULT: FEATURE})
ITEM = Item(id="WRK-1", title="Thing", status=Status.IN_PROGRESS, phase="build", pool=Pool.MAIN)


def tried(*states: AttemptState, phase: str = "build") -> tuple[Attempt, ...]:
    """Attempts at a phase."""
    return tuple(
        Attempt(
            record=AttemptRecord(
                id=f"WRK-1.{n}", item="WRK-1", run="1", story="", number=n, at=n, state=state,
                reason=f"reason {n}", phase=phase,
            ),
            ended=None,
        )
        for n, state in enumerate(states, start=1)
    )  # fmt: skip


def around(*others: Item, **more: Any) -> Circumstances:
    """What there is to know of `ITEM` among others."""
    fields: dict[str, Any] = {
        "rules": RULES, "line": (), "attempts": (), "branch": "", "running": False,
    }  # fmt: skip
    known = {item.id: item for item in (ITEM, *others)}
    return Circumstances(known=known, **fields | more)


@settings(max_examples=40)
@given(items(), st.lists(items(), max_size=3), st.booleans(), st.sampled_from(AttemptState))
def test_every_item_has_an_answer(
    item: Item, others: list[Item], running: bool, state: AttemptState
) -> None:
    known = {one.id: one for one in (*others, item)}
    found = Circumstances(
        known=known, rules=RULES, line=[item.id], attempts=tried(state), branch="b", running=running
    )
    answer = why_item(item, found)
    assert answer.headline.startswith(item.id)
    assert answer.because
    assert answer.next
    assert answer.say
    assert all(command.startswith("orc ") for command, _ in answer.say)


def blocked(cause: Cause, asks: Asks = Asks.DECISION) -> Item:
    """The item with a question."""
    question = Question(text="Which?", asks=asks, cause=cause, since=Status.IN_PROGRESS)
    return attrs.evolve(ITEM, status=Status.BLOCKED, question=question)


@pytest.mark.parametrize("cause", list(Cause))
def test_a_blocked_item_tells_its_question_and_how_to_answer(cause: Cause) -> None:
    answer = why_item(blocked(cause), around())
    assert "Which?" in answer.because
    commands = [command for command, _ in answer.say]
    assert "orc answer WRK-1 TEXT" in commands
    assert ("orc retry WRK-1" in commands) is (cause is not Cause.ASKED)
    assert "build" in answer.next


def test_an_approval_is_a_yes_or_a_no() -> None:
    answer = why_item(blocked(Cause.GUARDRAILS, Asks.APPROVAL), around())
    commands = [command for command, _ in answer.say]
    assert commands[:2] == ["orc answer WRK-1 --yes", "orc answer WRK-1 --no"]


def test_an_item_that_used_up_its_attempts_shows_the_last_one() -> None:
    failed = AttemptState.FAILED
    answer = why_item(blocked(Cause.FAILED), around(attempts=tried(failed, failed)))
    assert answer.last is not None
    assert answer.last.record.reason == "reason 2"
    assert ("tries", "2 tries at build: failed, failed") in answer.facts


def test_an_item_waits_for_what_it_needs_for_who_has_it_and_for_a_place() -> None:
    need = Item(id="WRK-2", title="Need", status=Status.READY)
    needing = attrs.evolve(ITEM, needs=("WRK-2", "WRK-9"))
    answer = why_item(needing, around(need))
    assert "WRK-2 (ready), WRK-9 (unknown)" in answer.because
    claimed = attrs.evolve(ITEM, claim=Claim(by="Ann", at=1))
    assert "Ann works on it" in why_item(claimed, around()).because
    waiting = Item(id="WRK-3", title="Waiting", status=Status.READY)
    assert "WRK-1" in why_item(waiting, around(waiting, line=("WRK-3",))).because


def test_an_item_that_is_worked_on_says_so() -> None:
    started = around(attempts=tried(AttemptState.STARTED), running=True)
    assert why_item(ITEM, started).because == "a worker is at build"
    stopped = around(attempts=tried(AttemptState.STARTED), line=("WRK-1",))
    assert "nothing runs here" in why_item(ITEM, stopped).because


def test_an_item_whose_phase_is_not_configured_says_so() -> None:
    lost = attrs.evolve(ITEM, phase="nowhere")
    assert "nowhere is not configured" in why_item(lost, around()).because
