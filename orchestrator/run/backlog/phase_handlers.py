"""What the commands of the backlog's own work do: one hop each, in the lane of their item."""

from __future__ import annotations

import time
from functools import partial

import trio

from orchestrator.adapters.git import snapshot
from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context
from orchestrator.errors import UnknownItemError
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.backlog.events import BacklogEnded
from orchestrator.run.backlog.keeping import Brought, keep
from orchestrator.run.backlog.phases import (
    RUN_KEY,
    CommitWaiting,
    DecideItems,
    EndBacklog,
    KeepPhase,
    OpenItem,
    SettleItem,
)
from orchestrator.run.backlog.recovery import recover_backlog
from orchestrator.run.backlog.results import finish_kept
from orchestrator.run.commands import RecordFact
from orchestrator.run.events import Warned
from orchestrator.run.records.facts import add_fact
from orchestrator.run.records.opening import OpenedRun, open_run
from orchestrator.run.threads import GitThreads
from orchestrator.run.turns import open_in_turn
from orchestrator.store.store import Store
from orchestrator.store.transaction import Transaction
from orchestrator.text import shown_paths
from orchestrator.work.backlog.change import Change
from orchestrator.work.backlog.result import Outcome, PhaseResult

plugin = Plugin("phases")
_DEADLINE = 3600.0


def _item_lane(command: OpenItem | KeepPhase | CommitWaiting | SettleItem) -> str:
    return f"workspace:{command.item}"


@plugin.handles(DecideItems, name="decide-items", deadline=_DEADLINE)
async def decide_items(command: DecideItems, context: Context) -> Change:
    """Handle `DecideItems`."""
    recorded = await context.service(Book).change(command.decide)
    return recorded.tell(context.publish)


@plugin.handles(OpenItem, name="open-item", deadline=_DEADLINE, lane=_item_lane)
async def open_item(command: OpenItem, context: Context) -> OpenedRun:
    """Handle `OpenItem`."""

    def open_now() -> OpenedRun:
        repo = context.service(Repository).refreshed()
        now = int(time.time())
        store = context.service(Store)
        return open_run(repo, store, command.item, command.spec, now, command.fact)

    return await open_in_turn(context, partial(context.service(GitThreads).run, open_now))


@plugin.handles(KeepPhase, name="keep-phase", deadline=_DEADLINE, lane=_item_lane)
async def keep_phase(command: KeepPhase, context: Context) -> tuple[Change, str]:
    """Handle `KeepPhase`."""
    book, threads = context.service(Book), context.service(GitThreads)
    repo, item = context.service(Repository), book.get(command.item)
    if item is None:
        raise UnknownItemError(f"no item {command.item}", where=command.item)
    kept = await threads.run(
        keep, repo, context.service(Store), item, command.head, command.brought
    )
    recorded = await finish_kept(book, command.item, kept)
    change = recorded.tell(context.publish)
    tree = command.brought.tree
    traces = await threads.run(snapshot.restore, repo, command.workspace, kept.head, tree)
    if traces:
        message = f"verify changed files, which were taken back: {shown_paths(traces)}"
        run = command.brought.attempt.run if command.brought.attempt is not None else ""
        await context.call(RecordFact(fact=Warned(message=message), item=item.id, run=run))
    return change, kept.head


@plugin.handles(CommitWaiting, name="commit-waiting", deadline=_DEADLINE, lane=_item_lane)
async def commit_waiting(command: CommitWaiting, context: Context) -> str:
    """Handle `CommitWaiting`."""
    book, item = context.service(Book), context.service(Book).get(command.item)
    if item is None or not item.waiting:
        return item.head if item is not None else ""
    nothing = Brought(attempt=None, report=PhaseResult(outcome=Outcome.COMPLETE))
    kept = await context.service(GitThreads).run(
        keep, context.service(Repository), context.service(Store), item, item.head, nothing
    )
    (await finish_kept(book, item.id, kept)).tell(context.publish)
    return kept.head


@plugin.handles(EndBacklog, name="end-backlog", deadline=_DEADLINE)
async def end_backlog(command: EndBacklog, context: Context) -> None:
    """Handle `EndBacklog`."""

    def change(tx: Transaction) -> BacklogEnded:
        if not command.continues:
            tx.set_meta(RUN_KEY, "{}")
        return add_fact(tx, command.fact, item="", run="")

    context.publish(await trio.to_thread.run_sync(context.service(Store).write, change))


@plugin.handles(SettleItem, name="settle-item", deadline=_DEADLINE, lane=_item_lane)
async def settle_item(command: SettleItem, context: Context) -> None:
    """Handle `SettleItem`."""
    facts = await recover_backlog(
        context.service(Book),
        context.service(Repository),
        context.service(GitThreads),
        command.item,
    )
    for fact in facts:
        context.publish(fact)
