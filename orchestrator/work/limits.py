"""When to ask a model's service again that refused for now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from .records import AttemptRecord, AttemptState

FIRST_WAIT = 60.0
"""Seconds to wait after the first refusal that names no time; every further one doubles them."""

LONGEST_WAIT = 1800.0
SLACK = 2.0
"""Seconds to wait beyond the time a service names: its clock is not ours."""


def next_try(refused: int, resets_at: float | None, now: float) -> float:
    """Return the Unix time in seconds at which to ask again.

    A service that names a time is believed once. When it refuses again after that time, the
    waits grow as if it had named none: no clock, however wrong, makes the loop spin.

    Args:
      refused: how many attempts in a row were refused before this one.
      resets_at: the time that the service named, or None.
      now: Unix time in seconds.
    """
    if resets_at is None:
        return now + _backoff(refused)
    earliest = now + _backoff(refused - 1) if refused else now
    return max(resets_at + SLACK, earliest)


def refusals(attempts: Sequence[AttemptRecord]) -> tuple[AttemptRecord, ...]:
    """Return the attempts at the end that a service refused, oldest first."""
    last = takewhile(lambda attempt: attempt.state is AttemptState.LIMITED, reversed(attempts))
    return tuple(last)[::-1]


def waits_until(attempts: Sequence[AttemptRecord]) -> float:
    """Return the Unix time until which the newest refusal holds; 0 when there is none."""
    refused = refusals(attempts)
    return refused[-1].until if refused else 0.0


def fits(until: float, attempts: Sequence[AttemptRecord], allowed: float, since: float) -> bool:
    """Tell whether a wait stays within what a person allows.

    Refusals in a row share the allowance, or many short waits would make an endless one.

    Args:
      until: Unix time at which it ends.
      allowed: seconds to wait at most; 0 is never.
      since: Unix time at which this engine began: what was before it is no wait of its own.
    """
    refused = refusals(attempts)
    began = max(refused[0].at + refused[0].seconds, since) if refused else since
    return until - began <= allowed


def _backoff(times: int) -> float:
    """Return FIRST_WAIT doubled ``times`` times, at most LONGEST_WAIT."""
    return min(FIRST_WAIT * 2.0 ** min(times, 16), LONGEST_WAIT)
