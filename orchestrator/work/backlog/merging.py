"""Two items that are about the same become one. Pure."""

from __future__ import annotations

import attrs

from orchestrator.errors import UsageError

from .change import View
from .draft import Draft
from .item import DELIVER, TRIAGE, Item, Status
from .needs import way
from .text import one_line


def surviving(one: Item, other: Item) -> tuple[Item, Item]:
    """Return which of two duplicates stays, and which goes into it.

    Work that has begun, or that a person claimed, stays; else what is older does.
    """
    first, second = sorted((one, other), key=lambda item: (not _is_begun(item), _age(item)))
    return first, second


def merge(draft: Draft, source: str, target: str, *, by: str = "", text: str = "") -> None:
    """Put an item into another one: it is CLOSED, and what it said and was needed for goes over.

    The target's needs are extended by the source's, as far as nothing comes to wait for itself;
    what needed the source, or was a part of it, belongs to the target now. A target that is over
    stays as it is.

    Args:
      text: why, in a person's words.

    Raises:
      UsageError: they are the same item.
      UnknownItemError: one of them is unknown.
      IllegalStepError: the source is over.
    """
    if source == target:
        raise UsageError(
            f"{source} cannot be merged into itself", where=source, fix="name another item"
        )
    gone, kept = draft.open_item(source), draft.item(target)
    told = f"Merged into {target}"
    if text:
        told = f"{told}: {text}"
    closed = draft.step(
        gone, Status.CLOSED, "merged", phase=TRIAGE, outcome="Merged", text=told, by=by
    )
    draft.put(attrs.evolve(closed, reason=f"merged into {target}", claim=None, summary=""))
    if not kept.status.is_final:
        context = f"{kept.description.context}\n{_said(gone)}".lstrip("\n")
        kept = attrs.evolve(kept, description=attrs.evolve(kept.description, context=context))
        draft.put(kept)
        draft.note(kept, "merged", text=f"Merged from {source}", by=by)
    _repoint(draft, gone, target)


def _repoint(draft: Draft, gone: Item, target: str) -> None:
    """Let the target take the source's place among needs and parts, without a circle."""
    for id in draft.dependents(gone.id):
        item = draft.item(id)
        needs = tuple(dict.fromkeys(target if need == gone.id else need for need in item.needs))
        if id == target or reaches(draft, target, id):
            needs = tuple(need for need in item.needs if need != gone.id)
        draft.put(attrs.evolve(item, needs=needs))
    kept = draft.item(target)
    if not kept.status.is_final:
        needs = kept.needs
        for need in gone.needs:
            if need not in (target, *needs) and not reaches(draft, need, target):
                needs = (*needs, need)
        draft.put(attrs.evolve(kept, needs=needs))
    above = _ancestors(draft, target)
    for id in draft.children(gone.id):
        parent = gone.parent if id == target or id in above else target
        draft.put(attrs.evolve(draft.item(id), parent=parent))


def reaches(view: View, start: str, goal: str) -> bool:
    """Whether an item waits, directly or through others, for ``goal``."""
    item = view.get(start)
    return item is not None and bool(way(view, item.needs, goal))


def _ancestors(view: View, id: str) -> set[str]:
    found: set[str] = set()
    item = view.get(id)
    while item is not None and item.parent is not None and item.parent not in found:
        found.add(item.parent)
        item = view.get(item.parent)
    return found


def _is_begun(item: Item) -> bool:
    return item.claim is not None or item.stage is Status.IN_PROGRESS or item.phase == DELIVER


def _age(item: Item) -> tuple[int, str]:
    return item.created, item.id


def _said(item: Item) -> str:
    """Return an item in words, for the context of another one."""
    parts = [f"[Merged from {item.id}] Title: {one_line(item.title)}"]
    for label, text in (
        ("Context", item.description.context),
        ("Problem", item.description.problem),
        ("Origin", item.origin),
    ):
        if text:
            parts.append(f"{label}: {text}")
    return ". ".join(parts)
