"""What a run of Claude Code amounted to: gathers its events and says why it did not succeed."""

from __future__ import annotations

import attrs

from orchestrator.agents.claude_events import ClaudeEvent, Denied, Init, Result
from orchestrator.agents.drive import Ending
from orchestrator.agents.result import describe_exit
from orchestrator.text import one_line
from orchestrator.work.worker import ApiRetry, RateLimited, Usage

_UNAUTHORISED = (401, 403)
_REFUSED_FOR_NOW = 429
_THEIR_FAULT = range(500, 600)


@attrs.define(eq=False)
class Transcript:
    """The events of one process, reduced to what the report needs."""

    session: str | None = None
    usage: Usage = attrs.field(factory=Usage)
    result: Result | None = None
    limit: RateLimited | None = None
    retry: ApiRetry | None = None
    _refused: dict[str, str] = attrs.field(factory=dict)

    def add(self, event: ClaudeEvent) -> None:
        """Take note of one event."""
        match event:
            case Init():
                self.session = event.session or self.session
            case Denied():
                self._refused[event.call] = f"{event.tool}: {event.reason}"
            case RateLimited():
                known = self.limit.resets_at if self.limit else None
                self.limit = attrs.evolve(event, resets_at=event.resets_at or known)
            case ApiRetry():
                self.retry = event
            case Result():
                self.result = event
                self.session = event.session or self.session
                self.usage = Usage(
                    turns=self.usage.turns + event.usage.turns,
                    input_tokens=self.usage.input_tokens + event.usage.input_tokens,
                    output_tokens=self.usage.output_tokens + event.usage.output_tokens,
                    cost=self.usage.cost + event.usage.cost,
                )

    @property
    def denied(self) -> tuple[str, ...]:
        """What it was refused; the terminal event knows the calls, the stream the reasons."""
        if self.result is not None and self.result.denials:
            return self.result.denials
        return tuple(self._refused.values())

    @property
    def limited(self) -> bool:
        """Whether the model's service ended it, and may well serve it later."""
        if self.result is None:
            return self.limit is not None
        status = self.result.api_error_status
        unreachable = self.result.terminal_reason == "api_error" and status is None
        return self.result.is_error and (
            self.limit is not None
            or unreachable
            or status == _REFUSED_FOR_NOW
            or status in _THEIR_FAULT
        )

    @property
    def limit_reset(self) -> float | None:
        """When the limit ends that stopped it, if it was one and that is known."""
        return self.limit.resets_at if self.limit and self.limited else None

    def failure(self, ending: Ending, *, agent: str) -> str:
        """Say why the run is no success, "" when it is one.

        Success is all of: a terminal event, no error in it, nothing refused, exit status 0
        (or killed by us because it would not exit after its terminal event).
        """
        result = self.result
        if ending.interrupted and (result is None or result.is_error):
            return "interrupted"
        if result is None:
            return self._no_result(ending)
        if result.is_error or result.subtype != "success":
            return self._error(result, agent)
        if self.denied:
            return (
                f"it was refused {len(self.denied)} tool call(s), first {self.denied[0]}; "
                f"what it may use is [agents.{agent}] allowed_tools"
            )
        if ending.returncode != 0 and not ending.killed:
            return f"it reported success but {describe_exit(ending.returncode)}"
        return ""

    def _no_result(self, ending: Ending) -> str:
        reason = f"it ended without a result ({describe_exit(ending.returncode)})"
        detail = ""
        if ending.complaint:
            detail = one_line(ending.complaint.strip().rpartition("\n")[2])
        elif self.limit is not None:
            detail = self.limit.reason
        elif self.retry is not None:
            detail = f"the model's service failed {self.retry.attempt} time(s): {self.retry.reason}"
        return f"{reason}: {detail}" if detail else reason

    def _error(self, result: Result, agent: str) -> str:
        said = one_line(result.text) or "; ".join(result.errors)
        if result.subtype == "error_max_turns":
            return f"it used up its turns: {said or 'error_max_turns'} ([agents.{agent}] max_turns)"
        if result.subtype == "error_max_budget_usd":
            spent = said or "error_max_budget_usd"
            return f"it used up its budget: {spent} ([agents.{agent}] max_cost)"
        if result.api_error_status in _UNAUTHORISED:
            return (
                f"the model's service refused the credential ({result.api_error_status}): {said}; "
                "log in again or set a valid API key"
            )
        if self.limit is not None:
            return f"a usage limit was reached: {said or self.limit.reason}"
        if result.api_error_status:
            return f"the model's service failed ({result.api_error_status}): {said}"
        why = result.terminal_reason or result.subtype or "unknown error"
        return f"it failed: {why}" + (f": {said}" if said else "")
