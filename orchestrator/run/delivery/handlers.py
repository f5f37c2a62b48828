"""What the commands of a delivery do: thread hops, in the lane of their item.

What may change the checkout takes its turn there too.
"""

from __future__ import annotations

import time
from functools import partial

from orchestrator.adapters.git.merging import MergePlan
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.context import Context
from orchestrator.plugin import Plugin
from orchestrator.run.threads import GitThreads
from orchestrator.run.turns import in_turn
from orchestrator.store.store import Store
from orchestrator.work.records import DeliveryRecord

from . import archive, discarding, landing, planning, retention, settling, squash, undo
from .commands import (
    AddArchived,
    BlockItem,
    CollectGarbage,
    Deliver,
    Discard,
    PlanDelivery,
    PrepareMerge,
    SettleDelivery,
    Squash,
    Undo,
)
from .planning import Ready
from .retention import Collected

plugin = Plugin("delivery")
_DEADLINE = 3600.0
_WRITING = squash.WRITING_TIME + 2 * _DEADLINE


def _item_lane(command: SettleDelivery | PrepareMerge | Discard | BlockItem) -> str:
    return f"workspace:{command.item}"


def _ready_lane(command: AddArchived | Deliver | Squash) -> str:
    return f"workspace:{command.ready.run.item}"


def _repository_lane(_: Undo | CollectGarbage) -> str:
    return "refs:repository"


@plugin.handles(SettleDelivery, name="settle-delivery", deadline=_DEADLINE, lane=_item_lane)
async def settle_delivery(command: SettleDelivery, context: Context) -> DeliveryRecord | None:
    """Handle `SettleDelivery`."""
    settle = partial(
        context.service(GitThreads).run,
        settling.settle_for_run if command.running else settling.settle,
        context.service(Repository),
        context.service(Store),
        command.item,
    )
    return await in_turn(context, settle)


@plugin.handles(PlanDelivery, name="plan-delivery", deadline=_DEADLINE)
async def plan_delivery(command: PlanDelivery, context: Context) -> Ready:
    """Handle `PlanDelivery`."""
    repo = context.service(Repository)
    return await context.service(GitThreads).run(
        lambda: planning.plan_delivery(
            repo.refreshed(), command.item, command.how, terminal=command.terminal
        )
    )


@plugin.handles(PrepareMerge, name="prepare-merge", deadline=_DEADLINE, lane=_item_lane)
async def prepare_merge(command: PrepareMerge, context: Context) -> Workspace:
    """Handle `PrepareMerge`."""
    return await context.service(GitThreads).run(
        planning.prepare_merge, context.service(Repository), command.item, command.commit
    )


@plugin.handles(AddArchived, name="add-archived", deadline=_DEADLINE, lane=_ready_lane)
async def add_archived(command: AddArchived, context: Context) -> MergePlan:
    """Handle `AddArchived`."""
    return await context.service(GitThreads).run(
        archive.add_archived, context.service(Repository), command.ready, command.workspace
    )


@plugin.handles(Deliver, name="deliver-item", deadline=_DEADLINE, lane=_ready_lane)
async def deliver(command: Deliver, context: Context) -> DeliveryRecord:
    """Handle `Deliver`."""
    land = partial(
        context.service(GitThreads).run,
        landing.deliver,
        context.service(Repository),
        context.service(Store),
        command.ready,
        _now(),
    )
    return await in_turn(context, land)


@plugin.handles(Squash, name="squash-item", deadline=_WRITING, lane=_ready_lane)
async def squash_item(command: Squash, context: Context) -> DeliveryRecord:
    """Handle `Squash`."""
    land = partial(
        squash.squash,
        command,
        context.service(Repository),
        context.service(Store),
        context.service(GitThreads),
        _now(),
    )
    return await in_turn(context, land)


@plugin.handles(Discard, name="discard-item", deadline=_DEADLINE, lane=_item_lane)
async def discard(command: Discard, context: Context) -> DeliveryRecord:
    """Handle `Discard`."""
    return await context.service(GitThreads).run(
        discarding.discard,
        context.service(Repository),
        context.service(Store),
        command.item,
        _now(),
    )


@plugin.handles(BlockItem, name="block-item", deadline=_DEADLINE, lane=_item_lane)
async def block_item(command: BlockItem, context: Context) -> None:
    """Handle `BlockItem`."""
    await context.service(GitThreads).run(
        landing.block,
        context.service(Repository),
        context.service(Store),
        command.item,
        command.reason,
    )


@plugin.handles(Undo, name="undo-delivery", deadline=_DEADLINE, lane=_repository_lane)
async def undo_delivery(command: Undo, context: Context) -> DeliveryRecord:
    """Handle `Undo`."""
    take_back = partial(
        context.service(GitThreads).run,
        undo.undo,
        context.service(Repository),
        context.service(Store),
        command.item,
    )
    return await in_turn(context, take_back)


@plugin.handles(CollectGarbage, name="collect-garbage", deadline=_DEADLINE, lane=_repository_lane)
async def collect_garbage(command: CollectGarbage, context: Context) -> Collected:
    """Handle `CollectGarbage`."""
    return await context.service(GitThreads).run(
        retention.collect,
        context.service(Repository),
        command.retention,
        time.time(),
        dry_run=command.dry_run,
        limit=command.limit,
    )


def _now() -> int:
    return int(time.time())
