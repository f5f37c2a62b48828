"""What came of a run's attempts: kept as each ends, and told when the run does."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git import refs
from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.attempts.judge import Judgement
from orchestrator.run.commands import CloseRun, KeepAttempt, KeepCheckpoint
from orchestrator.run.events import AttemptFailed, RunEnded, StoryVerified
from orchestrator.run.loop.allowance import Allowance, usage_of
from orchestrator.text import one_line
from orchestrator.work.loop import TryStory
from orchestrator.work.records import AttemptRecord, AttemptState, RunState
from orchestrator.work.spec import Change


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
class Results:
    """The results of one run so far.

    Attributes:
      tip: the branch's commit.
      attempts: the run's attempts, oldest first.
    """

    runner: AttemptRunner
    allowance: Allowance
    tip: str = attrs.field(init=False)
    attempts: list[AttemptRecord] = attrs.field(init=False)
    _is_verified: bool = attrs.field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self.tip = self.runner.opened.tip
        self.attempts = list(self.runner.opened.attempts)

    async def keep_failed(
        self,
        change: Change,
        step: TryStory,
        attempt: AttemptRecord,
        judged: Judgement,
        seconds: float,
    ) -> AttemptRecord:
        """Pin what an attempt left that does not count, and tell why."""
        attempt = _with(attempt, judged, seconds)
        if judged.state is AttemptState.LIMITED:
            until = self.allowance.next_try(self.attempts, judged.resets_at)
            attempt = attrs.evolve(attempt, until=until)
        await self._keep(change, step, attempt)
        return attempt

    async def _keep(self, change: Change, step: TryStory, attempt: AttemptRecord) -> None:
        await self.runner.caller.call(
            KeepAttempt(
                attempt=attempt,
                workspace=self.runner.opened.workspace,
                tip=self.tip,
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

    async def keep_good(
        self,
        change: Change,
        step: TryStory,
        attempt: AttemptRecord,
        judged: Judgement,
        seconds: float,
    ) -> AttemptRecord:
        """Commit what was verified.

        Raises:
          ConflictError: when a person moved the branch where it does not fit any more.
        """
        attempt = _with(attempt, judged, seconds)
        self._is_verified = self._is_verified and judged.verified
        self.tip = await self.runner.caller.call(
            KeepCheckpoint(
                attempt=attempt,
                workspace=self.runner.opened.workspace,
                tree=judged.tree,
                tip=self.tip,
                title=one_line(f"{step.story.id} {step.story.title}", 72),
                fact=StoryVerified(
                    story=step.story.id,
                    title=step.story.title,
                    position=step.position,
                    done=change.done + 1,
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

    async def keep_interrupted(
        self,
        change: Change,
        step: TryStory,
        attempt: AttemptRecord,
        reason: str,
    ) -> None:
        """Pin what an attempt had done when it was cut short; the next run settles the rest."""
        stopped = attrs.evolve(attempt, state=AttemptState.INTERRUPTED, reason=reason)
        self.attempts.append(stopped)
        await self._keep(change, step, stopped)

    async def end(
        self, state: RunState, change: Change, reason: str = "", story: str = "", advice: str = ""
    ) -> Outcome:
        """Close the run, and tell how it ended."""
        run = attrs.evolve(self.runner.opened.run, state=state, reason=reason, story=story)
        outcome = self.outcome(change, state.value, reason, advice)
        await self.runner.caller.call(CloseRun(run=run, fact=self._ended(outcome)))
        return outcome

    def outcome(self, change: Change, state: str, reason: str, advice: str = "") -> Outcome:
        """Return how the run stands."""
        return Outcome(
            state=state,
            reason=reason,
            done=change.done,
            stories=len(change.stories),
            attempts=sum(a.state is not AttemptState.LIMITED for a in self.attempts),
            cost=usage_of(self.attempts).cost,
            verified=self._is_verified and self.runner.is_checked,
            advice=advice,
        )

    async def tell_end(self, outcome: Outcome) -> Outcome:
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
