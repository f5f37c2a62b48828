"""An item of the backlog: what is to be done, where it is on its way, what it waits for."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from .track import Track


class Status(enum.Enum):
    """Where an item is. DONE and CLOSED are final; CLOSED is ended without being done."""

    NEW = "new"
    SCOPING = "scoping"
    READY = "ready"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    DONE = "done"
    CLOSED = "closed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more comes."""
        return self in (Status.DONE, Status.CLOSED)


class Size(enum.Enum):
    """How much an item changes."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"

    @property
    def rank(self) -> int:
        """0 for the smallest."""
        return tuple(Size).index(self)


class Level(enum.Enum):
    """How complex, risky or worthwhile an item is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for the lowest."""
        return tuple(Level).index(self)


class Pool(enum.Enum):
    """Which of its pipeline's lists the item's phase is in."""

    PRE = "pre"
    MAIN = "main"


class Asks(enum.Enum):
    """What kind of answer a blocked item waits for."""

    CLARIFICATION = "clarification"
    DECISION = "decision"
    APPROVAL = "approval"


class Cause(enum.Enum):
    """Why an item is blocked: its worker asks, or the orchestrator must not go on by itself."""

    ASKED = "asked"
    FAILED = "failed"
    REVIEW = "review"
    GUARDRAILS = "guardrails"
    GATE = "gate"
    STALE = "stale"
    PARKED = "parked"
    DELIVERY = "delivery"
    CONFIGURATION = "configuration"
    HELD = "held"


@attrs.frozen(kw_only=True)
class Question:
    """What a blocked item waits for.

    Attributes:
      text: the question, or the reason.
      since: the status it goes back to.
    """

    text: str
    asks: Asks = Asks.CLARIFICATION
    cause: Cause = Cause.ASKED
    since: Status = Status.NEW


@attrs.frozen(kw_only=True)
class Description:
    """What an item is about, in five parts, each "" when nothing is said."""

    context: str = ""
    problem: str = ""
    solution: str = ""
    impact: str = ""
    sizing_rationale: str = ""

    def __bool__(self) -> bool:
        return any(attrs.astuple(self))


UNDESCRIBED = Description()
"""What nothing is said of."""


@attrs.frozen(kw_only=True)
class Assessments:
    """How an item was rated; None where nobody did."""

    size: Size | None = None
    complexity: Level | None = None
    risk: Level | None = None
    impact: Level | None = None

    def updated(self, newer: Assessments) -> Assessments:
        """Return these with what ``newer`` says in place of what it says something about."""
        return Assessments(
            size=newer.size or self.size,
            complexity=newer.complexity or self.complexity,
            risk=newer.risk or self.risk,
            impact=newer.impact or self.impact,
        )


UNRATED = Assessments()
"""What nobody rated."""


@attrs.frozen(kw_only=True)
class Claim:
    """A person works on the item; the scheduler leaves it alone. ``at``: Unix nanoseconds."""

    by: str
    at: int


@attrs.frozen(kw_only=True)
class Waiting:
    """A phase whose result is kept and waits to be committed together with others.

    Attributes:
      phase: its name.
      summary: for the commit's message, "" when it gave none.
      attempt: which attempt made it.
    """

    phase: str
    summary: str
    attempt: str


NOTHING_FOREIGN: Mapping[str, Any] = MappingProxyType({})
"""What an item holds of another tool that came from none; one for all."""

DELIVER = "deliver"
"""The phase after the last one, for an item whose result goes to another branch."""

TRIAGE = "triage"
"""The phase of a new item."""


@attrs.frozen(kw_only=True)
class Item:
    """One unit of work.

    Attributes:
      priority: higher goes first.
      tags: in the order they were given, each once.
      needs: ids of items that must be done, or closed, before.
      parent: id of the item it is a part of.
      pipeline: name, None: the default one.
      phase: the phase it is in or next to be in; kept when it is done.
      needs_review: a person approves it before it is ready.
      overridden: a person let it pass the guardrails.
      origin: what it came from: ``ITEM/phase`` of a follow-up, "" when a person added it.
      question: what it waits for; there is one exactly while it is BLOCKED.
      answer: what a person said last; the next prompt tells it. ``asked``: to which question.
      summary: what the last phase said it did; the next prompt tells it.
      claim: a person works on it.
      track: the branch that is brought through the phases by hand; runs leave the item alone.
      reason: why it was closed, or how it was completed by a person.
      visit: counts how often a phase was begun afresh; attempts of a visit share an allowance.
      subphases: how many parts its phase has reported as done, one after another.
      head: the commit that the next phase starts from, "" before the first result.
      accepts_branch: a person let it go on wherever its branch is now.
      waiting: results since the branch's last commit, oldest first; empty: none.
      based_on: the commit that its last phase was based on, "" when none was run.
      created, updated: Unix time in nanoseconds.
      foreign: what an import brought that has no place here, to be given back by an export.
    """

    id: str
    title: str
    status: Status = Status.NEW
    priority: int = 0
    description: Description = UNDESCRIBED
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    parent: str | None = None
    pipeline: str | None = None
    phase: str | None = None
    pool: Pool | None = None
    ratings: Assessments = UNRATED
    needs_review: bool = False
    overridden: bool = False
    origin: str = ""
    question: Question | None = None
    answer: str = ""
    asked: str = ""
    summary: str = ""
    claim: Claim | None = None
    reason: str = ""
    visit: int = 0
    subphases: int = 0
    head: str = ""
    accepts_branch: bool = False
    waiting: tuple[Waiting, ...] = ()
    based_on: str = ""
    created: int = 0
    updated: int = 0
    foreign: Mapping[str, Any] = NOTHING_FOREIGN
    track: Track | None = None

    @property
    def by_hand(self) -> bool:
        """Whether a person, or an agent of theirs, has it: runs leave it alone."""
        return self.claim is not None or self.track is not None

    @property
    def stage(self) -> Status:
        """Where it is on its way; of what waits for a person, where it goes on."""
        return self.question.since if self.question is not None else self.status

    @property
    def is_blocked(self) -> bool:
        """Whether it waits for a person."""
        return self.status is Status.BLOCKED
