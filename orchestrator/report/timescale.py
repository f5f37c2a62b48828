"""Puts times on a line of a hundred per cent: idle stretches shrink, short work stays visible."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence

import attrs

_IDLE = 0.06
_SHORTEST = 0.5


@attrs.frozen
class TimeScale:
    """Where each of some moments lies on the line.

    Attributes:
      moments: Unix times in seconds, rising; ``places``: their places, 0 to 100.
    """

    moments: tuple[float, ...]
    places: tuple[float, ...]

    def place(self, at: float) -> float:
        """Return the place of a time in per cent; outside it is the nearest end."""
        after = bisect_right(self.moments, at)
        if after == 0:
            return 0.0
        if after == len(self.moments):
            return 100.0
        start, end = self.moments[after - 1 : after + 1]
        low, high = self.places[after - 1 : after + 1]
        return low + (high - low) * (at - start) / (end - start)


def time_scale(busy: Sequence[tuple[float, float]]) -> TimeScale:
    """Return a scale for spans of work, which may overlap: start and end in seconds.

    A stretch between them takes at most 6 % of the time that the work took, and no piece of work
    less than half of an even share.
    """
    moments = sorted({moment for span in busy for moment in (span[0], max(span))})
    if not moments:
        return TimeScale((0.0, 1.0), (0.0, 100.0))
    if len(moments) == 1:
        moments.append(max(moments[0] + 1.0, math.nextafter(moments[0], math.inf)))
    steps = list(itertools.pairwise(moments))
    working = [_is_busy(start, end, busy) for start, end in steps]
    total = sum(end - start for (start, end), works in zip(steps, working, strict=True) if works)
    total = total or 1.0
    shortest = _SHORTEST * total / len(steps)
    lengths = [
        max(end - start, shortest) if works else min(end - start, _IDLE * total)
        for (start, end), works in zip(steps, working, strict=True)
    ]
    scale = 100.0 / sum(lengths)
    places, place = [0.0], 0.0
    for length in lengths:
        place += length * scale
        places.append(min(place, 100.0))
    return TimeScale(tuple(moments), tuple(places))


def _is_busy(start: float, end: float, busy: Sequence[tuple[float, float]]) -> bool:
    return any(first <= start and end <= last for first, last in busy)
