"""What the work on a backlog tells: what becomes of its items, and of each phase."""

from __future__ import annotations

import attrs

from orchestrator.messages import Fact
from orchestrator.work.worker import Usage


@attrs.frozen(kw_only=True)
class ItemChanged(Fact):
    """Something became of an item; see `orchestrator.work.backlog.change.Entry`."""

    item: str
    title: str
    what: str
    before: str
    after: str
    phase: str
    outcome: str
    text: str
    by: str
    attempt: str


@attrs.frozen(kw_only=True)
class BacklogStarted(Fact):
    """Work on the backlog begins; ``items`` counts those by status that are not final."""

    items: dict[str, int]
    max_wip: int
    max_concurrent: int
    cap: int
    targets: tuple[str, ...]
    only: str


@attrs.frozen(kw_only=True)
class PhaseEnded(Fact):
    """A phase's result is kept.

    Attributes:
      outcome: "phase_complete" or "subphase_complete".
      commit: where it is now; "" when it changed nothing.
      batched: whether it waits to be committed with others.
      verified: whether a verify command passed on exactly this tree.
    """

    item: str
    title: str
    phase: str
    number: int
    attempt: str
    outcome: str
    summary: str
    commit: str
    batched: bool
    verified: bool
    seconds: float
    usage: Usage


@attrs.frozen(kw_only=True)
class BacklogEnded(Fact):
    """Work on the backlog ended.

    Attributes:
      halt: why, as `orchestrator.work.backlog.halt.Halt` calls it; ``reason`` says it in words.
      done, blocked: ids of items that became so meanwhile.
      phases: how many were run; ``follow_ups``, ``merged``: how many items came and went.
      advice: how to go on, "" when there is nothing to say.
    """

    halt: str
    reason: str
    phases: int
    done: tuple[str, ...]
    blocked: tuple[str, ...]
    follow_ups: int
    merged: int
    cost: float
    advice: str
