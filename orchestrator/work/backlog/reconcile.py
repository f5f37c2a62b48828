"""Brings together two backlogs that grew apart, field by field. Pure.

Each side is documents of items by id; ``base`` is what both once had. What one side changed is
taken. What both changed differently stays as it is here, and is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .text import one_line

Document = Mapping[str, Any]
Documents = Mapping[str, Document]

PROGRESS = ("status", "phase", "pool", "question", "reason")
"""Fields that say where an item is. They are taken together or not at all."""

REMOVED = "It was removed from the mirror. Close it, or retry to keep it."
"""What an item waits for that the other side removed: to be over cannot be taken back."""

_LISTS = ("tags", "needs")
_PARTED = ("description", "ratings")
_FINAL = ("done", "closed")
_ABSENT = object()


@attrs.frozen
class Merged:
    """What is to be done here.

    Attributes:
      documents: those of the items that are new or come out different, by id.
      notes: what was not taken from the other side, a line each, with its value.
    """

    documents: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()


def merge(base: Documents, ours: Documents, theirs: Documents) -> Merged:
    """Return what comes of the other side's changes since ``base``.

    An item that the other side removed waits for a person when it is new; else it stays,
    which is told unless it is over anyway.
    """
    merged: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for id in sorted(theirs.keys() | (base.keys() & ours.keys())):
        was, here, there = base.get(id), ours.get(id), theirs.get(id)
        if there is None:
            if here is not None and here.get("status") not in _FINAL:
                if here == was and "status" not in here:
                    question = {"text": REMOVED, "cause": "held", "asks": "decision"}
                    merged[id] = {**here, "status": "blocked", "question": question}
                else:
                    notes.append(f"{id}: removed there, but it is under way here; it stays")
        elif here is None:
            if was is None:
                merged[id] = dict(there)
            elif there != was:
                notes.append(f"{id}: changed there, but it is not here any more; left out")
        elif there != was and there != here:
            if was is None:
                notes.append(f"{id}: added on both sides")
            result = _Both(id, was or {}, here, there, notes).document()
            if result != here:
                merged[id] = result
    return Merged(merged, tuple(notes))


@attrs.frozen
class _Both:
    """One item on both sides."""

    id: str
    was: Document
    here: Document
    there: Document
    notes: list[str]

    def document(self) -> dict[str, Any]:
        """Return the item as it comes to be here."""
        result = dict(self.here)
        alone = {"id", "updated", *PROGRESS}
        self._take_progress(result)
        for key in sorted((self.was.keys() | self.here.keys() | self.there.keys()) - alone):
            was, here, there = (
                side.get(key, _ABSENT) for side in (self.was, self.here, self.there)
            )
            if key in _LISTS:
                value: Any = _lists(was, here, there)
            elif key in _PARTED:
                value = self._parts(key, was, here, there)
            else:
                value = self._one(key, was, here, there)
            _put(result, key, value)
        if result != self.here:
            times = [side["updated"] for side in (self.here, self.there) if "updated" in side]
            _put(result, "updated", max(times, default=_ABSENT))
        return result

    def _take_progress(self, result: dict[str, Any]) -> None:
        was, here, there = (
            {key: side[key] for key in PROGRESS if key in side}
            for side in (self.was, self.here, self.there)
        )
        if there in (was, here):
            return
        if here == was:
            for key in PROGRESS:
                _put(result, key, there.get(key, _ABSENT))
            return
        for key in PROGRESS:
            said = there.get(key, _ABSENT)
            if said not in (was.get(key, _ABSENT), here.get(key, _ABSENT)):
                self._tell(key, said)

    def _one(self, key: str, was: Any, here: Any, there: Any) -> Any:
        """Return one value: the one that was changed, ours when both were."""
        if there in (was, here):
            return here
        if here == was:
            return there
        self._tell(key, there)
        return here

    def _parts(self, key: str, was: Any, here: Any, there: Any) -> Any:
        """Return an object, part by part."""
        sides = [side if isinstance(side, Mapping) else {} for side in (was, here, there)]
        result: dict[str, Any] = {}
        for part in sorted(set().union(*sides)):
            values = (side.get(part, _ABSENT) for side in sides)
            _put(result, part, self._one(f"{key}.{part}", *values))
        return result or _ABSENT

    def _tell(self, key: str, there: Any) -> None:
        said = "absent" if there is _ABSENT else one_line(str(there), 500)
        self.notes.append(f"{self.id}: {key}: changed on both sides; not taken: {said}")


def _lists(was: Any, here: Any, there: Any) -> Any:
    """Return ours with what they added, without what they took away."""
    before, mine, yours = (() if side is _ABSENT else tuple(side) for side in (was, here, there))
    if yours == before:
        return here
    if mine == before:
        return there
    kept = [entry for entry in mine if entry in yours or entry not in before]
    added = [entry for entry in yours if entry not in before and entry not in kept]
    return kept + added or _ABSENT


def _put(document: dict[str, Any], key: str, value: Any) -> None:
    if value is _ABSENT:
        document.pop(key, None)
    else:
        document[key] = value
