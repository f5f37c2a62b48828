"""Runs the attempts at one phase of an item, until it is done, blocked, used up or stopped."""

from __future__ import annotations

import attrs
import trio

from orchestrator.agents.port import RESULT_FILE
from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.attempts.judge import Judge, Judgement
from orchestrator.run.attempts.meter import Meter
from orchestrator.run.backlog.book import Decide
from orchestrator.run.backlog.handlers import minting
from orchestrator.run.backlog.results import attempted
from orchestrator.run.engine.guidance import TakeGuidance
from orchestrator.run.loop.allowance import Allowance
from orchestrator.run.scheduling.desk import Desk
from orchestrator.run.scheduling.judge import PhaseJudge
from orchestrator.run.scheduling.phase_records import PhaseRecords
from orchestrator.run.scheduling.prompting import write_prompt
from orchestrator.run.scheduling.session import Session
from orchestrator.text import one_line
from orchestrator.work.backlog import outcomes
from orchestrator.work.backlog.attempted import Attempted
from orchestrator.work.backlog.halt import Ending
from orchestrator.work.backlog.item import TRIAGE, Item
from orchestrator.work.backlog.pipeline import CommitPolicy, Phase, Pipeline
from orchestrator.work.backlog.result import PhaseResult
from orchestrator.work.backlog.triage import triaged
from orchestrator.work.records import AttemptRecord, AttemptState
from orchestrator.work.spec import Change
from orchestrator.work.worker import Usage

MOST_LOST = 10
"""How often a phase may be lost to a crash; that is hardly its fault, but it may be."""

_KEEP_GRACE = 20.0


