"""The story loop: one worker per story, checked and committed, until the change is done."""

from __future__ import annotations

import attrs
import trio

from orchestrator.adapters.git import refs
from orchestrator.errors import ConflictError, StoppedError
from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.attempts.judge import Judgement
from orchestrator.run.commands import (
    AdoptBranch,
    BeginAttempt,
    CloseRun,
    KeepAttempt,
    KeepCheckpoint,
)
from orchestrator.run.events import AttemptFailed, AttemptStarted, RunEnded, StoryVerified, Warned
from orchestrator.run.loop.allowance import Allowance
from orchestrator.run.loop.baseline import Baseline
from orchestrator.text import one_line
from orchestrator.work.adhoc import with_done
from orchestrator.work.loop import (
    AllDone,
    GiveUp,
    Park,
    Pause,
    TryStory,
    gather_learnings,
    next_step,
)
from orchestrator.work.records import AttemptRecord, AttemptState, RunState
from orchestrator.work.repeat import repeated
from orchestrator.work.spec import Change

_KEEP_GRACE = 20.0


@attrs.frozen(kw_only=True)
class Outcome:
    """How a run ended; cost in US dollars.

    Attributes:
      state: done, partial (what was asked for is done, stories are left), failed, blocked, limited
        or stopped.
      attempts: without those that a limit ended.
      advice: how to go on, when the same command again is not it, else "".
    """

    state: str
    reason: str
    done: int
    stories: int
    attempts: int
    cost: float
    verified: bool
    advice: str = ""


