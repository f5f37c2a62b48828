"""What a run may still use and how long it may wait: asked before each of its attempts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import attrs
import trio

from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.attempts.meter import Meter
from orchestrator.run.commands import HoldLimit
from orchestrator.run.events import LimitReached
from orchestrator.run.loop.waiting import wait_until
from orchestrator.text import clock_time
from orchestrator.work.budget import Reached
from orchestrator.work.limits import fits, next_try, refusals, waits_until
from orchestrator.work.records import AttemptRecord
from orchestrator.work.worker import Usage


@attrs.frozen(kw_only=True)
class Refusal:
    """Why no further attempt may begin, and how a person goes on."""

    reason: str
    advice: str


def usage_of(attempts: Sequence[AttemptRecord]) -> Usage:
    """Return what attempts used together."""
    return sum((attempt.usage for attempt in attempts), start=Usage())


@attrs.define(eq=False, kw_only=True)
class Allowance:
    """The budget of one run and its patience with limits. Made when its engine's work begins.

    Attributes:
      stopping: once set, nothing is waited for.
      worked: seconds that engines before this one were at work on the run; None: what its attempts
        took. ``started``: when this one began.
      clock: tells the Unix time in seconds.
      used: returns what the whole run used, given the attempts that are known here.
      earlier: how many of these were made before: a person who runs it again has their refusals
        forgotten.
      command: what goes on after a refusal.
    """

    runner: AttemptRunner
    stopping: trio.Event
    clock: Callable[[], float] = time.time
    worked: float | None = None
    started: float = attrs.field(factory=trio.current_time)
    used: Callable[[Sequence[AttemptRecord]], Usage] = usage_of
    earlier: int = attrs.field()
    command: str = attrs.field()
    _began: float = attrs.field(init=False)

    @earlier.default
    def _opened_with(self) -> int:
        return len(self.runner.opened.attempts)

    @command.default
    def _run_item(self) -> str:
        return f"orc run {self.runner.opened.run.item}"

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()

    def spent(self, attempts: Sequence[AttemptRecord]) -> tuple[Usage, float]:
        """Return what the run's attempts used, and the seconds it was at work.

        That is all the time of this engine, and the attempts of those before it.
        """
        usage = self.used(attempts)
        before = self.worked
        if before is None:
            before = sum(attempt.seconds for attempt in self.runner.opened.attempts)
        return usage, before + trio.current_time() - self.started

    def meter(self, attempts: Sequence[AttemptRecord]) -> Meter:
        """Return what measures the next attempt: by its own budget, and the rest of the run's."""
        settings = self.runner.settings
        return Meter(settings.budget.within(settings.run_budget.rest(*self.spent(attempts))))

    def reached(self, attempts: Sequence[AttemptRecord], more: Usage) -> Reached | None:
        """Return which limit of the run ``more`` on top of its attempts comes up to."""
        usage, seconds = self.spent(attempts)
        return self.runner.settings.run_budget.reached(usage + more, seconds)

    def next_try(self, attempts: Sequence[AttemptRecord], resets_at: float | None) -> float:
        """Return the Unix time before which an attempt that was refused is not repeated."""
        return next_try(len(refusals(attempts)), resets_at, self.clock())

    async def admit(self, attempts: Sequence[AttemptRecord]) -> Refusal | None:
        """Wait until an attempt may begin; a stop ends that at once.

        Args:
          attempts: those of the run so far.

        Returns why none may begin, or None.
        """
        again = self.command
        if (reached := self.reached(attempts, Usage())) is not None:
            return Refusal(
                reason=f"the run's budget is spent: {reached}",
                advice=f"{again} with a higher --{reached.key.replace('_', '-')}",
            )
        until = await self._held_until(attempts)
        seconds = until - self.clock()
        if seconds <= 0:
            return None
        agent, at = self.runner.worker.name, clock_time(until)
        rest = self.runner.settings.run_budget.rest(*self.spent(attempts)).seconds
        is_too_late = rest is not None and seconds >= rest
        if is_too_late or not fits(until, attempts, self.runner.settings.wait, self._began):
            longer = "--max-time" if is_too_late else "--wait"
            return Refusal(
                reason=f"{agent}: limit until {at}",
                advice=f"{again}, after {at}, with a longer {longer}, or now with --again",
            )
        refused = refusals(attempts)
        reason = refused[-1].reason if refused else f"{agent} limit"
        await self.runner.record(
            LimitReached(
                item=self.runner.opened.run.item,
                agent=agent,
                until=until,
                seconds=seconds,
                reason=reason,
            )
        )
        await wait_until(until, self.stopping, clock=self.clock)
        return None

    async def _held_until(self, attempts: Sequence[AttemptRecord]) -> float:
        """Return the Unix time until which the agent's limit holds, for this item or another.

        A person who runs it again has what was refused before forgotten, once.
        """
        settings, known = self.runner.settings, attempts
        if settings.again:
            known = attempts[self.earlier :]
        name = f"limit:{self.runner.worker.name}:{settings.pays}"
        return await self.runner.caller.call(
            HoldLimit(
                name=name,
                until=waits_until(known),
                reason=f"{self.runner.worker.name} limit",
                forget=settings.again and not known,
            )
        )
