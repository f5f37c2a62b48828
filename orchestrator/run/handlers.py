"""What the commands of a run do: one thread hop each, in the lane of their item."""

from __future__ import annotations

import time
from functools import partial

import trio

from orchestrator.adapters.git import brought, snapshot
from orchestrator.adapters.git import checkpoint as checkpoints
from orchestrator.adapters.git import workspace as workspaces
from orchestrator.adapters.git.checkpoint import Checkpoint
from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context
from orchestrator.plugin import Plugin
from orchestrator.run.checks import remembered
from orchestrator.run.commands import (
    AdoptBranch,
    BeginAttempt,
    CloseRun,
    CopyIn,
    HoldLimit,
    KeepAttempt,
    KeepCheckpoint,
    NoteBrought,
    OpenRun,
    RecallBaseline,
    RecordFact,
    RecordUsage,
    ReleaseWorkspace,
    RememberBaseline,
    RemoveWorkspace,
    RestoreWorkspace,
    TakeCheckpoint,
)
from orchestrator.run.events import Warned
from orchestrator.run.hosting import borrowing
from orchestrator.run.records import facts, ledger, opening
from orchestrator.run.records.opening import OpenedRun
from orchestrator.run.threads import GitThreads
from orchestrator.run.turns import open_in_turn
from orchestrator.store.store import Store
from orchestrator.text import shown_paths
from orchestrator.work.records import AttemptRecord, to_json

plugin = Plugin("run")
_DEADLINE = 3600.0


def _item_lane(
    command: OpenRun | TakeCheckpoint | CopyIn | NoteBrought | AdoptBranch | RestoreWorkspace,
) -> str:
    return f"workspace:{command.item}"


def _attempt_lane(command: KeepAttempt | KeepCheckpoint) -> str:
    return f"workspace:{command.attempt.item}"


def _run_lane(command: BeginAttempt | CloseRun) -> str:
    return f"workspace:{command.run.item}"


def _workspace_lane(command: RemoveWorkspace | ReleaseWorkspace) -> str:
    return f"workspace:{command.item}"


@plugin.handles(OpenRun, name="open-run", deadline=_DEADLINE, lane=_item_lane)
async def open_run(command: OpenRun, context: Context) -> OpenedRun:
    """Handle `OpenRun`."""
    open_now = partial(
        context.service(GitThreads).run,
        opening.open_run,
        context.service(Repository),
        context.service(Store),
        command.item,
        command.spec,
        _now(),
        command.fact,
    )
    opened = await open_in_turn(context, open_now)
    context.publish(opened.started)
    return opened


@plugin.handles(BeginAttempt, name="begin-attempt", deadline=_DEADLINE, lane=_run_lane)
async def begin_attempt(command: BeginAttempt, context: Context) -> AttemptRecord:
    """Handle `BeginAttempt`."""
    attempt, fact = await trio.to_thread.run_sync(
        partial(
            ledger.begin_attempt,
            context.service(Store),
            command.run,
            command.story,
            command.number,
            command.workspace,
            _now(),
            command.fact,
            phase=command.phase,
            visit=command.visit,
        )
    )
    context.publish(fact)
    return attempt


@plugin.handles(TakeCheckpoint, name="take-checkpoint", deadline=_DEADLINE, lane=_item_lane)
async def take_checkpoint(command: TakeCheckpoint, context: Context) -> Checkpoint:
    """Handle `TakeCheckpoint`."""
    return await context.service(GitThreads).run(
        checkpoints.take, context.service(Repository), command.workspace, command.tip
    )


@plugin.handles(CopyIn, name="copy-in", deadline=_DEADLINE, lane=_item_lane)
async def copy_in(command: CopyIn, context: Context) -> None:
    """Handle `CopyIn`."""
    await context.service(GitThreads).run(
        brought.copy_in, context.service(Repository), command.workspace, command.names
    )


@plugin.handles(NoteBrought, name="note-brought", deadline=_DEADLINE, lane=_item_lane)
async def note_brought(command: NoteBrought, context: Context) -> tuple[bytes, ...]:
    """Handle `NoteBrought`."""
    return await context.service(GitThreads).run(
        brought.note, context.service(Repository), command.workspace
    )


