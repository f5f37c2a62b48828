"""Promises of reading task-golem's lines: what is understood, noted, refused."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from orchestrator.adapters.backlog.imported import Imported
from orchestrator.adapters.backlog.task_golem import read_tasks
from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.item import (
    Asks,
    Assessments,
    Cause,
    Claim,
    Description,
    Item,
    Level,
    Pool,
    Question,
    Size,
    Status,
)

HEADER = b'{"schema_version":1}\n'
AT = "2026-04-15T16:45:25.138488510Z"
NANOSECONDS = 1_776_271_525_138_488_510
PLAIN: dict[str, Any] = {
    "id": "tg-1rh14",
    "title": "Title",
    "status": "todo",
    "priority": 0,
    "description": None,
    "tags": [],
    "dependencies": [],
    "created_at": AT,
    "updated_at": AT,
    "blocked_reason": None,
    "blocked_from_status": None,
    "claimed_by": None,
    "claimed_at": None,
}


def line(**fields: Any) -> bytes:
    """Return a line of the plainest item, with these keys; ``x_pg_size`` stands for x-pg-size."""
    said = {(k.replace("_", "-") if k.startswith("x_") else k): v for k, v in fields.items()}
    return json.dumps({**PLAIN, **said}).encode() + b"\n"


def read(*lines: bytes, archived: bool = False) -> Imported:
    """Read a file of these lines."""
    return read_tasks(HEADER + b"".join(lines), "tasks.jsonl", archived=archived)


def one(**fields: Any) -> Item:
    """Return the item of one line that is understood without a note."""
    found = read(line(**fields))
    assert not found.notes
    return found.items[0]


def noted(**fields: Any) -> tuple[Item, str]:
    """Return the item of one line, and the only note about it."""
    found = read(line(**fields))
    (note,) = found.notes
    assert note.startswith("tasks.jsonl: line 2: tg-1rh14: ")
    return found.items[0], note.removeprefix("tasks.jsonl: line 2: tg-1rh14: ")


def test_what_another_tool_added_is_new() -> None:
    item = one()
    assert attrs.evolve(item, foreign={}) == Item(
        id="tg-1rh14", title="Title", created=NANOSECONDS, updated=NANOSECONDS
    )


@pytest.mark.parametrize("prefix", ["x_pg_", "x_"])
def test_every_extension_has_its_place(prefix: str) -> None:
    extensions = {
        "status": "scoping",
        "phase": "research",
        "phase_pool": "pre",
        "size": "large",
        "complexity": "high",
        "risk": "medium",
        "impact": "low",
        "requires_human_review": True,
        "pipeline_type": "bugfix",
        "origin": "WRK-1/build",
        "unblock_context": "Do it so",
        "last_phase_commit": "c0ffee",
        "description": {"context": "C", "sizing_rationale": "S"},
    }
    item = one(
        priority=7,
        tags=["a", "b"],
        dependencies=["WRK-001"],
        parent="WRK-002",
        claimed_by="me",
        claimed_at=AT,
        **{f"{prefix}{name}": value for name, value in extensions.items()},
    )
    assert attrs.evolve(item, foreign={}) == Item(
        id="tg-1rh14",
        title="Title",
        status=Status.SCOPING,
        priority=7,
        description=Description(context="C", sizing_rationale="S"),
        tags=("a", "b"),
        needs=("WRK-001",),
        parent="WRK-002",
        pipeline="bugfix",
        phase="research",
        pool=Pool.PRE,
        ratings=Assessments(
            size=Size.LARGE, complexity=Level.HIGH, risk=Level.MEDIUM, impact=Level.LOW
        ),
        needs_review=True,
        origin="WRK-1/build",
        answer="Do it so",
        claim=Claim(by="me", at=NANOSECONDS),
        based_on="c0ffee",
        created=NANOSECONDS,
        updated=NANOSECONDS,
    )


@pytest.mark.parametrize(
    ("native", "extension", "status"),
    [
        ("todo", None, Status.NEW),
        ("todo", "new", Status.NEW),
        ("todo", "scoping", Status.SCOPING),
        ("todo", "ready", Status.READY),
        ("doing", None, Status.IN_PROGRESS),
        ("done", None, Status.DONE),
        ("blocked", None, Status.BLOCKED),
    ],
)
def test_four_statuses_and_an_extension_are_ours(
    native: str, extension: str | None, status: Status
) -> None:
    more = {"x_pg_status": extension} if extension else {}
    assert one(status=native, **more).status is status


@pytest.mark.parametrize("native", ["doing", "done", "blocked"])
def test_a_status_extension_that_was_left_over_is_ignored(native: str) -> None:
    item, note = noted(status=native, x_pg_status="ready")
    assert item.status is not Status.READY
    assert note == f"x-pg-status: left over from before it was {native}; left out"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("x_pg_status", "Ready"),
        ("x_pg_size", "LARGE"),
        ("x_pg_risk", 3),
        ("x_pg_phase", ["build"]),
        ("x_pg_phase_pool", "mainly"),
        ("x_pg_requires_human_review", "yes"),
        ("x_pg_description", "a text"),
        ("x_pg_description", {"context": 1}),
        ("x_pg_origin", {}),
    ],
)
def test_a_value_that_is_not_understood_counts_as_absent(key: str, value: object) -> None:
    item, note = noted(**{key: value})
    assert attrs.evolve(item, foreign={}) == attrs.evolve(one(), foreign={})
    assert key.replace("_", "-") in note
    assert json.dumps(value) in item.foreign["task_golem"]["line"]


def test_where_a_blocked_item_goes_back_to_is_told_by_both_keys() -> None:
    item = one(
        status="blocked",
        blocked_reason="Which?",
        blocked_from_status="doing",
        x_pg_blocked_from_status="in_progress",
        x_pg_blocked_type="decision",
    )
    assert item.question == Question(text="Which?", asks=Asks.DECISION, since=Status.IN_PROGRESS)


@pytest.mark.parametrize(
    ("native", "extension", "says"),
    [
        (None, "ready", "x-pg-blocked-from-status: left over, blocked_from_status is not set"),
        ("doing", None, "blocked_from_status: doing alone does not tell where"),
        ("doing", "done", "x-pg-blocked-from-status: 'done' is none of new, scoping"),
    ],
)
def test_else_it_goes_back_to_new(native: str | None, extension: str | None, says: str) -> None:
    more = {"x_pg_blocked_from_status": extension} if extension else {}
    item, note = noted(status="blocked", blocked_from_status=native, **more)
    assert item.question is not None
    assert item.question.since is Status.NEW
    assert note.startswith(says)


def test_what_is_left_of_a_block_that_is_over_is_noted() -> None:
    item, note = noted(status="doing", blocked_reason="Which?")
    assert item.question is None
    assert note == "blocked_reason: left over, it is not blocked; left out"


@pytest.mark.parametrize(
    ("reason", "cause", "asks"),
    [
        ("Which?", Cause.ASKED, Asks.CLARIFICATION),
        ("Requires human review before entering pipeline", Cause.REVIEW, Asks.APPROVAL),
        ("Exceeds autonomous guardrail thresholds", Cause.GUARDRAILS, Asks.APPROVAL),
        ("Phase prd failed after 3 attempts. Last error: E", Cause.FAILED, Asks.DECISION),
        ("Phase x not found in pre_phases", Cause.CONFIGURATION, Asks.DECISION),
        ("Stale: prior phase based on commit c0ffee", Cause.STALE, Asks.DECISION),
    ],
)
def test_why_it_is_blocked_is_told_by_the_reason(reason: str, cause: Cause, asks: Asks) -> None:
    question = one(status="blocked", blocked_reason=reason).question
    assert question == Question(text=reason, cause=cause, asks=asks)


def test_a_text_that_only_task_golem_knows_is_the_context() -> None:
    assert one(description="Text").description == Description(context="Text")


def test_of_two_descriptions_the_longer_one_counts() -> None:
    item, note = noted(description="Old", x_pg_description={"context": "New"})
    assert item.description == Description(context="New")
    assert note == "description: it differs from x-pg-description, which counts"


def test_a_phase_without_its_list_is_in_that_of_the_status() -> None:
    assert one(status="doing", x_pg_phase="build").pool is Pool.MAIN
    assert one(x_pg_status="scoping", x_pg_phase="research").pool is Pool.PRE
    assert one(status="done", x_pg_phase="review").pool is None


def test_extensions_of_both_forms_are_not_mixed() -> None:
    item, note = noted(x_pg_size="small", x_risk="high")
    assert item.ratings == Assessments(size=Size.SMALL)
    assert note == "x-risk: kept for an export only, x-pg-* is there, too"


def test_keys_that_are_nobodys_are_kept() -> None:
    item, note = noted(colour="red")
    assert '"colour": "red"' in item.foreign["task_golem"]["line"]
    assert note == "colour: no key of task-golem; kept for an export only"


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (b"{", "it is not JSON"),
        (b"[]", "it is no object"),
        (line()[:-20], "it is not JSON"),
        (line(title=None), "title is missing or no text"),
        (line(status="Doing"), "status 'Doing' is none of todo"),
        (line(status=["todo"]), "status"),
        (line(priority=None), "priority is no whole number"),
        (line(priority=2**63), "priority is no whole number"),
        (line(tags=None), "tags is no list of texts"),
        (line(dependencies=[1]), "dependencies is no list of texts"),
        (line(blocked_reason=1), "blocked_reason is no text"),
        (line(created_at="yesterday"), "created_at: no time such as"),
        (line(updated_at=5), "updated_at: no time such as"),
        (line(id="../x"), "'../x' is no id of an item"),
        (line(id=None), "None is no id of an item"),
        (line(title="\ud800"), "it holds half a character"),
        (b"\xff\n", "it is not UTF-8"),
        (b'{"schema_version":1}\n', "schema_version comes before all items, and once"),
        (b"<<<<<<< HEAD\n", "an unresolved conflict of a merge"),
    ],
)
def test_a_malformed_line_of_an_active_file_is_named(broken: bytes, says: str) -> None:
    with pytest.raises(BacklogFileError) as caught:
        read(line(id="A-1"), broken)
    assert caught.value.message.startswith("tasks.jsonl: line 3: ")
    assert says in caught.value.message
    assert caught.value.fix


def test_a_malformed_line_of_an_archive_is_left_out_with_a_note() -> None:
    found = read(
        line(id="A-1", status="done"), b"{\n", line(id="A-2", status="done"), archived=True
    )
    assert [(item.id, item.status) for item in found.items] == [
        ("A-1", Status.DONE),
        ("A-2", Status.DONE),
    ]
    (note,) = found.notes
    assert note.startswith("tasks.jsonl: line 3: it is not JSON")
    assert note.endswith("; left out")


def test_what_was_archived_without_being_done_is_closed() -> None:
    found = read(line(status="todo"), archived=True)
    assert found.items[0].status is Status.CLOSED
    assert found.notes


def test_of_what_was_archived_twice_the_later_counts() -> None:
    found = read(line(status="done", title="1"), line(status="done", title="2"), archived=True)
    assert [item.title for item in found.items] == ["2"]
    assert found.notes == ("tasks.jsonl: line 2: tg-1rh14 comes again; the later one counts",)


def test_two_lines_of_one_item_are_refused() -> None:
    with pytest.raises(BacklogFileError, match="lines 2 and 3 are both tg-1rh14"):
        read(line(), line())


@pytest.mark.parametrize("version", [b"2", b'"1"', b"null", b"true"])
def test_an_unknown_version_is_refused(version: bytes) -> None:
    for archived in (False, True):
        with pytest.raises(BacklogFileError, match="unsupported schema_version"):
            read_tasks(b'{"schema_version":' + version + b"}\n", "tasks.jsonl", archived=archived)


def test_an_empty_file_holds_nothing() -> None:
    assert read_tasks(b"", "tasks.jsonl") == Imported()
    assert read_tasks(HEADER + b"\n  \n", "tasks.jsonl") == Imported()


def test_line_ends_and_marks_of_other_systems_do_not_matter() -> None:
    data = b"\xef\xbb\xbf" + (HEADER + line(title="a\u2028b")).replace(b"\n", b"\r\n")
    (item,) = read_tasks(data, "tasks.jsonl").items
    assert item.title == "a\u2028b"
    assert "\r" not in item.foreign["task_golem"]["line"]


def test_notes_hold_nothing_that_moves_a_terminal() -> None:
    _, note = noted(x_pg_size="\x1b[2J\u202e")
    assert "\x1b" not in note
    assert "\u202e" not in note
