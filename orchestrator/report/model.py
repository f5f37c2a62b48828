"""What there is to tell of an item: plain values that are gathered once and rendered anywhere."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from orchestrator.work.records import AttemptRecord, AttemptState, RunRecord
from orchestrator.work.worker import Usage

from .task import Note as Note
from .task import Task as Task


@attrs.frozen(kw_only=True)
class FileChange:
    """A file that differs; lines added and removed, None for a binary one."""

    path: str
    added: int | None
    removed: int | None


@attrs.frozen(kw_only=True)
class Diff:
    """How two trees differ.

    Attributes:
      files: the first of them, in path order; ``count``: how many there are.
      added, removed: lines in all of them.
      patch: the unified diff, "" when it was not asked for; ``cut``: whether more would follow.
    """

    files: tuple[FileChange, ...]
    count: int
    added: int
    removed: int
    patch: str = ""
    cut: bool = False


@attrs.frozen(kw_only=True)
class Attempt:
    """One run of one worker.

    Attributes:
      record: as it was recorded, its texts bounded and redacted.
      ended: Unix time in seconds at which it ended; None when it still runs or nobody knows.
      running: whether its worker is at work now.
      commit: keeps what it left, "" when that is gone; ``diff``: what it changed, if known.
    """

    record: AttemptRecord
    ended: float | None
    running: bool = False
    commit: str = ""
    diff: Diff | None = None

    @property
    def state(self) -> AttemptState:
        """Where it is."""
        return self.record.state


@attrs.frozen(kw_only=True)
class Story:
    """One story, or one phase of an item of the backlog, with all its attempts, oldest first.

    Attributes:
      tasks, done: how many tasks it has and how many are ticked; 0 when the spec is not known.
      became: its state where the last attempt does not tell it, else "".
      checked: whether a verify command passed on its result; None: as it was for the whole item.
    """

    id: str
    title: str
    tasks: int
    done: int
    attempts: tuple[Attempt, ...]
    became: str = ""
    checked: bool | None = None

    @property
    def state(self) -> str:
        """The state of its last attempt; "ticked" or "open" when there was none."""
        if self.became:
            return self.became
        if self.attempts:
            last = self.attempts[-1]
            return "running" if last.running else last.state.value
        return "ticked" if self.tasks and self.done == self.tasks else "open"

    @property
    def verified(self) -> Attempt | None:
        """The attempt that did it."""
        if self.attempts and self.attempts[-1].state is AttemptState.VERIFIED:
            return self.attempts[-1]
        return None

    @property
    def tries(self) -> int:
        """How many attempts there were that a limit did not end."""
        return sum(attempt.state is not AttemptState.LIMITED for attempt in self.attempts)


@attrs.frozen(kw_only=True)
class Run:
    """One run, from a person's ``run`` to its end; ``ended``: Unix time, None when not known."""

    id: str
    at: int
    state: str
    reason: str
    ended: float | None


@attrs.frozen(kw_only=True)
class Wait:
    """A time in which nothing was tried, in Unix seconds; ``end`` may lie ahead."""

    start: float
    end: float
    reason: str


@attrs.frozen(kw_only=True)
class Item:
    """One item and all that happened to it.

    Attributes:
      status: "in progress", or how its last run ended; "interrupted" when it ended in no way. Of
        an item of the backlog, where it is.
      reason: why it is that, "" when that needs no reason.
      evidence: what shows the reason, when no attempt does.
      advice: how to go on when that is not just another run, else "".
      waiting: what a run in progress waits for, "" when it works.
      told: what a person said that no attempt was given yet.
      run: the record of its last run; one without an id when it was never run.
      checks: whether its last run verified with commands; None when that is not known.
      branch: its branch, "" when it was deleted; ``tip``: its commit.
      commits: how many commits the branch has on top of the base.
      diff: what the branch changed since its base.
      deliveries: where it went, in words, oldest first.
      stories: of an item of the backlog, its phases.
      task: what it is as an item of the backlog, None when it is a change.
    """

    status: str
    reason: str
    evidence: str
    advice: str
    waiting: str
    told: tuple[str, ...]
    run: RunRecord
    checks: bool | None
    branch: str
    tip: str
    commits: int
    diff: Diff | None
    deliveries: tuple[str, ...]
    runs: tuple[Run, ...]
    stories: tuple[Story, ...]
    notes: tuple[Note, ...]
    task: Task | None = None

    @property
    def id(self) -> str:
        """Its name."""
        return self.run.item

    @property
    def title(self) -> str:
        """What it is called, its name where it has no title."""
        return (self.task.title if self.task is not None else self.run.title) or self.id

    @property
    def unit(self) -> str:
        """What it is made of: "story" or "phase"."""
        return "phase" if self.task is not None else "story"

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All its attempts, in the order they were begun."""
        found = [attempt for story in self.stories for attempt in story.attempts]
        return tuple(sorted(found, key=lambda one: (one.record.at, one.record.number)))

    @property
    def complete(self) -> int:
        """How many of its stories are done."""
        return sum(story.state in ("verified", "ticked") for story in self.stories)


@attrs.frozen(kw_only=True)
class Row:
    """One of many items on a line.

    Attributes:
      tries: attempts that a limit did not end; ``done``: stories or phases that succeeded.
      cost: US dollars.
      at: Unix time in seconds of what was done last.
      reason: why it is where it is, when that needs one.
    """

    id: str
    title: str
    status: str
    done: int
    tries: int
    cost: float
    at: float
    reason: str


@attrs.frozen(kw_only=True)
class Report:
    """What a report tells.

    Attributes:
      at: Unix time in seconds at which it was made.
      items: those that are told in full.
      rows: all that it is about, what needs a person first; none when it is about one.
      counts: how many items the backlog has of each status.
    """

    product: str
    repository: str
    at: float
    items: tuple[Item, ...]
    rows: tuple[Row, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()


def usage_of(attempts: Iterable[Attempt]) -> Usage:
    """Return what these attempts cost together."""
    return sum((attempt.record.usage for attempt in attempts), start=Usage())


def seconds_of(attempts: Iterable[Attempt]) -> float:
    """Return how long workers and verification were busy, in seconds, as far as it is known."""
    return sum(
        max(0.0, attempt.ended - attempt.record.at)
        for attempt in attempts
        if attempt.ended is not None
    )


def waits_of(item: Item, now: float) -> tuple[Wait, ...]:
    """Return when a limit held the item back: from a refusal until its end or the next attempt.

    A run that ended with a refusal does not wait.

    Args:
      now: Unix time in seconds; a wait that goes on ends there.
    """
    attempts = item.attempts
    found = []
    for number, attempt in enumerate(attempts):
        if attempt.state is not AttemptState.LIMITED:
            continue
        record = attempt.record
        start = attempt.ended if attempt.ended is not None else float(record.at)
        if number + 1 < len(attempts):
            end = min(record.until, attempts[number + 1].record.at)
        else:
            end = min(record.until, now) if item.status == "in progress" else start
        if end > start:
            found.append(Wait(start=start, end=end, reason=record.reason))
    return tuple(found)
