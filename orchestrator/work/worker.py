"""What a worker is asked for and what it answers. No I/O."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs


class Verdict(enum.Enum):
    """What a worker claims about its own work. Evidence, never the outcome.

    LIMITED: the service behind it refuses for now, which is no fault of the work.
    """

    COMPLETE = "complete"
    FAILED = "failed"
    BLOCKED = "blocked"
    SILENT = "silent"
    LIMITED = "limited"


@attrs.frozen(kw_only=True)
class Usage:
    """What a run of a worker cost. Tokens include cache reads and writes; cost in US dollars."""

    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens in both directions."""
        return self.input_tokens + self.output_tokens

    def at_least(self, other: Usage) -> Usage:
        """Return the greater of both, number by number: what each of two counts saw at least."""
        return Usage(
            turns=max(self.turns, other.turns),
            input_tokens=max(self.input_tokens, other.input_tokens),
            output_tokens=max(self.output_tokens, other.output_tokens),
            cost=max(self.cost, other.cost),
        )

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            turns=self.turns + other.turns,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=self.cost + other.cost,
        )


@attrs.frozen(kw_only=True)
class WorkerReport:
    """How one run of a worker ended, as its adapter understood it.

    Attributes:
      verdict: the worker's own claim.
      reason: why it failed, or the question it is blocked on; "" otherwise.
      session: an id the next attempt may resume, or None.
      denied: what the worker asked for and was refused ("Bash: rm -rf x").
      limit_reset: Unix time in seconds at which the limit ends that made it LIMITED, or None.
      learnings: what it wants the next story to know.
      document: the JSON object of its result file, whole, without terminal control and secrets;
        empty when it left none that can be used.
    """

    verdict: Verdict
    reason: str = ""
    usage: Usage = attrs.field(factory=Usage)
    session: str | None = None
    denied: tuple[str, ...] = ()
    limit_reset: float | None = None
    learnings: str = ""
    document: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)


@attrs.frozen(kw_only=True)
class Message:
    """Text that the worker said."""

    text: str


@attrs.frozen(kw_only=True)
class ToolCall:
    """A tool the worker started; ``summary`` is one line for a person."""

    tool: str
    summary: str


@attrs.frozen(kw_only=True)
class ToolResult:
    """A tool that ended."""

    tool: str
    is_error: bool
    summary: str


@attrs.frozen(kw_only=True)
class ApiRetry:
    """The model's service failed and is asked again in ``delay`` seconds."""

    attempt: int
    delay: float
    reason: str


@attrs.frozen(kw_only=True)
class RateLimited:
    """A usage limit was hit; ``resets_at`` is Unix time in seconds, or None when unknown."""

    resets_at: float | None
    reason: str


@attrs.frozen(kw_only=True)
class UsageSoFar:
    """What the run has used since it began; while it runs, at least this."""

    usage: Usage


@attrs.frozen(kw_only=True)
class OversizedLine:
    """A line of output above the limit was dropped; ``size`` in bytes."""

    size: int


WorkerEvent = Message | ToolCall | ToolResult | ApiRetry | RateLimited | UsageSoFar | OversizedLine
