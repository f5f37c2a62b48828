"""The socket's frames: JSON-RPC 2.0, one document a line. Pure; both ends share it.

The server begins with the notification ``hello``. A client sends requests and gets their replies
in order; ``events.subscribe`` also makes the server send the notifications ``event``, ``lagged``,
``alive`` and, last, ``ended``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

PROTOCOL = 1
"""Raised when an older client could no longer understand the server."""

MAX_FRAME = 5 << 20
"""Bytes of a request, without its newline: what a client of MCP may send at once, and some more.

An engine holds as much for each client at worst; only the user's own processes are clients.
"""

ALIVE_EVERY = 5.0
"""Seconds after which a subscriber hears something, if only that the engine is alive."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
FAILED = -32000
"""The request was understood and failed; ``data`` is the product's error document."""
REFUSED = -32001
"""The peer may not do that."""

Id = int | str | None


class FrameError(Exception):
    """A frame is no request; ``code`` is JSON-RPC's, ``id`` that of the request if it has one."""

    def __init__(self, code: int, message: str, id: Id = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id


class Request(NamedTuple):
    """A method call; one that is not ``answered`` is a notification."""

    id: Id
    method: str
    params: dict[str, Any]
    answered: bool


def parse_request(frame: bytes) -> Request:
    """Read a request.

    Raises:
      FrameError: for anything else, batches included.
    """
    try:
        document = json.loads(frame.decode())
    except (ValueError, RecursionError):
        raise FrameError(PARSE_ERROR, "the frame is not JSON") from None
    if not isinstance(document, dict):
        raise FrameError(INVALID_REQUEST, "a request is one object a line; batches are not known")
    id = document.get("id")
    if isinstance(id, bool) or not isinstance(id, (int, str, type(None))):
        raise FrameError(INVALID_REQUEST, "the id is neither a string nor a whole number")
    method, params = document.get("method"), document.get("params", {})
    if document.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise FrameError(INVALID_REQUEST, 'not {"jsonrpc": "2.0", "method": NAME, …}', id)
    if not isinstance(params, dict):
        raise FrameError(INVALID_PARAMS, "parameters go by name: an object", id)
    return Request(id, method, params, answered="id" in document)


def request(id: int, method: str, params: Mapping[str, Any]) -> bytes:
    """Return the frame of a request; see also `MAX_FRAME`."""
    return _frame({"id": id, "method": method, "params": params})


def success(id: Id, result: Any) -> bytes:
    """Return the frame of a reply."""
    return _frame({"id": id, "result": result})


def failure(id: Id, code: int, message: str, data: Any = None) -> bytes:
    """Return the frame of a reply that tells an error."""
    error = {"code": code, "message": message}
    return _frame({"id": id, "error": error | ({} if data is None else {"data": data})})


def notification(method: str, params: Mapping[str, Any]) -> bytes:
    """Return the frame of a notification."""
    return _frame({"method": method, "params": params})


def _frame(document: Mapping[str, Any]) -> bytes:
    document = {"jsonrpc": "2.0", **document}
    try:
        return json.dumps(document, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate has no form but this
        return json.dumps(document, ensure_ascii=True).encode() + b"\n"
