"""Takes over items from elsewhere as they are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .change import Change, Entry, View
from .ids import check_id
from .item import Item


def import_items(view: View, items: Sequence[Item], *, by: str = "") -> Change:
    """Add items with their own ids, statuses and times; one whose id is known is left out.

    Raises:
      UsageError: an id is none.
    """
    new: dict[str, Item] = {}
    for item in items:
        check_id(item.id)
        if view.get(item.id) is None:
            new.setdefault(item.id, item)
    return Change(
        items=tuple(new.values()),
        entries=tuple(
            Entry(item=item.id, what="imported", before=item.status, after=item.status, by=by)
            for item in new.values()
        ),
    )
