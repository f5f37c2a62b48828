"""What a person says of items: adding new ones, changing what is known of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from orchestrator.errors import UsageError

from .change import Change, View
from .checks import (
    check_parent,
    check_pipeline,
    check_priority,
    check_tags,
    check_title,
    distinct,
)
from .description import parse_description
from .draft import Draft
from .guardrails import approval
from .ids import fresh
from .item import (
    UNDESCRIBED,
    UNRATED,
    Assessments,
    Cause,
    Description,
    Item,
    Status,
)
from .needs import check_needs
from .onward import rated, recheck
from .rules import Rules
from .text import clean, one_line


@attrs.frozen(kw_only=True)
class NewItem:
    """An item that is to be added.

    Attributes:
      description: in its parts, or as free text; see `parse_description`.
      needs, parent: ids, or keys of items that stand before it in the same list.
      key: what later items of the list call it, "" when none does; gone afterwards.
      origin: where it came from, "" for a person.
    """

    title: str
    description: Description | str = UNDESCRIBED
    ratings: Assessments = UNRATED
    pipeline: str | None = None
    priority: int = 0
    tags: Sequence[str] = ()
    needs: Sequence[str] = ()
    parent: str | None = None
    origin: str = ""
    needs_review: bool = False
    key: str = ""


@attrs.frozen(kw_only=True)
class Edits:
    """What is to be different about an item; None leaves it as it is.

    Attributes:
      ratings: those that it names take the place of the old ones.
      tags, needs: all of them.
      parent, pipeline: "" for none, and for the default one.
    """

    title: str | None = None
    description: Description | str | None = None
    ratings: Assessments | None = None
    pipeline: str | None = None
    priority: int | None = None
    tags: Sequence[str] | None = None
    needs: Sequence[str] | None = None
    parent: str | None = None
    needs_review: bool | None = None


def add(
    view: View, rules: Rules, new: NewItem, *, mint: Callable[[], str], now: int, by: str = ""
) -> Change:
    """Add an item, which is NEW.

    Args:
      mint: gives an id that is probably new.

    Raises:
      UsageError: the title is blank, too long or not one line, a tag is none, the pipeline is
        not configured, or the parent or one of the needs is unknown.
    """
    return add_all(view, rules, [new], mint=mint, now=now, by=by)


def add_all(
    view: View,
    rules: Rules,
    new: Sequence[NewItem],
    *,
    mint: Callable[[], str],
    now: int,
    by: str = "",
) -> Change:
    """Add items, all or none; later ones may need earlier ones by their keys.

    Raises:
      UsageError: as `add`, or a key is there twice.
    """
    draft = Draft(view, now)
    keys: dict[str, str] = {}
    for wanted in new:
        title = check_title(wanted.title)
        id = fresh(mint, draft)
        check_pipeline(rules, wanted.pipeline, title)
        parent = keys.get(wanted.parent, wanted.parent) if wanted.parent else None
        if parent is not None:
            check_parent(draft, id, parent)
        needs = distinct(keys.get(need, need) for need in wanted.needs)
        check_needs(draft, id, needs)
        item = Item(
            id=id,
            title=title,
            description=_described(wanted.description),
            ratings=wanted.ratings,
            pipeline=wanted.pipeline or None,
            priority=check_priority(wanted.priority),
            tags=check_tags(wanted.tags),
            needs=needs,
            parent=parent,
            origin=wanted.origin,
            needs_review=wanted.needs_review,
        )
        draft.add(item, text=title, by=by)
        if wanted.key and wanted.key in keys:
            raise UsageError(f'the key "{one_line(wanted.key, 80)}" is there twice', where=title)
        if wanted.key:
            keys[wanted.key] = id
    return draft.change()


def edit(view: View, rules: Rules, id: str, edits: Edits, *, now: int, by: str = "") -> Change:
    """Change what is known of an item; an empty change when nothing differs.

    Ratings that are too high let an item wait for approval that is ready or in progress.

    Raises:
      UnknownItemError: there is no such item.
      UsageError: the item is over; a value is wrong, as in `add`; the parent is a part of it; or
        it has begun its pipeline and should take another.
    """
    draft = Draft(view, now)
    before = draft.open_item(id)
    item = _edited(draft, rules, before, edits)
    names = [field.name for field in attrs.fields(Item)]
    told = [name for name in names if getattr(item, name) != getattr(before, name)]
    if not told:
        return Change()
    draft.put(item)
    draft.note(item, "edited", text=", ".join(told), by=by)
    if item.ratings != before.ratings:
        _ask_again(draft, recheck(draft, item, rules), rules)
    return draft.change()


def _edited(draft: Draft, rules: Rules, item: Item, edits: Edits) -> Item:
    if edits.title is not None:
        item = attrs.evolve(item, title=check_title(edits.title))
    if edits.description is not None:
        item = attrs.evolve(item, description=_described(edits.description))
    if edits.priority is not None:
        item = attrs.evolve(item, priority=check_priority(edits.priority))
    if edits.needs_review is not None:
        item = attrs.evolve(item, needs_review=edits.needs_review)
    if edits.ratings is not None:
        item = rated(item, edits.ratings)
    if edits.tags is not None:
        item = attrs.evolve(item, tags=check_tags(edits.tags))
    if edits.needs is not None:
        needs = distinct(edits.needs)
        check_needs(draft, item.id, needs)
        item = attrs.evolve(item, needs=needs)
    if edits.parent is not None:
        if edits.parent:
            check_parent(draft, item.id, edits.parent)
        item = attrs.evolve(item, parent=edits.parent or None)
    if edits.pipeline is not None and (edits.pipeline or None) != item.pipeline:
        check_pipeline(rules, edits.pipeline, item.id)
        if has_begun(item):
            raise UsageError(
                f"{item.id} is on its way through its pipeline already",
                where=item.id,
                fix=f"orc move {item.id} --to triage, then edit it",
            )
        item = attrs.evolve(item, pipeline=edits.pipeline or None)
    return item


def has_begun(item: Item) -> bool:
    """Whether an item is, or was, in a phase of its pipeline."""
    return item.phase is not None or item.stage is not Status.NEW


def _ask_again(draft: Draft, item: Item, rules: Rules) -> None:
    """Say in the question what is too high now, when it is approval that an item waits for."""
    question = item.question
    if question is None or question.cause not in (Cause.REVIEW, Cause.GUARDRAILS):
        return
    review = question.cause is Cause.REVIEW
    newer = approval(item, rules.guardrails, since=question.since, review=review)
    if newer is not None:
        draft.put(attrs.evolve(item, question=newer))


def _described(text: Description | str) -> Description:
    return parse_description(clean(text)) if isinstance(text, str) else text
