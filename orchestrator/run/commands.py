"""The built-in commands of a run: each a durable step in git, done in the lane of its item."""

from __future__ import annotations

import time

import attrs

from orchestrator.adapters.git import checkpoint as checkpoints
from orchestrator.adapters.git import snapshot
from orchestrator.adapters.git import workspace as workspaces
from orchestrator.adapters.git.checkpoint import Checkpoint
from orchestrator.adapters.git.delivery import MergePlan
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.context import Context
from orchestrator.messages import Command
from orchestrator.plugin import Plugin
from orchestrator.work.records import AttemptRecord, RunRecord

from . import delivery, ledger
from .delivery import MergeReady
from .ledger import OpenedRun, Spec
from .threads import GitThreads

plugin = Plugin("run")
_DEADLINE = 3600.0


@attrs.frozen(kw_only=True)
class OpenRun(Command[OpenedRun]):
    """Start or continue a run of ``item``; see `ledger.open_run`."""

    item: str
    spec: Spec


@attrs.frozen(kw_only=True)
class BeginAttempt(Command[AttemptRecord]):
    """Record that an attempt on ``story`` starts."""

    run: RunRecord
    story: str
    number: int
    tip: str


@attrs.frozen(kw_only=True)
class TakeCheckpoint(Command[Checkpoint]):
    """Write the workspace's tree, without committing it."""

    item: str
    workspace: Workspace
    tip: str


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
class KeepAttempt(Command[str]):
    """Pin what an attempt left and restore the workspace; returns the ref."""

    attempt: AttemptRecord
    workspace: Workspace
    tip: str


@attrs.frozen(kw_only=True)
class KeepCheckpoint(Command[str]):
    """Commit a checked tree on the item's branch; returns the commit."""

    attempt: AttemptRecord
    workspace: Workspace
    tree: str
    tip: str
    title: str
    verified: bool


@attrs.frozen(kw_only=True)
class PlanMerge(Command[MergeReady]):
    """Work out the merge of a finished item; see `delivery.plan_merge`."""

    item: str


@attrs.frozen(kw_only=True)
class PrepareMerge(Command[Workspace]):
    """Make a workspace of the merged commit, to verify it in."""

    item: str
    commit: str


@attrs.frozen(kw_only=True)
class LandMerge(Command[str]):
    """Move the target branch to the merge; returns the commit; see `delivery.land`."""

    item: str
    plan: MergePlan


@attrs.frozen(kw_only=True)
class RemoveWorkspace(Command[None]):
    """Delete a workspace of ours."""

    item: str
    workspace: Workspace


@attrs.frozen(kw_only=True)
class CloseRun(Command[None]):
    """Record how a run ended."""

    run: RunRecord


def _item_lane(command: OpenRun | TakeCheckpoint | AdoptBranch | RestoreWorkspace) -> str:
    return f"workspace:{command.item}"


def _attempt_lane(command: KeepAttempt | KeepCheckpoint) -> str:
    return f"workspace:{command.attempt.item}"


def _run_lane(command: BeginAttempt | CloseRun) -> str:
    return f"workspace:{command.run.item}"


def _merge_lane(command: PrepareMerge | LandMerge | RemoveWorkspace) -> str:
    return f"workspace:{command.item}"


@plugin.handles(OpenRun, name="open-run", deadline=_DEADLINE, lane=_item_lane)
async def open_run(command: OpenRun, context: Context) -> OpenedRun:
    """Handle `OpenRun`."""
    return await context.service(GitThreads).run(
        ledger.open_run,
        context.service(Repository),
        command.item,
        command.spec,
        _now(),
    )


@plugin.handles(BeginAttempt, name="begin-attempt", deadline=_DEADLINE, lane=_run_lane)
async def begin_attempt(command: BeginAttempt, context: Context) -> AttemptRecord:
    """Handle `BeginAttempt`."""
    return await context.service(GitThreads).run(
        ledger.begin_attempt,
        context.service(Repository),
        command.run,
        command.story,
        command.number,
        command.tip,
        _now(),
    )


