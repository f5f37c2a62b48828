"""What a phase reports of itself: the document an agent leaves, beyond its bare verdict."""

from __future__ import annotations

import enum

import attrs

from .item import UNRATED, Asks, Assessments, Description


class Outcome(enum.Enum):
    """What a phase claims. SUBPHASE: a part is done, the same phase goes on."""

    COMPLETE = "phase_complete"
    SUBPHASE = "subphase_complete"
    FAILED = "failed"
    BLOCKED = "blocked"


@attrs.frozen(kw_only=True)
class FollowUp:
    """Work that a phase found and that is not its own."""

    title: str
    context: str = ""
    ratings: Assessments = UNRATED


@attrs.frozen(kw_only=True)
class PhaseResult:
    """The result of one attempt at a phase.

    Attributes:
      summary: what was done, in a sentence; why it failed, when it did.
      context: more of it; the question when it is blocked.
      asks: what kind of answer it waits for when it is blocked.
      ratings: what it found out about the item.
      based_on: the commit it says it worked on, "" when it does not say.
      pipeline: which one the item should take; only triage decides that.
      commit_summary: for the commit's message, "" when it gave none.
      duplicates: ids of items that are about the same.
      description: None when it says nothing.
    """

    outcome: Outcome
    summary: str = ""
    context: str = ""
    asks: Asks = Asks.CLARIFICATION
    ratings: Assessments = UNRATED
    follow_ups: tuple[FollowUp, ...] = ()
    based_on: str = ""
    pipeline: str | None = None
    commit_summary: str = ""
    duplicates: tuple[str, ...] = ()
    description: Description | None = None
