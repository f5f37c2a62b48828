"""Why a run of the backlog ends, and the loop's decisions until then; nothing here waits."""

from __future__ import annotations

import enum

import attrs

from .filters import EVERYTHING, Filters
from .index import Backlog
from .item import Status
from .selection import Action, Promote, targeted

BREAKER = 2
"""How many items in a row may use up their attempts before something is wrong with them all."""


class Halt(enum.Enum):
    """Why a run of the backlog ended."""

    ALL_DONE = "all_done"
    WAITING = "waiting"
    CAP_REACHED = "cap_reached"
    CIRCUIT_BREAKER = "circuit_breaker"
    STOPPED = "stopped"
    TARGETS_DONE = "targets_done"
    TARGET_BLOCKED = "target_blocked"
    FILTER_EXHAUSTED = "filter_exhausted"
    NO_MATCHING_ITEMS = "no_matching_items"
    STEP_DONE = "step_done"
    LIMITED = "limited"

    @property
    def sentence(self) -> str:
        """The reason as a person reads it."""
        return _SENTENCES[self]


_SENTENCES = {
    Halt.ALL_DONE: "Nothing is left to do.",
    Halt.WAITING: "What is left waits: for an answer, for other items, or for who claimed it.",
    Halt.CAP_REACHED: "As many phases were run as were asked for.",
    Halt.CIRCUIT_BREAKER: "Several items in a row used up their attempts; nothing more was begun.",
    Halt.STOPPED: "It was stopped; the next run goes on from here.",
    Halt.TARGETS_DONE: "The targets are done.",
    Halt.TARGET_BLOCKED: "A target waits for an answer.",
    Halt.FILTER_EXHAUSTED: "No item that matches the filter can go on.",
    Halt.NO_MATCHING_ITEMS: "No item matches the filter.",
    Halt.STEP_DONE: "One phase was run.",
    Halt.LIMITED: "A limit was reached; the next run goes on from here.",
}


class Ending(enum.Enum):
    """How the work that was begun on an item ended.

    EXHAUSTED: its last attempt failed, or it could not be tried at all. CANCELLED: it says nothing.
    """

    SUCCEEDED = "succeeded"
    BLOCKED = "blocked"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"


@attrs.frozen(kw_only=True)
class Orders:
    """What a person asked a run for.

    Attributes:
      targets: ids; only these are worked on, one at a time, the first that can be.
      auto_advance: a target that cannot go on is passed over, in place of ending the run.
      only: the items that are wanted; of no account when there are targets.
      cap: how many phases are begun at most, triage included, None: any number.
      step: one phase is begun.
    """

    targets: tuple[str, ...] = ()
    auto_advance: bool = False
    only: Filters = EVERYTHING
    cap: int | None = None
    step: bool = False


@attrs.frozen(kw_only=True)
class Work:
    """Start all of these now."""

    actions: tuple[Action, ...]


@attrs.frozen
class Wait:
    """Wait until something that runs has ended, or an item has changed."""


@attrs.frozen(kw_only=True)
class Stop:
    """End the run; nothing runs any longer."""

    halt: Halt


Step = Work | Wait | Stop


class Course:
    """Where a run of the backlog is: tells the loop what to do next until it is to stop.

    The loop starts what `next` says, tells the backlog of each begin and end and the course of each
    end, and asks again.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._started = 0
        self._exhausted: list[str] = []
        self._acted: set[str] = set()
        self._ending: Halt | None = None

    @property
    def started(self) -> int:
        """How many phases were begun."""
        return self._started

    @property
    def exhausted(self) -> tuple[str, ...]:
        """The items that used up their attempts since a worker last did what it was asked."""
        return tuple(self._exhausted)

    def stop(self, halt: Halt = Halt.STOPPED) -> None:
        """Begin nothing more; the run ends for this reason when nothing runs any longer."""
        self._ending = self._ending or halt

    def ended(self, id: str, how: Ending) -> None:
        """Note how work on an item ended."""
        if how in (Ending.SUCCEEDED, Ending.BLOCKED):
            self._exhausted.clear()
        elif how is Ending.EXHAUSTED:
            self._exhausted.append(id)
            if len(self._exhausted) >= BREAKER and not self._passes_over:
                self.stop(Halt.CIRCUIT_BREAKER)

    def next(self, backlog: Backlog) -> Step:
        """Decide what the loop does now. What is returned as `Work` counts as started."""
        if self._ending is not None:
            return self._stop_when_idle(backlog, self._ending)
        chosen = self._choose(backlog)
        if isinstance(chosen, Halt):
            return self._stop_when_idle(backlog, chosen)
        left = self._left
        if left == 0:
            return self._stop_when_idle(
                backlog, Halt.STEP_DONE if self._orders.step else Halt.CAP_REACHED
            )
        actions = _at_most(chosen, left)
        self._started += sum(not isinstance(action, Promote) for action in actions)
        self._acted.update(action.item for action in actions)
        return Work(actions=actions)

    @property
    def _passes_over(self) -> bool:
        return bool(self._orders.targets) and self._orders.auto_advance

    @property
    def _left(self) -> int | None:
        """How many phases may still be begun, None: any number."""
        allowed = [
            limit
            for limit in (self._orders.cap, 1 if self._orders.step else None)
            if limit is not None
        ]
        return max(0, min(allowed) - self._started) if allowed else None

    def _stop_when_idle(self, backlog: Backlog, halt: Halt) -> Step:
        return Wait() if backlog.running else Stop(halt=halt)

    def _choose(self, backlog: Backlog) -> tuple[Action, ...] | Halt:
        """Return what to start, or why the run ends if nothing runs."""
        if self._orders.targets:
            return self._choose_target(backlog)
        return backlog.select() or self._why_idle(backlog)

    def _why_idle(self, backlog: Backlog) -> Halt:
        counts = backlog.wanted_counts
        final = counts[Status.DONE] + counts[Status.CLOSED]
        total = sum(counts.values())
        if not backlog.wanted:
            return Halt.ALL_DONE if final == total else Halt.WAITING
        if total == 0 and not self._acted:
            return Halt.NO_MATCHING_ITEMS
        open_ones = total - final - counts[Status.BLOCKED]
        return Halt.WAITING if open_ones else Halt.FILTER_EXHAUSTED

    def _choose_target(self, backlog: Backlog) -> tuple[Action, ...] | Halt:
        """Decide about the first target that can be worked on.

        One that was blocked before the run came to it is passed over like one that is done.
        """
        if backlog.running:
            return Halt.WAITING
        left = Halt.TARGETS_DONE
        for id in self._orders.targets:
            item = backlog.get(id)
            if item is None or item.status.is_final:
                continue
            if actions := targeted(backlog, id, backlog.running, backlog.rules):
                return actions
            if item.is_blocked:
                left = Halt.TARGET_BLOCKED
                if self._orders.auto_advance or id not in self._acted:
                    continue
                return left
            if not self._orders.auto_advance:
                return Halt.WAITING
            if left is Halt.TARGETS_DONE:
                left = Halt.WAITING
        return left


def _at_most(actions: tuple[Action, ...], phases: int | None) -> tuple[Action, ...]:
    """Return the actions without the phases that are too many."""
    promotions = [action for action in actions if isinstance(action, Promote)]
    return (*promotions, *[a for a in actions if not isinstance(a, Promote)][:phases])
