"""Progress of one call, on its way to a client that may read slowly or not at all."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import trio

WAITING = 64
"""Notes that wait to be sent; what comes while so many do is dropped."""

_WHOLE = 100.0
_LITTLE = 0.001

Send = Callable[[float, float | None, str | None], Coroutine[Any, Any, None]]


class Notes:
    """Takes notes at once and sends them in turn, as numbers that only grow (MCP wants that)."""

    def __init__(self, clean: Callable[[str], str], send: Send) -> None:
        self._clean = clean
        self._send = send
        self._notes, self._waiting = trio.open_memory_channel[tuple[float | None, str]](WAITING)
        self._done = -1.0
        self._total: float | None = None

    def take(self, fraction: float | None, text: str) -> None:
        """Note how far it is; never blocks, and does nothing once it is over."""
        with suppress(trio.WouldBlock, trio.ClosedResourceError, trio.BrokenResourceError):
            self._notes.send_nowait((fraction, text))

    def close(self) -> None:
        """Say that nothing more will come; `pump` ends when it has sent what waits."""
        self._notes.close()

    async def pump(self) -> None:
        """Send notes until there are no more."""
        async with self._waiting:
            async for fraction, text in self._waiting:
                self._advance(fraction)
                await self._send(self._done, self._total, self._clean(text))

    def _advance(self, fraction: float | None) -> None:
        # Without a fraction the steps are counted, or, in the middle of a whole, hardly visible.
        if fraction is None:
            self._done += 1.0 if self._total is None else _LITTLE
        else:
            self._total = _WHOLE
            self._done = max(self._done + _LITTLE, min(fraction, 1.0) * _WHOLE)
