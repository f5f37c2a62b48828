"""Results and errors as MCP carries them: bounded, without secrets, fit for the wire."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping
from typing import Any

import attrs
from mcp import types

from orchestrator.errors import OrchestratorError
from orchestrator.redact import Redactor

from .tools import Tool

log = logging.getLogger(__name__)

MOST_TEXT = 200_000
"""Bytes of text that one call answers; a model reads them."""

MOST_CONTENT = 512 * 1024
"""Bytes of structured content: with text and quoting, one event of the SDK's client has 1 MiB."""


@attrs.frozen
class Answers:
    """Makes what is sent out of what a tool, or its failure, leaves."""

    _redactor: Redactor

    def success(self, tool: Tool, value: Any) -> types.CallToolResult:
        """Return the answer of a call that went well.

        Raises:
          OrchestratorError: when a promised result is too long to be sent.
        """
        value = self.clean(value)
        content = {"result": value} if is_wrapped(tool, value) else value
        size = len(json.dumps(content, ensure_ascii=False).encode())
        if size > MOST_CONTENT:
            if tool.output is not None:
                raise OrchestratorError(
                    f"{tool.name} is done, but its result of {size} bytes is too long to send",
                    where=tool.name,
                    fix="ask for less of it",
                )
            content = None
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=_bounded(_text(value)))],
            structured_content=content,
        )

    def failure(self, error: OrchestratorError) -> types.CallToolResult:
        """Return the answer of a call that failed."""
        text = _bounded(self.text(error.explanation))
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)],
            structured_content=self.clean(error.document()),
            is_error=True,
        )

    def ours(self, error: Exception, name: str) -> OrchestratorError:
        """Return the error that a client is told; one of nobody's goes to the log, whole."""
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, OrchestratorError):
            return error
        told = "".join(traceback.format_exception(error))
        log.error("%s failed\n%s", name, self.text(told))
        return OrchestratorError(
            f"a mistake in the orchestrator: {name} failed with {type(error).__name__}",
            where=name,
            fix="what this server wrote to its standard error says more",
        )

    def text(self, text: str) -> str:
        """Return ``text`` without secrets, and without what no UTF-8 can carry."""
        return self._redactor.text(text.encode(errors="replace").decode())

    def clean(self, value: Any) -> Any:
        """Return a JSON value with all texts in it made fit to send."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.clean(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.clean(inner) for inner in value]
        return value


def announced(tool: Tool) -> dict[str, Any] | None:
    """Return the schema that the structured content of a tool keeps to, an object always."""
    if tool.output is None or _is_object(tool.output):
        return None if tool.output is None else dict(tool.output)
    return {"type": "object", "properties": {"result": tool.output}, "required": ["result"]}


def is_wrapped(tool: Tool, value: Any) -> bool:
    """Tell whether a result is sent inside an object, for it is none, or not promised to be one."""
    return not isinstance(value, dict) or not (tool.output is None or _is_object(tool.output))


def _is_object(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "object"


def _text(value: Any) -> str:
    """Return a result for reading: its own message if it has one, else all of it."""
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return str(value["message"])
    if value is None:
        return "done"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _bounded(text: str) -> str:
    data = text.encode()
    if len(data) <= MOST_TEXT:
        return text
    cut = data[:MOST_TEXT].decode(errors="ignore")
    return f"{cut}\n… cut here: these are {MOST_TEXT} of {len(data)} bytes"