@plugin.handles(TakeCheckpoint, name="take-checkpoint", deadline=_DEADLINE, lane=_item_lane)
async def take_checkpoint(command: TakeCheckpoint, context: Context) -> Checkpoint:
    """Handle `TakeCheckpoint`."""
    return await context.service(GitThreads).run(
        checkpoints.take, context.service(Repository), command.workspace, command.tip
    )


@plugin.handles(AdoptBranch, name="adopt-branch", deadline=_DEADLINE, lane=_item_lane)
async def adopt_branch(command: AdoptBranch, context: Context) -> str:
    """Handle `AdoptBranch`."""
    return await context.service(GitThreads).run(
        ledger.adopt_branch,
        context.service(Repository),
        command.item,
        command.workspace,
        command.tip,
    )


@plugin.handles(RestoreWorkspace, name="restore-workspace", deadline=_DEADLINE, lane=_item_lane)
async def restore_workspace(command: RestoreWorkspace, context: Context) -> None:
    """Handle `RestoreWorkspace`."""
    await context.service(GitThreads).run(
        snapshot.restore, context.service(Repository), command.workspace, command.tip
    )


@plugin.handles(KeepAttempt, name="keep-attempt", deadline=_DEADLINE, lane=_attempt_lane)
async def keep_attempt(command: KeepAttempt, context: Context) -> str:
    """Handle `KeepAttempt`."""
    return await context.service(GitThreads).run(
        ledger.keep_attempt,
        context.service(Repository),
        command.attempt,
        command.workspace,
        command.tip,
        _now(),
    )


@plugin.handles(KeepCheckpoint, name="keep-checkpoint", deadline=_DEADLINE, lane=_attempt_lane)
async def keep_checkpoint(command: KeepCheckpoint, context: Context) -> str:
    """Handle `KeepCheckpoint`."""
    return await context.service(GitThreads).run(
        ledger.keep_checkpoint,
        context.service(Repository),
        command.attempt,
        command.workspace,
        tree=command.tree,
        tip=command.tip,
        title=command.title,
        verified=command.verified,
        now=_now(),
    )


@plugin.handles(CloseRun, name="close-run", deadline=_DEADLINE, lane=_run_lane)
async def close_run(command: CloseRun, context: Context) -> None:
    """Handle `CloseRun`."""
    await context.service(GitThreads).run(
        ledger.close_run, context.service(Repository), command.run
    )


@plugin.handles(PlanMerge, name="plan-merge", deadline=_DEADLINE)
async def plan_merge(command: PlanMerge, context: Context) -> MergeReady:
    """Handle `PlanMerge`."""
    return await context.service(GitThreads).run(
        delivery.plan_merge, context.service(Repository), command.item
    )


@plugin.handles(PrepareMerge, name="prepare-merge", deadline=_DEADLINE, lane=_merge_lane)
async def prepare_merge(command: PrepareMerge, context: Context) -> Workspace:
    """Handle `PrepareMerge`."""
    return await context.service(GitThreads).run(
        delivery.prepare_merge, context.service(Repository), command.item, command.commit
    )


@plugin.handles(LandMerge, name="land-merge", deadline=_DEADLINE, lane=_merge_lane)
async def land_merge(command: LandMerge, context: Context) -> str:
    """Handle `LandMerge`."""
    return await context.service(GitThreads).run(
        delivery.land, context.service(Repository), command.item, command.plan
    )


@plugin.handles(RemoveWorkspace, name="remove-workspace", deadline=_DEADLINE, lane=_merge_lane)
async def remove_workspace(command: RemoveWorkspace, context: Context) -> None:
    """Handle `RemoveWorkspace`."""
    await context.service(GitThreads).run(workspaces.remove, command.workspace)


def _now() -> int:
    return int(time.time())
