"""Promises about real files of task-golem and phase-golem; skipped where they are absent."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import attrs
import pytest

from orchestrator.adapters.backlog.golem_toml import import_settings
from orchestrator.adapters.backlog.own import read_own, write_own
from orchestrator.adapters.backlog.reading import read_backlog
from orchestrator.adapters.backlog.task_golem import read_tasks
from orchestrator.adapters.backlog.task_golem_export import export_task_files, export_task_golem
from orchestrator.config import load_config
from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.item import (
    Asks,
    Assessments,
    Cause,
    Description,
    Item,
    Level,
    Pool,
    Question,
    Size,
    Status,
)

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "phase-golem"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="shared data is absent")


def statuses(name: str) -> dict[Status, int]:
    """Count the items of a file by their status."""
    return Counter(item.status for item in read_backlog(DATA / name).items)


def test_the_store_of_task_golem() -> None:
    found = read_backlog(DATA / "tasks.jsonl")
    assert found.notes == ()
    assert statuses("tasks.jsonl") == {Status.NEW: 14, Status.IN_PROGRESS: 3}
    first = found.items[0]
    assert attrs.evolve(first, foreign={}) == Item(
        id="tg-1rh14",
        title="Add no-op detection to tg edit",
        status=Status.IN_PROGRESS,
        pipeline="feature",
        phase="build",
        pool=Pool.MAIN,
        ratings=Assessments(
            size=Size.SMALL, complexity=Level.LOW, risk=Level.LOW, impact=Level.MEDIUM
        ),
        origin="TG-001/build",
        based_on="b82b317ccf4c06d59f3070facb8d424321021124",
        created=1_776_271_525_138_488_510,
        updated=1_776_271_525_174_511_400,
    )


def test_the_store_of_task_golem_is_exported_byte_for_byte(tmp_path: Path) -> None:
    data = (DATA / "tasks.jsonl").read_bytes()
    items = read_backlog(DATA / "tasks.jsonl").items
    files = export_task_files(items)
    assert files.active == data
    assert files.archive == b'{"schema_version":1}\n'
    assert export_task_golem(read_own(write_own(items), "file")) == data


def test_of_the_store_only_the_line_that_changed_is_another() -> None:
    data = (DATA / "tasks.jsonl").read_bytes()
    first, *others = read_backlog(DATA / "tasks.jsonl").items
    changed = attrs.evolve(first, phase="review", updated=1_776_271_525_174_511_401)
    before, after = data.splitlines(), export_task_golem([changed, *others]).splitlines()
    assert [
        number for number, pair in enumerate(zip(before, after, strict=True)) if len(set(pair)) > 1
    ] == [1]
    expected = before[1].replace(b'"x-phase":"build"', b'"x-phase":"review"')
    assert after[1] == expected.replace(b"174511400Z", b"174511401Z")


def test_the_backlog_of_phase_golem() -> None:
    found = read_backlog(DATA / "BACKLOG.yaml")
    assert found.notes == ("BACKLOG.yaml: next_item_id: left out; new ids are random",)
    assert statuses("BACKLOG.yaml") == {
        Status.NEW: 66,
        Status.READY: 18,
        Status.IN_PROGRESS: 1,
        Status.BLOCKED: 12,
    }
    items = {item.id: item for item in found.items}
    assert not any(item.foreign for item in found.items)
    first = items["WRK-009"]
    assert (first.created, first.updated) == (1_770_913_413_711_239_234, 1_771_554_170_020_069_609)
    assert first.question is not None
    assert (first.question.cause, first.question.since) == (Cause.FAILED, Status.IN_PROGRESS)
    assert items["WRK-033"].question == Question(
        text="Requires human review before entering pipeline",
        asks=Asks.APPROVAL,
        cause=Cause.REVIEW,
        since=Status.SCOPING,
    )
    assert items["WRK-033"].description.problem.startswith("Three scenarios have no supported")
    assert items["WRK-075"].pool is Pool.PRE
    assert items["HAMY-108"].title.startswith("Pre-existing bug: handle_init")


def test_the_backlog_of_phase_golem_survives_task_golem() -> None:
    items = read_backlog(DATA / "BACKLOG.yaml").items
    back = read_tasks(export_task_golem(items), "tasks.jsonl")
    assert back.notes == ()
    plain = [attrs.evolve(item, foreign={}) for item in back.items]
    assert plain == sorted(items, key=lambda item: item.id.encode())


@pytest.mark.parametrize("name", ["backlog_full.yaml", "backlog_v2_full.yaml"])
def test_full_files(name: str) -> None:
    found = read_backlog(DATA / name)
    assert found.notes == ()
    first, second, third = found.items
    assert first == Item(
        id="WRK-001",
        title="Add user authentication",
        status=Status.IN_PROGRESS,
        tags=("auth", "security"),
        needs=("WRK-002",),
        pipeline="feature",
        phase="build",
        pool=Pool.MAIN,
        ratings=Assessments(
            size=Size.MEDIUM, complexity=Level.MEDIUM, risk=Level.LOW, impact=Level.HIGH
        ),
        created=1_770_681_600_000_000_000,
        updated=1_770_768_000_000_000_000,
    )
    assert (second.status, second.phase) == (Status.DONE, "review")
    assert third.needs_review
    assert third.question == Question(
        text="Need clarification on perf requirements", since=Status.SCOPING
    )


def test_the_file_of_schema_1() -> None:
    found = read_backlog(DATA / "backlog_v1_full.yaml")
    assert [(item.id, item.status, item.phase, item.pool) for item in found.items] == [
        ("WRK-001", Status.IN_PROGRESS, "build", Pool.MAIN),
        ("WRK-002", Status.DONE, "review", None),
        ("WRK-003", Status.BLOCKED, None, None),
        ("WRK-004", Status.SCOPING, None, None),
        ("WRK-005", Status.READY, None, None),
    ]
    assert {item.pipeline for item in found.items} == {"feature"}
    assert found.items[2].question == Question(
        text="Need clarification on perf requirements", since=Status.SCOPING
    )
    assert found.notes == (
        "backlog_v1_full.yaml: line 40: WRK-004: phase: research: its pipeline is begun anew",
    )
    assert found.items[3].foreign["phase_golem"]["phase"] == "research"


def test_descriptions_of_schema_2() -> None:
    first, second, third = read_backlog(DATA / "backlog_v2_with_descriptions.yaml").items
    assert first.description == Description(
        context="Users need to log in.",
        problem="No auth exists.",
        solution="Add JWT-based auth.",
        impact="Enables user-specific features.",
        sizing_rationale="Medium because it touches multiple layers.",
    )
    assert second.description.context == "Just a simple typo fix, no structured headers"
    assert not third.description


def test_unknown_fields_are_noted() -> None:
    name = "backlog_unknown_fields.yaml"
    found = read_backlog(DATA / name)
    assert found.notes == (
        f"{name}: some_future_field: True: unknown; left out",
        f"{name}: line 4: WRK-001: future_field_on_item: 42: unknown; kept as it is",
    )
    assert found.items[0].foreign["phase_golem"]["future_field_on_item"] == 42


def test_a_version_of_the_future_is_refused() -> None:
    with pytest.raises(BacklogFileError, match="unsupported schema_version 99; versions 1, 2 and"):
        read_backlog(DATA / "backlog_wrong_version.yaml")


def test_the_settings_are_ours_afterwards(tmp_path: Path) -> None:
    text, notes = import_settings(DATA / "phase-golem.toml")
    (tmp_path / "orchestrator.toml").write_text(text)
    config = load_config(tmp_path / "orchestrator.toml", environ={})
    pipeline = config.rules().pipelines["feature"]
    assert config.backlog.prefix == "TG"
    assert config.backlog.max_wip == 5
    assert [phase.name for phase in pipeline.pre_phases] == ["research"]
    assert [phase.name for phase in pipeline.phases if phase.destructive] == ["build"]
    assert len(pipeline.phases) == 6
    # Each of the seven phases names a workflow in the home directory, and nothing else is told.
    assert len(notes) == 7
    assert all("workflows: ~/.claude/skills/" in note for note in notes)


def test_a_whole_project(tmp_path: Path) -> None:
    for name in ("BACKLOG.yaml", "phase-golem.toml"):
        shutil.copy(DATA / name, tmp_path)
    (tmp_path / "BACKLOG_INBOX.yaml").write_text("- title: One more\n")
    found = read_backlog(tmp_path)
    assert len(found.items) == 98
    assert found.items[-1].id.startswith("WRK-")
    (tmp_path / ".task-golem").mkdir()
    shutil.copy(DATA / "tasks.jsonl", tmp_path / ".task-golem")
    assert len(read_backlog(tmp_path).items) == 17
