"""Promise: a report of an item of the backlog tells of its phases, questions and what it found."""

from __future__ import annotations

from typing import Any

import attrs

from orchestrator.report import html, markdown
from orchestrator.report.document import document
from orchestrator.report.model import Attempt, Diff, Item, Report, Row
from orchestrator.report.phases import checks_of, phases_of
from orchestrator.report.task import Asked, Found, Happened, Task, notes, questions
from orchestrator.report.words import failed, made, story_word
from orchestrator.work.backlog.item import Cause, Pool, Question, Status
from orchestrator.work.backlog.item import Item as BacklogItem
from orchestrator.work.backlog.pipeline import DEFAULT, Phase, Pipeline
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.records import AttemptRecord, AttemptState, RunRecord
from orchestrator.work.worker import Usage
from tests.unit.test_report import balanced

NOW = 2_000_000.0
PIPELINE = Pipeline(
    name=DEFAULT,
    pre_phases=(Phase(name="research"),),
    phases=tuple(Phase(name=name) for name in ("plan", "build", "review")),
)
RULES = Rules(pipelines={DEFAULT: PIPELINE}, delivers=True)
PRE, MAIN = ["research"], ["plan", "build", "review"]
VERIFIED, FAILED = AttemptState.VERIFIED, AttemptState.FAILED


def tried(phase: str, at: int, state: AttemptState = VERIFIED, **more: Any) -> Attempt:
    """An attempt at a phase that took ten seconds and half a dollar."""
    record = AttemptRecord(
        id=f"WRK-1.r.{phase}.{at}", item="WRK-1", run="r", story=more.pop("story", ""), number=1,
        at=at, state=state, seconds=10.0, phase=phase, usage=Usage(cost=0.5), **more,
    )  # fmt: skip
    diff = Diff(files=(), count=1, added=at, removed=1) if state is VERIFIED else None
    return Attempt(record=record, ended=at + 10.0, diff=diff)


def happened(at: float, what: str, before: str, after: str, **more: str) -> Happened:
    """A line of a history."""
    return Happened(at=at, what=what, before=before, after=after, **more)


def report_of(
    item: BacklogItem, attempts: tuple[Attempt, ...], history: tuple[Happened, ...], **more: Any
) -> Report:
    """A report of an item with these attempts and this history."""
    stories = phases_of(item, attempts, history, checked=more.pop("checked", {}), rules=RULES)
    run = RunRecord(
        id="r", item=item.id, change=item.id, title="", base="b" * 40, start="", seen="",
        target="refs/heads/main", root=".", at=1,
    )  # fmt: skip
    task = Task(
        title=item.title, pipeline="feature", origin=item.origin,
        description=(("context", "It is slow"), ("problem", "one\ntwo")),
        asked=questions(history), found=(Found(id="WRK-2", title="Other", status="new"),),
    )  # fmt: skip
    told = Item(
        status=item.status.value.replace("_", " "), reason="", evidence="", advice="", waiting="",
        told=(), run=run, checks=None, branch="orchestrator/WRK-1", tip="c" * 40, commits=2,
        diff=None, deliveries=(), runs=(), stories=stories, notes=notes(history), task=task,
    )  # fmt: skip
    return Report(product="o", repository="r", at=NOW, items=(told,), **more)


def item(status: Status, phase: str | None = None, **more: Any) -> BacklogItem:
    """An item of the default pipeline."""
    return BacklogItem(id="WRK-1", title="Speed up", status=status, phase=phase, **more)


def test_phases_are_told_in_the_order_they_were_run_and_then_what_is_ahead() -> None:
    attempts = (
        tried("triage", 1),
        tried(PRE[0], 2),
        tried(MAIN[0], 3, FAILED, reason="no"),
        tried(MAIN[0], 4),
    )
    stories = phases_of(
        item(Status.IN_PROGRESS, MAIN[1], pool=Pool.MAIN), attempts, (), checked={}, rules=RULES
    )
    assert [one.id for one in stories] == ["triage", PRE[0], *MAIN, "deliver"]
    assert [one.state for one in stories[:4]] == ["verified", "verified", "verified", "open"]
    assert stories[2].tries == 2
    new = phases_of(item(Status.NEW), (), (), checked={}, rules=RULES)
    assert [one.id for one in new] == ["triage", *PRE, *MAIN, "deliver"]
    over = phases_of(item(Status.DONE, "deliver"), attempts, (), checked={}, rules=RULES)
    assert [one.id for one in over] == ["triage", PRE[0], MAIN[0], "deliver"]


def test_a_phase_says_whether_it_is_verified_delivered_or_done_in_part() -> None:
    attempts = (tried("triage", 1), tried("plan", 2), tried("build", 3), tried("build", 4))
    history = (
        happened(4, "phase", "in_progress", "in_progress", phase="build",
                 outcome="Subphase Complete", attempt=attempts[3].record.id),
    )  # fmt: skip
    checked = {attempts[1].record.id: False, attempts[2].record.id: True}
    (told,) = report_of(item(Status.IN_PROGRESS, "build"), attempts, history, checked=checked).items
    by_name = {one.id: one for one in told.stories}
    assert story_word(by_name["triage"], told) == "done"
    assert story_word(by_name["plan"], told) == "done, unverified"
    assert by_name["build"].state == "partial"
    assert made(by_name["build"]) == "+7 -2 in 2 parts"
    assert (checks_of(attempts, checked), checks_of(attempts[:1], {})) == (True, None)

    delivered = (happened(9, "delivered", "in_progress", "in_progress", phase="deliver"),)
    (last,) = phases_of(item(Status.DONE, "deliver"), (), delivered, checked={}, rules=RULES)
    assert (last.id, last.state) == ("deliver", "verified")
    question = Question(text="?", cause=Cause.DELIVERY, since=Status.IN_PROGRESS)
    blocked = item(Status.BLOCKED, "deliver", question=question)
    (last,) = phases_of(blocked, (), (), checked={}, rules=None)
    assert (last.id, last.state) == ("deliver", "blocked")


