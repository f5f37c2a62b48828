"""One attempt: runs the worker on a story, then judges the result by what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import attrs
import trio

from orchestrator.agents.port import Worker, WorkerTask
from orchestrator.errors import OrchestratorError
from orchestrator.messages import Event, Fact
from orchestrator.redact import Redactor
from orchestrator.run.attempts.attempt_log import AttemptLog
from orchestrator.run.attempts.judge import Judge, Judgement
from orchestrator.run.attempts.meter import LAST_GRACE, Meter
from orchestrator.run.build import Build
from orchestrator.run.checks.checker import Checker
from orchestrator.run.commands import Caller, RecordFact, RecordUsage
from orchestrator.run.engine.guidance import AllGuidance, TakeGuidance
from orchestrator.run.engine.steering import Steering
from orchestrator.run.events import WorkerActed
from orchestrator.run.hosting.denied import Denials
from orchestrator.run.records.opening import OpenedRun
from orchestrator.settings import Check, Seconds
from orchestrator.text import one_line
from orchestrator.work.budget import Budget
from orchestrator.work.loop import EVERYTHING, Selection, TryStory
from orchestrator.work.prompt import story_prompt
from orchestrator.work.records import AttemptRecord
from orchestrator.work.spec import Change, SpecSource, Story
from orchestrator.work.states import PHASE
from orchestrator.work.worker import (
    ApiRetry,
    Message,
    RateLimited,
    ToolCall,
    Usage,
    UsageSoFar,
    Verdict,
    WorkerEvent,
    WorkerReport,
)


@attrs.frozen(kw_only=True)
class LoopSettings:
    """What a run was asked for. Times in seconds, paths absolute.

    Attributes:
      environment: of the worker.
      writable: what the worker may write to besides its workspace.
      attempts: directory that gets one fresh directory per attempt.
      logs: directory of the attempts' raw output.
      budget: of one attempt; ``run_budget``: of all attempts of the run.
      wait: longest time to wait for a limit to end; 0 is never.
      again: whether a person wants to try what failed or was refused before.
      definition: tells whether the worker is the same; ``pays``: its credential, in words.
      own_tools: whether it reports and asks by our own tools.
    """

    max_attempts: int
    attempt_timeout: float
    build: Build
    baseline: bool
    environment: Mapping[str, str]
    writable: tuple[Path, ...]
    attempts: Path
    logs: Path
    model: str | None
    budget: Budget
    run_budget: Budget
    wait: float
    again: bool
    definition: str
    pays: str
    own_tools: bool = False
    selection: Selection = EVERYTHING


@attrs.frozen(kw_only=True)
class AttemptRunner:
    """Runs attempts of one run.

    Attributes:
      checker: sets up the workspace and verifies it.
      spec_at: reads the spec below a directory.
      interrupt: once set, what runs is asked to stop by its own protocol.
      redact: takes secrets out of everything that the worker says, before it goes anywhere.
      steering: what a person does to the running work.
      phase, visit: of the attempts; see `AttemptRecord`.
    """

    caller: Caller
    checker: Checker
    worker: Worker
    change: str
    spec_at: Callable[[Path], SpecSource]
    opened: OpenedRun
    settings: LoopSettings
    interrupt: trio.Event
    redact: Redactor
    steering: Steering
    phase: str = PHASE
    visit: int = 0

    @property
    def root(self) -> Path:
        """The spec's root in the workspace: workers and checks start here."""
        return self.opened.workspace.path / self.opened.run.root

    @property
    def is_checked(self) -> bool:
        """Whether any command decides about what a worker left."""
        return bool(self.settings.build.verify or self.opened.run.until)

    async def inputs(self, change: Change, story: Story, tip: str) -> str:
        """Return a digest of what an attempt begins with; see `AttemptRecord.inputs`."""
        build = self.settings.build
        told = await self.caller.call(AllGuidance(item=self.opened.run.item))
        prompt = story_prompt(change, story, verify=build.commands, guidance=told)
        parts = (tip, prompt, repr(build), self.settings.definition)
        return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()

    async def read_change(self) -> Change:
        """Read the change as it is in the workspace now."""
        return await trio.to_thread.run_sync(self.spec_at(self.root).read, self.change)

    async def record(self, fact: Fact) -> None:
        """Record a fact of this run; once it is durable, everybody is told.

        Raises:
          StoreError: when it could not be recorded.
        """
        run = self.opened.run
        await self.caller.call(RecordFact(fact=fact, item=run.item, run=run.id))

    async def run(
        self,
        change: Change,
        step: TryStory,
        attempt: AttemptRecord,
        tip: str,
        learnings: str,
        meter: Meter,
    ) -> Judgement:
        """Run the worker and judge what it left.

        Args:
          change: the spec as the attempt begins.
          tip: the branch's commit, which the workspace is at.
          learnings: what earlier attempts noted.
          meter: measures what the worker uses.

        Cancellation kills the worker's tree and leaves the workspace as it is.
        """
        with self.steering.attempt(attempt.item, self.interrupt) as interrupt:
            taken = TakeGuidance(item=attempt.item, attempt=attempt.id)
            guidance = await self.caller.call(taken)
            prompt = story_prompt(
                change,
                step.story,
                verify=(*self.settings.build.commands, *([change.until] if change.until else [])),
                previous=step.previous,
                learnings=learnings,
                guidance=guidance,
                protected=self.settings.build.protect,
                own_tools=self.settings.own_tools,
            )
            checker = attrs.evolve(self.checker, interrupt=interrupt)
            one = attrs.evolve(self, interrupt=interrupt)
            judge = Judge(
                caller=self.caller,
                record=self.record,
                item=self.opened.run.item,
                workspace=self.opened.workspace,
                start=self.opened.run.start,
                checker=checker,
                read_change=self.read_change,
                interrupt=interrupt,
            )
            before = await judge.definition(change)
            report = await one.work(attempt, prompt, meter)
            judged = await judge.judge(change, step.story, report, tip, before)
        return attrs.evolve(
            judged,
            reason=self.redact.text(judged.reason),
            evidence=self.redact.text(judged.evidence),
        )

    async def work(self, attempt: AttemptRecord, prompt: str, meter: Meter) -> WorkerReport:
        """Run the worker, and return what it says of itself.

        A worker that cannot be run has failed; that is no exception. What it prints is kept as the
        attempt's log. Setting ``interrupt`` asks it to stop, and so does the meter; cancellation
        kills its tree.
        """
        directory = self.settings.attempts / attempt.id
        temporary = directory / "tmp"
        temporary.mkdir(parents=True, mode=0o700)
        self.settings.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        task = WorkerTask(
            item=attempt.item,
            phase=attempt.phase,
            story=attempt.story,
            attempt=attempt.id,
            prompt=prompt,
            cwd=self.root,
            directory=directory,
            env={**self.settings.environment, "TMPDIR": str(temporary)},
            model=self.settings.model,
            max_turns=meter.budget.turns,
            max_cost=meter.budget.cost,
            redact=self.redact.data,
            verify=self._verification(),
            withheld=frozenset(self.settings.environment.keys() - self.checker.env.keys()),
        )
        host = attrs.evolve(
            self.checker.host,
            writable=(*self.checker.host.writable, *self.settings.writable, directory),
        )
        denials = Denials(host.writable)
        tell = _Teller(attempt.id, self.caller.publish, meter.take)
        report = WorkerReport(verdict=Verdict.FAILED, reason="it did not end when it was asked to")
        with AttemptLog(self.settings.logs / f"{attempt.id}.log") as log:

            def hear(line: bytes) -> None:
                log.write(line)
                if host.confines:
                    denials.note(line.decode(errors="replace"))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(meter.watch, self.interrupt)
                nursery.start_soon(meter.record, self._keep_usage(attempt))
                with trio.CancelScope() as scope:
                    nursery.start_soon(_lose_patience, meter.stop, scope)
                    try:
                        report = await self.worker.work(task, host, tell, meter.stop, hear)
                    except OrchestratorError as error:
                        report = WorkerReport(verdict=Verdict.FAILED, reason=error.message)
                nursery.cancel_scope.cancel()
        if report.verdict is Verdict.FAILED:
            report = attrs.evolve(report, reason=report.reason + denials.advice)
        return self._measured(report, meter)

    def _verification(self) -> tuple[Check, ...]:
        """Return the commands that the prompt names, each with the time it may take."""
        until = self.opened.run.until
        longest = Seconds(self.settings.attempt_timeout)
        return tuple(
            attrs.evolve(check, timeout=check.timeout or longest)
            for check in (*self.settings.build.verify, *([Check(run=until)] if until else []))
        )

    def _keep_usage(self, attempt: AttemptRecord) -> Callable[[Usage], Awaitable[None]]:
        began = trio.current_time()

        async def keep(usage: Usage) -> None:
            seconds = round(trio.current_time() - began, 3)
            known = attrs.evolve(attempt, usage=usage, seconds=seconds)
            await self.caller.call(RecordUsage(attempt=known))

        return keep

    def _measured(self, report: WorkerReport, meter: Meter) -> WorkerReport:
        """Complete a report with what the meter saw, and say so when that ended the worker."""
        meter.take(report.usage.at_least(meter.usage))
        reached, reason = meter.reached, report.reason
        if report.verdict is Verdict.FAILED and reached is not None:
            if reached.key == "max_time":
                reason = f"the attempt took longer than {self.settings.attempt_timeout:g} s"
            else:
                reason = (
                    f"it used up its budget: {reached} ([agents.{self.worker.name}] {reached.key})"
                )
        return attrs.evolve(report, usage=meter.usage, reason=reason)


async def _lose_patience(stop: trio.Event, scope: trio.CancelScope) -> None:
    await stop.wait()
    await trio.sleep(LAST_GRACE)
    scope.cancel()


@attrs.frozen
class _Teller:
    """Publishes what a worker says and does."""

    attempt: str
    publish: Callable[[Event], None]
    measure: Callable[[Usage], None]

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
            case UsageSoFar(usage=usage):
                self.measure(usage)
                return
            case _:
                return
        self.publish(WorkerActed(attempt=self.attempt, kind=kind, text=one_line(line)))
