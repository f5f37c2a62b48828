"""The commands of a run: each a durable step; `handlers` has what they do."""

from __future__ import annotations

from typing import Protocol, TypeVar

import attrs

from orchestrator.adapters.git.checkpoint import Checkpoint
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.messages import Command, Event, Fact
from orchestrator.run.build import Build
from orchestrator.run.events import (
    AttemptFailed,
    AttemptStarted,
    RunEnded,
    RunStarted,
    StoryVerified,
)
from orchestrator.run.records.opening import OpenedRun, Spec
from orchestrator.work.records import AttemptRecord, RunRecord
from orchestrator.work.states import PHASE

R = TypeVar("R")


class Caller(Protocol):
    """What those who give commands need of the orchestrator."""

    async def call(self, command: Command[R]) -> R:
        """Run a command."""
        ...

    def publish(self, event: Event) -> None:
        """Hand an event to whoever listens."""


@attrs.frozen(kw_only=True)
class OpenRun(Command[OpenedRun]):
    """Start or continue a run of ``item``, and tell ``fact``; see `opening.open_run`."""

    item: str
    spec: Spec
    fact: RunStarted


@attrs.frozen(kw_only=True)
class BeginAttempt(Command[AttemptRecord]):
    """Record that an attempt on ``story`` starts, and tell ``fact``, with its id filled in.

    Attributes:
      phase, visit: see `AttemptRecord`.
    """

    run: RunRecord
    story: str
    number: int
    workspace: Workspace
    fact: AttemptStarted
    phase: str = PHASE
    visit: int = 0


@attrs.frozen(kw_only=True)
class TakeCheckpoint(Command[Checkpoint]):
    """Write the workspace's tree, without committing it."""

    item: str
    workspace: Workspace
    tip: str


@attrs.frozen(kw_only=True)
class CopyIn(Command[None]):
    """Copy untracked files of the checkout into a workspace; see `brought.copy_in`."""

    item: str
    workspace: Workspace
    names: tuple[str, ...]


@attrs.frozen(kw_only=True)
class NoteBrought(Command[tuple[bytes, ...]]):
    """Keep what is untracked in a workspace now out of every tree; see `brought.note`."""

    item: str
    workspace: Workspace


@attrs.frozen(kw_only=True)
class RecallBaseline(Command[int | None]):
    """Return when the baseline of a commit passed, in Unix seconds, or None."""

    commit: str
    root: str
    build: Build


@attrs.frozen(kw_only=True)
class RememberBaseline(Command[None]):
    """Remember that the baseline of a commit passed."""

    commit: str
    root: str
    build: Build
    setup_seconds: float
    verify_seconds: float


@attrs.frozen(kw_only=True)
class AdoptBranch(Command[str]):
    """Take over what a person committed on the item's branch meanwhile; returns its tip."""

    item: str
    workspace: Workspace
    tip: str


@attrs.frozen(kw_only=True)
class RestoreWorkspace(Command[None]):
    """Bring the workspace to exactly ``tip``; files that git ignores stay."""

    item: str
    workspace: Workspace
    tip: str


@attrs.frozen(kw_only=True)
class KeepAttempt(Command[None]):
    """Pin what an attempt left, record it, tell ``fact``, and restore the workspace."""

    attempt: AttemptRecord
    workspace: Workspace
    tip: str
    fact: AttemptFailed


@attrs.frozen(kw_only=True)
class KeepCheckpoint(Command[str]):
    """Commit a checked tree on the item's branch, tell ``fact``; returns the commit."""

    attempt: AttemptRecord
    workspace: Workspace
    tree: str
    tip: str
    title: str
    fact: StoryVerified


@attrs.frozen(kw_only=True)
class ReleaseWorkspace(Command[tuple[str, ...]]):
    """Give back what the item borrowed; returns what a person should know; see `borrowing`."""

    item: str


@attrs.frozen(kw_only=True)
class RemoveWorkspace(Command[None]):
    """Delete a workspace of ours."""

    item: str
    workspace: Workspace


@attrs.frozen(kw_only=True)
class CloseRun(Command[None]):
    """Record how a run ended, and tell ``fact``."""

    run: RunRecord
    fact: RunEnded


@attrs.frozen(kw_only=True)
class RecordUsage(Command[None]):
    """Record what a running attempt has used so far."""

    attempt: AttemptRecord


@attrs.frozen(kw_only=True)
class HoldLimit(Command[float]):
    """Remember until which Unix time a limit holds, and return the latest one that is known.

    Attributes:
      name: of the timer: one for each agent and credential.
      forget: whether what was remembered before is dropped.
    """

    name: str
    until: float
    reason: str
    forget: bool


@attrs.frozen(kw_only=True)
class RecordFact(Command[None]):
    """Record a fact that comes with no other change, then publish it."""

    fact: Fact
    item: str
    run: str
