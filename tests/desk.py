"""The command line in this process: as the real one, without waiting for a new Python each time."""

from __future__ import annotations

import io
import json
import shutil
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator.cli.main import main
from tests.gitrepo import fingerprint
from tests.scratch import Ran, Scratch, make_scratch


@attrs.define(kw_only=True)
class Desk(Scratch):
    """A scratch repository whose commands run in the test's own process."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def orc(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        stdin: str | bytes = "",
    ) -> Ran:
        """Run a command line to its end."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            code = main(["-C", str(self.path), *arguments])
        told = self.capsys.readouterr()
        return Ran(code=code, out=told.out, err=told.err)

    def say(self, *arguments: str, **more: Any) -> dict[str, Any]:
        """Return the document of a command that succeeds."""
        ran = self.orc(*arguments, "--json", **more)
        assert ran.code == 0, (arguments, ran.out, ran.err)
        (line,) = ran.out.splitlines()
        return dict(json.loads(line))

    def add(self, *arguments: str) -> str:
        """Add an item and return its id."""
        (item,) = self.say("add", *arguments)["items"]
        return str(item["id"])

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the items that `list` lists."""
        return list(self.say("list", *arguments)["items"])


@contextmanager
def open_desk(
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    spec: bool = True,
) -> Generator[Desk, None, None]:
    """Make a repository that is the same afterwards; give back the signal handlers."""
    made = make_scratch(directory)
    if not spec:
        shutil.rmtree(made.path / "openspec")
    taken = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(signum) for signum in taken]
    before = fingerprint(made.path)
    try:
        yield Desk(home=made.home, path=made.path, capsys=capsys, monkeypatch=monkeypatch)
        assert fingerprint(made.path) == before
    finally:
        for signum, handler in zip(taken, handlers, strict=True):
            signal.signal(signum, handler)
