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
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from orchestrator.errors import EngineLostError

from . import endpoint, protocol
from .replies import (
    LONGEST,
    PATIENCE,
    command_in,
    gone,
    greeting,
    known_peer,
    lost,
    question,
    result,
    silent,
    unreachable,
)

SILENCE = 6 * protocol.ALIVE_EVERY
"""Seconds without a word after which a subscriber gives up."""

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
          UsageError: when the parameters are longer than an engine reads; nothing was begun.
          NoEngineError: when it ended before it was asked; nothing was begun.
          EngineLostError: when it ended, or did not answer within ``patience`` seconds.
        """
        self._number += 1
        command = command_in(method, params)
        until = time.monotonic() + patience
        self._send(question(self._number, method, params), until, command)
        while True:
            frame = self._frame(until, asked=True, command=command)
            if frame is None:
                raise silent(patience, command)
            if "method" in frame:
                self._waiting.append(frame)
            elif frame.get("id") == self._number or "error" in frame:
                return result(frame)

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
                result(frame)
            if "method" in frame:
                return frame
        return None

    def greet(self, patience: float) -> None:
        """Hear what the engine says first.

        Raises:
          OrchestratorError: the engine's own, when it does not let us in.
          EngineLostError: when it says nothing, or speaks another version of the protocol.
        """
        hello = self._frame(time.monotonic() + patience)
        if hello is None:
            raise silent(patience)
        self.hello = greeting(hello)

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

    def _send(self, frame: bytes, until: float, command: str) -> None:
        try:
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            self._socket.sendall(frame)
        except TimeoutError:
            raise silent(PATIENCE) from None
        except OSError:
            raise gone(command) from None

    def _frame(
        self, until: float, *, asked: bool = False, command: str = ""
    ) -> dict[str, Any] | None:
        """Return what the engine says next, None when that takes too long.

        Args:
          asked: whether a request waits for its answer, for a command of that name perhaps.
        """
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            if self._searched > LONGEST:
                raise EngineLostError("the engine's answer is too long", where="control socket")
            try:
                self._socket.settimeout(max(0.001, until - time.monotonic()))
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                return None
            except OSError:
                # It was closed with a part unread: the end of the request.
                raise (gone(command) if asked else lost()) from None
            if not data:
                raise lost(command)
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
    except TimeoutError:
        raise silent(patience) from None
    except OSError as error:
        raise unreachable(error, path) from None
    return Engine(connection, known_peer(connection, path))


def _wait(descriptor: int, events: int, patience: float) -> bool:
    """Wait until something of ``events`` happens, or the other end hangs up."""
    poll = select.poll()
    poll.register(descriptor, events)
    return bool(poll.poll(patience * 1000))
