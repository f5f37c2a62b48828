"""Changes one branch in its lane: gates, then one transaction, then the record in git."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context
from orchestrator.errors import IllegalStepError, OrchestratorError, StoreError
from orchestrator.messages import Command
from orchestrator.plugin import Plugin
from orchestrator.run.backlog import branch_record
from orchestrator.run.backlog.book import Book, Decide
from orchestrator.run.machine.answers import Stepped
from orchestrator.run.machine.describing import stepped
from orchestrator.run.machine.gating import decide
from orchestrator.run.threads import GitThreads
from orchestrator.text import one_line
from orchestrator.work.backlog.change import Change, Entry, View
from orchestrator.work.backlog.item import Item
from orchestrator.work.machine import moving
from orchestrator.work.machine.steps import Step

plugin = Plugin("steps")
_DEADLINE = 890.0


@attrs.frozen(kw_only=True)
class TakeStep(Command[Stepped]):
    """Take the step that ``plan`` returns for the item as it is when its turn has come."""

    item: str
    plan: Callable[[Item], Step]
    by: str


@attrs.frozen(kw_only=True)
class Changed:
    """A change that is durable; ``warnings``: what went wrong beside it."""

    change: Change
    warnings: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ChangeBranch(Command[Changed]):
    """Change a branch's item as a decision says, when its turn has come."""

    item: str
    decide: Decide


@attrs.frozen(kw_only=True)
class KeepRecord(Command[tuple[str, ...]]):
    """Record a branch's state in git; returns what went wrong with that: the store has it.

    Attributes:
      entries: what happened, for the record's message.
    """

    item: str
    entries: tuple[Entry, ...] = ()


def _lane(command: TakeStep | ChangeBranch | KeepRecord) -> str:
    return f"phases:{command.item}"


@plugin.handles(TakeStep, name="take-step", deadline=_DEADLINE, lane=_lane)
async def take_step(command: TakeStep, context: Context) -> Stepped:
    """Handle `TakeStep`."""
    book = context.service(Book)
    item = book.get(command.item)
    assert item is not None  # items are never taken out of the book
    step = command.plan(item)
    results = await decide(context, item, step.gates)

    def take(view: View, now: int) -> Change:
        current = view.get(command.item)
        if current is None or _place(current) != _place(item):
            raise IllegalStepError(
                f"{command.item} was changed while its gates were decided",
                where=command.item,
                fix="look where it is, and ask again",
            )
        return moving.take(view, book.rules, command.item, step, results, now=now, by=command.by)

    changed = await context.call(ChangeBranch(item=command.item, decide=take))
    change = changed.change
    passage = next(entry.passage for entry in change.entries if entry.passage is not None)
    (moved,) = change.items
    return stepped(moved, book.rules, passage, changed.warnings)


@plugin.handles(ChangeBranch, name="change-branch", deadline=_DEADLINE, lane=_lane)
async def change_branch(command: ChangeBranch, context: Context) -> Changed:
    """Handle `ChangeBranch`."""
    recorded = await context.service(Book).change(command.decide)
    change = recorded.tell(context.publish)
    kept = KeepRecord(item=command.item, entries=change.entries)
    return Changed(change=change, warnings=await context.call(kept))


@plugin.handles(KeepRecord, name="keep-record", deadline=_DEADLINE, lane=_lane)
async def keep_record(command: KeepRecord, context: Context) -> tuple[str, ...]:
    """Handle `KeepRecord`."""
    item = context.service(Book).backlog.get(command.item)
    if item is None or item.track is None:
        return ()
    repo, threads = context.service(Repository), context.service(GitThreads)
    entries = tuple(entry for entry in command.entries if entry.item == item.id)
    try:
        await threads.run(branch_record.keep, repo, item, entries, int(time.time()))
    except StoreError:
        raise
    except OrchestratorError as error:
        told = one_line(f"{error.message}; {error.fix}" if error.fix else error.message, 400)
        return (f"not recorded in git, which the next start tries again: {told}",)
    return ()


def _place(item: Item) -> tuple[object, ...]:
    """Return what the gates of a step were decided for."""
    return item.phase, item.track, item.question, item.status
