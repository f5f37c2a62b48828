"""The calls of clients that an engine is busy with, and when it may end."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio

from orchestrator.errors import CommandCancelledError, StoppedError, StoreError
from orchestrator.run.lock import HAND_OVER

FAREWELL = 5.0
"""Seconds that calls under way may take when their engine is to end."""


@attrs.define(eq=False)
class Calls:
    """Knows which calls are under way on one engine; says no to more when it is to end."""

    _under_way: set[trio.CancelScope] = attrs.field(factory=set, init=False)
    _wanted_until: float = attrs.field(default=-math.inf, init=False)
    _broken: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    @contextmanager
    def one(self, name: str) -> Generator[None, None, None]:
        """Count as a call of the command of that name for as long as the block lasts.

        Raises:
          StoppedError: when no call is taken on; nothing was begun.
          CommandCancelledError: when the engine ended first; a part of it may be done.
        """
        if self._closed or self._gives_way():
            raise StoppedError("the engine here takes nothing more", fix="try again in a moment")
        scope = trio.CancelScope()
        self._under_way.add(scope)
        try:
            with scope:
                yield
        except StoreError:
            self._broken = True
            raise
        except (CommandCancelledError, StoppedError):
            # Also of a command that it had called: whoever asks again may do the first half twice.
            raise _cut_short(name) from None
        finally:
            self._under_way.remove(scope)
            self._change()
        if scope.cancelled_caught:
            raise _cut_short(name)

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

    async def over(self, linger: float, *ends: trio.Event) -> None:
        """Wait until the engine may end, and take no call on from then on.

        It may when it was closed. It may also when no call is under way, and it is to give way, has
        a store that cannot be written, or no call came for ``linger`` seconds.

        Args:
          ends: each of them closes it.
        """
        async with trio.open_nursery() as nursery:
            for event in ends:
                nursery.start_soon(self._close_at, event)
            await self._may_end(linger)
            self._closed = True
            nursery.cancel_scope.cancel()

    async def finish(self) -> None:
        """Take no call on any more, and return when none is under way.

        Those that are have a few seconds, then they are cancelled, and their clean-up waited for.
        """
        self.close()
        with trio.move_on_after(FAREWELL):
            await self._none_under_way()
        for scope in self._under_way:
            scope.cancel()
        await self._none_under_way()

    async def _may_end(self, linger: float) -> None:
        await trio.lowlevel.checkpoint()
        while not self._closed and (self._under_way or not (self._broken or self._gives_way())):
            with trio.move_on_after(math.inf if self._under_way else linger) as waiting:
                await self._changed.wait()
            if waiting.cancelled_caught and not self._under_way:
                break

    async def _close_at(self, event: trio.Event) -> None:
        await event.wait()
        self.close()

    async def _none_under_way(self) -> None:
        await trio.lowlevel.checkpoint()
        while self._under_way:
            await self._changed.wait()

    def _gives_way(self) -> bool:
        return trio.current_time() < self._wanted_until

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _cut_short(name: str) -> CommandCancelledError:
    return CommandCancelledError(
        "the engine that answered ended while this was under way",
        where=name,
        fix="look at the state, then ask again",
    )
