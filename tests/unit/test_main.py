"""Promise: a mistake of ours reaches an operator as an error, not as a traceback."""

from __future__ import annotations

import argparse
import errno
import json
import os
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


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_error_of_the_system_says_where_and_what_to_do(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: argparse.Namespace) -> int:
        raise OSError(number, os.strerror(number), "the-file")

    monkeypatch.setattr(spec, "list", refused)
    assert main(["list", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["message"], told["where"]) == (os.strerror(number), "the-file")
    assert told["fix"]
