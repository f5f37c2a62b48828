"""Copies of the backlog beside the store: one in git to put it back from, one for a team to share.

The mirror lies in the checkout; what others changed in it is taken over when an engine begins, by
a three-way merge with what was last written there. That is kept in git, beside the whole backlog.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from orchestrator.adapters.backlog.mirror import (
    merge,
    mirrored,
    parse_mirror,
    read_mirror,
    restored,
    write_mirror,
)
from orchestrator.adapters.backlog.own import write_lines
from orchestrator.adapters.git import objects, refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import AdapterError, BacklogFileError, ConflictError
from orchestrator.messages import Fact
from orchestrator.run.backlog.book import Book
from orchestrator.run.backlog.branch_record import keep, recorded, trail_of
from orchestrator.run.backlog.kept import ITEMS, MIRROR, kept_file, kept_items
from orchestrator.run.backlog.putting_back import keeping, put_back
from orchestrator.run.events import Warned
from orchestrator.run.records.facts import add_fact
from orchestrator.run.records.ledger import tips
from orchestrator.run.threads import GitThreads
from orchestrator.store.transaction import Transaction
from orchestrator.work.backlog.change import Change, Entry, View
from orchestrator.work.backlog.importing import import_items
from orchestrator.work.backlog.item import Item

LARGE = 5_000
"""Items of a backlog whose copy in git is left to the next run by the commands before it."""


@attrs.define(eq=False, kw_only=True)
class Copies:
    """The copies of one engine's backlog.

    Attributes:
      mirror: the file below the checkout, None when there shall be none.
      brief: whether the engine only answers commands.
    """

    repo: Repository
    threads: GitThreads
    book: Book
    mirror: Path | None
    brief: bool
    _taken: bytes | None = attrs.field(default=None, init=False)

    async def take_over(self) -> tuple[Fact, ...]:
        """Put a lost backlog back from git, and take over what others changed in the mirror.

        Returns the facts that tell of it; they are recorded.

        Raises:
          BacklogFileError: when the mirror cannot be read; names the line. Nothing is changed.
          StoreError: when it could not be recorded.
        """
        facts = await self._put_back() if not len(self.book.backlog) else ()
        return (*facts, *await self._take_records(), *await self._take_mirror())

    async def write(self) -> tuple[Fact, ...]:
        """Bring the copies up to date; returns what is to be told, recorded.

        A mirror that somebody changed meanwhile is left alone: the next engine takes that over.
        """
        data, problem = self._taken, ""
        if self.mirror is not None:
            try:
                data = await self.threads.run(
                    write_mirror,
                    self.mirror,
                    tuple(self.book.backlog.items()),
                    checkout=self.repo.checkout,
                    over=self._taken,
                )
            except BacklogFileError as error:
                data, problem = None, f"the mirror was not written: {error.message}"
            else:
                if data is None:
                    problem = "the mirror was changed meanwhile: the next run takes that over"
        if data != self._taken or (self._is_due() and len(self.book.backlog)):
            when = max((item.updated for item in self.book.backlog.items()), default=0) // 10**9
            await self.threads.run(self._keep, when, data if data is not None else self._taken)
        problems = [problem] if problem else []
        if self._is_due():
            problems += await self._keep_records()
        return await self._warn(problems) if problems else ()

    async def _take_records(self) -> tuple[Fact, ...]:
        """Take over what git's records of branches have and the store has not, or only older.

        A record that is older than the store is brought up to date: a kill came between them.
        """
        found = await self.threads.run(recorded, self.repo)
        newer = [item for id, item in found.items() if _is_newer(item, self.book.backlog.get(id))]
        facts: tuple[Fact, ...] = ()
        for item in newer:
            trails = {item.id: await self.threads.run(trail_of, self.repo, item.id)}
            facts += (await self.book.change(partial(put_back, item), keeping(trails))).facts
        problems = await self._keep_records(found)
        return (*facts, *await self._warn(problems)) if problems else facts

    async def _keep_records(self, found: Mapping[str, Item] | None = None) -> list[str]:
        """Record in git where every branch by hand is that is recorded otherwise, or not at all.

        Returns why some could not be.
        """
        tracked = [item for item in self.book.backlog.items() if item.track is not None]
        if not tracked:
            return []
        known = found if found is not None else await self.threads.run(recorded, self.repo)
        problems = []
        for item in tracked:
            if item != known.get(item.id):
                when = max(item.updated // 10**9, 1)
                try:
                    await self.threads.run(keep, self.repo, item, (), when)
                except (AdapterError, ConflictError) as error:
                    problems.append(f"{item.id} was not recorded in git: {error.message}")
        return problems

    def _is_due(self) -> bool:
        """Tell whether git's copy is to be looked at: a command does not write a large one anew."""
        if not self.brief:
            return True
        return self.book.is_changed and len(self.book.backlog) <= LARGE

    async def _put_back(self) -> tuple[Fact, ...]:
        items = await self.threads.run(kept_items, self.repo.git)
        if not items:
            return ()
        by_hand = [item for item in items if item.track is not None]
        trails = {item.id: await self.threads.run(trail_of, self.repo, item.id) for item in by_hand}
        recorded = await self.book.change(
            lambda view, _: import_items(view, items), keeping(trails)
        )
        noun = "item was" if len(items) == 1 else "items were"
        told = await self._warn([f"the store was new: {len(items)} {noun} put back from git"])
        return (*recorded.facts, *told)

    async def _take_mirror(self) -> tuple[Fact, ...]:
        if self.mirror is None:
            return ()
        theirs = await self.threads.run(read_mirror, self.mirror, checkout=self.repo.checkout)
        if theirs is None:
            return ()
        self._taken = theirs.data
        base = await self.threads.run(kept_file, self.repo.git, MIRROR)
        known = parse_mirror(base, "the last mirror") if base is not None else {}
        merged = merge(known, mirrored(self.book.backlog.items()), theirs.documents)
        if not merged.documents and not merged.notes:
            return ()
        recorded = await self.book.change(lambda view, _: _taken_over(view, merged.documents))
        return (*recorded.facts, *await self._warn(merged.notes))

    async def _warn(self, messages: list[str] | tuple[str, ...]) -> tuple[Fact, ...]:
        def warn(tx: Transaction) -> tuple[Fact, ...]:
            return tuple(
                add_fact(tx, Warned(message=message), item="", run="") for message in messages
            )

        return (await self.book.change(lambda _, __: Change(), warn)).facts

    def _keep(self, when: int, mirror: bytes | None) -> None:
        git, old = self.repo.git, tips(self.repo, refs.BACKLOG)[refs.BACKLOG]
        items = write_lines((row.id, row.document) for row in self.book.store.items())
        files = {ITEMS: items, **({MIRROR: mirror} if mirror is not None else {})}
        tree = objects.flat_tree(git, files)
        if old is not None and objects.tree_of(git, old) == tree:
            return
        commit = objects.commit(git, tree, [], "The backlog\n", self.repo.identity(), when)
        refs.move_ref(git, refs.BACKLOG, commit, old, "backlog")


def _is_newer(recorded: Item, stored: Item | None) -> bool:
    """Tell whether a record says more than the store: it has a step that the store lost."""
    return stored is None or (stored.track is not None and recorded.updated > stored.updated)


def _taken_over(view: View, documents: Mapping[str, dict[str, Any]]) -> Change:
    """Return the change that makes items what a merge with the mirror came to."""
    items, entries = [], []
    for id, document in documents.items():
        now = view.get(id)
        item = restored(document, now)
        items.append(item)
        before = now.status if now is not None else item.status
        entries.append(Entry(item=id, what="mirrored", before=before, after=item.status))
    return Change(items=tuple(items), entries=tuple(entries))
