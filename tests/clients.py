"""Long-lived clients in processes of their own, and a plugin with commands that take long."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import attrs

from tests.scratch import wait_for

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0

TOYS = '''\
from pathlib import Path
import attrs, trio
from orchestrator import Command, Context, Plugin
from orchestrator.errors import StoreError
from orchestrator.run.events import CheckRunning

@attrs.frozen(kw_only=True)
class Wait(Command[str]):
    """Wait until a file is there, and touch another when it is cancelled."""
    place: Path

@attrs.frozen(kw_only=True)
class Fail(Command[None]):
    """Fail as somebody likes it."""
    how: str

plugin = Plugin("toys")

@plugin.handles(Wait, name="wait-long", deadline=120)
async def wait(command: Wait, context: Context) -> str:
    (command.place / "began").touch()
    context.publish(CheckRunning(command="make test", seconds=0))
    try:
        while not (command.place / "go").exists():
            await trio.sleep(0.02)
    except trio.Cancelled:
        (command.place / "cancelled").touch()
        raise
    return "waited"

@plugin.handles(Fail, name="fail-now", deadline=10)
async def fail(command: Fail, context: Context) -> None:
    await trio.sleep(0)
    raise {"store": StoreError("the disk is full"), "bug": ZeroDivisionError()}[command.how]
'''


def install_toys(directory: Path) -> Path:
    """Make a site directory whose distribution offers the plugin; return it."""
    site = directory / "site"
    info = site / "toys_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "toys_plugin.py").write_text(TOYS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[orchestrator.plugins]\ntoys = toys_plugin:plugin\n")
    return site


@attrs.define
class Client:
    """One `tests.session_host`; `kill` it in the end."""

    process: subprocess.Popen[str]
    answers: dict[int, tuple[str, Any]] = attrs.field(factory=dict)
    progress: dict[int, list[str]] = attrs.field(factory=dict)
    _number: int = 0
    _listener: threading.Thread = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def send(self, name: str, **arguments: Any) -> int:
        """Begin a call; returns its number."""
        self._number += 1
        self._write([self._number, name, arguments])
        return self._number

    def cancel(self, number: int) -> None:
        """Cancel a call."""
        self._write([number])

    def answer(self, number: int) -> tuple[str, Any]:
        """Wait for what comes of a call."""
        wait_for(lambda: number in self.answers or self.process.poll() is not None, PATIENCE)
        return self.answers[number]

    def call(self, name: str, **arguments: Any) -> Any:
        """Make a call that succeeds."""
        what, value = self.answer(self.send(name, **arguments))
        assert what == "done", value
        return value

    def add(self, title: str) -> str:
        """Add an item to the backlog; returns its id."""
        (id,) = self.call("backlog.add-items", items=[{"title": title}])
        return str(id)

    def close(self) -> int:
        """Let it end, and return its exit code."""
        self.hang_up()
        return self.process.wait(timeout=PATIENCE)

    def hang_up(self) -> None:
        """Let it know that it is to end."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        """End it and clear away."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self._listener.join()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            number, what, value = json.loads(line)
            if what == "progress":
                self.progress.setdefault(number, []).append(value)
            else:
                self.answers[number] = (what, value)

    def _write(self, document: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(document) + "\n")
        self.process.stdin.flush()


def open_client(directory: Path, linger: float = 60.0) -> Client:
    """Start a client of a repository."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.session_host", str(directory), str(linger)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Client(process)
