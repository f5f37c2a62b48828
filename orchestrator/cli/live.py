"""One line at the bottom of a terminal that tells what goes on, below the lines that stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TextIO

import attrs
import trio

from orchestrator.messages import Event
from orchestrator.run.backlog.events import BacklogEnded, BacklogStarted, PhaseEnded
from orchestrator.run.events import (
    AttemptFailed,
    AttemptStarted,
    CheckRunning,
    LimitReached,
    RunEnded,
    RunStarted,
    StoryVerified,
    WorkerActed,
)
from orchestrator.runtime import StopRequested
from orchestrator.stop import StopLevel
from orchestrator.text import clock_time, duration, one_line

from .cells import cells as cells
from .cells import cut as cut
from .output import Quiet, coloured
from .render import PlainLines, started_head, write_slowly

FRAME = 0.1
"""Seconds that pass at least between two drawings without a new line that stays."""

_TICK = 0.25
_LAST_WORD = 1.0


def can_be_live(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal on which a line can be drawn again."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def columns_of(stream: TextIO) -> int:
    """Return how wide the terminal is now; 80 when it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


@attrs.define(eq=False)
class BottomLine:
    """What has to be written to keep a line at the bottom.

    Attributes:
      columns: returns the width of the terminal; it is asked each time, for it may change.
      paint: adds colour to the line, which must not change its width.
    """

    columns: Callable[[], int]
    paint: Callable[[str], str]
    _drawn: int = attrs.field(default=0, init=False)

    def frame(self, above: str, line: str) -> str:
        """Return what takes the old line away, prints whole lines that stay, and draws the new one.

        A terminal that became narrower has wrapped the old line: all its rows go.
        """
        columns = max(1, self.columns())
        rows = -(-self._drawn // columns)
        up = f"\x1b[{rows - 1}A" if rows > 1 else ""
        erase = f"\r{up}\x1b[J" if self._drawn else ""
        # Not the last column: some terminals go to the next line there, some wait.
        shown = cut(line, columns - 1)
        self._drawn = cells(shown)
        return erase + above + (self.paint(shown) if shown else "")


@attrs.define(eq=False)
class Status:
    """What goes on in a run, from its events; times are Trio's."""

    _item: str = ""
    _head: str = ""
    _doing: str = ""
    _since: float = 0.0
    _cost: float = 0.0
    _over: bool = True
    _is_backlog: bool = False
    _at_work: dict[str, str] = attrs.field(factory=dict)

    def update(self, event: Event, now: float) -> None:
        """Take in what happened."""
        match event:
            case RunStarted(item=item) if not self._is_backlog:
                self._item, self._head, self._doing = item, f"{item}  preparing", ""
                self._since, self._cost, self._over = now, 0.0, False
            case BacklogStarted():
                self._is_backlog = True
                self._head, self._doing = "backlog", ""
                self._since, self._cost, self._over = now, 0.0, False
            case AttemptStarted(attempt=attempt, number=number):
                self._head = f"{started_head(event, 40)}  try {number}"
                self._since, self._doing = now, ""
                self._at_work[attempt] = self._head
            case WorkerActed(kind=kind, text=text):
                self._doing = f"{kind}: {text}"
            case CheckRunning(command=command):
                self._doing = f"runs: {command}"
            case LimitReached(agent=agent, until=until):
                self._doing = f"waits: {agent} limit until {clock_time(until)}"
            case AttemptFailed() | StoryVerified() | PhaseEnded():
                self._cost += event.usage.cost
                self._doing = ""
                self._at_work.pop(event.attempt, None)
                self._head = next(reversed(self._at_work.values()), self._head)
            case RunEnded() if self._is_backlog:
                pass
            case RunEnded() | BacklogEnded():
                self._over = True
            case StopRequested(level=level):
                # A forced stop ends the process on the spot: nothing may be left to clean then.
                self._over = self._over or level is not StopLevel.POLITE

    def text(self, now: float) -> str:
        """Return the line; nothing before and after a run."""
        if self._over:
            return ""
        others = len(self._at_work) - 1
        parts = [self._head + (f" (and {others} more)" if others > 0 else "")]
        parts.append(duration(now - self._since))
        if self._cost:
            parts.append(f"${self._cost:.2f}")
        if self._doing:
            parts.append(one_line(self._doing))
        return "  ".join(parts)


@attrs.define(eq=False)
class LiveLines:
    """Prints the lines that stay, and keeps a live one below them while `run` goes on."""

    lines: PlainLines
    bottom: BottomLine
    _status: Status = attrs.field(factory=Status, init=False)
    _lock: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _drawn_at: float = attrs.field(default=-FRAME, init=False)

    async def emit(self, batch: Sequence[Event]) -> None:
        """Print the batch and draw the line anew."""
        over = False
        for event in batch:
            self._status.update(event, trio.current_time())
            over = over or isinstance(event, (RunEnded, BacklogEnded, StopRequested))
        await self._draw(self.lines.text(batch), now=over)

    async def run(self) -> None:
        """Keep the line's time going; when this is cancelled, the line is taken away."""
        try:
            while True:
                await trio.sleep(_TICK)
                await self._draw("")
        finally:
            with trio.move_on_after(_LAST_WORD, shield=True):
                await write_slowly(self.lines.stream, self.bottom.frame("", ""))

    async def _draw(self, above: str, *, now: bool = False) -> None:
        async with self._lock:
            at = trio.current_time()
            if not above and not now and at - self._drawn_at < FRAME:
                return
            self._drawn_at = at
            text = self.bottom.frame(above, self._status.text(at))
            await write_slowly(self.lines.stream, text)


def live_lines(lines: PlainLines, stream: TextIO) -> LiveLines:
    """Return ``lines`` with a live line below them on the terminal ``stream``."""
    quiet = Quiet(stream)
    bottom = BottomLine(lambda: columns_of(stream), lambda text: coloured(text, "dim", quiet))
    return LiveLines(lines, bottom)
