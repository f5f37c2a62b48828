"""What may be used: money, tokens, turns and time, of an attempt or of a whole run. Pure."""

from __future__ import annotations

from typing import TypeVar

import attrs

from .worker import Usage

N = TypeVar("N", int, float)


@attrs.frozen(kw_only=True)
class Reached:
    """A limit that was reached; ``key`` is its name in the configuration."""

    key: str
    used: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.used} of {self.allowed}"


@attrs.frozen(kw_only=True)
class Budget:
    """Limits; None is no limit. Cost in US dollars, time in seconds, tokens in and out together."""

    cost: float | None = None
    tokens: int | None = None
    turns: int | None = None
    seconds: float | None = None

    def reached(self, used: Usage, seconds: float = 0.0) -> Reached | None:
        """Return the first limit that ``used`` has come up to, None while there is more."""
        if self.cost is not None and used.cost >= self.cost:
            return Reached(key="max_cost", used=f"${used.cost:.2f}", allowed=f"${self.cost:.2f}")
        if self.tokens is not None and used.tokens >= self.tokens:
            return Reached(
                key="max_tokens", used=f"{used.tokens:,}", allowed=f"{self.tokens:,} tokens"
            )
        if self.turns is not None and used.turns >= self.turns:
            return Reached(key="max_turns", used=f"{used.turns}", allowed=f"{self.turns} turns")
        if self.seconds is not None and seconds >= self.seconds:
            return Reached(
                key="max_time", used=f"{seconds:.0f}", allowed=f"{self.seconds:.0f} seconds"
            )
        return None

    def rest(self, used: Usage, seconds: float = 0.0) -> Budget:
        """Return what is left; nothing is less than nothing."""
        return Budget(
            cost=None if self.cost is None else max(self.cost - used.cost, 0.0),
            tokens=None if self.tokens is None else max(self.tokens - used.tokens, 0),
            turns=None if self.turns is None else max(self.turns - used.turns, 0),
            seconds=None if self.seconds is None else max(self.seconds - seconds, 0.0),
        )

    def within(self, other: Budget) -> Budget:
        """Return the smaller of both, limit by limit."""
        return Budget(
            cost=_smaller(self.cost, other.cost),
            tokens=_smaller(self.tokens, other.tokens),
            turns=_smaller(self.turns, other.turns),
            seconds=_smaller(self.seconds, other.seconds),
        )


def _smaller(one: N | None, other: N | None) -> N | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)
