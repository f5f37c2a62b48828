"""The state of every item, read from git. Blocking; worker threads or a short-lived CLI only."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.work.records import (
    AttemptRecord,
    AttemptState,
    RunState,
    attempt_from_json,
    run_from_json,
)
from orchestrator.work.worker import Usage

from .ledger import PHASE


@attrs.frozen(kw_only=True)
class ItemState:
    """One item as `status` shows it.

    Attributes:
      status: "in progress", "interrupted", "done", "failed" or "blocked".
      story: the one worked on, or that ended the run; None otherwise.
      attempt: the running attempt, or None.
      branch: its branch, or None when it was deleted.
      blocked: the question it waits for, or None.
      cost: of all its attempts, in US dollars.
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
    attempts: tuple[AttemptRecord, ...]

    @property
    def cost(self) -> float:
        """What all attempts cost, in US dollars."""
        return sum((attempt.usage for attempt in self.attempts), start=Usage()).cost


def read_items(repo: Repository, *, running: bool) -> tuple[ItemState, ...]:
    """Read every item that ever ran here.

    Args:
      running: whether an engine owns the repository; an open run is interrupted otherwise.
    """
    found = refs.read_refs(repo.git, "refs/orchestrator/")
    branches = refs.read_refs(repo.git, refs.BRANCHES)
    attempts = [
        record
        for name, ref in found.items()
        if name.startswith(refs.ATTEMPTS) and (record := attempt_from_json(ref.body))
    ]
    items = []
    for name, ref in sorted(found.items()):
        run = run_from_json(ref.body) if name.startswith(refs.RUNS) else None
        if run is None:
            continue
        mine = sorted((a for a in attempts if a.item == run.item), key=lambda a: (a.at, a.number))
        is_open = run.state is RunState.OPEN
        active = [a for a in mine if a.run == run.id and a.state is AttemptState.STARTED]
        current = active[-1] if active and is_open and running else None
        status = run.state.value
        if is_open:
            status = "in progress" if running else "interrupted"
        branch = refs.branch_ref(run.item)
        items.append(
            ItemState(
                id=run.item,
                title=run.title,
                status=status,
                phase=PHASE if current else None,
                story=current.story if current else (run.story or None),
                attempt=current.id if current else None,
                branch=branch.removeprefix("refs/heads/") if branch in branches else None,
                blocked=run.reason if run.state is RunState.BLOCKED else None,
                reason=run.reason,
                run=run.id,
                attempts=tuple(mine),
            )
        )
    return tuple(items)
