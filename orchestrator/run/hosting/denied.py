"""Finds, in what a process printed, the write that its confinement denied."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_DENIED = re.compile(
    r"permission denied|operation not permitted|read-only file system|EACCES|EPERM|EROFS",
    re.IGNORECASE,
)
_PATH = re.compile(r"/[^\s'\"`:;,<>()\[\]\\|]+")
_LINES = 2000
"""Lines that speak of a denial which are looked at; a flood of them names no more."""


class Denials:
    """Remembers the first denied write among lines of output.

    A path counts when the operator himself could write there, and the process may not.
    """

    def __init__(self, writable: Iterable[Path]) -> None:
        self._writable = tuple(str(path.resolve()) for path in writable)
        self._left = _LINES
        self.first: str | None = None

    def note(self, line: str) -> None:
        """Look at a line of output. Blocking, and short: it asks for the rights of a few paths."""
        if self.first is not None or self._left <= 0 or not _DENIED.search(line):
            return
        self._left -= 1
        # The program that complains stands first; what it could not write, last.
        found = reversed(_PATH.findall(line))
        self.first = next((path for path in found if self._is_denied(path)), None)

    @property
    def advice(self) -> str:
        """What to add to the reason of a failure: "" when nothing was denied."""
        if self.first is None:
            return ""
        return f"; it may not write {self.first}: [workspace] writable allows that"

    def _is_denied(self, path: str) -> bool:
        if path.startswith(("/proc/", "/sys/", "/dev/")):
            return False
        path = os.path.realpath(path)
        if any(path == place or path.startswith(place + os.sep) for place in self._writable):
            return False
        while not os.path.lexists(path):
            path = os.path.dirname(path)
        return os.access(path, os.W_OK)


def denied_write(text: str, writable: Iterable[Path]) -> str:
    """Return the advice of `Denials` for a whole output."""
    denials = Denials(writable)
    for line in text.splitlines():
        denials.note(line)
    return denials.advice
