"""What one line of Claude Code's stream can say, beyond what every worker can."""

from __future__ import annotations

import attrs

from orchestrator.work.worker import Usage, WorkerEvent


@attrs.frozen(kw_only=True)
class Init:
    """The session has started."""

    session: str
    model: str
    permission_mode: str
    version: str


@attrs.frozen(kw_only=True)
class Denied:
    """A tool was refused; ``call`` is the tool's id."""

    tool: str
    call: str
    reason: str


@attrs.frozen(kw_only=True)
class Result:
    """The terminal event of a turn. It may say "success" and still carry an error."""

    subtype: str
    is_error: bool
    text: str
    session: str
    usage: Usage
    denials: tuple[str, ...]
    terminal_reason: str
    api_error_status: int | None
    errors: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ControlResponse:
    """The answer to a control request of ours."""

    request: str
    error: str | None = None


@attrs.frozen(kw_only=True)
class ControlRequest:
    """Something the agent asks of us; it waits until it is answered."""

    request: str
    subtype: str


ClaudeEvent = WorkerEvent | Init | Denied | Result | ControlResponse | ControlRequest
