"""Decides what a crash, or a git that was given up on, left open of the backlog's operations."""

from __future__ import annotations

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import AdapterError, ConflictError, OrchestratorError
from orchestrator.messages import Fact
from orchestrator.run.backlog.book import Book, Recorded
from orchestrator.run.backlog.keeping import PHASE_RESULT, Kept, brought_from
from orchestrator.run.backlog.results import finish_kept
from orchestrator.run.records.settle import settle_move
from orchestrator.run.threads import GitThreads
from orchestrator.store.reading import OperationRow
from orchestrator.store.transaction import Transaction
from orchestrator.work.backlog.change import Change, View
from orchestrator.work.backlog.stops import parked


async def recover_backlog(
    book: Book, repo: Repository, threads: GitThreads, item: str | None = None
) -> tuple[Fact, ...]:
    """Finish every operation that was begun, of one item or of all, or give it up.

    What cannot be told is never guessed: the item waits for a person then, and the question says
    how to go on. Returns the facts that tell of it; they are recorded.

    Raises:
      StoreError: when the store cannot be written.
    """
    facts: list[Fact] = []
    for operation in reversed(book.store.operations(item, state="intent")):
        if operation.kind == PHASE_RESULT:
            recorded = await _settle(book, repo, threads, operation)
            facts += recorded.facts if recorded is not None else ()
    return tuple(facts)


async def _settle(
    book: Book, repo: Repository, threads: GitThreads, operation: OperationRow
) -> Recorded | None:
    try:
        moved = await threads.run(settle_move, repo, book.store, operation)
    except (ConflictError, AdapterError) as error:
        return await _park(book, operation, error)
    if not moved:
        return None
    kept = Kept(
        operation=operation.id,
        head=operation.plan["new"],
        brought=brought_from(operation.plan["brought"]),
    )
    return await finish_kept(book, operation.item, kept)


async def _park(book: Book, operation: OperationRow, error: OrchestratorError) -> Recorded:
    def decide(view: View, now: int) -> Change:
        if view.get(operation.item) is None:
            return Change()
        return parked(view, operation.item, error.explanation, now=now)

    def give_up(tx: Transaction) -> tuple[Fact, ...]:
        tx.void_operation(operation.id)
        return ()

    return await book.change(decide, give_up)
