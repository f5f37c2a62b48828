"""Promise: a mistake of ours reaches an operator as an error, not as a traceback."""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import Iterator

import pytest

from orchestrator.cli import spec
from orchestrator.cli.main import main


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Give back the handlers that the command line takes."""
    taken = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(signum) for signum in taken]
    yield
    for signum, handler in zip(taken, before, strict=True):
        signal.signal(signum, handler)


@pytest.mark.parametrize("error", [ValueError("odd"), ExceptionGroup("all", [ValueError("odd")])])
def test_mistake_is_told_without_a_traceback(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(spec, "list", broken)
    assert main(["list"]) == 1
    shown = capsys.readouterr().err
    assert "mistake in the orchestrator: ValueError: odd" in shown
    assert "Traceback" not in shown
    assert main(["list", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "error"
    monkeypatch.setenv("ORC_TRACEBACK", "1")
    with pytest.raises((ValueError, ExceptionGroup)):
        main(["list"])
