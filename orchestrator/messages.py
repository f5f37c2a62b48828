"""What travels: commands (a request with one answer) and events (facts nobody waits for)."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

R_co = TypeVar("R_co", covariant=True)


@attrs.frozen(kw_only=True)
class Command(Generic[R_co]):
    """A request for work; ``R_co`` is what its handler returns."""


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened, named in the past tense."""


@attrs.frozen(kw_only=True)
class Fact(Event):
    """An event that is recorded; readers may rely on seeing it.

    Attributes:
      seq: its number in the record, from 1; None as long as it is not recorded.
    """

    seq: int | None = attrs.field(default=None, eq=False)


@attrs.frozen(kw_only=True)
class Progress(Event):
    """An event for whoever watches right now; it may be lost."""
