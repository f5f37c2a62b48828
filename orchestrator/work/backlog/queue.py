"""Items in the order they are to be worked on, where what does not count is cleaned up later."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from heapq import heapify, heappop, heappush

from .selection import Key

_SLACK = 64
"""Entries that may be out of date before it is worth cleaning up."""


class Queue:
    """A heap of keys of items, which the owner of these collections keeps in step with them.

    An entry counts while it is the very key that its item has, and nothing holds the item. So to
    take an item out is no work here; whenever one begins to count, it has to be put in.
    """

    __slots__ = ("_heap", "_held", "_keys", "_running")

    def __init__(
        self,
        keys: Mapping[str, Key],
        held: Container[str],
        running: Container[str],
        first: Iterable[Key] = (),
    ) -> None:
        """Begin with the keys that count in ``first``."""
        self._keys = keys
        self._held = held
        self._running = running
        self._heap = list(first)
        heapify(self._heap)

    def __bool__(self) -> bool:
        """Whether there may be something in it."""
        return bool(self._heap)

    def put(self, key: Key) -> None:
        """Put an item in that counts from now on."""
        heappush(self._heap, key)
        if len(self._heap) > 2 * len(self._keys) + _SLACK:
            current = {key[-1]: key for key in self._heap if self._keys.get(key[-1]) is key}
            self._heap = list(current.values())
            heapify(self._heap)

    def first(self, count: int) -> list[Key]:
        """Return the keys that come first, at most ``count``; they stay in."""
        heap, keys, held, running = self._heap, self._keys, self._held, self._running
        found: list[Key] = []
        while heap and len(found) < count:
            key = heap[0]
            id = key[-1]
            counts = keys.get(id) is key and id not in held and id not in running
            if counts and not (found and found[-1] is key):
                found.append(key)
                if len(found) == count:
                    break
            heappop(heap)
        for key in found[: count - 1]:
            heappush(heap, key)
        return found
