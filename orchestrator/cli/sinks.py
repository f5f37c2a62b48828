"""Where the events of a run go: to the person who started it, and into the run's log file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import trio

from orchestrator.bridge import EventSink
from orchestrator.messages import Event, Fact
from orchestrator.run.events import RunEnded, RunStarted
from orchestrator.run.paths import events_log

from .output import Quiet
from .render import documents, summary, write_slowly

_LOG_ROOM = 16 << 20
"""Bytes of a run's log after which only facts are written."""


class Person:
    """Lines on stderr while it runs, the closing line on stdout."""

    def __init__(self, lines: EventSink, *, delivering: bool) -> None:
        self._lines = lines
        self._delivering = delivering
        self._result = Quiet(sys.stdout)

    async def emit(self, batch: Sequence[Event]) -> None:
        """Print the batch."""
        await self._lines.emit(batch)
        for event in batch:
            if isinstance(event, RunEnded):
                await write_slowly(self._result, summary(event, delivering=self._delivering) + "\n")


class EventsLog:
    """Appends facts and progress to the run's log file, which `status` shows elsewhere."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._path: Path | None = None
        self._room = _LOG_ROOM

    async def emit(self, batch: Sequence[Event]) -> None:
        """Append the batch."""
        await trio.to_thread.run_sync(self._append, batch, abandon_on_cancel=True)

    def _append(self, batch: Sequence[Event]) -> None:
        for event in batch:
            if isinstance(event, RunStarted):
                self._path = events_log(self._state_dir, event.run)
        if self._room <= 0:
            batch = [event for event in batch if isinstance(event, Fact)]
        if self._path is None or not batch:
            return
        text = "".join(f"{line}\n" for line in documents(batch))
        self._room -= len(text)
        # A log, never read to decide: a full disk must not end the work it tells about.
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._path.open("a", encoding="ascii") as file:
                file.write(text)
