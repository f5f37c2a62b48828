"""A worker's output pipe, which ends soon after the worker's tree, whoever else holds it."""

from __future__ import annotations

import math
import os

import trio

_CHUNK = 1 << 16


class Output(trio.abc.ReceiveStream):
    """The reading end of a pipe. One reader at a time."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._deadline = math.inf
        self._scope: trio.CancelScope | None = None

    def end_by(self, deadline: float) -> None:
        """Report the end of the stream when that Trio time has come and nothing is left in it."""
        self._deadline = deadline
        if self._scope is not None:
            self._scope.deadline = deadline

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what is there, waiting for the first byte; b"" at the end."""
        await trio.lowlevel.checkpoint()
        while True:
            if self._descriptor < 0:
                raise trio.ClosedResourceError
            try:
                return os.read(self._descriptor, max_bytes or _CHUNK)
            except BlockingIOError:
                if trio.current_time() >= self._deadline:
                    return b""
            with trio.CancelScope(deadline=self._deadline) as self._scope:
                await trio.lowlevel.wait_readable(self._descriptor)
            self._scope = None

    def close(self) -> None:
        """Close the pipe; who waits for it gets ``ClosedResourceError``."""
        if self._descriptor >= 0:
            trio.lowlevel.notify_closing(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    async def aclose(self) -> None:
        """Close the pipe."""
        self.close()
        await trio.lowlevel.checkpoint()
