"""Items in the order they are to be worked on, where what was taken out is cleaned up later."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from .selection import Key

_SLACK = 64
"""Entries that may be out of date before it is worth cleaning up."""


class Queue:
    """Keys of items, each item's once, the smallest first.

    An entry of the heap counts only while it is the very key that was put in last for its item.
    """

    __slots__ = ("_heap", "_keys")

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys = {key[-1]: key for key in keys}
        self._heap = list(self._keys.values())
        heapify(self._heap)

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, key: Key) -> None:
        """Put an item in, or at another place."""
        if self._keys.get(key[-1]) == key:
            return
        self._keys[key[-1]] = key
        heappush(self._heap, key)
        if len(self._heap) > 2 * len(self._keys) + _SLACK:
            self._heap = list(self._keys.values())
            heapify(self._heap)

    def drop(self, id: str) -> None:
        """Take an item out, if it is in."""
        self._keys.pop(id, None)

    def first(self, count: int) -> list[Key]:
        """Return the keys that come first, at most ``count``; they stay in."""
        heap, keys = self._heap, self._keys
        found: list[Key] = []
        while heap and len(found) < count:
            key = heap[0]
            if keys.get(key[-1]) is not key:
                heappop(heap)
                continue
            found.append(key)
            if len(found) < count:
                heappop(heap)
        for key in found[: count - 1]:
            heappush(heap, key)
        return found
