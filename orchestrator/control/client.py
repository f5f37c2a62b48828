"""Asks a running engine through its socket. Blocking; every wait has a deadline; imports little.

The engine is known by its socket: nothing is sent to a process that is not this user's, or root's.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from orchestrator.errors import EngineLostError, NoEngineError, OrchestratorError

from . import endpoint, protocol

PATIENCE = 5.0
"""Seconds that an engine may take for an answer."""

SILENCE = 6 * protocol.ALIVE_EVERY
"""Seconds without a word after which a subscriber gives up."""

_LONGEST = 16 << 20
_CHUNK = 1 << 16


class Engine:
    """A connection to the engine that owns a repository; made by `connect`. For one thread.

    Attributes:
      pid: the engine's process id, 0 when it is in another container.
      hello: what it said first: ``protocol``, ``version`` of the product, ``item``.
    """

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._socket = connection
        self._buffer = bytearray()
        self._searched = 0
        self._number = 0
        self._waiting: list[dict[str, Any]] = []
        self.pid = pid
        self.hello: dict[str, Any] = {}

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return the socket's descriptor, to wait for it together with others."""
        return self._socket.fileno()

    def call(self, method: str, *, patience: float = PATIENCE, **params: Any) -> Any:
        """Call a method and return its result; notifications that come first are kept.

        Raises:
          OrchestratorError: the engine's own, when it says no.
          EngineLostError: when it ended, or did not answer within ``patience`` seconds.
        """
        self._number += 1
        until = time.monotonic() + patience
        self._send(protocol.request(self._number, method, params), until)
        while True:
            frame = self._frame(until)
            if frame is None:
                raise _silent(patience)
            if "method" in frame:
                self._waiting.append(frame)
            elif frame.get("id") == self._number or "error" in frame:
                return _result(frame)

    def notification(self, patience: float) -> dict[str, Any] | None:
        """Return the next notification, or None when none came within ``patience`` seconds.

        Raises:
          EngineLostError: when the engine ended without saying ``ended``.
        """
        if self._waiting:
            return self._waiting.pop(0)
        until = time.monotonic() + patience
        while (frame := self._frame(until)) is not None:
            if "error" in frame:
                _result(frame)
            if "method" in frame:
                return frame
        return None

    def greet(self, patience: float) -> None:
        """Hear what the engine says first.

        Raises:
          EngineLostError: when it says nothing, or speaks another version of the protocol.
        """
        hello = self.notification(patience)
        if hello is None:
            raise _silent(patience)
        self.hello = hello.get("params") or {}
        spoken = self.hello.get("protocol")
        if hello.get("method") != "hello" or spoken != protocol.PROTOCOL:
            raise EngineLostError(
                f"the engine speaks protocol {spoken}, this orc {protocol.PROTOCOL}",
                fix="use the orc that started it",
            )

    def kill(self, patience: float = PATIENCE) -> None:
        """Kill the engine's process, also one that is stuck; its guardians end what it started.

        Raises:
          EngineLostError: when it cannot be named for certain, or is still there after
            ``patience`` seconds.
        """
        try:
            handle = os.pidfd_open(self.pid)
        except (OSError, ValueError):
            handle = None
        if self._hung_up():
            # Its process has ended, and what was opened may be another's.
            if handle is not None:
                os.close(handle)
            return
        if handle is None:
            raise EngineLostError(
                "the engine's process cannot be seen from here", fix="end it where it runs"
            )
        try:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            if not _wait(handle, select.POLLIN, patience):
                raise EngineLostError(f"process {self.pid} does not end", fix="see ps")
        finally:
            os.close(handle)

    def wait_gone(self, patience: float) -> bool:
        """Wait until the engine has hung up; False: it has not after ``patience`` seconds."""
        until = time.monotonic() + patience
        try:
            while self._frame(until) is not None:
                pass
        except EngineLostError:
            return True
        return False

    def _hung_up(self) -> bool:
        return _wait(self._socket.fileno(), 0, 0)

    def _send(self, frame: bytes, until: float) -> None:
        try:
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            self._socket.sendall(frame)
        except TimeoutError:
            raise _silent(PATIENCE) from None
        except OSError:
            raise _lost() from None

    def _frame(self, until: float) -> dict[str, Any] | None:
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            if self._searched > _LONGEST:
                raise EngineLostError("the engine's answer is too long", where="control socket")
            try:
                self._socket.settimeout(max(0.001, until - time.monotonic()))
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                return None
            except OSError:
                raise _lost() from None
            if not data:
                raise _lost()
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        with suppress(ValueError):
            document = json.loads(line)
            if isinstance(document, dict):
                return document
        raise EngineLostError("the engine's answer is no JSON", where="control socket")


def connect(state_dir: Path, *, patience: float = PATIENCE, greet: bool = True) -> Engine:
    """Connect to the engine that owns the repository of ``state_dir``.

    Args:
      greet: hear its greeting first; an engine that is stuck does not say it.

    Raises:
      NoEngineError: when none listens there.
      EngineLostError: when it cannot be reached; see also `Engine.greet`.
    """
    path = endpoint.find(state_dir)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        engine = _connect(connection, path, patience)
        if greet:
            engine.greet(patience)
    except BaseException:
        connection.close()
        raise
    return engine


def _connect(connection: socket.socket, path: str | None, patience: float) -> Engine:
    try:
        if path is None:
            raise FileNotFoundError
        connection.settimeout(patience)
        connection.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoEngineError("nothing runs here", fix="orc status, orc run CHANGE") from None
    except TimeoutError:
        raise _silent(patience) from None
    except OSError as error:
        raise EngineLostError(
            f"the engine cannot be reached: {error.strerror or error}",
            where=path,
            fix="use the account that runs it",
        ) from None
    pid, uid = endpoint.peer(connection)
    if uid not in (os.geteuid(), 0) and os.geteuid() != 0:
        raise EngineLostError(f"the socket belongs to user {uid}, not to you", where=path)
    return Engine(connection, pid)


def _result(frame: Mapping[str, Any]) -> Any:
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


def _exit_code(code: str, kind: type[OrchestratorError]) -> int:
    """Return what an error of that code exits with; 1 when this version does not know it."""
    if kind.code == code:
        return kind.exit_code
    return max((_exit_code(code, below) for below in kind.__subclasses__()), default=1)


def _wait(descriptor: int, events: int, patience: float) -> bool:
    """Wait until something of ``events`` happens, or the other end hangs up."""
    poll = select.poll()
    poll.register(descriptor, events)
    return bool(poll.poll(patience * 1000))


def _silent(patience: float) -> EngineLostError:
    return EngineLostError(
        f"the engine did not answer within {patience:g} s",
        fix="it may be stuck: orc stop --force ends it, orc run CHANGE continues",
    )


def _lost() -> EngineLostError:
    return EngineLostError(
        "the engine ended without a word: it was killed, or crashed",
        fix="nothing is lost: orc status, then orc run CHANGE",
    )
