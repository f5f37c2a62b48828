"""The stop watcher: turns signals and requests into three steps, stop, cancel, force."""

from __future__ import annotations

import enum
import math
import signal
from collections.abc import Callable

import trio

FORCE_WITHIN = 3.0
"""Seconds after the second request in which a third one means force."""


class StopLevel(enum.IntEnum):
    """How urgent a stop is.

    POLITE: no new work, what runs may end within the grace. CANCEL: what runs is cancelled now.
    FORCE: do not wait for anything.
    """

    POLITE = 1
    CANCEL = 2
    FORCE = 3


class StopWatcher:
    """Knows whether, and how urgently, to stop. The level only ever rises.

    Args:
      on_force: called once, synchronously, when the level becomes FORCE.

    Attributes:
      requested: set from the first request on; a service that runs a worker waits for it.
    """

    def __init__(self, on_force: Callable[[], None] | None = None) -> None:
        self.requested = trio.Event()
        self._level: StopLevel | None = None
        self._on_force = on_force
        self._last_cancel = -math.inf
        self._listeners: list[Callable[[StopLevel], None]] = []
        self._reached = {level: trio.Event() for level in StopLevel}

    @property
    def level(self) -> StopLevel | None:
        """The highest level requested so far, or None."""
        return self._level

    def request(self) -> None:
        """Count one more request of a person: stop, then cancel, then, if quick, force."""
        if self._level is None:
            self.raise_to(StopLevel.POLITE)
        elif self._level is StopLevel.POLITE:
            self.raise_to(StopLevel.CANCEL)
        elif trio.current_time() - self._last_cancel <= FORCE_WITHIN:
            self.raise_to(StopLevel.FORCE)
        else:
            self._last_cancel = trio.current_time()

    def raise_to(self, level: StopLevel) -> None:
        """Stop at least this urgently. No effect when it is that urgent already."""
        if self._level is not None and level <= self._level:
            return
        self._level = level
        if level is StopLevel.CANCEL:
            self._last_cancel = trio.current_time()
        self.requested.set()
        for step, reached in self._reached.items():
            if step <= level:
                reached.set()
        for listener in self._listeners:
            listener(level)
        if level is StopLevel.FORCE and self._on_force is not None:
            self._on_force()

    async def wait(self, level: StopLevel) -> None:
        """Wait until the stop is at least this urgent."""
        await self._reached[level].wait()

    def listen(self, listener: Callable[[StopLevel], None]) -> None:
        """Call ``listener`` synchronously each time the level rises."""
        self._listeners.append(listener)

    async def watch_signals(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Take SIGINT and SIGTERM as requests and SIGHUP as a polite stop, until cancelled.

        Main thread only; for programs, never for libraries.
        """
        watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with trio.open_signal_receiver(*watched) as signals:
            task_status.started()
            async for signum in signals:
                if signum == signal.SIGHUP:
                    self.raise_to(StopLevel.POLITE)
                else:
                    self.request()
