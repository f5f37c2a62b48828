"""Promise: `why` has an answer and a command for every state that an item can be in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.report.model import Attempt, Item, Story
from orchestrator.report.why import Why, never_run, why
from orchestrator.work.records import AttemptRecord, AttemptState, RunRecord

NOW = 10_000.0
STATUSES = (
    "in progress", "interrupted", "stopped", "limited", "done", "partial", "failed", "blocked",
    "delivered", "discarded", "something new",
)  # fmt: skip


def tried(story: str, *states: AttemptState, until: float = 0.0) -> tuple[Attempt, ...]:
    """Attempts of run 1 in these states."""
    return tuple(
        Attempt(
            record=AttemptRecord(
                id=f"thing.1.{story}.{number}", item="thing", run="1", story=story, number=number,
                at=100 * number, state=state, reason=f"reason {number}", seconds=10.0,
                until=until,
            ),
            ended=100 * number + 10.0,
            commit="c" * 40,
        )
        for number, state in enumerate(states, start=1)
    )  # fmt: skip


def item(
    status: str,
    *attempts: Attempt,
    story: str = "",
    reason: str = "",
    advice: str = "",
    waiting: str = "",
) -> Item:
    """An item with story 1 done, story 2 with these attempts, and story 3 open."""
    run = RunRecord(
        id="1", item="thing", change="add thing", title="Thing", base="b" * 40, start="", seen="",
        target="refs/heads/main", root=".", at=1, story=story,
    )  # fmt: skip
    return Item(
        status=status, reason=reason, evidence="", advice=advice, waiting=waiting, told=(),
        run=run, checks=True, branch="orchestrator/thing", tip="d" * 40, commits=1, diff=None,
        runs=(), deliveries=(),
        notes=(),
        stories=(
            Story(id="1", title="One", tasks=1, done=1,
                  attempts=tried("1", AttemptState.VERIFIED)),
            Story(id="2", title="Two", tasks=1, done=0, attempts=attempts),
            Story(id="3", title="Three", tasks=1, done=0, attempts=()),
        ),
    )  # fmt: skip


def commands(answer: Why) -> list[str]:
    """What it tells to say."""
    return [command for command, _ in answer.say]


@settings(max_examples=200)
@given(
    st.sampled_from(STATUSES),
    st.lists(st.sampled_from(AttemptState), max_size=4),
    st.sampled_from(("", "1", "2", "3", "9")),
    st.none() | st.integers(0, 2),
    st.text(max_size=9),
)
def test_every_state_has_an_answer_and_a_command(
    status: str, states: list[AttemptState], at: str, asked: int | None, reason: str
) -> None:
    found = item(status, *tried("2", *states), story=at, reason=reason)
    story = None if asked is None else found.stories[asked]
    answer = why(found, story, max_attempts=3, now=NOW)
    assert answer.because
    assert answer.next
    assert answer.say
    assert all(command.startswith("orc ") for command in commands(answer))


def test_failed_item_shows_the_last_failure_and_what_a_run_would_do() -> None:
    failed = AttemptState.FAILED
    found = item("failed", *tried("2", failed, failed, failed), story="2", reason="story 2: no")
    answer = why(found, None, max_attempts=3, now=NOW)
    assert "story 2 Two used up its attempts" in answer.because
    assert answer.last is not None
    assert answer.last.record.reason == "reason 3"
    assert "story 2 Two, 3 new tries, told of the last failure" in answer.next
    assert commands(answer)[0] == "orc run thing"
    assert "orc recover thing.1.2.3 --to DIR" in commands(answer)


def test_item_that_was_not_tried_again_says_so_and_how_to_insist() -> None:
    failed = AttemptState.FAILED
    reason = "story 2 failed twice in the same way"
    found = item(
        "failed", *tried("2", failed, failed), story="2", reason=reason,
        advice="orc run thing --again",
    )  # fmt: skip
    answer = why(found, None, max_attempts=3, now=NOW)
    assert answer.because == reason
    assert "stops there again" in answer.next
    assert commands(answer)[0] == "orc run thing --again"


def test_interrupted_run_goes_on_with_the_tries_it_has_left() -> None:
    found = item("interrupted", *tried("2", AttemptState.FAILED, AttemptState.LOST))
    answer = why(found, None, max_attempts=3, now=NOW)
    assert "2 tries left" in answer.next
    assert answer.last is not None
    assert answer.last.state is AttemptState.LOST


def test_limited_item_tells_until_when() -> None:
    found = item(
        "limited", *tried("2", AttemptState.LIMITED, until=NOW + 3600), advice="after 17:05"
    )
    answer = why(found, None, max_attempts=3, now=NOW)
    assert any(kind == "waits" and "1h00m" in text for kind, text in answer.facts)
    assert ("how", "after 17:05") in answer.facts


def test_running_item_that_waits_says_for_what() -> None:
    found = item("in progress", waiting="claude limit until 17:05")
    answer = why(found, None, max_attempts=3, now=NOW)
    assert answer.because == "it waits for claude limit until 17:05"
    assert "orc stop" in commands(answer)


def test_blocked_story_asks_and_is_answered() -> None:
    found = item("blocked", *tried("2", AttemptState.BLOCKED), story="2", reason="which colour?")
    answer = why(found, None, max_attempts=3, now=NOW)
    assert "which colour?" in answer.because
    assert commands(answer)[:2] == ["orc tell thing TEXT", "orc run thing"]


@pytest.mark.parametrize(
    ("number", "words"), [(0, "is done and verified"), (2, "story 2 Two comes first")]
)
def test_one_story_is_explained(number: int, words: str) -> None:
    found = item("failed", *tried("2", AttemptState.FAILED), story="2")
    answer = why(found, found.stories[number], max_attempts=3, now=NOW)
    assert words in answer.because


def test_change_that_nobody_ran_is_explained() -> None:
    assert commands(never_run("add thing", 3))[0] == "orc run 'add thing'"
