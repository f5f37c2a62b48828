"""Text from elsewhere made fit to show: no control sequences, bounded length."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Sequence

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\Z)"  # OSC and other strings: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?"
    r"|\x9b[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
# Everything a terminal acts on, and the marks that reorder text on the screen.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

SHOWN = 8000
LINE = 200


def clean(text: str) -> str:
    """Return ``text`` without terminal control; line breaks and tabs stay."""
    text = _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)


def shown(text: str, limit: int = SHOWN) -> str:
    """Return ``text`` cleaned and cut to ``limit`` characters, the cut marked."""
    text = clean(text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str, limit: int = LINE) -> str:
    """Return ``text`` as one short line."""
    return shown(" ".join(clean(text[: limit * 8]).split()), limit)


def shown_paths(paths: Sequence[bytes], most: int = 5) -> str:
    """Return the first few of some paths as one line."""
    names = ", ".join(one_line(os.fsdecode(path)) for path in paths[:most])
    return names if len(paths) <= most else f"{names} and {len(paths) - most} more"


def clock_time(at: float) -> str:
    """Return a Unix time as a person's clock shows it: "17:05", with the day if it is not today."""
    try:
        then = time.localtime(at)
    except (OverflowError, ValueError, OSError):
        return "the end of time"
    today = time.localtime()
    same_day = (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday)
    if same_day:
        return time.strftime("%H:%M", then)
    same_year = then.tm_year == today.tm_year
    return time.strftime("%b %d %H:%M" if same_year else "%Y-%m-%d %H:%M", then)


def duration(seconds: float) -> str:
    """Return seconds as "42s", "3m02s" or "1h05m"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


class Tail:
    """The last lines of something that may be endless; at least the very last one."""

    def __init__(self, limit: int = 16_384) -> None:
        self._limit = limit
        self._size = 0
        self._lines: deque[str] = deque()

    def add(self, line: str) -> None:
        """Append a line; blank ones are not kept."""
        if not line.strip():
            return
        self._lines.append(line)
        self._size += len(line)
        while self._size > self._limit and len(self._lines) > 1:
            self._size -= len(self._lines.popleft())

    @property
    def text(self) -> str:
        """All that is kept, oldest line first."""
        return "\n".join(self._lines)

    @property
    def last(self) -> str:
        """The last line that was not blank, "" when there was none."""
        return self._lines[-1] if self._lines else ""
