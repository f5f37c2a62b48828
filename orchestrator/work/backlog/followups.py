"""Work that a phase found beside its own becomes new items. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .description import parse_description
from .draft import Draft
from .ids import fresh
from .item import Item
from .result import FollowUp
from .text import one_line, page

MOST = 50
"""How many one result may bring."""


def take_up(
    draft: Draft,
    item: Item,
    found: Sequence[FollowUp],
    *,
    phase: str,
    attempt: str,
    mint: Callable[[], str],
) -> None:
    """Add what an attempt at a phase of an item found; entries tell what was left out."""
    origin = f"{item.id}/{phase}"
    added = []
    for follow_up in found[:MOST]:
        title = one_line(follow_up.title)
        if not title:
            draft.note(
                item, "skipped", phase=phase, text="a follow-up without a title", attempt=attempt
            )
            continue
        new = Item(
            id=fresh(mint, draft),
            title=title,
            description=parse_description(page(follow_up.context)),
            ratings=follow_up.ratings,
            origin=origin,
        )
        draft.add(new, text=title)
        added.append(new.id)
    if len(found) > MOST:
        text = f"{len(found) - MOST} of {len(found)} follow-ups: at most {MOST} are taken up"
        draft.note(item, "skipped", phase=phase, text=text, attempt=attempt)
    if added:
        text = f"follow-ups: {', '.join(added)}"
        draft.note(item, "followed", phase=phase, text=text, attempt=attempt)
