"""One attempt: runs the worker on a story, then judges the result by what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import attrs
import trio

from orchestrator.adapters.git.checkpoint import Checkpoint
from orchestrator.agents.port import Worker, WorkerTask
from orchestrator.errors import OrchestratorError
from orchestrator.messages import Command, Event
from orchestrator.text import one_line
from orchestrator.work.loop import TryStory
from orchestrator.work.progress import check_others, check_story
from orchestrator.work.prompt import story_prompt
from orchestrator.work.records import AttemptRecord, AttemptState
from orchestrator.work.spec import Change, SpecSource
from orchestrator.work.states import PHASE
from orchestrator.work.worker import (
    ApiRetry,
    Message,
    RateLimited,
    ToolCall,
    Usage,
    Verdict,
    WorkerEvent,
    WorkerReport,
)

from .attempt_log import AttemptLog
from .commands import TakeCheckpoint
from .events import VerificationStarted, Warned, WorkerActed
from .host import GuardedHost
from .opening import OpenedRun
from .verify import CheckResult, run_checks

R = TypeVar("R")


class Caller(Protocol):
    """What an attempt and the loop need of the orchestrator."""

    async def call(self, command: Command[R]) -> R:
        """Run a command."""
        ...

    def publish(self, event: Event) -> None:
        """Hand an event to whoever listens."""


@attrs.frozen(kw_only=True)
class LoopSettings:
    """What a run was asked for. Times in seconds, paths absolute.

    Attributes:
      environment: of the worker; ``check_environment``: of set-up and verification.
      writable: what the worker may write to besides its workspace.
      attempts: directory that gets one fresh directory per attempt.
      logs: directory of the attempts' raw output.
    """

    max_attempts: int
    attempt_timeout: float
    setup: tuple[str, ...]
    verify: tuple[str, ...]
    baseline: bool
    environment: Mapping[str, str]
    check_environment: Mapping[str, str]
    writable: tuple[Path, ...]
    attempts: Path
    logs: Path
    model: str | None
    max_turns: int | None
    max_cost: float | None


@attrs.frozen(kw_only=True)
class Judgement:
    """What an attempt came to. ``tree`` is what was checked, only when VERIFIED."""

    state: AttemptState
    reason: str = ""
    evidence: str = ""
    tree: str = ""
    usage: Usage = attrs.field(factory=Usage)
    learnings: str = ""


@attrs.frozen(kw_only=True)
class AttemptRunner:
    """Runs attempts of one run.

    Attributes:
      spec_at: reads the spec below a directory.
      interrupt: once set, the running worker is asked to stop by its own protocol.
    """

    caller: Caller
    host: GuardedHost
    worker: Worker
    change: str
    spec_at: Callable[[Path], SpecSource]
    opened: OpenedRun
    settings: LoopSettings
    interrupt: trio.Event

    @property
    def root(self) -> Path:
        """The spec's root in the workspace: workers and checks start here."""
        return self.opened.workspace.path / self.opened.run.root

    async def read_change(self) -> Change:
        """Read the change as it is in the workspace now."""
        return await trio.to_thread.run_sync(self.spec_at(self.root).read, self.change)

    async def check(self, commands: Sequence[str]) -> tuple[CheckResult, ...]:
        """Run set-up or verify commands in the workspace."""
        return await run_checks(
            commands,
            host=self.host,
            cwd=self.root,
            env=self.settings.check_environment,
            timeout=self.settings.attempt_timeout,
            interrupt=self.interrupt,
        )

    async def run(
        self, change: Change, step: TryStory, attempt: AttemptRecord, tip: str, learnings: str
    ) -> Judgement:
        """Run the worker and judge what it left.

        Args:
          change: the spec as the attempt begins.
          tip: the branch's commit, which the workspace is at.
          learnings: what earlier attempts noted.

        Cancellation kills the worker's tree and leaves the workspace as it is.
        """
        report = await self._work(change, step, attempt, learnings)
        state, reason, evidence, tree = AttemptState.FAILED, "", "", ""
        if self.interrupt.is_set() and report.verdict is not Verdict.COMPLETE:
            reason = "interrupted by a stop"
        elif report.verdict is Verdict.BLOCKED:
            state, reason = AttemptState.BLOCKED, report.reason or "it does not say on what"
        elif report.verdict is Verdict.FAILED:
            reason = report.reason or "the worker says it failed"
        else:
            try:
                state, reason, evidence, tree = await self._judge(change, step, report, tip)
            except OrchestratorError as error:
                reason = f"the result could not be checked: {error.message}"
        if state is AttemptState.FAILED and self.interrupt.is_set():
            state = AttemptState.INTERRUPTED
        return Judgement(
            state=state,
            reason=one_line(reason, 400),
            evidence=evidence,
            tree=tree,
            usage=report.usage,
            learnings=report.learnings,
        )

    async def _work(
        self, change: Change, step: TryStory, attempt: AttemptRecord, learnings: str
    ) -> WorkerReport:
        directory = self.settings.attempts / attempt.id
        temporary = directory / "tmp"
        temporary.mkdir(parents=True, mode=0o700)
        self.settings.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        task = WorkerTask(
            item=attempt.item,
            phase=PHASE,
            story=attempt.story,
            attempt=attempt.id,
            prompt=story_prompt(
                change,
                step.story,
                verify=self.settings.verify,
                previous=step.previous,
                learnings=learnings,
            ),
            cwd=self.root,
            directory=directory,
            env={**self.settings.environment, "TMPDIR": str(temporary)},
            model=self.settings.model,
            max_turns=self.settings.max_turns,
            max_cost=self.settings.max_cost,
        )
        timeout = self.settings.attempt_timeout
        report = WorkerReport(
            verdict=Verdict.FAILED, reason=f"the attempt took longer than {timeout:g} s"
        )
        host = attrs.evolve(
            self.host, writable=(*self.host.writable, *self.settings.writable, directory)
        )
        tell = _Teller(attempt.id, self.caller.publish)
        with AttemptLog(self.settings.logs / f"{attempt.id}.log") as log:
            with trio.move_on_after(timeout):
                try:
                    report = await self.worker.work(task, host, tell, self.interrupt, log.write)
                except OrchestratorError as error:
                    report = WorkerReport(verdict=Verdict.FAILED, reason=error.message)
        return report

    async def _judge(
        self, change: Change, step: TryStory, report: WorkerReport, tip: str
    ) -> tuple[AttemptState, str, str, str]:
        """Check the result; the worker's tree is dead, so the workspace is what is taken here.

        Returns state, reason and evidence of a failure, and the tree of a success.
        """
        failed = AttemptState.FAILED
        taken = await self._take(tip)
        if taken.problems:
            return failed, taken.problems[0], "\n".join(taken.problems), ""
        if not taken.changed:
            return failed, "the worker changed nothing", "", ""
        try:
            after = await self.read_change()
        except OrchestratorError as error:
            return failed, f"the spec cannot be read any more: {error.message}", "", ""
        complaints = (
            *check_story(step.story, after),
            *check_others(change, after, step.story.id),
        )
        if complaints:
            said = "reported COMPLETE" if report.verdict is Verdict.COMPLETE else "ended"
            reason = f"the worker {said}, but {complaints[0]}"
            return failed, reason, "\n".join(complaints), ""
        if self.settings.verify:
            self.caller.publish(VerificationStarted(commands=self.settings.verify))
            last = (await self.check(self.settings.verify))[-1]
            if not last.passed:
                return failed, f"verify failed: {last.command} ({last.reason})", last.output, ""
            await self._tell_traces(taken)
        return AttemptState.VERIFIED, "", "", taken.tree

    async def _take(self, tip: str) -> Checkpoint:
        return await self.caller.call(
            TakeCheckpoint(item=self.opened.run.item, workspace=self.opened.workspace, tip=tip)
        )

    async def _tell_traces(self, checked: Checkpoint) -> None:
        """Say what verification itself changed: it is not committed and is taken back."""
        after = await self._take(checked.tree)
        if after.changed:
            message = f"verify changed files, which are taken back: {shown_paths(after.changed)}"
            self.caller.publish(Warned(message=message))


@attrs.frozen
class _Teller:
    """Publishes what a worker says and does."""

    attempt: str
    publish: Callable[[Event], None]

    def __call__(self, event: WorkerEvent) -> None:
        match event:
            case Message(text=text):
                kind, line = "says", text
            case ToolCall(tool=tool, summary=summary):
                kind, line = tool, summary
            case ApiRetry(delay=delay, reason=reason):
                kind, line = "retries", f"{reason}, again in {delay:.0f} s"
            case RateLimited(reason=reason):
                kind, line = "limited", reason
            case _:
                return
        self.publish(WorkerActed(attempt=self.attempt, kind=kind, text=one_line(line)))


def shown_paths(paths: Sequence[bytes], most: int = 5) -> str:
    """Return the first few of some paths, fit to print."""
    names = ", ".join(one_line(os.fsdecode(path)) for path in paths[:most])
    return names if len(paths) <= most else f"{names} and {len(paths) - most} more"
