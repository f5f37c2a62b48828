"""A guardian process and the socket to it: starts it, talks to it, ends it."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from orchestrator.adapters.process import Spawned, spawn

STOP_SECONDS = 8.0
_ROOT = str(Path(__file__).resolve().parents[2])
_CODE = (
    "import sys; sys.path.append(sys.argv[1]); from orchestrator.guardian.child import main; main()"
)


class Link:
    """A guardian and the socket to it."""

    def __init__(self, spawned: Spawned, end: socket.socket) -> None:
        self.spawned = spawned
        self._socket = trio.socket.from_stdlib_socket(end)
        self._buffer = b""

    def alive(self) -> bool:
        """Say whether the guardian has not ended."""
        return not self.spawned.ended()

    async def send(self, message: object, descriptors: tuple[int, ...] = ()) -> None:
        """Send a message and copies of descriptors; nothing happens when the guardian is gone."""
        body = json.dumps(message).encode()
        data = struct.pack("!I", len(body)) + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        with suppress(OSError):
            sent = await self._socket.sendmsg([data], rights if descriptors else [])
            while sent < len(data):
                sent += await self._socket.send(data[sent:])

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, or None when the guardian has closed its end."""
        while True:
            if len(self._buffer) >= 4:
                (length,) = struct.unpack("!I", self._buffer[:4])
                if len(self._buffer) >= 4 + length:
                    message: dict[str, Any] = json.loads(self._buffer[4 : 4 + length])
                    self._buffer = self._buffer[4 + length :]
                    return message
            try:
                data = await self._socket.recv(1 << 16)
            except OSError:
                return None
            if not data:
                return None
            self._buffer += data

    def end(self) -> None:
        """Tell the guardian to kill its tree: it reads the end of the stream."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def finish(self, seconds: float = STOP_SECONDS) -> int | None:
        """End the guardian, by force when it does not end in that time, and reap it.

        Not cancellable; bounded by twice that time. Returns its return code, which is 0 when it
        left nothing; None when it could not be killed.
        """
        self.end()
        status = None
        with trio.CancelScope(shield=True):  # bounded by the two waits
            with trio.move_on_after(seconds):
                await trio.lowlevel.wait_readable(self.spawned.pidfd)
            self.spawned.kill()
            with trio.move_on_after(seconds):
                await trio.lowlevel.wait_readable(self.spawned.pidfd)
                status = self.spawned.reap()
        self._socket.close()
        return status


async def start(python: str) -> Link:
    """Start a guardian that waits for its job.

    Raises:
      NotStartedError: when the interpreter cannot be executed.
      OSError: when there is no descriptor left for its socket.
    """
    return Link(*await trio.to_thread.run_sync(_spawn, python))


def _spawn(python: str) -> tuple[Spawned, socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        argv = [python, "-I", "-S", "-X", "utf8", "-c", _CODE, _ROOT]
        env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        try:
            return spawn(argv, cwd=Path("/"), env=env, stdin=theirs.fileno()), ours
        except BaseException:
            ours.close()
            raise
