"""Claude Code's stream-json lines, both ways. Pure: bytes in, typed events out.

The stream grows new types and keys with every release, so whatever is not understood is no
event, never an error.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from typing import Any

import attrs

from orchestrator.agents.claude_events import (
    ClaudeEvent,
    ControlRequest,
    ControlResponse,
    Denied,
    Init,
    Result,
)
from orchestrator.agents.loose import integer, listed, mapping, mappings, number, text_of
from orchestrator.text import one_line, shown
from orchestrator.work.worker import (
    ApiRetry,
    Message,
    RateLimited,
    ToolCall,
    ToolResult,
    Usage,
    UsageSoFar,
)

_REMEMBERED = 1024
_SYNTHETIC = "<synthetic>"
_USED = "\0usage"
_MILLISECONDS = 1e11
_LIMIT_TEXT = re.compile(r"usage limit reached\|(\d{9,13})", re.IGNORECASE)
# What says most about a call, by tool; else the first text among its inputs.
_TELLING = ("command", "file_path", "path", "pattern", "url", "query", "description", "prompt")


class Decoder:
    """Turns the lines of one process into events, one line at a time."""

    def __init__(self) -> None:
        self._tools: OrderedDict[str, str] = OrderedDict()
        self._seen: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._cost = 0.0
        self._added_up = Usage()
        self._told = Usage()

    def decode(self, line: bytes) -> tuple[ClaudeEvent, ...]:
        """Return what one line says; nothing for a line that cannot be understood."""
        try:
            document = json.loads(line.decode(errors="replace"))
        except (ValueError, RecursionError):
            return ()
        if not isinstance(document, dict):
            return ()
        match document.get("type"):
            case "system":
                return self._system(document)
            case "assistant":
                return self._assistant(document)
            case "user":
                return self._user(document)
            case "result":
                return self._result(document)
            case "rate_limit_event":
                return _rate_limit(mapping(document.get("rate_limit_info")))
            case "control_response":
                response = mapping(document.get("response"))
                failed = response.get("subtype") == "error"
                error = text_of(response.get("error")) or "refused" if failed else None
                answer = ControlResponse(request=text_of(response.get("request_id")), error=error)
                session = mapping(mapping(response.get("response")).get("session"))
                if not session:
                    return (answer,)
                self._told = _session_usage(session)
                return (answer, UsageSoFar(usage=self._added_up.at_least(self._told)))
            case "control_request":
                request = mapping(document.get("request"))
                return (
                    ControlRequest(
                        request=text_of(document.get("request_id")),
                        subtype=text_of(request.get("subtype")),
                    ),
                )
        return ()

    def _system(self, document: dict[str, Any]) -> tuple[ClaudeEvent, ...]:
        match document.get("subtype"):
            case "init":
                return (
                    Init(
                        session=text_of(document.get("session_id")),
                        model=text_of(document.get("model")),
                        permission_mode=text_of(document.get("permissionMode")),
                        version=text_of(document.get("claude_code_version")),
                    ),
                )
            case "api_retry":
                status = integer(document.get("error_status"))
                kind = one_line(text_of(document.get("error"))) or "connection failed"
                return (
                    ApiRetry(
                        attempt=integer(document.get("attempt")) or 0,
                        delay=number(document.get("retry_delay_ms")) / 1000,
                        reason=f"{status} {kind}" if status else kind,
                    ),
                )
            case "permission_denied":
                return (
                    Denied(
                        tool=text_of(document.get("tool_name")),
                        call=text_of(document.get("tool_use_id")),
                        reason=one_line(text_of(document.get("message"))),
                    ),
                )
        return ()

    def _assistant(self, document: dict[str, Any]) -> tuple[ClaudeEvent, ...]:
        message = mapping(document.get("message"))
        identity = text_of(message.get("id"))
        events: list[ClaudeEvent] = []
        for block in _blocks(message):
            text = text_of(block.get("text")) if block.get("type") == "text" else ""
            if text.strip() and self._is_new(identity, text):
                events.append(Message(text=shown(text)))
            elif block.get("type") == "tool_use":
                call, tool = text_of(block.get("id")), one_line(text_of(block.get("name")))
                if self._is_new(identity, call):
                    _remember(self._tools, call, tool)
                    what = _describe(block.get("input"))
                    events.append(ToolCall(tool=tool, summary=what))
        is_main = document.get("parent_tool_use_id") is None
        if message.get("model") != _SYNTHETIC and isinstance(message.get("usage"), dict):
            events += self._count(identity, _message_usage(message["usage"], is_main))
        return tuple(events)

    def _count(self, message: str, usage: Usage) -> tuple[UsageSoFar, ...]:
        """Add what a message cost once: each of its lines repeats it, as far as it is known."""
        if not self._is_new(message, _USED):
            return ()
        self._added_up += usage
        return (UsageSoFar(usage=self._added_up.at_least(self._told)),)

    def _user(self, document: dict[str, Any]) -> tuple[ClaudeEvent, ...]:
        return tuple(
            ToolResult(
                tool=self._tools.pop(text_of(block.get("tool_use_id")), ""),
                is_error=block.get("is_error") is True,
                summary=one_line(_content(block.get("content"))),
            )
            for block in _blocks(mapping(document.get("message")))
            if block.get("type") == "tool_result"
        )

    def _result(self, document: dict[str, Any]) -> tuple[ClaudeEvent, ...]:
        text = text_of(document.get("result"))
        result = Result(
            subtype=text_of(document.get("subtype")),
            is_error=document.get("is_error") is not False,
            text=text,
            session=text_of(document.get("session_id")),
            usage=self._usage(document),
            denials=tuple(map(_denial, mappings(document.get("permission_denials")))),
            terminal_reason=text_of(document.get("terminal_reason")),
            api_error_status=integer(document.get("api_error_status")),
            errors=tuple(
                one_line(error)
                for error in listed(document.get("errors"))
                if isinstance(error, str)
            ),
        )
        limit = _LIMIT_TEXT.search(text) if result.is_error else None
        if limit or result.api_error_status == 429:
            resets = _time(float(limit.group(1))) if limit else None
            return (RateLimited(resets_at=resets, reason=one_line(text)), result)
        return (result,)

    def _usage(self, document: dict[str, Any]) -> Usage:
        """Cost this result only: totals of a process, and of a resumed session, accumulate."""
        turns = integer(document.get("num_turns")) or 0
        total = number(document.get("total_cost_usd"))
        since, self._cost = max(total - self._cost, 0.0), max(total, self._cost)
        models = document.get("model_usage_since_last_result")
        if isinstance(models, dict):
            return attrs.evolve(_models_usage(models), turns=turns)
        usage = _message_usage(mapping(document.get("usage")), False)
        return attrs.evolve(usage, turns=turns, cost=since)

    def _is_new(self, message: str, block: str) -> bool:
        key = (message, hash(block))
        if not message or key not in self._seen:
            _remember(self._seen, key, None)
            return True
        return False


def user_message(prompt: str) -> bytes:
    """Encode a prompt as one line."""
    content = [{"type": "text", "text": prompt}]
    return _line({"type": "user", "message": {"role": "user", "content": content}})


def control_request(request: str, subtype: str, **options: bool) -> bytes:
    """Encode a request of ours: "initialize", "interrupt", "get_usage"; ``request`` is its id."""
    body = {"subtype": subtype, **options}
    return _line({"type": "control_request", "request_id": request, "request": body})


def control_refusal(request: ControlRequest) -> bytes:
    """Encode the answer to a request that we do not serve."""
    error = f"{request.subtype} is not supported"
    response = {"subtype": "error", "request_id": request.request, "error": error}
    return _line({"type": "control_response", "response": response})


def _models_usage(models: dict[str, Any]) -> Usage:
    """Add up what each model was used."""
    parts = [mapping(value) for value in models.values()]
    reads = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    return Usage(
        input_tokens=sum(integer(part.get(key)) or 0 for part in parts for key in reads),
        output_tokens=sum(integer(part.get("outputTokens")) or 0 for part in parts),
        cost=sum(number(part.get("costUSD")) for part in parts),
    )


def _session_usage(session: dict[str, Any]) -> Usage:
    usage = _models_usage(mapping(session.get("model_usage")))
    return attrs.evolve(usage, cost=number(session.get("total_cost_usd")))


def _message_usage(usage: dict[str, Any], is_turn: bool) -> Usage:
    reads = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return Usage(
        turns=int(is_turn),
        input_tokens=sum(integer(usage.get(key)) or 0 for key in reads),
        output_tokens=integer(usage.get("output_tokens")) or 0,
    )


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _rate_limit(info: dict[str, Any]) -> tuple[ClaudeEvent, ...]:
    if info.get("status") != "rejected":
        return ()
    resets = number(info.get("resetsAt"))
    kind = one_line(text_of(info.get("rateLimitType"))).replace("_", " ")
    reason = f"{kind} limit reached" if kind else "usage limit reached"
    return (RateLimited(resets_at=_time(resets) if resets > 0 else None, reason=reason),)


def _time(value: float) -> float:
    return value / 1000 if value > _MILLISECONDS else value


def _denial(denial: dict[str, Any]) -> str:
    tool, inputs = denial.get("tool_name"), denial.get("tool_input")
    return f"{one_line(text_of(tool))}: {_describe(inputs)}"


def _describe(inputs: object) -> str:
    values = mapping(inputs)
    for key in (*_TELLING, *values):
        if isinstance(value := values.get(key), str) and value.strip():
            return one_line(value)
    return ""


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(text_of(block.get("text")) for block in mappings(content))


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    return mappings(message.get("content"))


def _remember(store: OrderedDict[Any, Any], key: object, value: object) -> None:
    store[key] = value
    if len(store) > _REMEMBERED:
        store.popitem(last=False)
