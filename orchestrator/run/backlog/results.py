"""What a kept result comes to: its item goes on, and the operation is done, in one transaction."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.errors import OvertakenError, StoreError
from orchestrator.messages import Fact
from orchestrator.run.backlog.book import Book, Decide, Recorded
from orchestrator.run.backlog.events import PhaseEnded
from orchestrator.run.backlog.handlers import minting
from orchestrator.run.backlog.keeping import Brought, Kept
from orchestrator.run.records.facts import add_fact
from orchestrator.store.transaction import Transaction
from orchestrator.work.backlog import outcomes
from orchestrator.work.backlog.attempted import Attempted, Landed
from orchestrator.work.backlog.change import Change, View
from orchestrator.work.backlog.item import TRIAGE
from orchestrator.work.backlog.result import Outcome
from orchestrator.work.backlog.triage import triaged
from orchestrator.work.records import AttemptRecord, to_json


async def finish_kept(book: Book, item: str, kept: Kept) -> Recorded:
    """Let an item go on with what was kept. A result that came too late changes nothing else.

    Raises:
      StoreError: when it could not be recorded.
    """
    attempt = kept.brought.attempt
    also = _recording(book, item, kept)
    if attempt is None:
        return await book.change(
            lambda view, now: outcomes.batch_committed(view, item, kept.head, now=now), also
        )
    try:
        return await book.change(_going_on(book, attempt, kept), also)
    except OvertakenError:
        what, landed = attempted(attempt), _landed(book, item, kept)
        return await book.change(
            lambda view, now: outcomes.overtaken(view, what, landed, now=now), also
        )


def attempted(attempt: AttemptRecord) -> Attempted:
    """Return the attempt as the decisions about its end want it."""
    return Attempted(item=attempt.item, phase=attempt.phase, visit=attempt.visit, id=attempt.id)


def _going_on(book: Book, attempt: AttemptRecord, kept: Kept) -> Decide:
    what, report = attempted(attempt), kept.brought.report
    landed = _landed(book, attempt.item, kept)
    mint = minting(book)
    decide = outcomes.phase_completed
    if attempt.phase == TRIAGE:
        decide = triaged
    elif report.outcome is Outcome.SUBPHASE:
        decide = outcomes.subphase_completed

    def go_on(view: View, now: int) -> Change:
        return decide(view, book.rules, what, report, landed, mint=mint, now=now)

    return go_on


def _landed(book: Book, id: str, kept: Kept) -> Landed:
    """Return where the files are. What changed nothing leaves the item where it is."""
    item = book.get(id)
    head = kept.head if kept.operation or item is None else item.head
    waits = kept.brought.batch and bool(kept.operation)
    return Landed(head=head, committed=not waits, based_on=kept.brought.base)


def _recording(book: Book, item: str, kept: Kept) -> Callable[[Transaction], tuple[Fact, ...]]:
    known = book.get(item)
    title = known.title if known is not None else ""

    def record(tx: Transaction) -> tuple[Fact, ...]:
        if kept.operation and not tx.finish_operation(kept.operation):
            raise StoreError(
                f"operation {kept.operation} was decided before", fix="run again: it is looked at"
            )
        attempt = kept.brought.attempt
        if attempt is None:
            return ()
        tx.put_attempt(to_json(attempt))
        fact = _ended(title, attempt, kept)
        return (add_fact(tx, fact, item=item, run=attempt.run),)

    return record


def _ended(title: str, attempt: AttemptRecord, kept: Kept) -> PhaseEnded:
    brought: Brought = kept.brought
    return PhaseEnded(
        item=attempt.item,
        title=title,
        phase=attempt.phase,
        number=brought.tries,
        attempt=attempt.id,
        outcome=brought.report.outcome.value,
        summary=brought.report.summary,
        commit=kept.head if kept.operation else "",
        batched=brought.batch,
        verified=brought.verified,
        seconds=attempt.seconds,
        usage=attempt.usage,
    )
