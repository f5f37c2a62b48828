"""The calls of clients that an engine is busy with, and when it may end."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio

from orchestrator.errors import StoppedError, StoreError
from orchestrator.run.lock import HAND_OVER


@attrs.define(eq=False)
class Calls:
    """Knows how many calls are under way on one engine; says no to more when it is to end."""

    _under_way: int = attrs.field(default=0, init=False)
    _wanted_until: float = attrs.field(default=-math.inf, init=False)
    _broken: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    @contextmanager
    def one(self) -> Generator[None, None, None]:
        """Count as a call for as long as the block lasts.

        Raises:
          StoppedError: when no call is taken on; nothing was begun.
        """
        if self._closed or self._gives_way():
            raise StoppedError("the engine here takes nothing more", fix="try again in a moment")
        self._under_way += 1
        try:
            yield
        except StoreError:
            self._broken = True
            raise
        finally:
            self._under_way -= 1
            self._change()

    def give_way(self, seconds: float) -> None:
        """Take no call on for a while, so that the engine can end when the last one has.

        One that takes longer keeps the repository: calls are taken on again then.
        """
        until = trio.current_time() + min(seconds, HAND_OVER)
        self._wanted_until = max(self._wanted_until, until)
        self._change()

    def close(self) -> None:
        """Take no call on any more."""
        self._closed = True
        self._change()

    async def over(self, linger: float) -> None:
        """Wait until no call is under way and the engine may end, and take none on from then on.

        It may when it was closed, is to give way, has a store that cannot be written, or when no
        call came for ``linger`` seconds.
        """
        await trio.lowlevel.checkpoint()
        while self._under_way or not (self._closed or self._broken or self._gives_way()):
            with trio.move_on_after(math.inf if self._under_way else linger) as waiting:
                await self._changed.wait()
            if waiting.cancelled_caught and not self._under_way:
                break
        self._closed = True

    def _gives_way(self) -> bool:
        return trio.current_time() < self._wanted_until

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
