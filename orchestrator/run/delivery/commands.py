"""The commands of a delivery: each a durable step; `handlers` has what they do."""

from __future__ import annotations

import attrs
import trio

from orchestrator.adapters.git.merging import MergePlan
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.messages import Command
from orchestrator.work.records import DeliveryRecord

from .planning import Ready
from .retention import Collected


@attrs.frozen(kw_only=True)
class SettleDelivery(Command[DeliveryRecord | None]):
    """Complete a delivery that a crash cut short; see `settling.settle`.

    Attributes:
      running: a run is about to go on instead; see `settling.settle_for_run`.
    """

    item: str
    running: bool = False


@attrs.frozen(kw_only=True)
class PlanDelivery(Command[Ready]):
    """Work out the delivery of a finished item; see `planning.plan_delivery`."""

    item: str
    how: str
    terminal: bool


@attrs.frozen(kw_only=True)
class PrepareMerge(Command[Workspace]):
    """Make a workspace of the merged commit, to verify it in."""

    item: str
    commit: str


@attrs.frozen(kw_only=True)
class AddArchived(Command[MergePlan]):
    """Take over what archiving did in the merge's workspace; see `archive.add_archived`."""

    ready: Ready
    workspace: Workspace


@attrs.frozen(kw_only=True)
class Deliver(Command[DeliveryRecord]):
    """Merge or apply; see `landing.deliver`."""

    ready: Ready


@attrs.frozen(kw_only=True)
class Squash(Command[DeliveryRecord]):
    """Bring it as one commit of the operator's own git; see `squash.squash`.

    Attributes:
      message: what the commit says, None for what is composed.
      edit: whether the operator's editor opens first.
      attached: whether his git gets the terminal.
      deadline: seconds that his hooks may take without one.
      interrupt: once set, the commit is ended and everything taken back.
    """

    ready: Ready
    message: str | None
    edit: bool
    attached: bool
    deadline: float
    interrupt: trio.Event


@attrs.frozen(kw_only=True)
class Discard(Command[DeliveryRecord]):
    """Give an item up; see `discarding.discard`."""

    item: str


@attrs.frozen(kw_only=True)
class BlockItem(Command[None]):
    """Record that a delivery waits for a person."""

    item: str
    reason: str


@attrs.frozen(kw_only=True)
class Undo(Command[DeliveryRecord]):
    """Take the last delivery back, of one item or of all; see `undo.undo`."""

    item: str | None


@attrs.frozen(kw_only=True)
class CollectGarbage(Command[Collected]):
    """Remove what was kept long enough; see `retention.collect`.

    Attributes:
      retention: seconds that what was delivered stays.
      limit: how many things are removed at most, None for all.
    """

    retention: float
    dry_run: bool = False
    limit: int | None = None
