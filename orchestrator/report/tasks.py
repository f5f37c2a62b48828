"""Reads what the backlog tells of its items, for a report. Blocking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from orchestrator.adapters.git.refs import ATTEMPTS, RefRecord
from orchestrator.adapters.git.runner import Git
from orchestrator.errors import StoreError
from orchestrator.run.backlog.kept import kept_items
from orchestrator.store.reading import FactRow, HistoryRow, Reader
from orchestrator.work.backlog.document import read_line
from orchestrator.work.backlog.item import Description, Item
from orchestrator.work.backlog.pipeline import DEFAULT
from orchestrator.work.records import RunRecord

from .cleaning import Cleaner
from .task import Found, Happened, Task, questions

_SECOND = 1e9
_MOST_FOUND = 100


def read_tasks(reader: Reader | None, git: Git) -> dict[str, Item]:
    """Return every item of the backlog by its id; of a lost store, what git keeps of them.

    Raises:
      StoreError: when the store, or an item in it, cannot be read.
    """
    rows = reader.items() if reader is not None else ()
    if not rows:
        return {item.id: item for item in kept_items(git)}
    found = {}
    for row in rows:
        try:
            found[row.id] = read_line(row.document)
        except ValueError as error:
            raise StoreError(
                f"the store's item {row.id} cannot be read: {error}",
                fix="a newer orchestrator may have written it: use that one",
            ) from error
    return found


def read_happened(reader: Reader | None, item: str, clean: Cleaner) -> tuple[Happened, ...]:
    """Return an item's history, oldest first, fit to show."""
    rows = reader.history(item) if reader is not None else ()
    return tuple(_happened(row, clean) for row in rows)


def task_of(
    item: Item, known: Mapping[str, Item], history: tuple[Happened, ...], clean: Cleaner
) -> Task:
    """Return what there is to tell of an item besides its attempts."""
    parts = (
        (field.name.replace("_", " "), clean.text(getattr(item.description, field.name)))
        for field in attrs.fields(Description)
    )
    made = [one for one in known.values() if one.origin.startswith(f"{item.id}/")]
    return Task(
        title=clean.line(item.title),
        pipeline=clean.line(item.pipeline or DEFAULT),
        origin=clean.line(item.origin),
        description=tuple((name, text) for name, text in parts if text),
        asked=questions(history),
        found=tuple(
            Found(id=one.id, title=clean.line(one.title), status=one.status.value.replace("_", " "))
            for one in made[:_MOST_FOUND]
        ),
    )


def checked_of(facts: Iterable[FactRow], found: Mapping[str, RefRecord]) -> dict[str, bool]:
    """Return of attempts whether a verify command passed on what they left, where that is known.

    Args:
      found: the refs that keep what attempts left: where facts were lost, their commits say it.
    """
    said = {"yes": True, "no": False}
    known = {
        name.removeprefix(ATTEMPTS): said[word]
        for name, ref in found.items()
        if (word := ref.trailers.get("Orchestrator-Verified", "")) in said
    }
    told = {
        str(fact.document["attempt"]): bool(fact.document["verified"])
        for fact in facts
        if fact.name in ("phase_ended", "story_verified")
        and {"attempt", "verified"} <= fact.document.keys()
    }
    return known | told


def batched_of(facts: Iterable[FactRow]) -> frozenset[str]:
    """Return the attempts whose results waited to be committed with those that followed."""
    return frozenset(
        str(fact.document.get("attempt"))
        for fact in facts
        if fact.name == "phase_ended" and fact.document.get("batched")
    )


def never_run(item: str) -> RunRecord:
    """Return what stands for the run of an item that nothing was done for yet."""
    return RunRecord(
        id="", item=item, change=item, title="", base="", start="", seen="", target="", root=".",
        at=0,
    )  # fmt: skip


def _happened(row: HistoryRow, clean: Cleaner) -> Happened:
    said = {name: str(row.document.get(name, "")) for name in ("before", "after", "attempt")}
    shown = {
        name: clean.line(str(row.document.get(name, "")), 400)
        for name in ("phase", "outcome", "text", "by")
    }
    return Happened(at=row.at / _SECOND, what=clean.line(row.what), **said, **shown)