@attrs.define(eq=False, kw_only=True)
class StoryLoop:
    """Drives one opened run of one change.

    Attributes:
      stopping: once set, no new attempt starts.
    """

    runner: AttemptRunner
    stopping: trio.Event
    _allowance: Allowance = attrs.field(init=False)
    _tip: str = attrs.field(init=False)
    _attempts: list[AttemptRecord] = attrs.field(init=False)
    _change: Change | None = attrs.field(default=None, init=False)
    _is_verified: bool = attrs.field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self._allowance = Allowance(runner=self.runner, stopping=self.stopping)
        self._tip = self.runner.opened.tip
        self._attempts = list(self.runner.opened.attempts)

    async def run(self) -> Outcome:
        """Work until the change is done, a story used up its attempts, blocks, or a stop.

        Cancellation kills the worker's tree and pins what it had done; where there is no time for
        that, the next run settles it.

        Raises:
          BaselineError: when set-up or verification fails before any worker has run.
        """
        try:
            return await self._run()
        except BaseException as error:
            stopped = _is_cancellation(error) or isinstance(error, StoppedError)
            if stopped and self._change is not None:
                with trio.move_on_after(_KEEP_GRACE, shield=True):
                    outcome = self._outcome(self._change, "stopped", "cancelled on request")
                    await self._tell_end(outcome)
            raise

    async def _run(self) -> Outcome:
        change = await self._read()
        for warning in change.warnings:
            await self.runner.record(Warned(message=warning))
        place = self.runner.opened.workspace.path
        spec = str(change.path.relative_to(place)) if change.path is not None else ""
        await Baseline(runner=self.runner, tip=self._tip, spec=spec).prepare()
        while True:
            self._tip = await self.runner.caller.call(
                AdoptBranch(
                    item=self.runner.opened.run.item,
                    workspace=self.runner.opened.workspace,
                    tip=self._tip,
                )
            )
            change = await self._read()
            step = next_step(
                change.stories,
                self._attempts,
                max_attempts=self.runner.settings.max_attempts,
                selection=self.runner.settings.selection,
                earlier=len(self.runner.opened.attempts),
            )
            match step:
                case AllDone():
                    return await self._end(RunState.DONE, change)
                case Pause(story=story):
                    reason = f"next: {story.id} {story.title}"
                    return await self._end(RunState.PARTIAL, change, reason)
                case GiveUp(story=story, last=last):
                    reason = f"story {story.id}: {last.reason}"
                    return await self._end(RunState.FAILED, change, reason, story.id)
                case Park(story=story, last=last):
                    return await self._end(RunState.BLOCKED, change, last.reason, story.id)
                case TryStory():
                    inputs = await self.runner.inputs(change, step.story, self._tip)
                    if (same := self._repeated(step, inputs)) is not None:
                        reason = (
                            f"story {step.story.id} failed twice in the same way, and nothing it "
                            f"depends on has changed: {same.reason}"
                        )
                        advice = f"orc run {self.runner.opened.run.item} --again"
                        failed = RunState.FAILED
                        return await self._end(failed, change, reason, step.story.id, advice)
                    if (refusal := await self._allowance.admit(self._attempts)) is not None:
                        reason, advice = refusal.reason, refusal.advice
                        return await self._tell_end(
                            self._outcome(change, "limited", reason, advice)
                        )
                    if await self.runner.steering.hold(self.stopping):
                        continue
                    if self.stopping.is_set():
                        outcome = self._outcome(change, "stopped", "stopped on request")
                        return await self._tell_end(outcome)
                    self._attempts.append(await self._attempt(change, step, inputs))

    def _repeated(self, step: TryStory, inputs: str) -> AttemptRecord | None:
        """Return a failure that one more try would only pay for again."""
        if self.runner.settings.again:
            return None
        opened = self.runner.opened
        everything = (*opened.history, *self._attempts[len(opened.attempts) :])
        return repeated(everything, step.story.id, inputs)

    async def _read(self) -> Change:
        change = await self.runner.read_change()
        if change.brief:
            verified = (a.story for a in self._attempts if a.state is AttemptState.VERIFIED)
            change = with_done(change, {*self.runner.opened.checkpointed, *verified})
        self._change = change
        return change

    async def _attempt(self, change: Change, step: TryStory, inputs: str) -> AttemptRecord:
        started = trio.current_time()
        opened, story = self.runner.opened, step.story
        attempt = await self.runner.caller.call(
            BeginAttempt(
                run=opened.run,
                story=story.id,
                number=step.number,
                workspace=opened.workspace,
                fact=AttemptStarted(
                    item=opened.run.item,
                    story=story.id,
                    title=story.title,
                    position=step.position,
                    done=_done(change),
                    stories=len(change.stories),
                    number=step.tries,
                ),
            )
        )
        attempt = attrs.evolve(attempt, inputs=inputs)
        learnings = gather_learnings((*opened.history, *self._attempts))
        meter = self._allowance.meter(self._attempts)
        try:
            judged = await self.runner.run(change, step, attempt, self._tip, learnings, meter)
        except BaseException as error:
            seconds = trio.current_time() - started
            measured = attrs.evolve(attempt, usage=meter.usage, seconds=round(seconds, 3))
            await self._keep_interrupted(change, step, measured, error)
            raise
        seconds = trio.current_time() - started
        if judged.state is AttemptState.FAILED:
            reached = self._allowance.reached(self._attempts, judged.usage)
            if reached is not None:
                # The story is not to blame: it uses up no attempt, and its budget may be raised.
                reason = f"the run's budget is spent: {reached}"
                judged = attrs.evolve(judged, state=AttemptState.INTERRUPTED, reason=reason)
        if judged.state is AttemptState.VERIFIED:
            try:
                return await self._keep_good(change, step, attempt, judged, seconds)
            except ConflictError as error:
                # A person committed to the branch meanwhile: what was checked does not fit on it
                # any more. The next try starts from that commit; such losses are bounded too.
                judged = attrs.evolve(
                    judged, state=AttemptState.LOST, reason=one_line(error.message, 400)
                )
        return await self._keep_failed(change, step, attempt, judged, seconds)

    async def _keep_failed(
        self,
        change: Change,
        step: TryStory,
        attempt: AttemptRecord,
        judged: Judgement,
        seconds: float,
    ) -> AttemptRecord:
        attempt = _with(attempt, judged, seconds)
        if judged.state is AttemptState.LIMITED:
            until = self._allowance.next_try(self._attempts, judged.resets_at)
            attempt = attrs.evolve(attempt, until=until)
        await self._keep(change, step, attempt)
        return attempt

    async def _keep(self, change: Change, step: TryStory, attempt: AttemptRecord) -> None:
        await self.runner.caller.call(
            KeepAttempt(
                attempt=attempt,
                workspace=self.runner.opened.workspace,
                tip=self._tip,
                fact=AttemptFailed(
                    story=step.story.id,
                    title=step.story.title,
                    position=step.position,
                    stories=len(change.stories),
                    number=step.tries,
                    attempt=attempt.id,
                    state=attempt.state.value,
                    reason=attempt.reason,
                    evidence=attempt.evidence,
                    seconds=attempt.seconds,
                    usage=attempt.usage,
                ),
            )
        )

    async def _keep_good(
        self,
        change: Change,
        step: TryStory,
        attempt: AttemptRecord,
        judged: Judgement,
        seconds: float,
    ) -> AttemptRecord:
        attempt = _with(attempt, judged, seconds)
        self._is_verified = self._is_verified and judged.verified
        self._tip = await self.runner.caller.call(
            KeepCheckpoint(
                attempt=attempt,
                workspace=self.runner.opened.workspace,
                tree=judged.tree,
                tip=self._tip,
                title=one_line(f"{step.story.id} {step.story.title}", 72),
                fact=StoryVerified(
                    story=step.story.id,
                    title=step.story.title,
                    position=step.position,
                    done=_done(change) + 1,
                    stories=len(change.stories),
                    number=step.tries,
                    attempt=attempt.id,
                    verified=judged.verified,
                    seconds=attempt.seconds,
                    usage=attempt.usage,
                ),
            )
        )
        return attempt

    async def _keep_interrupted(
        self,
        change: Change,
        step: TryStory,
        attempt: AttemptRecord,
        error: BaseException,
    ) -> None:
        """Pin what an attempt had done when it was cut short; the next run settles the rest."""
        reason = "cancelled by a stop" if _is_cancellation(error) else one_line(repr(error), 400)
        stopped = attrs.evolve(attempt, state=AttemptState.INTERRUPTED, reason=reason)
        self._attempts.append(stopped)
        with trio.move_on_after(_KEEP_GRACE, shield=True):
            await self._keep(change, step, stopped)

    async def _end(
        self, state: RunState, change: Change, reason: str = "", story: str = "", advice: str = ""
    ) -> Outcome:
        run = attrs.evolve(self.runner.opened.run, state=state, reason=reason, story=story)
        outcome = self._outcome(change, state.value, reason, advice)
        await self.runner.caller.call(CloseRun(run=run, fact=self._ended(outcome)))
        return outcome

    def _outcome(self, change: Change, state: str, reason: str, advice: str = "") -> Outcome:
        return Outcome(
            state=state,
            reason=reason,
            done=_done(change),
            stories=len(change.stories),
            attempts=sum(a.state is not AttemptState.LIMITED for a in self._attempts),
            cost=self._allowance.spent(self._attempts)[0].cost,
            verified=self._is_verified and self.runner.is_checked,
            advice=advice,
        )

    async def _tell_end(self, outcome: Outcome) -> Outcome:
        """Tell that the run ended for now; its record stays open."""
        await self.runner.record(self._ended(outcome))
        return outcome

    def _ended(self, outcome: Outcome) -> RunEnded:
        run = self.runner.opened.run
        return RunEnded(
            run=run.id,
            item=run.item,
            change=self.runner.change,
            branch=refs.branch_ref(run.item).removeprefix("refs/heads/"),
            target=run.target.removeprefix("refs/heads/"),
            **attrs.asdict(outcome),
        )


def _done(change: Change) -> int:
    return sum(story.is_complete for story in change.stories)


def _with(attempt: AttemptRecord, judged: Judgement, seconds: float) -> AttemptRecord:
    return attrs.evolve(
        attempt,
        state=judged.state,
        reason=judged.reason,
        evidence=judged.evidence,
        usage=judged.usage,
        learnings=judged.learnings,
        seconds=round(seconds, 3),
    )


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)[1] is None
    return isinstance(error, trio.Cancelled)
