"""The commands of the backlog's own work: what the scheduler and its executions have done."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git.workspace import Workspace
from orchestrator.messages import Command
from orchestrator.run.backlog.book import Decide
from orchestrator.run.backlog.events import BacklogEnded
from orchestrator.run.backlog.keeping import Brought
from orchestrator.run.events import RunStarted
from orchestrator.run.records.opening import OpenedRun, Spec
from orchestrator.work.backlog.change import Change

RUN_KEY = "backlog_run"
"""Where the store keeps what the counters of a run of the backlog began with, as JSON."""


@attrs.frozen(kw_only=True)
class DecideItems(Command[Change]):
    """Change items as a decision says, durably; see `Book.change`."""

    decide: Decide


@attrs.frozen(kw_only=True)
class OpenItem(Command[OpenedRun]):
    """Make an item ready to be worked on, from where HEAD is now; see `opening.open_run`."""

    item: str
    spec: Spec
    fact: RunStarted


@attrs.frozen(kw_only=True)
class KeepPhase(Command[tuple[Change, str]]):
    """Keep what a phase brought, let its item go on, and bring the workspace to it.

    Returns the change, and the commit that the next phase starts from.

    Attributes:
      head: the commit that the phase started from.
    """

    item: str
    workspace: Workspace
    head: str
    brought: Brought


@attrs.frozen(kw_only=True)
class CommitWaiting(Command[str]):
    """Commit on an item's branch what waits to be, if anything does; returns the item's head."""

    item: str


@attrs.frozen(kw_only=True)
class EndBacklog(Command[None]):
    """Record that a run of the backlog ended.

    Attributes:
      continues: the next run goes on with its counters.
    """

    fact: BacklogEnded
    continues: bool


@attrs.frozen(kw_only=True)
class SettleItem(Command[None]):
    """Decide every operation of an item that was begun and not recorded as done."""

    item: str
