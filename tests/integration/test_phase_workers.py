"""Promise: a shell command or a Python function does a phase as an agent would."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from orchestrator.agents.command import CommandWorker
from orchestrator.agents.phase_workers import call_worker, command_worker
from orchestrator.guardian.client import Guardians
from orchestrator.run.hosting.host import GuardedHost
from orchestrator.work.worker import Verdict, WorkerReport
from tests.scratch import alive_with
from tests.worker_host import SessionHost, task

pytestmark = pytest.mark.processes

MODULE = """\
import os, sys, trio, json
from pathlib import Path

def facts(task):
    assert Path.cwd() == task.workspace
    return {"summary": f"{task.item} {task.phase} {task.attempt} {task.prompt}"}

def nothing(task): pass
def true(task): return True
def false(task): return False
def text(task): return "did it \\u00e4"
def blocked(task): return {"status": "blocked", "question": "which?"}
def subphase(task): return {"result": "subphase_complete", "summary": "half"}
def number(task): return 42
def secret(task): return {"summary": object()}
def raises(task): raise ValueError("no such table")
def leaves(task): sys.exit(0)
def writes(task): task.result_file.write_text('{"status": "failed", "reason": "own words"}')

async def waits(task):
    await trio.sleep(0)
    return "waited"

def shadow(task):
    import json
    return json.__file__
"""


async def run(worker: CommandWorker, folder: Path) -> WorkerReport:
    job = task(folder, "Do it.")
    (job.cwd / "tools").mkdir()
    (job.cwd / "tools" / "phases.py").write_text(MODULE)
    (job.cwd / "json.py").write_text("raise SystemExit('the project is not the library')")
    with trio.fail_after(60):
        report = await worker.work(job, SessionHost(), lambda _: None, trio.Event(), lambda _: None)
    assert not list(job.cwd.rglob("__pycache__"))
    return report


async def test_a_function_knows_what_it_works_on(tmp_path: Path) -> None:
    report = await run(call_worker("tools.phases:facts"), tmp_path)
    assert report.verdict is Verdict.COMPLETE
    assert report.document["summary"] == "add-login implement a1 Do it."


@pytest.mark.parametrize(
    ("name", "verdict", "reason", "summary"),
    [
        ("nothing", Verdict.COMPLETE, "", None),
        ("true", Verdict.COMPLETE, "", None),
        ("text", Verdict.COMPLETE, "", "did it ä"),
        ("waits", Verdict.COMPLETE, "", "waited"),
        ("subphase", Verdict.COMPLETE, "", "half"),
        ("blocked", Verdict.BLOCKED, "which?", None),
        ("writes", Verdict.FAILED, "own words", None),
        ("false", Verdict.FAILED, "it returned False", None),
        ("number", Verdict.FAILED, "TypeError: it returned a int; ", None),
        ("secret", Verdict.FAILED, "TypeError: Object of type object", None),
        ("raises", Verdict.FAILED, "ValueError: no such table", None),
        ("leaves", Verdict.FAILED, "SystemExit: 0", None),
        ("missing", Verdict.FAILED, "AttributeError: module 'tools.phases' has no", None),
    ],
)
async def test_what_a_function_returns_or_raises_is_its_result(
    tmp_path: Path, name: str, verdict: Verdict, reason: str, summary: str | None
) -> None:
    report = await run(call_worker(f"tools.phases:{name}"), tmp_path)
    assert (report.verdict, report.document.get("summary")) == (verdict, summary)
    assert report.reason.startswith(reason)
    assert bool(report.reason) == bool(reason)


async def test_module_that_is_not_there_fails_the_attempt(tmp_path: Path) -> None:
    report = await run(call_worker("tools.none:text"), tmp_path)
    assert report.verdict is Verdict.FAILED
    assert report.reason == "ModuleNotFoundError: No module named 'tools.none'"


async def test_project_does_not_take_the_place_of_the_library(tmp_path: Path) -> None:
    report = await run(call_worker("tools.phases:shadow"), tmp_path)
    assert report.verdict is Verdict.COMPLETE
    assert not str(report.document["summary"]).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("command", "verdict", "reason"),
    [
        ('test "$(cat)" = "Do it." && test "$ORCHESTRATOR_ITEM" = add-login', "complete", ""),
        ("echo no disk >&2; exit 3", "failed", "exited with 3: no disk"),
        (
            """echo '{"status":"blocked","question":"q"}' > "$ORCHESTRATOR_RESULT\"""",
            "blocked",
            "q",
        ),
    ],
)
async def test_a_shell_command_does_a_phase(
    tmp_path: Path, command: str, verdict: str, reason: str
) -> None:
    report = await run(command_worker(command), tmp_path)
    assert (report.verdict.value, report.reason) == (verdict, reason)


async def test_half_of_a_result_is_never_seen(tmp_path: Path) -> None:
    await run(call_worker("tools.phases:text"), tmp_path)
    assert sorted(os.listdir(tmp_path / "attempt")) == ["prompt.md", "result.json", "task.json"]


async def test_nobody_is_left_to_write_a_late_result(tmp_path: Path) -> None:
    late = (
        "(trap '' TERM HUP; while ! test -e go; do sleep 0.02; done;"
        """ echo '{"status": "failed"}' > "$ORCHESTRATOR_RESULT") &"""
    )
    job = task(tmp_path)
    async with Guardians() as guardians:
        host = GuardedHost(
            guardians=guardians, writable=(tmp_path,), lock=tmp_path / "workspace.lock"
        )
        with trio.fail_after(60):
            report = await command_worker(late).work(
                job, host, lambda _: None, trio.Event(), lambda _: None
            )
        (job.cwd / "go").touch()
        assert alive_with(str(job.directory)) == []
    assert report.verdict is Verdict.COMPLETE
    assert not job.result_file.exists()
