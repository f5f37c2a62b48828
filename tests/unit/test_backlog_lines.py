"""Promise: a run of the backlog is told in lines that a person can act on, each once."""

from __future__ import annotations

import io
from typing import Any

import pytest

from orchestrator.cli.backlog_lines import backlog_summary
from orchestrator.cli.live import Status
from orchestrator.cli.output import Quiet
from orchestrator.cli.render import PlainLines
from orchestrator.messages import Event
from orchestrator.run.backlog.events import BacklogEnded, BacklogStarted, ItemChanged, PhaseEnded
from orchestrator.run.events import AttemptFailed, AttemptStarted, RunEnded
from orchestrator.work.worker import Usage

ID = "WRK-a1b2c"


def lines(*events: Event, columns: str = "100") -> list[str]:
    """Return the lines of some events."""
    return PlainLines(Quiet(io.StringIO())).text(events).splitlines()


def changed(what: str, before: str = "new", after: str = "new", **more: Any) -> ItemChanged:
    """An item became something."""
    fields = {"phase": "", "outcome": "", "text": "", "by": "", "attempt": "", **more}
    return ItemChanged(item=ID, title="Fix it", what=what, before=before, after=after, **fields)


def begun(attempt: str = "a", item: str = ID, phase: str = "build") -> AttemptStarted:
    """An attempt at a phase begins."""
    return AttemptStarted(
        item=item, story="", title=f"{item} {phase}", position=2, done=1, stories=3, number=1,
        attempt=attempt, phase=phase,
    )  # fmt: skip


def ended(**more: Any) -> PhaseEnded:
    """A phase is over, and its result is kept."""
    fields: dict[str, Any] = {
        "item": ID, "title": "Fix it", "phase": "build", "number": 1, "attempt": "a",
        "outcome": "phase_complete", "summary": "Built it", "commit": "5a5b622" + "0" * 33,
        "batched": False, "verified": True, "seconds": 68.0, "usage": Usage(cost=0.28),
    }  # fmt: skip
    return PhaseEnded(**fields | more)


def failed(state: str, reason: str) -> AttemptFailed:
    """An attempt at a phase did not count."""
    return AttemptFailed(
        story="", title=f"{ID} build", position=2, stories=3, number=1, attempt="a", state=state,
        reason=reason, evidence="", seconds=10.0, usage=Usage(), phase="build",
    )  # fmt: skip


def backlog_started() -> BacklogStarted:
    """A run of the backlog begins."""
    return BacklogStarted(
        items={"new": 2, "in_progress": 1}, max_wip=2, max_concurrent=1, cap=5, targets=(), only=""
    )


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are for a terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (begun(), "WRK-a1b2c build  try 1"),
        (ended(), "WRK-a1b2c build  try 1  1m08s $0.28  verify ok  → 5a5b622  Built it"),
        (ended(verified=False, commit="", usage=Usage()),
         "WRK-a1b2c build  try 1  1m08s  ok  Built it"),
        (ended(batched=True, verified=False),
         "WRK-a1b2c build  try 1  1m08s $0.28  ok  → 5a5b622, to be committed later  Built it"),
        (ended(outcome="subphase_complete", verified=False),
         "WRK-a1b2c build  try 1  1m08s $0.28  a part is done  → 5a5b622  Built it"),
        (failed("failed", "no result"), "WRK-a1b2c build  try 1  10s  FAILED  no result"),
        (failed("blocked", "Which colour?"), "WRK-a1b2c build  try 1  10s  asks"),
        (changed("blocked", "in_progress", "blocked", text="Which colour?"),
         "WRK-a1b2c BLOCKED  Which colour?  orc answer WRK-a1b2c …"),
        (changed("added", by="Ann"), "WRK-a1b2c added by Ann: Fix it"),
        (changed("done", "in_progress", "done", text="Item archived"), "WRK-a1b2c done  Fix it"),
        (changed("completed", "in_progress", "done", text="I did it", by="Ann"),
         "WRK-a1b2c done by Ann: I did it"),
        (changed("closed", "new", "closed", text="no use"), "WRK-a1b2c closed: no use"),
        (changed("answered", "blocked", "in_progress", text="blue", by="Ann"),
         "WRK-a1b2c answered by Ann: blue"),
        (changed("claimed", by="Ann"), "WRK-a1b2c claimed by Ann"),
        (backlog_started(), "backlog: 2 new, 1 in progress · at most 2 in progress, "
         "1 phase at a time · at most 5 phases"),
    ],
)  # fmt: skip
def test_every_event_has_its_line(event: Event, line: str) -> None:
    assert lines(event) == [line]


@pytest.mark.parametrize("what", ["phase", "triaged", "promoted"])
def test_what_other_lines_tell_already_has_none(what: str) -> None:
    assert lines(changed(what, "new", "scoping")) == []


def test_a_long_question_leaves_room_for_the_command() -> None:
    (line,) = lines(changed("blocked", "new", "blocked", text="Why? " * 100))
    assert len(line) <= 100
    assert line.endswith("…  orc answer WRK-a1b2c …")


def test_what_ended_it_and_how_to_go_on_is_told_at_the_end() -> None:
    event = BacklogEnded(
        halt="waiting", reason="What is left waits.", phases=5, done=("A", "B"), blocked=("C",),
        follow_ups=1, merged=0, cost=1.2, advice="",
    )  # fmt: skip
    head, done, blocked = backlog_summary(event, delivering=False).splitlines()
    assert head == "What is left waits.  5 phases, 2 done, 1 blocked, 1 follow-up, $1.20"
    assert done == "done: A, B.  orc diff ID | orc finish ID --merge"
    assert blocked == "blocked: C.  orc status | orc answer ID TEXT"
    assert "finish" not in backlog_summary(event, delivering=True)


def test_the_live_line_counts_what_runs_side_by_side_and_outlives_the_run_of_one_item() -> None:
    status = Status()
    status.update(backlog_started(), 0.0)
    status.update(begun("a"), 1.0)
    status.update(begun("b", "WRK-zzzzz", "plan"), 1.0)
    assert status.text(4.0) == "WRK-zzzzz plan  try 1 (and 1 more)  3s"
    status.update(ended(attempt="b"), 5.0)
    status.update(
        RunEnded(
            run="r", item="WRK-zzzzz", change="", state="done", reason="", done=1, stories=1,
            attempts=1, cost=0.0, verified=True, advice="", branch="", target="",
        ),
        5.0,
    )  # fmt: skip
    assert status.text(6.0) == "WRK-a1b2c build  try 1  5s  $0.28"
