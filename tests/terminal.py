"""A small terminal: what a person sees after some text was written to it."""

from __future__ import annotations

import re

from orchestrator.cli.live import cells

_PART = re.compile(r"\x1b\[(\d*)([A-Za-z])|(.)", re.DOTALL)


class Terminal:
    """Rows of text and a cursor; knows what the product writes, and fails on anything else.

    Like most terminals it wraps long rows, also those that it had when it becomes narrower.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows = [""]
        self.row = 0
        self._start = True  # whether the cursor is at the row's beginning, else at its end

    def write(self, text: str) -> None:
        """Act on the text as a terminal does."""
        for count, command, character in _PART.findall(text):
            if command == "A":
                self.row = max(0, self.row - int(count or 1))
            elif command == "J":
                assert self._start, "it is only taken away from a row's beginning"
                del self.rows[self.row + 1 :]
                self.rows[self.row] = ""
            elif command == "m":
                continue
            elif character == "\r":
                self._start = True
            elif character == "\n":
                self._next()
            else:
                assert not command, command
                assert character.isprintable(), repr(character)
                if self._start and self.rows[self.row]:
                    raise AssertionError(f"written over {self.rows[self.row]!r}")
                if cells(self.rows[self.row]) + cells(character) > self.columns:
                    self._next()
                self._start = False
                self.rows[self.row] += character

    def resize(self, columns: int) -> None:
        """Become narrower or wider; the last row, where the cursor is, wraps."""
        self.columns = columns
        last = self.rows.pop()
        parts = [last[at : at + columns] for at in range(0, len(last), columns)] or [""]
        self.rows += parts
        self.row = len(self.rows) - 1

    def _next(self) -> None:
        self.row += 1
        self._start = True
        if self.row == len(self.rows):
            self.rows.append("")
