"""What the backlog tells of an item besides its attempts: plain values, and how to read them. Pure.

A history becomes questions with their answers, and the few notes that a person wants.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

MOST_NOTES = 20
"""The newest notes are told."""

_BLOCKED = "blocked"
_NOTED = frozenset(
    (
        "blocked", "failed", "parked", "answered", "retried", "moved", "claimed", "released",
        "closed", "completed", "delivered", "merged", "overtaken", "accepted", "skipped",
    )
)  # fmt: skip
"""What is told of an item's history; the rest its phases tell."""


@attrs.frozen(kw_only=True)
class Note:
    """Something that happened besides the attempts; ``at``: Unix time in seconds."""

    at: float
    kind: str
    text: str


@attrs.frozen(kw_only=True)
class Happened:
    """One line of an item's history; ``at``: Unix time in seconds.

    The rest is as in `orchestrator.work.backlog.change.Entry`.
    """

    at: float
    what: str
    before: str
    after: str
    phase: str = ""
    outcome: str = ""
    text: str = ""
    by: str = ""
    attempt: str = ""


@attrs.frozen(kw_only=True)
class Asked:
    """A question to a person, or what stopped the item, and what came of it.

    Attributes:
      phase: where it came up, "" outside one.
      at: Unix time in seconds; ``until``: when it went on, None while it waits.
      how: "answered", "retried", "moved", "closed", …, "" while it waits; ``by``: by whom.
    """

    at: float
    phase: str
    text: str
    until: float | None = None
    how: str = ""
    answer: str = ""
    by: str = ""

    def waited(self, now: float) -> float:
        """Return for how long it waited, in seconds."""
        return max(0.0, (now if self.until is None else self.until) - self.at)


@attrs.frozen(kw_only=True)
class Found:
    """An item that was made of what a phase found."""

    id: str
    title: str
    status: str


@attrs.frozen(kw_only=True)
class Task:
    """What an item of the backlog is.

    Attributes:
      description: its parts, each a name and a text.
      origin: what it came from, "" when a person added it.
      asked: what it waited for a person for, oldest first.
    """

    title: str
    pipeline: str
    origin: str
    description: tuple[tuple[str, str], ...]
    asked: tuple[Asked, ...]
    found: tuple[Found, ...]


def questions(history: Iterable[Happened]) -> tuple[Asked, ...]:
    """Return what an item waited for a person for, oldest first."""
    found: list[Asked] = []
    for one in history:
        if one.before != _BLOCKED and one.after == _BLOCKED:
            found.append(Asked(at=one.at, phase=one.phase, text=one.text))
        elif one.before == _BLOCKED and one.after != _BLOCKED and found:
            found[-1] = attrs.evolve(
                found[-1], until=one.at, how=one.what, answer=one.text, by=one.by
            )
    return tuple(found)


def notes(history: Iterable[Happened]) -> tuple[Note, ...]:
    """Return the newest of what happened to an item besides its phases, oldest first."""
    told = [one for one in history if one.what in _NOTED and (one.text or one.by)]
    return tuple(
        Note(at=one.at, kind=f"{one.what} by {one.by}" if one.by else one.what, text=_text(one))
        for one in told[-MOST_NOTES:]
    )


def _text(one: Happened) -> str:
    where = f"{one.phase}: " if one.phase and one.what not in ("moved", "delivered") else ""
    return f"{where}{one.text}" if one.text else one.phase
