"""Terminals: the screen that a person sees, and a command line with one of its own."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import sys
import termios
import time

from orchestrator.cli.live import cells
from tests.scratch import Scratch

_PART = re.compile(r"\x1b\[(\d*)([A-Za-z])|(.)", re.DOTALL)


class Screen:
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


class Terminal:
    """The command line with a terminal of its own, in its foreground."""

    def __init__(self, scratch: Scratch, *arguments: str, env: dict[str, str]) -> None:
        self.screen = ""
        self._master, slave = os.openpty()
        self.child = os.fork()
        if self.child == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for descriptor in range(3):
                os.dup2(slave, descriptor)
            os.chdir(scratch.path)
            os.execve(sys.executable, scratch.command(*arguments), {**os.environ, **env})
        os.close(slave)

    def press(self, keys: bytes) -> None:
        """Send what a key would send."""
        os.write(self._master, keys)

    def wait(self, seconds: float = 60) -> int:
        """Read the screen to the end; return the exit code."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.screen += os.read(self._master, 1 << 16).decode(errors="replace")
                except OSError:  # nobody has it open any more
                    break
        os.close(self._master)
        pid, status = os.waitpid(self.child, 0 if time.monotonic() < until else os.WNOHANG)
        if pid == 0:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            raise AssertionError(f"it did not end:\n{self.screen}")
        return os.waitstatus_to_exitcode(status)
