"""The message of a commit that holds the results of an item's phases. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .item import Waiting
from .text import one_line


def commit_message(item: str, results: Sequence[Waiting]) -> str:
    """Return the message, without trailers, ending in a line break.

    One result: ``[ITEM][phase] summary``. Several: the summaries there are on the first line,
    then a line that names all phases; only that one when there are no summaries.

    Args:
      item: its id.
      results: oldest first, at least one.

    Raises:
      ValueError: there is none.
    """
    if not results:
        raise ValueError("a commit holds at least one result")
    tags = [f"[{item}][{one_line(result.phase)}]" for result in results]
    summaries = [_own(result.summary, tag) for result, tag in zip(results, tags, strict=True)]
    if len(results) == 1:
        return f"{tags[0]} {summaries[0] or 'Phase output'}\n"
    label = f"{''.join(tags)} Phase outputs\n"
    said = [f"{tag} {text}" for tag, text in zip(tags, summaries, strict=True) if text]
    return f"{' | '.join(said)}\n\n{label}" if said else label


def _own(summary: str, tag: str) -> str:
    """Return a summary as one line, without the tag if it begins with it already."""
    return one_line(summary).removeprefix(tag).lstrip()
