"""What a person says of an item is checked before it is taken. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.errors import UsageError

from .change import View
from .pipeline import DEFAULT
from .rules import Rules
from .text import LINE, is_plain_line, one_line

TAG = 64
"""The most characters of a tag."""

PRIORITY = 1_000_000_000
"""The greatest priority; the least is as far below zero."""


def check_title(text: str) -> str:
    """Return a title without space around it.

    Raises:
      UsageError: it is blank, longer than 200 characters, or not one line of plain text.
    """
    title = text.strip()
    if not title or len(title) > LINE or not is_plain_line(title):
        raise UsageError(
            f'"{one_line(title, 60)}" cannot be a title',
            fix=f"give one line of 1 to {LINE} characters; the rest is for the description",
        )
    return title


def check_priority(priority: int) -> int:
    """Return a priority that the store can hold.

    Raises:
      UsageError: it is out of all bounds.
    """
    if abs(priority) > PRIORITY:
        raise UsageError(
            "this cannot be a priority", fix=f"give a number from -{PRIORITY} to {PRIORITY}"
        )
    return priority


def check_pipeline(rules: Rules, name: str | None, id: str) -> None:
    if rules.pipeline(name or None) is None:
        raise UsageError(
            f'there is no pipeline "{one_line(name or DEFAULT, 80)}"',
            where=id,
            fix=f"take one of {', '.join(sorted(rules.pipelines))}",
        )


def check_parent(view: View, id: str, parent: str) -> None:
    seen = {id}
    above: str | None = parent
    while above is not None:
        if above in seen:
            raise UsageError(
                f"{id} cannot be a part of {parent}, which is a part of it",
                where=id,
                fix="name another parent",
            )
        seen.add(above)
        item = view.get(above)
        if item is None and above == parent:
            raise UsageError(
                f"there is no item {one_line(parent, 80)} to be a part of",
                where=id,
                fix="orc list",
            )
        above = item.parent if item else None


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    for tag in tags:
        if not tag.strip() or len(tag) > TAG or "," in tag or not is_plain_line(tag):
            raise UsageError(
                f'"{one_line(tag, 80)}" cannot be a tag',
                fix=f"give one line of 1 to {TAG} characters without a comma",
            )
    return distinct(tag.strip() for tag in tags)


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
