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
from orchestrator.errors import BusyError, EngineLostError, OrchestratorError, StoppedError

from . import endpoint
from .replies import (
    AGAIN,
    LONGEST,
    PATIENCE,
    ending,
    gone,
    greeting,
    known_peer,
    lost,
    question,
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
    checkout: str | None = None,
) -> Any:
    """Have the engine that owns the repository carry out a command; return its result as JSON.

    Cancellation closes the connection: the engine cancels the command, and waits for its clean-up.

    Args:
      patience: seconds that the answer may take.
      checkout: the work tree that is meant, of those that the repository has; None: the engine's.

    Raises:
      UsageError: when the arguments are longer than an engine reads. Nothing was begun.
      NoEngineError: when none listens, or it ended before it was asked. Nothing was begun.
      BusyError: when it has no room for one more, is about to end, or works in another checkout.
        Nothing was begun.
      EngineLostError: when it cannot be reached, ended before it answered, or did not within
        ``patience`` seconds; what was asked may be done.
      OrchestratorError: the engine's own, when it says no.
    """
    params = {"name": name, "arguments": dict(arguments), "checkout": checkout}
    frame = question(1, "call", params)
    path = endpoint.find(state_dir)
    async with await _connect(path) as stream:
        pid = known_peer(stream.socket, path)
        lines = iter_lines(stream, LONGEST)
        await _hello(lines, name)
        with trio.move_on_after(patience):
            try:
                await stream.send_all(frame)
                answer = await _frame(lines)
            except trio.BrokenResourceError:
                # Not all was sent, or it was closed with a part unread: the end of the frame.
                raise gone(name) from None
            if answer is None:
                raise lost(name)
            try:
                return result(answer)
            except OrchestratorError as error:
                if error.code != StoppedError.code:
                    raise
                raise ending(pid, error) from None
        raise silent(patience, name)


async def _connect(path: str | None) -> trio.SocketStream:
    try:
        if path is None:
            raise FileNotFoundError
        return await trio.open_unix_socket(path)
    except OSError as error:
        raise unreachable(error, path) from None


async def _hello(lines: Lines, name: str) -> None:
    """Hear what the engine says first."""
    with trio.move_on_after(PATIENCE):
        try:
            frame = await _frame(lines)
        except trio.BrokenResourceError:
            frame = None
        if frame is None:
            raise gone(name)
        try:
            greeting(frame)
            return
        except OrchestratorError as error:
            if error.code != BusyError.code:
                raise
            raise BusyError(error.message, fix=AGAIN) from None
    raise silent(PATIENCE)


async def _frame(lines: Lines) -> dict[str, Any] | None:
    """Return what the engine says next, None when it has hung up.

    Raises:
      BrokenResourceError: when it hung up without having read all that it was sent.
    """
    try:
        line = await anext(lines)
    except StopAsyncIteration:
        return None
    if not isinstance(line, bytes):
        raise EngineLostError("the engine's answer is too long", where="control socket")
    with suppress(ValueError):
        document = json.loads(line)
        if isinstance(document, dict):
            return document
    raise EngineLostError("the engine's answer is no JSON", where="control socket")
