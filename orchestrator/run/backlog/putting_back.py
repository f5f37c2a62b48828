"""Puts the item of a branch back into the store that git knows more of, with its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from orchestrator.messages import Fact
from orchestrator.run.backlog.branch_record import Trace
from orchestrator.store.transaction import Transaction
from orchestrator.work.backlog.change import Change, Entry, View
from orchestrator.work.backlog.item import Item

_FROM = {
    "record": "put back from git's record of its phases",
    "commits": "put back from the scopes of the branch's commits",
    "name": "begun by the name of the branch",
}


def put_back(item: Item, view: View, now: int, *, by: str = "") -> Change:
    """Return the change that makes an item what git knows; nothing when the store knows as much."""
    stored = view.get(item.id)
    if stored is not None and stored.updated >= item.updated:
        return Change()
    track = item.track
    assert track is not None
    fresh = attrs.evolve(
        item,
        created=item.created or now,
        updated=now,
        track=attrs.evolve(track, rebuilt=track.rebuilt or "record"),
    )
    before = stored.status if stored is not None else item.status
    text = _FROM[track.rebuilt or "record"]
    entry = Entry(item=item.id, what="rebuilt", before=before, after=item.status, text=text, by=by)
    return Change(items=(fresh,), entries=(entry,))


def keeping(
    trails: Mapping[str, Sequence[Trace]],
) -> Callable[[Transaction], tuple[Fact, ...]]:
    """Return what records the ways of items together with them, where the store has none.

    Args:
      trails: by the ids of the items.
    """

    def also(tx: Transaction) -> tuple[Fact, ...]:
        for id, trail in trails.items():
            if not tx.history(id, limit=1):
                for trace in trail:
                    tx.add_history(trace.at * 10**9, id, trace.what, trace.document)
        return ()

    return also
