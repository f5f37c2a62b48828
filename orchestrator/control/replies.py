"""What is asked of an engine, and what it says: results, or errors that say what to do. Light."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from orchestrator.errors import (
    BusyError,
    EngineLostError,
    NoEngineError,
    OrchestratorError,
    UsageError,
)

from . import endpoint, protocol

PATIENCE = 5.0
"""Seconds that an engine may take for an answer."""

LONGEST = 16 << 20
"""Bytes of an answer."""

AGAIN = "try again in a moment"

_LOOK = "it may be done, or a part of it: look at the state, then decide whether to ask again"


def question(number: int, method: str, params: Mapping[str, Any]) -> bytes:
    """Return the frame of a request.

    Raises:
      UsageError: when it is longer than an engine reads.
    """
    frame = protocol.request(number, method, params)
    if len(frame) > protocol.MAX_FRAME + 1:
        raise UsageError(
            f"that is {len(frame)} bytes to be sent at once; "
            f"a running engine takes {protocol.MAX_FRAME}",
            where=command_in(method, params) or method,
            fix="do it in several smaller steps",
        )
    return frame


def command_in(method: str, params: Mapping[str, Any]) -> str:
    """Return the name of the command that a request calls, "" when it asks for something else."""
    return str(params.get("name")) if method == "call" else ""


def result(frame: Mapping[str, Any]) -> Any:
    """Return the result that a reply brings.

    Raises:
      OrchestratorError: the engine's own, when it says no.
    """
    error = frame.get("error")
    if error is None:
        return frame.get("result")
    known = error.get("data") or {}
    failure = OrchestratorError(
        str(error.get("message")), where=known.get("where"), fix=known.get("fix")
    )
    failure.code = str(known.get("code") or failure.code)
    failure.exit_code = _exit_code(failure.code, OrchestratorError)
    raise failure


def greeting(frame: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an engine says of itself in its first frame.

    Raises:
      OrchestratorError: the engine's own, when it does not let us in.
      EngineLostError: when it speaks another version of the protocol.
    """
    if "error" in frame:
        result(frame)
    hello: dict[str, Any] = frame.get("params") or {}
    spoken = hello.get("protocol")
    if frame.get("method") != "hello" or spoken != protocol.PROTOCOL:
        raise EngineLostError(
            f"the engine speaks protocol {spoken}, this orc {protocol.PROTOCOL}",
            fix="use the orc that started it",
        )
    return hello


def known_peer(connection: endpoint.Connected, path: str | None) -> int:
    """Return the process id of the other end, 0 when it is in another container.

    Raises:
      BusyError: when nobody is there yet: so many are connecting that the engine has no room.
      EngineLostError: when it is somebody else's, to whom nothing must be said.
    """
    pid, uid = endpoint.peer(connection)
    if uid == endpoint.NOBODY:
        raise BusyError("the engine has no time for one more", where=path, fix=AGAIN)
    if uid not in (os.geteuid(), 0) and os.geteuid() != 0:
        raise EngineLostError(f"the socket belongs to user {uid}, not to you", where=path)
    return pid


def unreachable(error: OSError, path: str | None) -> OrchestratorError:
    """Return what it means that an engine could not be connected to."""
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
        return NoEngineError("nothing runs here", fix="orc status, orc run CHANGE")
    return EngineLostError(
        f"the engine cannot be reached: {error.strerror or error}",
        where=path,
        fix="use the account that runs it",
    )


def gone(command: str = "") -> NoEngineError:
    """Return what it means that an engine hung up before it had heard the whole request.

    Args:
      command: the name of the one that it was to carry out, if it was.
    """
    fix = AGAIN if command else "orc status, orc run CHANGE"
    return NoEngineError("the engine has just ended", where=command or None, fix=fix)


def ending(pid: int, error: OrchestratorError | None = None) -> BusyError:
    """Return what it means that an engine does not carry a command out: it has begun nothing.

    Args:
      error: why it says that it does not.
    """
    said = error.message if error is not None else "the engine that is here takes nothing more"
    fix = (error.fix if error is not None else None) or AGAIN
    return BusyError(f"{said} (process {pid})", fix=fix)


def silent(patience: float, command: str = "") -> EngineLostError:
    """Return what it means that an engine says nothing for that many seconds."""
    fix = "it may be stuck: orc stop --force ends it, orc run CHANGE continues"
    return EngineLostError(
        f"the engine did not answer within {patience:g} s",
        where=command or None,
        fix=_LOOK if command else fix,
    )


def lost(command: str = "") -> EngineLostError:
    """Return what it means that an engine hung up instead of an answer."""
    return EngineLostError(
        "the engine ended without a word: it was killed, or crashed",
        where=command or None,
        fix=_LOOK if command else "nothing is lost: orc status, then orc run CHANGE",
    )


def _exit_code(code: str, kind: type[OrchestratorError]) -> int:
    """Return what an error of that code exits with; 1 when this version does not know it."""
    if kind.code == code:
        return kind.exit_code
    return max((_exit_code(code, below) for below in kind.__subclasses__()), default=1)
