"""What a subscriber gets: recorded facts first, then what happens live; nothing twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import attrs
import trio

from orchestrator.bus import Lagged, Subscription
from orchestrator.messages import Event

from .protocol import ALIVE_EVERY, notification


class Entry(NamedTuple):
    """An event as it is told; ``seq`` is its number when it is a recorded fact."""

    seq: int | None
    document: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Feed:
    """Where the events of a subscription come from.

    Attributes:
      subscribe: opens a place in the ring of live events.
      recorded: returns facts after a number, oldest first, some at a time; none: that was all.
      newest: returns the number of the newest fact.
      entry: returns how an event is told, or None for one that is not. Of a recorded one only the
        number counts: it is told as it was recorded.
    """

    subscribe: Callable[[], AbstractContextManager[Subscription]]
    recorded: Callable[[int], Awaitable[Sequence[Entry]]]
    newest: Callable[[], Awaitable[int]]
    entry: Callable[[Event], Entry | None]

    async def pump(self, since: int | None, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send notifications until the last event; a slow reader loses progress, never facts.

        Args:
          since: number of the last fact that the reader knows; None: only what is new.
        """
        with self.subscribe() as live:
            last = await self.newest() if since is None else since
            if since is not None:
                last = await self._replay(last, send)
            while True:
                batch: list[Event] | None = None
                with trio.move_on_after(ALIVE_EVERY):
                    batch = await live.batch()
                if batch is None:
                    await send(notification("alive", {}))
                elif not batch:
                    break
                for event in batch or ():
                    last = await self._tell(event, last, send)
        await send(notification("ended", {}))

    async def _tell(self, event: Event, last: int, send: Callable[[bytes], Awaitable[None]]) -> int:
        if isinstance(event, Lagged):
            await send(notification("lagged", {"count": event.count}))
            return await self._replay(last, send)
        entry = self.entry(event)
        if entry is not None and entry.seq is None:
            await send(_event(entry))
        elif entry is not None and entry.seq is not None and entry.seq > last:
            return await self._replay(last, send)
        return last

    async def _replay(self, last: int, send: Callable[[bytes], Awaitable[None]]) -> int:
        while page := await self.recorded(last):
            for entry in page:
                await send(_event(entry))
                last = last if entry.seq is None else entry.seq
        return last


def _event(entry: Entry) -> bytes:
    return notification("event", {"seq": entry.seq, "event": entry.document})
