"""Runs the attempts at one phase of an item, until it is done, blocked, used up or stopped."""

from __future__ import annotations

import json

import attrs
import trio

from orchestrator.agents.port import RESULT_FILE
from orchestrator.errors import AdapterTimedOutError, ConflictError, OvertakenError
from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.attempts.judge import Judge, Judgement
from orchestrator.run.attempts.meter import Meter
from orchestrator.run.backlog.keeping import Brought
from orchestrator.run.backlog.phases import SettleItem
from orchestrator.run.backlog.results import attempted
from orchestrator.run.commands import BeginAttempt, KeepAttempt
from orchestrator.run.engine.guidance import TakeGuidance
from orchestrator.run.events import AttemptFailed, AttemptStarted
from orchestrator.run.loop.allowance import Allowance, Refusal
from orchestrator.run.scheduling.desk import Desk
from orchestrator.run.scheduling.judge import PhaseJudge
from orchestrator.run.scheduling.prompting import write_prompt
from orchestrator.run.scheduling.session import Session
from orchestrator.text import one_line
from orchestrator.work.backlog import outcomes
from orchestrator.work.backlog.attempted import Attempted
from orchestrator.work.backlog.halt import Ending
from orchestrator.work.backlog.item import TRIAGE, Item, Status
from orchestrator.work.backlog.pipeline import CommitPolicy, Phase, Pipeline
from orchestrator.work.backlog.result import PhaseResult
from orchestrator.work.records import AttemptRecord, AttemptState, attempt_from
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
    _attempts: list[AttemptRecord] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        spending = self.session.spending
        self._allowance = Allowance(
            runner=self.runner,
            stopping=self.session.stopping,
            worked=spending.worked,
            started=spending.started,
        )

    async def run(self) -> Ending:
        """Try until the phase is done or cannot go on; what came of it is recorded.

        Cancellation kills the worker's tree and pins what it had done; where there is no time for
        that, the next run settles it.

        Raises:
          OvertakenError: when the item has left the phase.
          ConflictError: when the item's branch was moved where the work does not fit any more.
        """
        self._attempts = await trio.to_thread.run_sync(self._known)
        while True:
            item = self._item()
            for state, allowed in (
                (AttemptState.FAILED, self.runner.settings.max_attempts),
                (AttemptState.LOST, MOST_LOST),
            ):
                spent = [one for one in self._attempts if one.state is state]
                if len(spent) >= allowed:
                    return await self._give_up(len(spent), spent[-1].reason)
            if (refusal := await self._refused()) is not None:
                self.session.refusal = refusal
                return Ending.CANCELLED
            if await self.session.steering.hold(self.session.stopping):
                continue
            if self.session.stopping.is_set():
                return Ending.CANCELLED
            ending = await self._try(item)
            if ending is not None:
                return ending

    def _known(self) -> list[AttemptRecord]:
        rows = self.session.book.store.attempts(self.what.item)
        found = (attempt_from(json.loads(row.document)) for row in rows)
        return [
            one
            for one in found
            if one is not None
            and (one.phase, one.visit, one.story) == (self.what.phase, self.what.visit, "")
        ]

    def _item(self) -> Item:
        """Return the item as it is.

        Raises:
          OvertakenError: when it has left the phase, or a person took it.
        """
        item = self.session.book.get(self.what.item)
        phase = None
        if item is not None and item.claim is None and not item.is_blocked:
            phase = TRIAGE if item.status is Status.NEW else item.phase
        if (
            item is None
            or item.status.is_final
            or (phase, item.visit)
            != (
                self.what.phase,
                self.what.visit,
            )
        ):
            raise OvertakenError(f"{self.what.item} has left {self.what.phase}")
        return item

    async def _refused(self) -> Refusal | None:
        """Wait until an attempt may begin; returns why none may."""
        if (
            reached := self._allowance.reached(self.session.spending.attempts, Usage())
        ) is not None:
            return Refusal(
                reason=f"the run's budget is spent: {reached}",
                advice=f"orc run with a higher --{reached.key.replace('_', '-')}",
            )
        return await self._allowance.admit(self._attempts)

    async def _give_up(self, attempts: int, failure: str) -> Ending:
        await self.session.decide(
            lambda view, now: outcomes.phase_failed(
                view, self.what, attempts=attempts, failure=failure, now=now
            )
        )
        return Ending.EXHAUSTED

    async def _try(self, item: Item) -> Ending | None:
        """Make one attempt; returns how the phase ended with it, None when it did not."""
        tries = 1 + sum(one.state is not AttemptState.LIMITED for one in self._attempts)
        attempt = await self._begin(tries)
        meter = self._allowance.meter(self.session.spending.attempts)
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
                await self._keep_failed(stopped, tries)
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
            return await self._keep_good(attempt, judged, result, tries)
        if attempt.state is AttemptState.LIMITED:
            until = self._allowance.next_try(self._attempts, judged.resets_at)
            attempt = attrs.evolve(attempt, until=until)
        await self._keep_failed(attempt, tries)
        if attempt.state is AttemptState.INTERRUPTED:
            await self.session.decide(
                lambda view, now: outcomes.phase_cancelled(
                    view, attempted(attempt), now=now, text=attempt.reason
                )
            )
        if attempt.state is AttemptState.BLOCKED:
            await self.session.decide(
                lambda view, now: outcomes.phase_blocked(view, attempted(attempt), result, now=now)
            )
            return Ending.BLOCKED
        return None

    def _within_budget(self, judged: Judgement) -> Judgement:
        """Return the judgement; one of a run whose budget is spent is nobody's failure."""
        if judged.state is AttemptState.FAILED:
            others = self.session.spending.attempts
            reached = self._allowance.reached(others, Usage())
            if reached is not None:
                reason = f"the run's budget is spent: {reached}"
                return attrs.evolve(judged, state=AttemptState.INTERRUPTED, reason=reason)
        return judged

    async def _begin(self, tries: int) -> AttemptRecord:
        opened = self.runner.opened
        number = 1 + max(
            (one.number for one in self._attempts if one.run == opened.run.id), default=0
        )
        return await self.session.orchestrator.call(
            BeginAttempt(
                run=opened.run,
                story="",
                number=number,
                workspace=opened.workspace,
                phase=self.what.phase,
                visit=self.what.visit,
                fact=AttemptStarted(
                    item=self.what.item,
                    story="",
                    title=f"{self.what.item} {self.what.phase}",
                    position=self.place,
                    done=self.place - 1,
                    stories=self.of,
                    number=tries,
                    phase=self.what.phase,
                ),
            )
        )

    async def _work(
        self, item: Item, attempt: AttemptRecord, meter: Meter
    ) -> tuple[Judgement, PhaseResult]:
        runner = self.runner
        with self.session.steering.attempt(item.id, self.session.interrupt) as interrupt:
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
        failed = [one for one in self._attempts if one.state is AttemptState.FAILED]
        return write_prompt(
            self.session,
            self.runner,
            item,
            self.phase,
            result_path=str(self.runner.settings.attempts / attempt.id / RESULT_FILE),
            guidance=guidance,
            previous=failed[-1] if failed else None,
        )

    async def _keep_good(
        self, attempt: AttemptRecord, judged: Judgement, result: PhaseResult, tries: int
    ) -> Ending | None:
        brought = Brought(
            attempt=attempt,
            report=result,
            tree=judged.tree,
            batch=self.phase.commit is CommitPolicy.BATCH and not self.is_last,
            verified=judged.verified,
            tries=tries,
            base=result.based_on or self.runner.opened.run.base,
        )
        try:
            await self.desk.keep(brought)
        except ConflictError as error:
            # A person committed to the branch meanwhile: what was checked does not fit on it any
            # more. The next try starts from that commit; such losses are bounded too.
            reason = one_line(error.message, 400)
            lost = attrs.evolve(attempt, state=AttemptState.LOST, reason=reason)
            await self._keep_failed(lost, tries)
            raise
        except AdapterTimedOutError:
            await self.session.orchestrator.call(SettleItem(item=attempt.item))
            if not await trio.to_thread.run_sync(self._is_kept, attempt.id):
                raise
        self.session.spending.end(attempt)
        item = self.session.book.get(attempt.item)
        blocked = item is not None and item.is_blocked
        return Ending.BLOCKED if blocked else Ending.SUCCEEDED

    def _is_kept(self, attempt: str) -> bool:
        known = [one for one in self._known() if one.id == attempt]
        return bool(known) and known[0].state is AttemptState.VERIFIED

    async def _keep_failed(self, attempt: AttemptRecord, tries: int) -> None:
        self._attempts.append(attempt)
        self.session.spending.end(attempt)
        await self.session.orchestrator.call(
            KeepAttempt(
                attempt=attempt,
                workspace=self.runner.opened.workspace,
                tip=self.desk.head,
                fact=AttemptFailed(
                    story="",
                    title=f"{self.what.item} {self.what.phase}",
                    position=self.place,
                    stories=self.of,
                    number=tries,
                    attempt=attempt.id,
                    state=attempt.state.value,
                    reason=attempt.reason,
                    evidence=attempt.evidence,
                    seconds=attempt.seconds,
                    usage=attempt.usage,
                    phase=self.what.phase,
                ),
            )
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
