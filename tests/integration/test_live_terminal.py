"""Promise: on a terminal `run` keeps one live line and leaves nothing of it; elsewhere, none."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.scratch import CHANGE, Scratch, make_scratch
from tests.terminal import Screen

pytestmark = pytest.mark.processes

SLOW = (
    "print('thinking about it', flush=True)\narrive()\n"
    "until = Path(os.environ['HOME']) / '.cache' / f'go-{story}'\n"
    "while not until.exists(): time.sleep(0.02)\n"
    "write(); tick(); complete()\n"
)


class Session:
    """The real command line on a pseudo terminal."""

    def __init__(self, scratch: Scratch, *arguments: str, columns: int, **env: str) -> None:
        self.screen = Screen(columns)
        self.raw = ""
        self._main, side = pty.openpty()
        self.resize(columns)
        self.process = subprocess.Popen(
            scratch.command(*arguments),
            cwd=scratch.path,
            stdin=subprocess.DEVNULL,
            stdout=side,
            stderr=side,
            env={**os.environ, "TERM": "xterm", **env},
        )
        os.close(side)

    def resize(self, columns: int) -> None:
        """Make the terminal as wide as that."""
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, size)
        self.screen.resize(columns)

    def wait_for(self, text: str, seconds: float = 30.0) -> None:
        """Read what is printed until the last row holds the text."""
        until = time.monotonic() + seconds
        while text not in self.screen.rows[-1]:
            assert time.monotonic() < until, self.screen.rows
            self._read(0.1)

    def end(self) -> int:
        """Read to the end; return the exit code."""
        while self._read(30.0):
            pass
        os.close(self._main)
        return self.process.wait(30)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._main], [], [], seconds)[0]:
            return self.process.poll() is None
        try:
            text = os.read(self._main, 65536).decode()
        except OSError:
            return False
        self.raw += text
        self.screen.write(text)
        return True


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    made = make_scratch(tmp_path)
    made.worker(SLOW)
    return made


def go(story: str) -> None:
    (Path(os.environ["HOME"]) / ".cache" / f"go-{story}").touch()


def test_live_line_tells_what_goes_on_through_a_resize_and_is_gone_at_the_end(
    scratch: Scratch,
) -> None:
    session = Session(scratch, "run", CHANGE, columns=120)
    session.wait_for("1/2 First  try 1")
    session.wait_for("says: thinking about it")
    session.wait_for("2s")
    session.resize(20)
    session.wait_for("1/2 First  try 1  …")
    session.resize(100)
    session.wait_for("thinking")
    go("1")
    session.wait_for("2/2 Second  try 1")
    go("2")
    assert session.end() == 0
    rows = session.screen.rows
    assert [row for row in rows if row.startswith("1/2")][-1].startswith("1/2 First  try 1  ")
    assert sum(row.startswith("1/2") for row in rows) == 1
    assert not any("thinking" in row for row in rows)
    assert rows[-1] == ""
    assert any(row.startswith("done 2/2 verified") for row in rows)
    assert "\x1b[2m" in session.raw


@pytest.mark.parametrize("colour", ["", "1"])
def test_ctrl_c_takes_the_live_line_away(scratch: Scratch, colour: str) -> None:
    session = Session(scratch, "run", CHANGE, columns=80, NO_COLOR=colour)
    session.wait_for("thinking")
    session.process.send_signal(signal.SIGINT)
    session.process.send_signal(signal.SIGTERM)
    assert session.end() == 130
    rows = session.screen.rows
    assert rows[-1] == ""
    assert not any("thinking" in row for row in rows)
    assert any("stopped 0/2" in row for row in rows)
    assert ("\x1b[2m" in session.raw) is not bool(colour)


@pytest.mark.parametrize(
    ("arguments", "env"), [(["--no-tui"], {}), (["-q"], {}), ([], {"TERM": "dumb"})]
)
def test_no_live_line_where_none_is_wanted(
    scratch: Scratch, arguments: list[str], env: dict[str, str]
) -> None:
    go("1")
    go("2")
    session = Session(scratch, "run", CHANGE, *arguments, columns=200, **env)
    assert session.end() == 0
    assert "\r\x1b" not in session.raw
    assert "\x1b[J" not in session.raw


def test_verbose_shows_what_a_failed_check_printed(scratch: Scratch) -> None:
    scratch.configure(verify=["test ! -e one.txt || { echo the reason; false; }"])
    go("1")
    ran = scratch.orc("run", CHANGE, "--max-attempts", "1", "-v")
    assert ran.code == 1
    assert "        the reason\n" in ran.err
    assert "\x1b" not in ran.err