def test_questions_tell_their_answer_and_for_how_long_they_waited() -> None:
    found = questions(
        (
            happened(1, "added", "new", "new"),
            happened(10, "blocked", "in_progress", "blocked", phase="build", text="Which?"),
            happened(70, "answered", "blocked", "in_progress", text="This", by="ann"),
            happened(80, "failed", "in_progress", "blocked", phase="build", text="It failed"),
        )
    )
    assert found[0] == Asked(
        at=10, phase="build", text="Which?", until=70, how="answered", answer="This", by="ann"
    )
    assert (found[0].waited(NOW), found[1].waited(100.0), found[1].until) == (60.0, 20.0, None)


def test_notes_are_few_readable_lines() -> None:
    history = [happened(n, "edited", "new", "new", text="title") for n in range(50)]
    history += [
        happened(60, "moved", "new", "scoping", by="ann"),
        happened(60, "moved", "ready", "in_progress", text="to build", by="ann", phase="build"),
        happened(61, "delivered", "in_progress", "in_progress", text="merge into main"),
    ]
    assert [f"{one.kind}: {one.text}" for one in notes(history)][-2:] == [
        "moved by ann: to build",
        "delivered: merge into main",
    ]
    assert len(notes(history)) <= 3
    assert len(notes(happened(n, "moved", "a", "b", text="x") for n in range(99))) <= 20


def test_every_form_tells_of_phases_in_their_own_words() -> None:
    attempts = (
        tried("triage", 1),
        tried("build", 2, FAILED, reason="verify failed", evidence="boom\n"),
        tried("build", 3, FAILED, reason="a story", story="7"),
        tried("build", 4),
    )
    history = (
        happened(2, "blocked", "in_progress", "blocked", phase="build", text="Which way?"),
        happened(62, "answered", "blocked", "in_progress", text="Left", by="ann"),
    )
    report = report_of(item(Status.DONE, "build"), attempts, history)
    page = markdown.render(report)
    assert "done, 2 of 2 phases done" in page
    assert "| Phase | Result | Tries | Spent | Changes |" in page
    assert "| build | ✓ verified | 3 | 30s, $1.50 | +4 -1 in 1 file |" in page
    assert "**build 7, attempt 1**" in page
    for line in (
        "boom",
        "`Which way?`: answered by ann after 1m00s: `Left`",
        "WRK-2",
        "It is slow",
    ):
        assert line in page
    lower = page.lower()
    assert "stories" not in lower.replace("a story", "")
    drawn = html.render(report)
    balanced(drawn)
    for words in ("Phase by phase", "phases done", "What each phase took", "Which way?", "Left"):
        assert words in drawn
    assert "stories" not in drawn.lower()
    (told,) = document(report)["items"]
    assert [(one["name"], one["tries"]) for one in told["phases"]] == [("triage", 1), ("build", 3)]
    assert (told["kind"], told["stories"]) == ("item", [])
    assert told["questions"][0]["waited"] == 60
    assert [one["id"] for one in told["follow_ups"]] == ["WRK-2"]


def test_failures_are_told_in_the_order_they_happened() -> None:
    attempts = (
        tried("plan", 1, FAILED, reason="one"),
        tried("build", 2, FAILED, reason="two"),
        tried("plan", 3, FAILED, reason="three"),
    )
    (told,) = report_of(item(Status.IN_PROGRESS, "plan"), attempts, ()).items
    assert [one.record.reason for _, one in failed(told)] == ["one", "two", "three"]


def test_hundreds_of_items_are_an_overview_with_a_line_each() -> None:
    rows = tuple(
        Row(
            id=f"WRK-{n:03}", title="Thing", status="blocked" if n < 3 else "done", done=2,
            tries=3, cost=1.0, at=1.0, reason="which | one?" if n < 3 else "",
        )
        for n in range(300)
    )  # fmt: skip
    report = report_of(item(Status.DONE), (), (), rows=rows, counts=(("new", 40), ("done", 297)))
    page = markdown.render(report)
    assert "# 300 items: 3 blocked, 297 done" in page
    assert "In the backlog: 40 new, 297 done." in page
    assert page.count("\n| `WRK-") == 300
    assert "the other 299 by `orc report ITEM`" in page
    balanced(html.render(report))
    alone = attrs.evolve(report, rows=(), counts=())
    assert "In the backlog" not in markdown.render(alone)


def test_an_item_that_nobody_ran_is_told_without_commits() -> None:
    report = report_of(item(Status.NEW), (), ())
    (told,) = report.items
    run = attrs.evolve(told.run, id="", base="", target="")
    never = attrs.evolve(report, items=(attrs.evolve(told, run=run, branch="", tip=""),))
    page = markdown.render(never)
    assert "Nothing was done for it yet" in page
    assert "Started from" not in page
    balanced(html.render(never))
