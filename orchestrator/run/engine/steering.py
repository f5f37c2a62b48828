"""What a person may do to the work while it runs: hold the next attempt, interrupt this one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio


@attrs.define(eq=False)
class Steering:
    """Shared by the work and whoever steers it; one for each engine.

    Attributes:
      paused: whether no new attempt begins.
    """

    paused: bool = attrs.field(default=False, init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)
    _attempts: dict[str, trio.Event] = attrs.field(factory=dict, init=False)

    def pause(self) -> None:
        """Let no new attempt begin; the running one goes on."""
        self.paused = True

    def resume(self) -> None:
        """Let attempts begin again."""
        self.paused = False
        self._changed.set()
        self._changed = trio.Event()

    async def hold(self, stopping: trio.Event) -> bool:
        """Wait as long as the work is paused and nobody stops it; tells whether it waited."""
        held = False
        while self.paused and not stopping.is_set():
            held = True
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_after, self._changed, nursery.cancel_scope)
                nursery.start_soon(_cancel_after, stopping, nursery.cancel_scope)
        if not held:
            await trio.lowlevel.checkpoint()
        return held

    @contextmanager
    def attempt(self, item: str, stop: trio.Event) -> Generator[trio.Event, None, None]:
        """Give what interrupts the item's attempt of this block, or ``stop`` before it did."""
        self._attempts[item] = event = trio.Event()
        if stop.is_set():
            event.set()
        try:
            yield event
        finally:
            del self._attempts[item]

    def interrupt(self, item: str) -> bool:
        """Ask the item's running attempt to stop by its own protocol; False when none runs."""
        if item not in self._attempts:
            return False
        self._attempts[item].set()
        return True

    def interrupt_all(self) -> None:
        """Ask every running attempt to stop by its own protocol."""
        for event in self._attempts.values():
            event.set()


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
