"""The product, deliberately wrong in one way: what the crash matrix must notice.

``python -m tests.crash.variants NAME ARGUMENT...`` is the command line with that mistake. Nothing
is wrong with any of them as long as nothing strikes.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from orchestrator.adapters.git import refs, snapshot
from orchestrator.adapters.git.repository import Repository
from orchestrator.cli.main import main
from orchestrator.run.backlog import book, keeping, recovery
from orchestrator.run.backlog.book import Book, Recorded
from orchestrator.run.records import ledger, opening
from orchestrator.store import store
from orchestrator.store.database import open_for_writing
from orchestrator.store.reading import OperationRow
from orchestrator.store.store import Store
from orchestrator.store.transaction import Transaction
from orchestrator.work.backlog.change import Change, View


def _put(owner: object, name: str, wrong: object) -> None:
    """Put something wrong in the place of what is right; a name that is gone is a mistake here."""
    assert hasattr(owner, name)
    setattr(owner, name, wrong)


def ref_before_intent() -> None:
    """The branch is moved before what is about to be done is recorded."""
    begin: dict[str, Callable[[], object]] = {}
    write = Store.write

    def later(self: Store, change: Callable[[Transaction], Any]) -> Any:
        if change.__module__ == keeping.__name__ and "begin_operation" in change.__code__.co_names:
            begin["it"] = lambda: write(self, change)
            return None
        return write(self, change)

    def apply(repo: Repository, operation: str, ref: str, old: str | None, new: str) -> None:
        ledger.apply_checkpoint(repo, operation, ref, old, new)
        begin.pop("it")()

    _put(Store, "write", later)
    _put(keeping, "apply_checkpoint", apply)


def no_intent() -> None:
    """What is about to be done is not recorded at all."""
    _put(Transaction, "begin_operation", lambda *_: None)
    _put(Transaction, "finish_operation", lambda *_: True)


def done_apart() -> None:
    """An operation is recorded as done before what comes of it, in a transaction of its own."""
    change = Book.change

    async def apart(self: Book, decide: book.Decide, also: Any = book._nothing_else) -> Recorded:
        first = await change(self, lambda *_: Change(), also)
        then = await change(self, decide)
        return Recorded(change=then.change, facts=(*first.facts, *then.facts))

    _put(Book, "change", apart)


def done_afterwards() -> None:
    """What comes of an operation is recorded before it is done, in a transaction of its own."""
    change = Book.change

    async def apart(self: Book, decide: book.Decide, also: Any = book._nothing_else) -> Recorded:
        first = await change(self, decide)
        then = await change(self, lambda *_: Change(), also)
        return Recorded(change=first.change, facts=(*first.facts, *then.facts))

    _put(Book, "change", apart)


def follow_ups_apart() -> None:
    """New items are recorded before the rest of what a phase came to."""
    change = Book.change

    async def apart(self: Book, decide: book.Decide, also: Any = book._nothing_else) -> Recorded:
        decided: list[Change] = []

        def new(view: View, now: int) -> Change:
            decided.append(decide(view, now))
            items = tuple(item for item in decided[0].items if view.get(item.id) is None)
            return Change(items=items)

        await change(self, new)
        return await change(self, lambda *_: decided[0], also)

    _put(Book, "change", apart)


def settle_says_done() -> None:
    """What was begun is taken for done, wherever the branch is."""
    _put(recovery, "settle_move", lambda *_: True)


def settle_gives_up() -> None:
    """What was begun is taken for not done, wherever the branch is."""

    def give_up(_: Repository, store: Store, operation: OperationRow) -> bool:
        store.write(lambda tx: tx.void_operation(operation.id))
        return False

    _put(recovery, "settle_move", give_up)


def settle_by_force() -> None:
    """What was begun is done again, whatever a person did with the branch meanwhile."""

    def force(repo: Repository, _: Store, operation: OperationRow) -> bool:
        repo.git.run("update-ref", operation.plan["ref"], operation.plan["new"])
        return True

    _put(recovery, "settle_move", force)


def workspace_as_left() -> None:
    """What a killed worker left in the workspace is there for the next one."""

    class Left:
        restore = staticmethod(lambda *_: ())
        snapshot, clear_trash = snapshot.snapshot, snapshot.clear_trash

    _put(opening, "snapshot", Left)
    _put(ledger, "snapshot", Left)


def locks_left() -> None:
    """The locks of a killed git are nobody's."""
    _put(refs, "_is_ours", lambda *_: False)
    _put(refs, "_clear_own_namespace", lambda *_: False)


def journal_off() -> None:
    """SQLite writes into the database itself and cannot take back what it did not finish."""
    real = open_for_writing

    @wraps(real)
    def fast(path: Path) -> sqlite3.Connection:
        connection = real(path)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA cache_size = 1")
        return connection

    _put(store, "open_for_writing", fast)


def lost_attempt_forgotten() -> None:
    """An attempt that a crash cut short is never decided."""
    _put(opening, "settle_attempt", lambda *_: None)


VARIANTS = {
    function.__name__: function
    for function in (
        ref_before_intent, no_intent, done_apart, done_afterwards, follow_ups_apart,
        settle_says_done, settle_gives_up, settle_by_force, workspace_as_left, locks_left,
        journal_off, lost_attempt_forgotten,
    )
}  # fmt: skip

if __name__ == "__main__":
    VARIANTS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
