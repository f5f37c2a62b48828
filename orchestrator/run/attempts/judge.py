"""Judges what a worker left: by the tree, the spec and the verify commands, never by its word."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import attrs
import trio

from orchestrator.adapters.git.checkpoint import Checkpoint
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.errors import OrchestratorError
from orchestrator.messages import Fact
from orchestrator.project.definition import definition
from orchestrator.run.checks.checker import Checker
from orchestrator.run.commands import Caller, TakeCheckpoint
from orchestrator.settings import Check
from orchestrator.text import one_line
from orchestrator.work import protect
from orchestrator.work.globs import any_matches
from orchestrator.work.progress import check_others, check_story
from orchestrator.work.protect import Definition
from orchestrator.work.records import AttemptState
from orchestrator.work.spec import Change, Story
from orchestrator.work.worker import Usage, Verdict, WorkerReport


@attrs.frozen(kw_only=True)
class Judgement:
    """What an attempt came to.

    Attributes:
      tree: what was checked, only when VERIFIED; ``verified``: a verify command ran on it.
      resets_at: Unix time in seconds until which it is LIMITED, when that is known.
    """

    state: AttemptState
    reason: str = ""
    evidence: str = ""
    tree: str = ""
    verified: bool = False
    resets_at: float | None = None
    usage: Usage = attrs.field(factory=Usage)
    learnings: str = ""


@attrs.frozen(kw_only=True)
class Judge:
    """Judges one attempt in its workspace.

    Attributes:
      record: records a fact of this run.
      start: the commit that the run started from.
      checker: verifies the workspace.
      read_change: reads the change as it is in the workspace now.
      interrupt: set when the worker was asked to stop.
    """

    caller: Caller
    record: Callable[[Fact], Awaitable[None]]
    item: str
    workspace: Workspace
    start: str
    checker: Checker
    read_change: Callable[[], Awaitable[Change]]
    interrupt: trio.Event

    async def definition(self, change: Change) -> Definition:
        """Return what decides now how the workspace is verified."""
        place = self.workspace.path
        commands = [(check.run, check.cwd) for check in self.checker.build.verify]
        commands += [(change.until, ".")] if change.until else []
        root = str(self.checker.root.relative_to(place))
        return await trio.to_thread.run_sync(definition, place, root, commands)

    async def judge(
        self,
        change: Change,
        story: Story,
        report: WorkerReport,
        tip: str,
        before: Definition,
    ) -> Judgement:
        """Judge what the worker left; its tree is dead, so the workspace is what is taken here.

        Args:
          change: the spec as the attempt began; ``story`` the one that was worked on.
          tip: the commit that the workspace was at.
          before: what `definition` said then.
        """
        found = await self._judge(change, story, report, tip, before)
        state = found.state
        if state is AttemptState.FAILED and self.interrupt.is_set():
            state = AttemptState.INTERRUPTED
        return attrs.evolve(
            found,
            state=state,
            reason=one_line(found.reason, 400),
            usage=report.usage,
            learnings=report.learnings,
        )

    async def _judge(
        self,
        change: Change,
        story: Story,
        report: WorkerReport,
        tip: str,
        before: Definition,
    ) -> Judgement:
        if self.interrupt.is_set() and report.verdict is not Verdict.COMPLETE:
            return _failed("interrupted on request")
        if report.verdict is Verdict.BLOCKED:
            reason = report.reason or "it does not say on what"
            return Judgement(state=AttemptState.BLOCKED, reason=reason)
        if report.verdict is Verdict.LIMITED:
            reason = report.reason or "the worker says it is limited"
            return Judgement(
                state=AttemptState.LIMITED, reason=reason, resets_at=report.limit_reset
            )
        if report.verdict is Verdict.FAILED:
            return _failed(report.reason or "the worker says it failed")
        try:
            return await self._check(change, story, report, tip, before)
        except OrchestratorError as error:
            return _failed(f"the result could not be checked: {error.message}")

    async def _check(
        self,
        change: Change,
        story: Story,
        report: WorkerReport,
        tip: str,
        before: Definition,
    ) -> Judgement:
        taken = await self.take(tip)
        if taken.problems:
            return _failed(taken.problems[0], "\n".join(taken.problems))
        if change.brief and report.verdict is not Verdict.COMPLETE:
            return _failed("the worker did not say that it is done")
        if not taken.changed and not change.until:
            return _failed("the worker changed nothing")
        try:
            after = await self.read_change()
        except OrchestratorError as error:
            return _failed(f"the spec cannot be read any more: {error.message}")
        complaints: tuple[str, ...] = ()
        if not change.brief:
            complaints = (*check_story(story, after), *check_others(change, after, story.id))
        if complaints:
            said = "reported COMPLETE" if report.verdict is Verdict.COMPLETE else "ended"
            return _failed(f"the worker {said}, but {complaints[0]}", "\n".join(complaints))
        crossed = protect.complaints(
            [os.fsdecode(path) for path in taken.changed],
            self.checker.build.protect,
            before,
            await self.definition(change),
            [*(task.description for task in story.tasks), change.brief],
        )
        if crossed:
            return _failed(crossed[0], "\n".join(crossed))
        checks = await self._due(after, taken)
        until = (Check(run=change.until),) if change.until else ()
        if checks or until:
            results = await self.checker.run((*checks, *until))
            last = results[-1]
            if not last.passed:
                what = "verify" if len(results) <= len(checks) else "--until"
                return _failed(f"{what} failed: {last.command} ({last.reason})", last.output)
        return Judgement(
            state=AttemptState.VERIFIED, tree=taken.tree, verified=bool(checks or until)
        )

    async def _due(self, after: Change, taken: Checkpoint) -> tuple[Check, ...]:
        """Return the verify commands that this attempt has to pass.

        Those for the end run with the attempt that completes the last story: when they fail, it
        has failed and the next try of that story is told why. Their globs are about all that the
        run changed.
        """
        checks = self.checker.build.verify
        if not all(story.is_complete for story in after.stories if story.tasks):
            checks = tuple(check for check in checks if check.at == "story")
        whole = taken
        if any(check.at == "end" and check.when for check in checks):
            whole = await self.take(self.start)
        return tuple(check for check in checks if _concerns(check, taken, whole))

    async def take(self, tip: str) -> Checkpoint:
        """Write the workspace's tree as it is now, relative to a commit."""
        return await self.caller.call(
            TakeCheckpoint(item=self.item, workspace=self.workspace, tip=tip)
        )


def _concerns(check: Check, taken: Checkpoint, whole: Checkpoint) -> bool:
    """Whether a command is about something that the attempt, or the whole run, changed."""
    changed = (whole if check.at == "end" else taken).changed
    return not check.when or any_matches(map(os.fsdecode, changed), check.when)


def _failed(reason: str, evidence: str = "") -> Judgement:
    return Judgement(state=AttemptState.FAILED, reason=reason, evidence=evidence)
