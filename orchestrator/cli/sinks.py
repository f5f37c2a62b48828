"""Where the events of a run go: to the person who started it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from orchestrator.bridge import EventSink
from orchestrator.messages import Event
from orchestrator.run.backlog.events import BacklogEnded, BacklogStarted
from orchestrator.run.events import RunEnded

from .backlog_lines import backlog_summary
from .output import Quiet
from .render import summary, write_slowly


class Person:
    """Lines on stderr while it runs, the closing line on stdout."""

    def __init__(self, lines: EventSink, *, delivering: bool) -> None:
        self._lines = lines
        self._delivering = delivering
        self._result = Quiet(sys.stdout)
        self._is_backlog = False

    async def emit(self, batch: Sequence[Event]) -> None:
        """Print the batch."""
        await self._lines.emit(batch)
        for event in batch:
            self._is_backlog = self._is_backlog or isinstance(event, BacklogStarted)
            if text := self._closing(event):
                await write_slowly(self._result, text + "\n")

    def _closing(self, event: Event) -> str:
        match event:
            case BacklogEnded():
                return backlog_summary(event, delivering=self._delivering)
            case RunEnded() if not self._is_backlog:
                return summary(event, delivering=self._delivering)
            case _:
                return ""
