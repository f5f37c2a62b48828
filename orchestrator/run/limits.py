"""How many blocking calls of a kind run at once: places of their own, in every run of Trio."""

from __future__ import annotations

import trio


class PerRun:
    """A limiter for one kind of work, so that it takes no place of other kinds.

    Args:
      name: for debugging.
      places: how many of them run at once.
    """

    def __init__(self, name: str, places: int) -> None:
        self._places = places
        # A module is shared by runs of Trio in several threads, a limiter belongs to one.
        self._made = trio.lowlevel.RunVar[trio.CapacityLimiter](name)

    @property
    def limiter(self) -> trio.CapacityLimiter:
        """The limiter of the run that asks."""
        try:
            return self._made.get()
        except LookupError:
            limiter = trio.CapacityLimiter(self._places)
            self._made.set(limiter)
            return limiter