@plugin.handles(RecallBaseline, name="recall-baseline", deadline=_DEADLINE)
async def recall_baseline(command: RecallBaseline, context: Context) -> int | None:
    """Handle `RecallBaseline`."""
    known = await context.service(GitThreads).run(
        remembered.recall,
        context.service(Repository),
        context.service(Store),
        command.commit,
        command.root,
        command.build,
    )
    return known.at if known is not None else None


@plugin.handles(RememberBaseline, name="remember-baseline", deadline=_DEADLINE)
async def remember_baseline(command: RememberBaseline, context: Context) -> None:
    """Handle `RememberBaseline`."""
    await context.service(GitThreads).run(
        remembered.remember,
        context.service(Repository),
        context.service(Store),
        command.commit,
        command.root,
        command.build,
        command.setup_seconds,
        command.verify_seconds,
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
async def keep_attempt(command: KeepAttempt, context: Context) -> None:
    """Handle `KeepAttempt`."""
    fact = await context.service(GitThreads).run(
        ledger.keep_attempt,
        context.service(Repository),
        context.service(Store),
        command.attempt,
        command.workspace,
        command.tip,
        _now(),
        command.fact,
    )
    context.publish(fact)


@plugin.handles(KeepCheckpoint, name="keep-checkpoint", deadline=_DEADLINE, lane=_attempt_lane)
async def keep_checkpoint(command: KeepCheckpoint, context: Context) -> str:
    """Handle `KeepCheckpoint`."""
    fact, traces = await context.service(GitThreads).run(
        ledger.keep_checkpoint,
        context.service(Repository),
        context.service(Store),
        command.attempt,
        command.workspace,
        tree=command.tree,
        tip=command.tip,
        title=command.title,
        fact=command.fact,
    )
    context.publish(fact)
    if traces:
        message = f"verify changed files, which were taken back: {shown_paths(traces)}"
        item, run = command.attempt.item, command.attempt.run
        await context.call(RecordFact(fact=Warned(message=message), item=item, run=run))
    return fact.commit


@plugin.handles(CloseRun, name="close-run", deadline=_DEADLINE, lane=_run_lane)
async def close_run(command: CloseRun, context: Context) -> None:
    """Handle `CloseRun`."""
    fact = await context.service(GitThreads).run(
        ledger.record_run,
        context.service(Repository),
        context.service(Store),
        command.run,
        command.fact,
    )
    context.publish(fact)


@plugin.handles(
    ReleaseWorkspace, name="release-workspace", deadline=_DEADLINE, lane=_workspace_lane
)
async def release_workspace(command: ReleaseWorkspace, context: Context) -> tuple[str, ...]:
    """Handle `ReleaseWorkspace`."""
    return await context.service(GitThreads).run(
        borrowing.release, context.service(Repository), command.item
    )


@plugin.handles(RemoveWorkspace, name="remove-workspace", deadline=_DEADLINE, lane=_workspace_lane)
async def remove_workspace(command: RemoveWorkspace, context: Context) -> None:
    """Handle `RemoveWorkspace`."""
    await context.service(GitThreads).run(
        workspaces.remove, context.service(Repository), command.workspace
    )


@plugin.handles(RecordFact, name="record-fact", deadline=_DEADLINE)
async def record_fact(command: RecordFact, context: Context) -> None:
    """Handle `RecordFact`."""
    recorded = await facts.record_fact(
        context.service(Store), command.fact, item=command.item, run=command.run
    )
    context.publish(recorded)


@plugin.handles(RecordUsage, name="record-usage", deadline=_DEADLINE)
async def record_usage(command: RecordUsage, context: Context) -> None:
    """Handle `RecordUsage`."""
    store, document = context.service(Store), to_json(command.attempt)
    await trio.to_thread.run_sync(store.write, lambda tx: tx.put_attempt(document))


@plugin.handles(HoldLimit, name="hold-limit", deadline=_DEADLINE)
async def hold_limit(command: HoldLimit, context: Context) -> float:
    """Handle `HoldLimit`."""
    store = context.service(Store)

    def hold() -> float:
        known = {timer.name: timer.until for timer in store.timers()}.get(command.name)
        until = max(command.until, 0.0 if command.forget else known or 0.0)
        if until <= time.time():
            if known is not None:
                store.write(lambda tx: tx.clear_timer(command.name))
        elif until != known:
            store.write(lambda tx: tx.set_timer(command.name, until, command.reason))
        return until

    return await trio.to_thread.run_sync(hold)


def _now() -> int:
    return int(time.time())
