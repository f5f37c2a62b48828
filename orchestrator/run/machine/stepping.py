"""Takes one step of a branch in its lane: gates, then one transaction, then the record in git."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context
from orchestrator.errors import IllegalStepError, OrchestratorError, StoreError
from orchestrator.messages import Command
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.machine import record
from orchestrator.run.machine.answers import Stepped
from orchestrator.run.machine.describing import stepped, waiting_line
from orchestrator.run.machine.gating import decide
from orchestrator.run.threads import GitThreads
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
class KeepRecord(Command[tuple[str, ...]]):
    """Record a branch's state in git; returns what went wrong with that: the store has it.

    Attributes:
      entries: what happened, for the record's message.
    """

    item: str
    entries: tuple[Entry, ...] = ()


def _lane(command: TakeStep | KeepRecord) -> str:
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
        if current is None or (current.phase, current.track) != (item.phase, item.track):
            raise IllegalStepError(
                f"{command.item} was changed while its gates were decided",
                where=command.item,
                fix="look where it is, and ask again",
            )
        return moving.take(view, book.rules, command.item, step, results, now=now, by=command.by)

    change = (await book.change(take)).tell(context.publish)
    passage = next(entry.passage for entry in change.entries if entry.passage is not None)
    (moved,) = change.items
    warnings = await context.call(KeepRecord(item=command.item, entries=change.entries))
    return stepped(moved, book.rules, passage, warnings)


@plugin.handles(KeepRecord, name="keep-record", deadline=_DEADLINE, lane=_lane)
async def keep_record(command: KeepRecord, context: Context) -> tuple[str, ...]:
    """Handle `KeepRecord`."""
    item = context.service(Book).get(command.item)
    if item is None or item.track is None:
        return ()
    repo, when = context.service(Repository), int(time.time())
    try:
        await context.service(GitThreads).run(record.keep, repo, item, command.entries, when)
    except StoreError:
        raise
    except OrchestratorError as error:
        return (f"not recorded in git, the next step does it: {waiting_line(error)}",)
    return ()
