"""Tells a person what came about beside the command he gave: warnings, news from the mirror."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from orchestrator.messages import Event
from orchestrator.run.backlog.events import ItemChanged
from orchestrator.run.events import Warned
from orchestrator.text import one_line

from .output import Quiet
from .render import write_slowly


class Notes:
    """Prints a line on stderr for each; a sink."""

    def __init__(self) -> None:
        self._out = Quiet(sys.stderr)

    async def emit(self, batch: Sequence[Event]) -> None:
        """Print the batch."""
        for event in batch:
            match event:
                case Warned(message=message):
                    line = one_line(message)
                case ItemChanged(what="mirrored", item=item, after=after, title=title):
                    line = one_line(f"taken over from the mirror: {item}, {after}: {title}")
                case _:
                    continue
            await write_slowly(self._out, f"note: {line}\n")
