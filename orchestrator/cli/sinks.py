"""Where the events of a run go: to the person who started it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from orchestrator.bridge import EventSink
from orchestrator.messages import Event
from orchestrator.run.backlog.events import BacklogEnded
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

    async def emit(self, batch: Sequence[Event]) -> None:
        """Print the batch."""
        await self._lines.emit(batch)
        for event in batch:
            if isinstance(event, RunEnded):
                await write_slowly(self._result, summary(event, delivering=self._delivering) + "\n")
            elif isinstance(event, BacklogEnded):
                await write_slowly(self._result, backlog_summary(event) + "\n")
