"""Promise: the worker of an attempt can report and ask; nothing else is in the scope of its tools.

The commands run on an orchestrator of their own here, as they do in the server.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator.agents.assignment import Assignment
from orchestrator.agents.own_tools import TOOLS
from orchestrator.agents.result import read_result
from orchestrator.errors import ConfigError, OrchestratorError, UsageError
from orchestrator.mcp.attempt import attempt_tools, find_attempt
from orchestrator.mcp.attempt_handlers import attempt_plugin
from orchestrator.mcp.attempt_result import ResultWriter
from orchestrator.mcp.attempt_verify import OUTPUT_LIMIT, Verifier
from orchestrator.mcp.tools import Tool
from orchestrator.runtime import open_orchestrator
from orchestrator.settings import Check, Seconds
from orchestrator.work.backlog.item import Asks, Level, Size
from orchestrator.work.backlog.report import phase_result
from orchestrator.work.backlog.result import FollowUp, Outcome, PhaseResult
from orchestrator.work.worker import Verdict
from tests.worker_host import task

STORY = Assignment(item="W-1", phase="implement", story="2", attempt="a", root=Path("/"))
PHASE = attrs.evolve(STORY, phase="build", story="")
TRIAGE = attrs.evolve(PHASE, phase="triage")


@attrs.frozen
class Attempt:
    """An attempt whose tools can be called."""

    assignment: Assignment
    directory: Path
    tools: Mapping[str, Tool]

    async def call(self, name: str, **arguments: Any) -> Any:
        return await self.tools[name].run(arguments, lambda _, __: None)

    async def told(self, name: str, **arguments: Any) -> str:
        return str((await self.call(name, **arguments))["message"])

    def result(self) -> PhaseResult:
        """Return the result of a phase as the engine understands it."""
        claim = read_result(self.directory / "result.json").claim
        assert claim is not None
        item, phase = self.assignment.item, self.assignment.phase
        said = phase_result(claim.document, claim.verdict, claim.reason, item=item, phase=phase)
        assert isinstance(said, PhaseResult)
        return said


@asynccontextmanager
async def attempt(
    directory: Path, assignment: Assignment, environ: Mapping[str, str] | None = None
) -> AsyncGenerator[Attempt, None]:
    assignment = attrs.evolve(assignment, root=directory)
    verifier = Verifier(assignment=assignment, environ=environ or {})
    services: Mapping[type[Any], object] = {
        Assignment: assignment,
        ResultWriter: ResultWriter(assignment=assignment, directory=directory),
        Verifier: verifier,
    }
    async with open_orchestrator(plugins=[attempt_plugin(assignment)], services=services) as opened:
        tools = {tool.name: tool for tool in attempt_tools(opened, verifier)}
        yield Attempt(assignment, directory, tools)


@pytest.mark.parametrize("assignment", [STORY, PHASE, TRIAGE])
async def test_there_are_no_other_tools(tmp_path: Path, assignment: Assignment) -> None:
    async with attempt(tmp_path, assignment) as one:
        missing = {"add_follow_up"} if assignment is STORY else set()
        assert set(one.tools) == set(TOOLS) - missing
        assert [name for name, tool in one.tools.items() if tool.reads] == ["get_task"]
        for tool in one.tools.values():
            assert tool.input["additionalProperties"] is False


async def test_the_task_is_told_again(tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text("Build it, ünd well.")
    assignment = attrs.evolve(PHASE, verify=(Check(run="make test"),))
    async with attempt(tmp_path, assignment) as one:
        assert await one.call("get_task") == {
            "item": "W-1",
            "phase": "build",
            "story": "",
            "attempt": "a",
            "verify": ["make test"],
            "prompt_file": str(tmp_path / "prompt.md"),
            "message": "Build it, ünd well.",
        }
        (tmp_path / "prompt.md").write_text("x" * 300_000)
        told = await one.told("get_task")
        assert len(told) < 151_000
        assert told.endswith(f"… the rest is in {tmp_path / 'prompt.md'}")
        (tmp_path / "prompt.md").unlink()
        with pytest.raises(OrchestratorError, match="cannot be read any more"):
            await one.call("get_task")


async def test_a_story_is_reported(tmp_path: Path) -> None:
    async with attempt(tmp_path, STORY) as one:
        told = await one.told("report_result", result="complete", learnings="make first")
        assert told == "Reported. End your turn now."
        claim = read_result(tmp_path / "result.json").claim
        assert claim is not None
        assert (claim.verdict, claim.learnings) == (Verdict.COMPLETE, "make first")

        await one.call("report_result", result="failed", summary="no way")
        claim = read_result(tmp_path / "result.json").claim
        assert claim is not None
        assert (claim.verdict, claim.reason) == (Verdict.FAILED, "no way")

        assert "stop now" in (await one.told("ask_operator", question="Which port?")).lower()
        claim = read_result(tmp_path / "result.json").claim
        assert claim is not None
        assert (claim.verdict, claim.reason) == (Verdict.BLOCKED, "Which port?")


async def test_a_phase_is_reported_with_all_that_it_can_say(tmp_path: Path) -> None:
    async with attempt(tmp_path, PHASE) as one:
        await one.call("add_follow_up", title="Other", context="why", suggested_risk="high")
        await one.call(
            "report_result",
            result="subphase_complete",
            summary="a part",
            context="more",
            updated_assessments={"size": "small"},
            commit_summary="Do a part",
            follow_ups=[{"title": "Own", "suggested_size": "large"}],
        )
        result = one.result()
        assert result.outcome is Outcome.SUBPHASE
        assert (result.summary, result.context) == ("a part", "more")
        assert (result.ratings.size, result.ratings.risk) == (Size.SMALL, None)
        assert result.commit_summary == "Do a part"
        own, other = result.follow_ups
        assert (own.title, own.ratings.size) == ("Own", Size.LARGE)
        assert (other.title, other.context, other.ratings.risk) == ("Other", "why", Level.HIGH)

        await one.call("ask_operator", question="Drop it?", asks="approval")
        result = one.result()
        assert (result.outcome, result.context) == (Outcome.BLOCKED, "Drop it?")
        assert result.asks is Asks.APPROVAL
        assert result.follow_ups == (other,)


async def test_a_triage_is_reported_with_what_only_it_decides(tmp_path: Path) -> None:
    async with attempt(tmp_path, TRIAGE) as one:
        await one.call("add_follow_up", title="Other")
        await one.call(
            "report_result",
            result="phase_complete",
            summary="looked",
            pipeline_type="chore",
            duplicates=["W-2"],
            description={"problem": "it fails"},
        )
        result = one.result()
        assert (result.pipeline, result.duplicates) == ("chore", ("W-2",))
        assert result.description is not None
        assert result.description.problem == "it fails"
        assert result.follow_ups == (FollowUp(title="Other"),)


@pytest.mark.parametrize(
    ("assignment", "name", "arguments", "problem"),
    [
        (STORY, "report_result", {}, "result: missing"),
        (STORY, "report_result", {"result": "blocked"}, "result: expected complete or failed"),
        (STORY, "report_result", {"result": "failed"}, "summary: it says nothing"),
        (STORY, "report_result", {"result": "complete", "item_id": "W-2"}, "item_id: unknown key"),
        (STORY, "ask_operator", {"question": " \n"}, "question: it says nothing"),
        (STORY, "ask_operator", {"question": 7}, "question: expected str, got 7"),
        (STORY, "run_verify", {"run": "rm -rf /"}, "run: unknown key"),
        (PHASE, "report_result", {"result": "complete", "summary": "x"}, "result: "),
        (PHASE, "report_result", {"result": "phase_complete", "summary": ""}, "summary: it says"),
        (PHASE, "report_result", {"result": "failed", "summary": "x", "pipeline_type": "y"}, "unk"),
        (PHASE, "add_follow_up", {"title": ""}, "title: it says nothing"),
        (PHASE, "add_follow_up", {"title": "x", "suggested_size": "XL"}, "suggested_size: expect"),
        (TRIAGE, "report_result", {"result": "subphase_complete", "summary": "x"}, "result: "),
    ],
)
async def test_bad_input_is_named_and_nothing_is_written(
    tmp_path: Path, assignment: Assignment, name: str, arguments: dict[str, Any], problem: str
) -> None:
    async with attempt(tmp_path, assignment) as one:
        with pytest.raises(UsageError, match=problem) as failed:
            await one.call(name, **arguments)
        assert "orc call" not in failed.value.explanation
    assert os.listdir(tmp_path) == []


@pytest.mark.processes
async def test_verification_is_that_of_the_engine(tmp_path: Path) -> None:
    """Where it says, without what is the worker's own, up to the first failure, with its end."""
    (tmp_path / "web").mkdir()
    (tmp_path / "away").symlink_to("/")
    environ = {"PATH": "/usr/bin:/bin", "KEY": "x", "CLAUDECODE": "1", "CLAUDE_CODE_X": "1"}
    base = attrs.evolve(PHASE, withheld=("KEY",))

    async def verified(*checks: Check) -> dict[str, Any]:
        async with attempt(tmp_path, attrs.evolve(base, verify=checks), environ) as one:
            return dict(await one.call("run_verify"))

    seen = Check(run="env | grep -v ^_= > ../seen; pwd >> ../seen", cwd="web", timeout=Seconds(20))
    assert (await verified(seen, Check(run="true"))) == {
        "passed": True,
        "command": "",
        "reason": "",
        "message": f"All 2 pass: {seen.run}; true",
    }
    told = (tmp_path / "seen").read_text().splitlines()
    web = str(tmp_path / "web")
    assert sorted(told) == sorted(["PATH=/usr/bin:/bin", f"PWD={web}", web])

    loud = Check(run="seq 100000; echo last words >&2; exit 3")
    failed = await verified(Check(run="true"), loud, Check(run="touch never"))
    assert (failed["passed"], failed["command"]) == (False, loud.run)
    assert failed["reason"] == "exit 3"
    assert failed["message"].endswith("\n100000\nlast words")
    assert len(failed["message"]) < OUTPUT_LIMIT + 200
    assert not (tmp_path / "never").exists()

    late = await verified(Check(run="exec sleep 60", timeout=Seconds(0.3)))
    assert late["reason"] == "took longer than 0.3 s"
    away = await verified(Check(run="true", cwd="away"))
    assert away["reason"] == "its directory away is not in the project"
    assert (await verified())["message"] == "No commands verify this attempt."


def test_only_a_worker_gets_the_tools(tmp_path: Path) -> None:
    job = task(tmp_path)
    with pytest.raises(ConfigError, match="no attempt is under way") as failed:
        find_attempt({})
    assert "orc mcp" in str(failed.value.fix)
    with pytest.raises(ConfigError, match="no attempt is under way"):
        find_attempt({"ORCHESTRATOR_RESULT": "result.json"})
    with pytest.raises(ConfigError, match="cannot be used"):
        find_attempt(job.variables())


def test_variables_of_two_attempts_are_refused(tmp_path: Path) -> None:
    job = task(tmp_path)
    assignment = {"version": 1, "item": "i", "phase": "p", "story": "", "attempt": "a1"}
    job.task_file.write_text(json.dumps({**assignment, "root": "/"}))
    assert find_attempt(job.variables())[1] == job.directory
    for change in (
        {"ORCHESTRATOR_ATTEMPT": "a2"},
        {"ORCHESTRATOR_RESULT": str(job.directory / "x")},
    ):
        with pytest.raises(ConfigError, match="not those of one attempt"):
            find_attempt({**job.variables(), **change})
