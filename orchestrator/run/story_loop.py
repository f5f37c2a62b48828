"""The story loop: one worker per story, checked and committed, until the change is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import attrs
import trio

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.checkpoint import Checkpoint
from orchestrator.adapters.openspec.reader import OpenSpec
from orchestrator.agents.port import Worker, WorkerTask
from orchestrator.errors import BaselineError, OrchestratorError
from orchestrator.messages import Command, Event
from orchestrator.text import one_line
from orchestrator.work.loop import AllDone, GiveUp, TryStory, gather_learnings, next_step
from orchestrator.work.progress import check_others, check_story
from orchestrator.work.prompt import story_prompt
from orchestrator.work.records import AttemptRecord, AttemptState, RunRecord, RunState
from orchestrator.work.spec import Change
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

from .commands import BeginAttempt, CloseRun, KeepAttempt, KeepCheckpoint, TakeCheckpoint
from .events import (
    AttemptFailed,
    AttemptStarted,
    BaselinePassed,
    RunEnded,
    StoryVerified,
    Warned,
    WorkerActed,
)
from .host import GuardedHost
from .ledger import PHASE, OpenedRun
from .verify import CheckResult, run_checks

R = TypeVar("R")
_KEEP_GRACE = 20.0


class Caller(Protocol):
    """What the loop needs of the orchestrator."""

    async def call(self, command: Command[R]) -> R:
        """Run a command."""
        ...


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
class Outcome:
    """How a run ended. ``state`` is done, failed, blocked or stopped."""

    state: str
    reason: str
    done: int
    stories: int
    attempts: int
    cost: float
    verified: bool


@attrs.define(eq=False, kw_only=True)
class StoryLoop:
    """Drives one opened run of one change.

    Attributes:
      stopping: once set, no new attempt starts.
      interrupt: once set, the running worker is asked to stop by its own protocol.
    """

    caller: Caller
    publish: Callable[[Event], None]
    host: GuardedHost
    worker: Worker
    change: Change
    opened: OpenedRun
    settings: LoopSettings
    stopping: trio.Event
    interrupt: trio.Event
    _tip: str = attrs.field(init=False)
    _attempts: list[AttemptRecord] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tip = self.opened.tip
        self._attempts = list(self.opened.attempts)

    async def run(self) -> Outcome:
        """Work until the change is done, a story used up its attempts, blocks, or a stop.

        Cancellation kills the worker's tree; the attempt is settled by the next run.

        Raises:
          BaselineError: when set-up or verification fails before any worker has run.
        """
        try:
            return await self._run()
        except trio.Cancelled:
            self._outcome(self.change, "stopped", "cancelled on request")
            raise
        except BaseExceptionGroup as group:
            if group.split(trio.Cancelled)[1] is None:
                self._outcome(self.change, "stopped", "cancelled on request")
            raise

    async def _run(self) -> Outcome:
        if self.settings.baseline and self._tip == self.opened.run.start:
            await self._baseline()
        for warning in self.change.warnings:
            self.publish(Warned(message=warning))
        while True:
            change = self.change = await self._read()
            for story in change.stories:
                if not story.tasks:
                    self.publish(Warned(message=f"story {story.id} has no tasks: skipped"))
            step = next_step(
                change.stories, self._attempts, max_attempts=self.settings.max_attempts
            )
            if isinstance(step, AllDone):
                return await self._end(RunState.DONE, change)
            if isinstance(step, GiveUp):
                reason = f"story {step.story.id}: {step.last.reason}"
                return await self._end(RunState.FAILED, change, reason, step.story.id)
            if self.stopping.is_set():
                return self._outcome(change, "stopped", "stopped on request")
            attempt = await self._attempt(change, step)
            if attempt.state is AttemptState.BLOCKED:
                return await self._end(
                    RunState.BLOCKED, await self._read(), attempt.reason, attempt.story
                )

    async def _read(self) -> Change:
        return await trio.to_thread.run_sync(
            OpenSpec(self.opened.workspace.path / self.opened.run.root).read, self.change.id
        )

    @property
    def _cwd(self) -> Path:
        return self.opened.workspace.path / self.opened.run.root

    async def _baseline(self) -> None:
        commands = (*self.settings.setup, *self.settings.verify)
        if not commands:
            self.publish(Warned(message="no verify command: stories will be done, unverified"))
            return
        results = await self._check(commands)
        last = results[-1]
        if not last.passed:
            raise BaselineError(
                f"`{last.command}` fails before any work ({last.reason}):\n{last.output}",
                where=str(self._cwd),
                fix="mend it, choose other commands with --verify, or --baseline skip",
            )
        self.publish(
            BaselinePassed(commands=commands, seconds=sum(result.seconds for result in results))
        )
        await self._discard_leftovers()

    async def _discard_leftovers(self) -> None:
        """Set-up may leave files; what is not ignored must not end up in a checkpoint."""
        taken = await self.caller.call(
            TakeCheckpoint(
                item=self.opened.run.item, workspace=self.opened.workspace, tip=self._tip
            )
        )
        if taken.changed:
            names = ", ".join(one_line(os.fsdecode(path)) for path in taken.changed[:5])
            self.publish(Warned(message=f"set-up or verify changed files: {names}"))

    async def _check(self, commands: tuple[str, ...]) -> tuple[CheckResult, ...]:
        return await run_checks(
            commands,
            host=self.host,
            cwd=self._cwd,
            env=self.settings.check_environment,
            timeout=self.settings.attempt_timeout,
        )

    async def _attempt(self, change: Change, step: TryStory) -> AttemptRecord:
        started = trio.current_time()
        story = step.story
        attempt = await self.caller.call(
            BeginAttempt(run=self.opened.run, story=story.id, number=step.number, tip=self._tip)
        )
        total = len(change.stories)
        self.publish(
            AttemptStarted(
                item=attempt.item,
                story=story.id,
                title=story.title,
                position=step.position,
                stories=total,
                number=step.number,
                attempt=attempt.id,
            )
        )
        try:
            report, interrupted = await self._work(change, step, attempt)
            attempt = attrs.evolve(attempt, usage=report.usage, learnings=report.learnings)
            reason, evidence, tree = "", "", ""
            state = AttemptState.FAILED
            if interrupted:
                state, reason = AttemptState.INTERRUPTED, "interrupted by a stop"
            elif report.verdict is Verdict.BLOCKED:
                state, reason = AttemptState.BLOCKED, report.reason
            elif report.verdict is Verdict.FAILED:
                reason = report.reason or "the worker says it failed"
            else:
                reason, evidence, tree = await self._judge(change, step, report)
        except BaseException:
            await self._keep_cancelled(attempt)
            raise
        seconds = trio.current_time() - started
        if reason:
            attempt = attrs.evolve(
                attempt, state=state, reason=one_line(reason, 400), evidence=evidence
            )
            ref = await self.caller.call(
                KeepAttempt(attempt=attempt, workspace=self.opened.workspace, tip=self._tip)
            )
            self.publish(
                AttemptFailed(
                    story=story.id,
                    position=step.position,
                    stories=total,
                    number=step.number,
                    attempt=attempt.id,
                    state=state.value,
                    reason=attempt.reason,
                    evidence=evidence,
                    ref=ref,
                    seconds=seconds,
                    usage=report.usage,
                )
            )
        else:
            attempt = attrs.evolve(attempt, state=AttemptState.VERIFIED)
            verified = bool(self.settings.verify)
            self._tip = await self.caller.call(
                KeepCheckpoint(
                    attempt=attempt,
                    workspace=self.opened.workspace,
                    tree=tree,
                    tip=self._tip,
                    title=one_line(f"{story.id} {story.title}", 72),
                    verified=verified,
                )
            )
            self.publish(
                StoryVerified(
                    story=story.id,
                    title=story.title,
                    position=step.position,
                    stories=total,
                    number=step.number,
                    attempt=attempt.id,
                    commit=self._tip,
                    verified=verified,
                    seconds=seconds,
                    usage=report.usage,
                )
            )
        self._attempts.append(attempt)
        return attempt

    async def _keep_cancelled(self, attempt: AttemptRecord) -> None:
        """Pin what a cancelled attempt had done; if there is no time, the next run settles it."""
        stopped = attrs.evolve(
            attempt, state=AttemptState.INTERRUPTED, reason="cancelled by a stop"
        )
        with trio.move_on_after(_KEEP_GRACE, shield=True):
            await self.caller.call(
                KeepAttempt(attempt=stopped, workspace=self.opened.workspace, tip=self._tip)
            )

    async def _work(
        self, change: Change, step: TryStory, attempt: AttemptRecord
    ) -> tuple[WorkerReport, bool]:
        """Run the worker; returns its report and whether a stop interrupted it."""
        directory = self.settings.attempts / attempt.id
        directory.mkdir(parents=True, mode=0o700)
        self.settings.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        prompt = story_prompt(
            change,
            step.story,
            verify=self.settings.verify,
            previous=step.previous,
            learnings=gather_learnings((*self.opened.history, *self._attempts)),
        )
        task = WorkerTask(
            item=attempt.item,
            phase=PHASE,
            story=attempt.story,
            attempt=attempt.id,
            prompt=prompt,
            cwd=self._cwd,
            directory=directory,
            env=self.settings.environment,
            model=self.settings.model,
            max_turns=self.settings.max_turns,
            max_cost=self.settings.max_cost,
            resume=None,
        )
        timeout = self.settings.attempt_timeout
        report = WorkerReport(
            verdict=Verdict.FAILED, reason=f"the attempt took longer than {timeout:g} s"
        )
        host = attrs.evolve(
            self.host, writable=(*self.host.writable, *self.settings.writable, directory)
        )
        with AttemptLog(self.settings.logs / f"{attempt.id}.log") as log:
            with trio.move_on_after(timeout):
                try:
                    report = await self.worker.work(
                        task,
                        host,
                        lambda event: self._tell(attempt.id, event),
                        self.interrupt,
                        log.write,
                    )
                except OrchestratorError as error:
                    report = WorkerReport(verdict=Verdict.FAILED, reason=error.message)
        return report, self.interrupt.is_set() and report.verdict is not Verdict.COMPLETE

    def _tell(self, attempt: str, event: WorkerEvent) -> None:
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
        self.publish(WorkerActed(attempt=attempt, kind=kind, text=one_line(line)))

    async def _judge(
        self, change: Change, step: TryStory, report: WorkerReport
    ) -> tuple[str, str, str]:
        """Check the result itself. Returns reason and evidence of a failure, or the tree."""
        taken = await self.caller.call(
            TakeCheckpoint(
                item=self.opened.run.item, workspace=self.opened.workspace, tip=self._tip
            )
        )
        if taken.problems:
            return taken.problems[0], "\n".join(taken.problems), ""
        if not taken.changed:
            return "the worker changed nothing", "", ""
        try:
            after = await self._read()
        except OrchestratorError as error:
            return f"the spec cannot be read any more: {error.message}", "", ""
        complaints = (
            *check_story(step.story, after),
            *check_others(change, after, step.story.id),
        )
        if complaints:
            said = "reported COMPLETE" if report.verdict is Verdict.COMPLETE else "ended"
            return (
                f"the worker {said}, but {complaints[0]}",
                "\n".join(complaints),
                "",
            )
        if self.settings.verify:
            results = await self._check(self.settings.verify)
            last = results[-1]
            if not last.passed:
                return f"verify failed: {last.command} ({last.reason})", last.output, ""
            await self._tell_traces(taken)
        return "", "", taken.tree

    async def _tell_traces(self, checked: Checkpoint) -> None:
        """Say what verification itself changed: it is not committed and is taken back."""
        after = await self.caller.call(
            TakeCheckpoint(
                item=self.opened.run.item, workspace=self.opened.workspace, tip=self._tip
            )
        )
        if after.tree != checked.tree:
            names = sorted(set(after.changed) ^ set(checked.changed)) or after.changed
            shown = ", ".join(one_line(os.fsdecode(path)) for path in names[:5])
            self.publish(Warned(message=f"verify changed files, which are taken back: {shown}"))

    async def _end(
        self, state: RunState, change: Change, reason: str = "", story: str = ""
    ) -> Outcome:
        run: RunRecord = attrs.evolve(self.opened.run, state=state, reason=reason, story=story)
        await self.caller.call(CloseRun(run=run))
        return self._outcome(change, state.value, reason)

    def _outcome(self, change: Change, state: str, reason: str) -> Outcome:
        with_tasks = [story for story in change.stories if story.tasks]
        outcome = Outcome(
            state=state,
            reason=reason,
            done=sum(story.is_complete for story in with_tasks),
            stories=len(with_tasks),
            attempts=len(self._attempts),
            cost=sum((attempt.usage for attempt in self._attempts), start=Usage()).cost,
            verified=bool(self.settings.verify),
        )
        self.publish(
            RunEnded(
                run=self.opened.run.id,
                item=self.opened.run.item,
                branch=refs.branch_ref(self.opened.run.item).removeprefix("refs/heads/"),
                target=self.opened.run.target.removeprefix("refs/heads/"),
                **attrs.asdict(outcome),
            )
        )
        return outcome


class AttemptLog:
    """The raw output of one attempt on disk: its head and its tail, at most 64 MiB.

    The head is written as it comes; once half is used up, the tail is kept beside it in a
    second file that starts afresh when it is full.
    """

    def __init__(self, path: Path, limit: int = 64 << 20) -> None:
        self._path = path
        self._half = limit // 2
        self._written = 0
        self._file = path.open("ab", buffering=0)

    def __enter__(self) -> AttemptLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        if self._written + len(data) > self._half:
            self._file.close()
            self._file = self._path.with_suffix(".tail.log").open("wb", buffering=0)
            self._written = 0
        self._file.write(data[-self._half :])
        self._written += len(data)
