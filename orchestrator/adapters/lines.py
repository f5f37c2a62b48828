"""Splits a stream of bytes into lines with bounded memory."""

from __future__ import annotations

import trio

from orchestrator.work.worker import OversizedLine

_CHUNK = 1 << 16


class Lines:
    """Asynchronous iterator over lines, without their newline. Made by ``iter_lines``."""

    def __init__(self, stream: trio.abc.ReceiveStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0
        self._dropped = 0
        self._ended = False

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> bytes | OversizedLine:
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if end >= 0:
                await trio.lowlevel.checkpoint()
                return self._take(end, end + 1)
            self._searched = len(self._buffer)
            if self._dropped or len(self._buffer) > self._limit:
                self._dropped += len(self._buffer)
                self._buffer.clear()
                self._searched = 0
            if self._ended:
                await trio.lowlevel.checkpoint()
                if not self._buffer and not self._dropped:
                    raise StopAsyncIteration
                return self._take(len(self._buffer), len(self._buffer))
            data = await self._stream.receive_some(_CHUNK)
            self._ended = not data
            self._buffer += data

    def _take(self, end: int, past: int) -> bytes | OversizedLine:
        size = self._dropped + end
        line = bytes(self._buffer[:end]) if size <= self._limit else None
        del self._buffer[:past]
        self._searched = self._dropped = 0
        return line if line is not None else OversizedLine(size=size)


def iter_lines(stream: trio.abc.ReceiveStream, limit: int = 1 << 20) -> Lines:
    """Iterate over the lines of ``stream``, the last one also without its newline.

    A line of more than ``limit`` bytes is read past and comes as an ``OversizedLine``. Memory
    stays below ``limit`` plus one chunk. Cancellation loses nothing: iteration can go on.
    """
    return Lines(stream, limit)
