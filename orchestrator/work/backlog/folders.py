"""What the folder of an item's artefacts is called. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .item import Item

CHANGES = "changes"
"""The folder of all of them, in the workspace."""

IDEAS = "_ideas"
"""The folder of what triage writes about larger items, in the workspace."""

LONGEST = 60


def slug(title: str) -> str:
    """Return a title as a part of a file's name: a-z, 0-9 and single ``-``, at most 60 long.

    A cut is made between words where there are any. Without any usable character: "item".
    """
    words = re.sub(r"[^a-z0-9]+", "-", title[: LONGEST * 8].lower()).strip("-")
    if len(words) > LONGEST:
        cut = words[: LONGEST + 1].rpartition("-")[0]
        words = (cut or words[:LONGEST]).strip("-")
    return words or "item"


def change_folder(item: Item, existing: Iterable[str] = ()) -> str:
    """Return where an item's artefacts go, relative to the workspace.

    Args:
      existing: names in `CHANGES`; one that begins with the id and ``_`` is the item's already,
        whatever its title was then.
    """
    prefix = f"{item.id}_"
    known = min((name for name in existing if name.startswith(prefix)), default=None)
    return f"{CHANGES}/{known or prefix + slug(item.title)}"


def idea_file(item: Item) -> str:
    """Return where triage notes what is to be known of a larger item."""
    return f"{IDEAS}/{item.id}_{slug(item.title)}.md"