@attrs.define(eq=False, kw_only=True)
class PhaseAttempts:
    """The attempts of one visit of an item's phase.

    Attributes:
      what: item, phase and visit as they were when it was begun; once the item has left them,
        nothing more is tried.
      place: where the phase stands among ``of``, from 1.
      is_last: whether the item is done with it.
      task: the item as a change.
    """

    session: Session
    desk: Desk
    runner: AttemptRunner
    what: Attempted
    phase: Phase
    place: int
    of: int
    is_last: bool
    task: Change
    _allowance: Allowance = attrs.field(init=False)
    _records: PhaseRecords = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._records = PhaseRecords(
            session=self.session,
            desk=self.desk,
            opened=self.runner.opened,
            what=self.what,
            place=self.place,
            of=self.of,
            batch=self.phase.commit is CommitPolicy.BATCH and not self.is_last,
        )

    async def run(self) -> Ending:
        """Try until the phase is done or cannot go on; what came of it is recorded.

        Cancellation kills the worker's tree and pins what it had done; where there is no time for
        that, the next run settles it.

        Raises:
          OvertakenError: when the item has left the phase.
          ConflictError: when the item's branch was moved where the work does not fit any more.
        """
        await self._records.read()
        spending = self.session.spending
        self._allowance = Allowance(
            runner=self.runner,
            stopping=self.session.stopping,
            worked=spending.worked,
            started=spending.started,
            used=lambda _: spending.usage,
            earlier=len(self._records.attempts),
            command="orc run",
        )
        while True:
            item = self.session.current(self.what)
            for state, allowed in (
                (AttemptState.FAILED, self.runner.settings.max_attempts),
                (AttemptState.LOST, MOST_LOST),
            ):
                spent = [one for one in self._records.attempts if one.state is state]
                if len(spent) >= allowed:
                    return await self._give_up(len(spent), spent[-1].reason)
            refusal = await self._allowance.admit(self._records.attempts)
            if refusal is not None:
                self.session.refusal = refusal
                return Ending.CANCELLED
            if await self.session.steering.hold(self.session.stopping):
                continue
            if self.session.stopping.is_set():
                return Ending.CANCELLED
            ending = await self._try(item)
            if ending is not None:
                return ending

    async def _give_up(self, attempts: int, failure: str) -> Ending:
        await self.session.decide(
            lambda view, now: outcomes.phase_failed(
                view, self.what, attempts=attempts, failure=failure, now=now
            )
        )
        return Ending.EXHAUSTED

    async def _try(self, item: Item) -> Ending | None:
        """Make one attempt; returns how the phase ended with it, None when it did not."""
        attempt = await self._records.begin()
        meter = self._allowance.meter(self._records.attempts)
        self.session.spending.begin(attempt, meter)
        started = trio.current_time()
        try:
            judged, result = await self._work(item, attempt, meter)
        except BaseException as error:
            stopped = attrs.evolve(
                attempt,
                state=AttemptState.INTERRUPTED,
                usage=meter.usage,
                seconds=round(trio.current_time() - started, 3),
                reason=_reason(error),
            )
            with trio.move_on_after(_KEEP_GRACE, shield=True):
                await self._records.keep_failed(stopped)
            raise
        seconds = round(trio.current_time() - started, 3)
        judged = self._within_budget(judged)
        attempt = attrs.evolve(
            attempt,
            state=judged.state,
            reason=judged.reason,
            evidence=judged.evidence,
            learnings=judged.learnings,
            usage=judged.usage,
            seconds=seconds,
        )
        if attempt.state is AttemptState.VERIFIED:
            await self._records.keep_good(attempt, judged, result)
            return self._ending(attempt)
        if attempt.state is AttemptState.LIMITED:
            until = self._allowance.next_try(self._records.attempts, judged.resets_at)
            attempt = attrs.evolve(attempt, until=until)
        await self._records.keep_failed(attempt)
        if attempt.state is AttemptState.INTERRUPTED:
            await self.session.decide(
                lambda view, now: outcomes.phase_cancelled(
                    view, attempted(attempt), now=now, text=attempt.reason
                )
            )
        if attempt.state is AttemptState.BLOCKED:
            await self.session.decide(self._asking(attempt, result))
            return self._ending(attempt)
        return None

    def _asking(self, attempt: AttemptRecord, result: PhaseResult) -> Decide:
        what, book = attempted(attempt), self.session.book
        if what.phase == TRIAGE:  # what it found out of the item holds all the same
            mint = minting(book)
            return lambda view, now: triaged(
                view, book.rules, what, result, None, mint=mint, now=now
            )
        return lambda view, now: outcomes.phase_blocked(view, what, result, now=now)

    def _ending(self, attempt: AttemptRecord) -> Ending:
        item = self.session.book.get(attempt.item)
        return Ending.BLOCKED if item is not None and item.is_blocked else Ending.SUCCEEDED

    def _within_budget(self, judged: Judgement) -> Judgement:
        """Return the judgement; one of a run whose budget is spent is nobody's failure."""
        if judged.state is AttemptState.FAILED:
            reached = self._allowance.reached(self._records.attempts, Usage())
            if reached is not None:
                reason = f"the run's budget is spent: {reached}"
                return attrs.evolve(judged, state=AttemptState.INTERRUPTED, reason=reason)
        return judged

    async def _work(
        self, item: Item, attempt: AttemptRecord, meter: Meter
    ) -> tuple[Judgement, PhaseResult]:
        runner = self.runner
        with self.session.steering.attempt(item.id, self.session.interrupt) as interrupt:
            # From here on it is interrupted when a person takes the item; before, nobody could.
            self.session.current(self.what)
            taken = TakeGuidance(item=item.id, attempt=attempt.id)
            guidance = await self.session.orchestrator.call(taken)
            judge = PhaseJudge(
                runner=runner,
                judge=Judge(
                    caller=runner.caller,
                    record=runner.record,
                    item=item.id,
                    workspace=runner.opened.workspace,
                    start=runner.opened.run.start,
                    checker=attrs.evolve(runner.checker, interrupt=interrupt),
                    read_change=runner.read_change,
                    interrupt=interrupt,
                ),
                item=item,
                phase=self.phase,
                task=self.task,
                head=self.desk.head,
                is_last=self.is_last,
            )
            before = await judge.definition()
            prompt = await trio.to_thread.run_sync(self._prompt, item, attempt, guidance)
            one = attrs.evolve(runner, interrupt=interrupt)
            report = await one.work(attempt, prompt, meter)
            judged, result = await judge.decide(report, before)
        clean = runner.redact.text
        return attrs.evolve(
            judged, reason=clean(judged.reason), evidence=clean(judged.evidence)
        ), result

    def _prompt(self, item: Item, attempt: AttemptRecord, guidance: tuple[str, ...]) -> str:
        failed = [one for one in self._records.attempts if one.state is AttemptState.FAILED]
        return write_prompt(
            self.session,
            self.runner,
            item,
            self.phase,
            result_path=str(self.runner.settings.attempts / attempt.id / RESULT_FILE),
            guidance=guidance,
            previous=failed[-1] if failed else None,
        )


def place_of(pipeline: Pipeline | None, phase: str) -> tuple[int, int]:
    """Return where a phase stands in its pipeline, from 1, and how many there are."""
    names = [] if pipeline is None else [p.name for p in (*pipeline.pre_phases, *pipeline.phases)]
    return (names.index(phase) + 1 if phase in names else 0), len(names)


def _reason(error: BaseException) -> str:
    stopped = isinstance(error, trio.Cancelled) or (
        isinstance(error, BaseExceptionGroup) and error.split(trio.Cancelled)[1] is None
    )
    return "cancelled by a stop" if stopped else one_line(repr(error), 400)
