"""What every execution of one run of the backlog shares."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import OvertakenError
from orchestrator.guardian.client import Guardians
from orchestrator.messages import Fact
from orchestrator.run.backlog.book import Book, Decide
from orchestrator.run.backlog.phases import DecideItems
from orchestrator.run.commands import RecordFact
from orchestrator.run.engine.steering import Steering
from orchestrator.run.loop.allowance import Refusal
from orchestrator.run.plan import RunOptions
from orchestrator.run.scheduling.spending import Spending
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config
from orchestrator.work.backlog.attempted import Attempted, is_at
from orchestrator.work.backlog.change import Change
from orchestrator.work.backlog.item import Item, Status


@attrs.define(eq=False, kw_only=True)
class Tally:
    """What the run came to so far: ids of items that became done or blocked, and counts."""

    done: list[str] = attrs.field(factory=list)
    blocked: list[str] = attrs.field(factory=list)
    counts: Counter[str] = attrs.field(factory=Counter)

    def note(self, change: Change) -> None:
        """Count what became of items."""
        for entry in change.entries:
            self.counts[entry.what] += 1
            if entry.after is entry.before:
                continue
            if entry.after is Status.DONE:
                self.done.append(entry.item)
            elif entry.after is Status.BLOCKED:
                self.blocked.append(entry.item)


@attrs.define(eq=False, kw_only=True)
class Session:
    """One run of the backlog.

    Attributes:
      base_dir: directory of the configuration file: workflow files are relative to it.
      interrupt: once set, what runs is asked to stop by its own protocol.
      stopping: once set, no new attempt begins.
      terminal: whether the operator's git could ask him something.
      delivering: held by the one delivery that goes on.
      refusal: the limit that ended it, or None.
    """

    repo: Repository
    config: Config
    options: RunOptions
    base_dir: Path
    orchestrator: Orchestrator
    book: Book
    guardians: Guardians
    interrupt: trio.Event
    stopping: trio.Event
    steering: Steering
    spending: Spending
    terminal: bool
    tally: Tally = attrs.field(factory=Tally, init=False)
    delivering: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    refusal: Refusal | None = attrs.field(default=None, init=False)

    def current(self, what: Attempted) -> Item:
        """Return the item of an attempt as it was last decided.

        Raises:
          OvertakenError: when it has left the phase, or a person took it.
        """
        item = self.book.get(what.item)
        if item is None or item.by_hand or not is_at(item, what):
            raise OvertakenError(f"{what.item} has left {what.phase}")
        return item

    async def decide(self, decision: Decide) -> Change:
        """Change items durably, and count what became of them.

        Raises:
          OvertakenError: when the decision is about an attempt that the item has left behind.
        """
        change = await self.orchestrator.call(DecideItems(decide=decision))
        self.tally.note(change)
        return change

    async def record(self, item: str, fact: Fact) -> None:
        """Record a fact about an item; once it is durable, everybody is told."""
        await self.orchestrator.call(RecordFact(fact=fact, item=item, run=""))
