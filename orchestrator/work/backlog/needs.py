"""Which items wait for which: open needs, and the circles that would never end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from orchestrator.errors import UsageError

from .item import Item


class Lookup(Protocol):
    """Items by their ids: a `View`, or a plain dict."""

    def get(self, id: str, /) -> Item | None:
        """Return an item."""
        ...


def unmet(view: Lookup, item: Item) -> tuple[str, ...]:
    """Return the ids of its needs that are open or unknown."""
    if not item.needs:
        return ()
    found = ((id, view.get(id)) for id in item.needs)
    return tuple(id for id, need in found if need is None or not need.status.is_final)


def check_needs(view: Lookup, id: str, needs: Sequence[str]) -> None:
    """Let an item, new or known, get these needs.

    Raises:
      UsageError: one of them is unknown, the item itself, or needs the item in turn.
    """
    for need in needs:
        if need == id:
            raise UsageError(
                f"{id} cannot need itself", where=id, fix="leave it out of what it needs"
            )
        if view.get(need) is None:
            raise UsageError(
                f"{id} needs {need}, and there is no such item",
                where=id,
                fix="name an item that exists: orc list shows all",
            )
    if path := way(view, needs, id):
        raise UsageError(
            f"{id} would wait for itself: {' → '.join((id, *path))}",
            where=id,
            fix=f"leave {path[0]} out, or change what {path[-2]} needs first",
        )


def way(view: Lookup, starts: Sequence[str], end: str) -> tuple[str, ...]:
    """Return the ids on a way along needs, from one of ``starts`` to ``end``; () without one."""
    came: dict[str, str | None] = dict.fromkeys(starts)
    ahead = list(reversed(starts))
    while ahead:
        id = ahead.pop()
        if id == end:
            back = [id]
            while (before := came[back[-1]]) is not None:
                back.append(before)
            return tuple(reversed(back))
        item = view.get(id)
        for need in reversed(item.needs if item else ()):
            if need not in came:
                came[need] = id
                ahead.append(need)
    return ()


MOST_CIRCLES = 100
"""How many circles are worth telling at a time; a tangle can hold more than could be written."""


def circles(items: Iterable[Item]) -> list[tuple[str, ...]]:
    """Return the circles of needs among items that are not ended, at most `MOST_CIRCLES`.

    Each is found once, as the ids on its way from the smallest one back to it, in the order of ids.
    Ways that only branch and join again are none.
    """
    needs = {item.id: item.needs for item in items if not item.status.is_final}
    found: set[tuple[str, ...]] = set()
    done: set[str] = set()
    for start in sorted(needs):
        if start in done:
            continue
        way: dict[str, Iterator[str]] = {start: iter(needs[start])}
        while way:
            id, rest = next(reversed(way.items()))
            need = next(rest, None)
            if need is None:
                done.add(id)
                way.popitem()  # in place of del, which leaves a gap to be searched through
            elif need in way:
                ids = list(way)
                found.add(_from_smallest(ids[ids.index(need) :]))
                if len(found) == MOST_CIRCLES:
                    return sorted(found)
            elif need in needs and need not in done:
                way[need] = iter(needs[need])
    return sorted(found)


def _from_smallest(ids: list[str]) -> tuple[str, ...]:
    first = ids.index(min(ids))
    return (*ids[first:], *ids[: first + 1])
