"""What a decision comes to: items as they are next, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import attrs

from .item import Item, Status


@attrs.frozen(kw_only=True)
class Passage:
    """How a branch got from one phase, or cycle, to another by hand.

    Attributes:
      source, target: phases; the same when only the cycle changed.
      source_cycle, target_cycle: 0 outside of cycles.
      approved_by: who said that it may be so, "" when nobody had to.
      passed, skipped: gates that held, and that did not and were passed by force, in words.
    """

    source: str
    target: str
    source_cycle: int = 0
    target_cycle: int = 0
    forced: bool = False
    reason: str = ""
    approved_by: str = ""
    passed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Entry:
    """One line of an item's history.

    Attributes:
      what: what happened, in one word: "added", "edited", "moved", "phase", "failed", "blocked",
        "answered", "retried", "closed", "completed", "merged", "claimed", "delivered", …
      before, after: its status then; the same when it did not change.
      phase: the phase it is about, "" when none.
      outcome: as the worklog says it ("Complete", "Subphase Complete", "Failed", "Blocked",
        "Cancelled", "Merged", "Archived"), "" for what is no work.
      text: the summary, reason, question, answer or note.
      by: who did it: "" for the orchestrator itself.
      attempt: which attempt it is about, "" when none.
      passage: of a branch that changed its phase or cycle: how.
    """

    item: str
    what: str
    before: Status
    after: Status
    phase: str = ""
    outcome: str = ""
    text: str = ""
    by: str = ""
    attempt: str = ""
    passage: Passage | None = None


@attrs.frozen(kw_only=True)
class Change:
    """One step of the backlog: all of it comes, or nothing.

    Attributes:
      items: the items that are new or different, as they are next; each once.
      entries: their history.
    """

    items: tuple[Item, ...] = ()
    entries: tuple[Entry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.items or self.entries)


class View(Protocol):
    """The backlog as a decision sees it."""

    def get(self, id: str, /) -> Item | None:
        """Return an item."""
        ...

    def dependents(self, id: str, /) -> Iterable[str]:
        """Return the ids of the items that need this one."""
        ...

    def children(self, id: str, /) -> Iterable[str]:
        """Return the ids of the items that are parts of this one."""
        ...
