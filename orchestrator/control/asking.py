"""Asks a running engine through its socket, from Trio: one connection for each call.

So no call waits for another, and the engine knows that a call is no longer wanted by its
connection, which is closed then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from orchestrator.adapters.lines import Lines, iter_lines
from orchestrator.errors import BusyError, EngineLostError, OrchestratorError

from . import endpoint, protocol
from .replies import (
    AGAIN,
    LONGEST,
    PATIENCE,
    gone,
    greeting,
    known_peer,
    lost,
    result,
    silent,
    unreachable,
)


async def call(
    state_dir: Path,
    name: str,
    arguments: Mapping[str, Any],
    *,
    patience: float,
    but_not: str = "",
) -> Any:
    """Have the engine that owns the repository carry out a command; return its result as JSON.

    Cancellation closes the connection: the engine cancels the command, and waits for its clean-up.

    Args:
      patience: seconds that the answer may take.
      but_not: what an engine is about that is not to be asked.

    Raises:
      NoEngineError: when none listens, or it ended before it was asked. Nothing was begun.
      BusyError: when it has no room for one more, or is about ``but_not``. Nothing was begun.
      EngineLostError: when it cannot be reached, ended before it answered, or did not within
        ``patience`` seconds; what was asked may be done.
      OrchestratorError: the engine's own, when it says no.
    """
    path = endpoint.find(state_dir)
    async with await _connect(path) as stream:
        known_peer(stream.socket, path)
        lines = iter_lines(stream, LONGEST)
        if (await _hello(lines)).get("item") == but_not:
            raise BusyError("the engine that is here answers one command only", fix=AGAIN)
        with trio.move_on_after(patience):
            asked = {"name": name, "arguments": dict(arguments)}
            try:
                await stream.send_all(protocol.request(1, "call", asked))
            except trio.BrokenResourceError:
                raise gone() from None
            answer = await _frame(lines)
            if answer is None:
                raise lost()
            return result(answer)
        raise silent(patience)


async def _connect(path: str | None) -> trio.SocketStream:
    try:
        if path is None:
            raise FileNotFoundError
        return await trio.open_unix_socket(path)
    except OSError as error:
        raise unreachable(error, path) from None


async def _hello(lines: Lines) -> dict[str, Any]:
    """Return what the engine says first."""
    with trio.move_on_after(PATIENCE):
        frame = await _frame(lines)
        if frame is None:
            raise gone()
        try:
            return greeting(frame)
        except OrchestratorError as error:
            if error.code != BusyError.code:
                raise
            raise BusyError(error.message, fix=AGAIN) from None
    raise silent(PATIENCE)


async def _frame(lines: Lines) -> dict[str, Any] | None:
    """Return what the engine says next, None when it has hung up."""
    try:
        line = await anext(lines)
    except (StopAsyncIteration, trio.BrokenResourceError):
        return None
    if not isinstance(line, bytes):
        raise EngineLostError("the engine's answer is too long", where="control socket")
    with suppress(ValueError):
        document = json.loads(line)
        if isinstance(document, dict):
            return document
    raise EngineLostError("the engine's answer is no JSON", where="control socket")
