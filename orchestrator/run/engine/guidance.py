"""What a person tells an item: kept in the store, given to the attempts that come."""

from __future__ import annotations

import attrs
import trio

from orchestrator.context import Context
from orchestrator.errors import UsageError
from orchestrator.messages import Command
from orchestrator.plugin import Plugin
from orchestrator.run.events import Guided
from orchestrator.run.records.facts import add_fact
from orchestrator.store.store import Store
from orchestrator.store.transaction import Transaction
from orchestrator.text import clean

plugin = Plugin("guidance")
LONGEST = 16_384
"""Characters of one text."""

_DEADLINE = 60.0


@attrs.frozen(kw_only=True)
class GiveGuidance(Command[Guided]):
    """Tell an item something; its attempts are given it until a story was verified with it."""

    item: str
    text: str


@attrs.frozen(kw_only=True)
class TakeGuidance(Command[tuple[str, ...]]):
    """Return what an attempt is to be told, and note that it was."""

    item: str
    attempt: str


@attrs.frozen(kw_only=True)
class AllGuidance(Command[tuple[str, ...]]):
    """Return everything a person ever told an item, oldest first."""

    item: str


@plugin.handles(AllGuidance, name="all-guidance", deadline=_DEADLINE)
async def all_guidance(command: AllGuidance, context: Context) -> tuple[str, ...]:
    """Handle `AllGuidance`."""
    rows = await trio.to_thread.run_sync(context.service(Store).guidance, command.item)
    return tuple(row.text for row in rows)


@plugin.handles(GiveGuidance, name="give-guidance", deadline=_DEADLINE)
async def give_guidance(command: GiveGuidance, context: Context) -> Guided:
    """Handle `GiveGuidance`."""
    told = await trio.to_thread.run_sync(give, context.service(Store), command.item, command.text)
    context.publish(told)
    return told


@plugin.handles(TakeGuidance, name="take-guidance", deadline=_DEADLINE)
async def take_guidance(command: TakeGuidance, context: Context) -> tuple[str, ...]:
    """Handle `TakeGuidance`."""
    return await trio.to_thread.run_sync(
        take, context.service(Store), command.item, command.attempt
    )


def give(store: Store, item: str, text: str) -> Guided:
    """Keep what a person told an item; returns the recorded fact. Blocking.

    Raises:
      UsageError: when there is no such item, or nothing is said, or too much.
    """
    text = clean(text).strip()
    if not text or len(text) > LONGEST:
        raise UsageError(f"guidance is 1 to {LONGEST} characters, not {len(text)}")
    run = store.run(item)
    if run is None and store.item(item) is None:
        raise UsageError(f"no item {item}", fix="orc status lists all")

    def keep(tx: Transaction) -> Guided:
        tx.add_guidance(item, text)
        of = run.id if run is not None else ""
        return add_fact(tx, Guided(item=item, text=text), item=item, run=of)

    return store.write(keep)


def take(store: Store, item: str, attempt: str) -> tuple[str, ...]:
    """Return what an attempt is to be told, oldest first, and note that it was. Blocking."""
    if not store.pending_guidance(item):
        return ()
    rows = store.write(lambda tx: tx.take_guidance(item, attempt))
    return tuple(row.text for row in rows)
