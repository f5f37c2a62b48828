"""Carries out the commands of an attempt, which end up in its result file or in a verification."""

from __future__ import annotations

from typing import Any

import trio

from orchestrator.agents.assignment import Assignment
from orchestrator.calling import plain
from orchestrator.context import Context
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.messages import Command
from orchestrator.plugin import Plugin
from orchestrator.work.backlog.item import TRIAGE

from .attempt_commands import (
    AddFollowUp,
    AskOperator,
    GetTask,
    ReportPhase,
    ReportStory,
    ReportTriage,
    RunVerify,
    StoryEnd,
    Task,
    Told,
)
from .attempt_result import ResultWriter
from .attempt_verify import Verified, Verifier

_MOMENT = 15.0
_DAY = 86_400.0
"""Each verify command has its own time, and the attempt has an end."""

_PROMPT_LIMIT = 150_000


def attempt_plugin(assignment: Assignment) -> Plugin:
    """Return the commands for an attempt: only those that mean something for it."""
    plugin = Plugin("attempt")
    plugin.handles(GetTask, name="get-task", deadline=_MOMENT, reads=True)(get_task)
    plugin.handles(RunVerify, name="run-verify", deadline=_DAY, lane=_verifying)(run_verify)
    plugin.handles(AskOperator, name="ask-operator", deadline=_MOMENT, lane=_writing)(ask_operator)
    name = "report-result"
    if assignment.is_story:
        plugin.handles(ReportStory, name=name, deadline=_MOMENT, lane=_writing)(report_story)
        return plugin
    if assignment.phase == TRIAGE:
        plugin.handles(ReportTriage, name=name, deadline=_MOMENT, lane=_writing)(report_triage)
    else:
        plugin.handles(ReportPhase, name=name, deadline=_MOMENT, lane=_writing)(report_phase)
    plugin.handles(AddFollowUp, name="add-follow-up", deadline=_MOMENT, lane=_writing)(
        add_follow_up
    )
    return plugin


async def get_task(_: GetTask, context: Context) -> Task:
    """Read the prompt, as far as an answer can hold it."""
    assignment = context.service(Assignment)
    file = context.service(ResultWriter).directory / assignment.prompt
    try:
        prompt = await trio.Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        what = f"the task cannot be read any more: {error.strerror}"
        raise OrchestratorError(what, where=str(file)) from None
    if len(prompt) > _PROMPT_LIMIT:
        prompt = f"{prompt[:_PROMPT_LIMIT]}\n… the rest is in {file}"
    return Task(
        item=assignment.item,
        phase=assignment.phase,
        story=assignment.story,
        attempt=assignment.attempt,
        verify=tuple(check.run for check in assignment.verify),
        prompt_file=str(file),
        message=prompt,
    )


async def run_verify(_: RunVerify, context: Context) -> Verified:
    """Run the verify commands."""
    return await context.service(Verifier).run()


async def report_story(command: ReportStory, context: Context) -> Told:
    """Write the result of a story."""
    if command.result is StoryEnd.FAILED:
        _require("summary", command.summary)
    said = _said(command)
    return await _report(context, {"status": said.pop("result"), **said})


async def report_phase(command: ReportPhase, context: Context) -> Told:
    """Write the result of a phase."""
    _require("summary", command.summary)
    return await _report(context, _said(command))


async def report_triage(command: ReportTriage, context: Context) -> Told:
    """Write the result of a triage."""
    _require("summary", command.summary)
    return await _report(context, _said(command))


async def ask_operator(command: AskOperator, context: Context) -> Told:
    """Write a question as the result."""
    _require("question", command.question)
    question, asks = command.question, command.asks.value
    if context.service(Assignment).is_story:
        said = {"status": "blocked", "question": question, "asks": asks}
    else:
        said = {"result": "blocked", "context": question, "asks": asks}
    await trio.to_thread.run_sync(context.service(ResultWriter).report, said)
    return Told(
        message="Asked. Stop now and end your turn: the answer comes with the next attempt."
    )


async def add_follow_up(command: AddFollowUp, context: Context) -> Told:
    """Note a follow-up, for the result that is there or comes."""
    _require("title", command.title)
    noted = await trio.to_thread.run_sync(context.service(ResultWriter).add, _said(command))
    return Told(message=f"Noted ({noted} by now): it goes with the result that you report.")


async def _report(context: Context, said: dict[str, Any]) -> Told:
    await trio.to_thread.run_sync(context.service(ResultWriter).report, said)
    return Told(message="Reported. End your turn now.")


def _said(command: Command[Any]) -> dict[str, Any]:
    """Return what a command says as the file has it; what it says nothing of is left out."""
    said: dict[str, Any] = _without_empty(plain(command))
    return said


def _without_empty(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_empty(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empty(inner) for key, inner in value.items()}
    return {key: inner for key, inner in kept.items() if inner not in (None, "", [], {})}


def _require(key: str, text: str) -> None:
    if not text.strip():
        raise UsageError(f"{key}: it says nothing", fix="say it in a sentence")


def _writing(_: Command[Any]) -> str:
    return "result"


def _verifying(_: Command[Any]) -> str:
    return "verify"
