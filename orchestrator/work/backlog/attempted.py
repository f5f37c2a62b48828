"""Which attempt at a phase an outcome is about, and where its files are. Pure."""

from __future__ import annotations

import attrs

from orchestrator.errors import OvertakenError, UsageError

from .draft import Draft
from .item import TRIAGE, Asks, Cause, Item, Question, Status, Waiting
from .text import one_line


@attrs.frozen(kw_only=True)
class Attempted:
    """Which attempt an outcome is about.

    Attributes:
      id: the attempt's.
      phase: its name; TRIAGE of a new item, DELIVER of a finished one.
      visit: the item's, when the attempt began.
    """

    item: str
    phase: str
    visit: int
    id: str = ""


@attrs.frozen(kw_only=True)
class Landed:
    """Where an attempt's files are.

    Attributes:
      head: the commit that holds them, which the next phase starts from.
      committed: whether it is on the item's branch, with all that waited; else it is kept, and
        waits to be committed with what follows.
      based_on: the commit that the attempt worked on.
    """

    head: str
    committed: bool = True
    based_on: str = ""


def current(draft: Draft, attempt: Attempted, *, phase: str | None = None) -> Item:
    """Return the item of an attempt.

    Args:
      phase: TRIAGE or DELIVER when it is an attempt at that; None for any phase.

    Raises:
      UnknownItemError: there is none.
      UsageError: it is an attempt at something else.
      OvertakenError: it is not in this visit of this phase any more.
    """
    if phase is not None and attempt.phase != phase:
        raise UsageError(f"{attempt.id} is an attempt at {attempt.phase}, not at {phase}")
    item = draft.item(attempt.item)
    if not is_at(item, attempt):
        raise OvertakenError(
            f"{item.id} is not in {attempt.phase} any more: it is {item.status.value}",
            where=item.id,
            fix=f"orc show {item.id} --history",
        )
    return item


def is_at(item: Item, attempt: Attempted) -> bool:
    """Whether an item is still in the visit of the phase that an attempt is at."""
    works = item.status in (Status.SCOPING, Status.IN_PROGRESS)
    here = TRIAGE if item.status is Status.NEW else item.phase if works else None
    return (here, item.visit) == (attempt.phase, attempt.visit)


def land(item: Item, attempt: Attempted, summary: str, landed: Landed) -> Item:
    waiting = Waiting(phase=attempt.phase, summary=one_line(summary), attempt=attempt.id)
    return attrs.evolve(
        item,
        head=landed.head,
        accepts_branch=False,
        based_on=landed.based_on or item.based_on,
        waiting=() if landed.committed else (*item.waiting, waiting),
    )


def stop(
    draft: Draft,
    item: Item,
    cause: Cause,
    text: str,
    attempt: Attempted,
    *,
    what: str = "blocked",
    outcome: str = "",
) -> None:
    question = Question(text=text, asks=Asks.DECISION, cause=cause, since=item.status)
    draft.block(item, question, what, phase=attempt.phase, outcome=outcome, attempt=attempt.id)
