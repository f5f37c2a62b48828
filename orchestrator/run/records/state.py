"""The state of every item. Blocking, and light: `status` waits for its imports."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.branches import our_branches
from orchestrator.adapters.git.runner import Git
from orchestrator.run.records.history import Document, read_history
from orchestrator.work.states import PHASE, AttemptState, RunState


class AttemptSummary(NamedTuple):
    """One run of one worker.

    Attributes:
      number: counts the starts of its story within the run, from 1.
      at: Unix time in seconds of its start.
      cost: US dollars.
    """

    id: str
    item: str
    run: str
    story: str
    number: int
    at: int
    state: AttemptState
    cost: float


class ItemState(NamedTuple):
    """One item as `status` shows it.

    Attributes:
      status: "in progress", "interrupted", "done", "failed" or "blocked".
      story: the one worked on, or that ended the run; None otherwise.
      attempt: the running attempt, or None.
      branch: its branch, or None when it was deleted.
      blocked: the question it waits for, or None.
      attempts: all that were ever made, oldest first.
    """

    id: str
    title: str
    status: str
    phase: str | None
    story: str | None
    attempt: str | None
    branch: str | None
    blocked: str | None
    reason: str
    run: str
    attempts: tuple[AttemptSummary, ...]

    @property
    def cost(self) -> float:
        """What all attempts cost, in US dollars."""
        return sum(attempt.cost for attempt in self.attempts)


def read_items(git: Git, *, running: str | None) -> tuple[ItemState, ...]:
    """Read every item that ever ran here, also while an engine works.

    Args:
      running: the item that an engine works on; any other open run is interrupted.

    Raises:
      StoreError: when there is a store that cannot be read.
    """
    found = read_history(git)
    branches = our_branches(git)
    attempts = [summary for one in found.attempts if (summary := _attempt(one))]
    last = {run["item"]: run for run in found.runs}
    items = (_item(last[item], attempts, branches, running=running) for item in sorted(last))
    return tuple(item for item in items if item)


def _attempt(data: Document) -> AttemptSummary | None:
    try:
        return AttemptSummary(
            id=data["id"],
            item=data["item"],
            run=data["run"],
            story=data["story"],
            number=int(data["number"]),
            at=int(data["at"]),
            state=AttemptState(data["state"]),
            cost=float(data["usage"]["cost"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


def _item(
    run: Document, attempts: list[AttemptSummary], known: Container[str], *, running: str | None
) -> ItemState | None:
    try:
        state = RunState(run["state"])
        mine = tuple(attempt for attempt in attempts if attempt.item == run["item"])
        active = [a for a in mine if a.run == run["id"] and a.state is AttemptState.STARTED]
        is_open = state is RunState.OPEN
        runs = is_open and running == run["item"]
        current = active[-1] if active and runs else None
        status = state.value
        if is_open:
            status = "in progress" if runs else "interrupted"
        branch = refs.branch_ref(run["item"])
        return ItemState(
            id=run["item"],
            title=run["title"],
            status=status,
            phase=PHASE if current else None,
            story=current.story if current else (run["story"] or None),
            attempt=current.id if current else None,
            branch=branch.removeprefix("refs/heads/") if branch in known else None,
            blocked=run["reason"] if state is RunState.BLOCKED else None,
            reason=run["reason"],
            run=run["id"],
            attempts=mine,
        )
    except (ValueError, TypeError, KeyError):
        return None
