"""Which status may follow which. Pure data, and the way it makes between any two."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.errors import IllegalStepError

from .item import Status

LEGAL: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.NEW: frozenset({Status.SCOPING, Status.BLOCKED, Status.CLOSED}),
        Status.SCOPING: frozenset({Status.READY, Status.BLOCKED, Status.CLOSED}),
        Status.READY: frozenset({Status.IN_PROGRESS, Status.BLOCKED, Status.CLOSED}),
        Status.IN_PROGRESS: frozenset({Status.DONE, Status.BLOCKED, Status.CLOSED}),
        Status.BLOCKED: frozenset(
            {Status.NEW, Status.SCOPING, Status.READY, Status.IN_PROGRESS, Status.CLOSED}
        ),
        Status.DONE: frozenset(),
        Status.CLOSED: frozenset(),
    }
)
"""Single steps. Every change of a status is made of these."""

WAY = (Status.NEW, Status.SCOPING, Status.READY, Status.IN_PROGRESS, Status.DONE)
"""The way of an item that nothing stops."""


def route(before: Status, after: Status) -> tuple[Status, ...]:
    """Return the legal steps from one status to another, ``after`` last; () when they are one.

    Forwards they are those of the way; backwards they lead through BLOCKED.

    Raises:
      IllegalStepError: nothing leads there.
    """
    if before is after:
        return ()
    if after in LEGAL[before]:
        return (after,)
    if before is Status.BLOCKED:
        return (Status.IN_PROGRESS, after)
    if before not in WAY or before.is_final:
        raise IllegalStepError(f"an item that is {before.value} does not become {after.value}")
    start, end = WAY.index(before), WAY.index(after)
    return WAY[start + 1 : end + 1] if start < end else (Status.BLOCKED, after)
