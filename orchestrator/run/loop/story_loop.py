"""The story loop: one worker per story, checked and committed, until the change is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import trio

from orchestrator.errors import ConflictError, StoppedError
from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.commands import AdoptBranch, BeginAttempt
from orchestrator.run.events import AttemptStarted, Warned
from orchestrator.run.loop.allowance import Allowance
from orchestrator.run.loop.baseline import Baseline
from orchestrator.run.loop.results import Outcome, Results
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


@attrs.define(eq=False, kw_only=True)
class StoryLoop:
    """Drives one opened run of one change.

    Attributes:
      stopping: once set, no new attempt starts.
      allowance: of the run that this is, or is a part of.
      wanted: is called before each attempt; what it raises ends the loop.
    """

    runner: AttemptRunner
    stopping: trio.Event
    allowance: Allowance = attrs.field()
    wanted: Callable[[], object] = lambda: None
    _results: Results = attrs.field(init=False)
    _change: Change | None = attrs.field(default=None, init=False)

    @allowance.default
    def _own(self) -> Allowance:
        return Allowance(runner=self.runner, stopping=self.stopping)

    def __attrs_post_init__(self) -> None:
        self._results = Results(runner=self.runner, allowance=self.allowance)

    @property
    def attempts(self) -> Sequence[AttemptRecord]:
        """Those of the run so far, oldest first."""
        return self._results.attempts

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
                    outcome = self._results.outcome(self._change, "stopped", "cancelled on request")
                    await self._results.tell_end(outcome)
            raise

    async def _run(self) -> Outcome:
        results = self._results
        change = await self._read()
        for warning in change.warnings:
            await self.runner.record(Warned(message=warning))
        place = self.runner.opened.workspace.path
        spec = str(change.path.relative_to(place)) if change.path is not None else ""
        await Baseline(runner=self.runner, tip=results.tip, spec=spec).prepare()
        while True:
            results.tip = await self.runner.caller.call(
                AdoptBranch(
                    item=self.runner.opened.run.item,
                    workspace=self.runner.opened.workspace,
                    tip=results.tip,
                )
            )
            change = await self._read()
            step = next_step(
                change.stories,
                results.attempts,
                max_attempts=self.runner.settings.max_attempts,
                selection=self.runner.settings.selection,
                earlier=len(self.runner.opened.attempts),
            )
            match step:
                case AllDone():
                    return await results.end(RunState.DONE, change)
                case Pause(story=story):
                    reason = f"next: {story.id} {story.title}"
                    return await results.end(RunState.PARTIAL, change, reason)
                case GiveUp(story=story, last=last):
                    reason = f"story {story.id}: {last.reason}"
                    return await results.end(RunState.FAILED, change, reason, story.id)
                case Park(story=story, last=last):
                    return await results.end(RunState.BLOCKED, change, last.reason, story.id)
                case TryStory():
                    inputs = await self.runner.inputs(change, step.story, results.tip)
                    if (same := self._repeated(step, inputs)) is not None:
                        reason = (
                            f"story {step.story.id} failed twice in the same way, and nothing it "
                            f"depends on has changed: {same.reason}"
                        )
                        advice = f"orc run {self.runner.opened.run.item} --again"
                        failed = RunState.FAILED
                        return await results.end(failed, change, reason, step.story.id, advice)
                    if (refusal := await self.allowance.admit(results.attempts)) is not None:
                        reason, advice = refusal.reason, refusal.advice
                        return await results.tell_end(
                            results.outcome(change, "limited", reason, advice)
                        )
                    if await self.runner.steering.hold(self.stopping):
                        continue
                    if self.stopping.is_set():
                        outcome = results.outcome(change, "stopped", "stopped on request")
                        return await results.tell_end(outcome)
                    self.wanted()
                    results.attempts.append(await self._attempt(change, step, inputs))

    def _repeated(self, step: TryStory, inputs: str) -> AttemptRecord | None:
        """Return a failure that one more try would only pay for again."""
        if self.runner.settings.again:
            return None
        opened = self.runner.opened
        everything = (*opened.history, *self._results.attempts[len(opened.attempts) :])
        return repeated(everything, step.story.id, inputs)

    async def _read(self) -> Change:
        change = await self.runner.read_change()
        if change.brief:
            verified = (a.story for a in self._results.attempts if a.state is AttemptState.VERIFIED)
            change = with_done(change, {*self.runner.opened.checkpointed, *verified})
        self._change = change
        return change

    async def _attempt(self, change: Change, step: TryStory, inputs: str) -> AttemptRecord:
        started = trio.current_time()
        opened, story, results = self.runner.opened, step.story, self._results
        attempt = await self.runner.caller.call(
            BeginAttempt(
                run=opened.run,
                story=story.id,
                number=step.number,
                workspace=opened.workspace,
                phase=self.runner.phase,
                visit=self.runner.visit,
                fact=AttemptStarted(
                    item=opened.run.item,
                    story=story.id,
                    title=story.title,
                    position=step.position,
                    done=change.done,
                    stories=len(change.stories),
                    number=step.tries,
                ),
            )
        )
        attempt = attrs.evolve(attempt, inputs=inputs)
        learnings = gather_learnings((*opened.history, *results.attempts))
        meter = self.allowance.meter(results.attempts)
        try:
            judged = await self.runner.run(change, step, attempt, results.tip, learnings, meter)
        except BaseException as error:
            seconds = trio.current_time() - started
            measured = attrs.evolve(attempt, usage=meter.usage, seconds=round(seconds, 3))
            stopped = _is_cancellation(error)
            reason = "cancelled by a stop" if stopped else one_line(repr(error), 400)
            with trio.move_on_after(_KEEP_GRACE, shield=True):
                await results.keep_interrupted(change, step, measured, reason)
            raise
        seconds = trio.current_time() - started
        if judged.state is AttemptState.FAILED:
            reached = self.allowance.reached(results.attempts, judged.usage)
            if reached is not None:
                # The story is not to blame: it uses up no attempt, and its budget may be raised.
                reason = f"the run's budget is spent: {reached}"
                judged = attrs.evolve(judged, state=AttemptState.INTERRUPTED, reason=reason)
        if judged.state is AttemptState.VERIFIED:
            try:
                return await results.keep_good(change, step, attempt, judged, seconds)
            except ConflictError as error:
                # A person committed to the branch meanwhile: what was checked does not fit on it
                # any more. The next try starts from that commit; such losses are bounded too.
                judged = attrs.evolve(
                    judged, state=AttemptState.LOST, reason=one_line(error.message, 400)
                )
        return await results.keep_failed(change, step, attempt, judged, seconds)


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)[1] is None
    return isinstance(error, trio.Cancelled)
