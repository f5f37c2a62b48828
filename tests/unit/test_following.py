"""Promise: logs that grow side by side are printed line by line, each with its item."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.following import Growing, print_whole
from orchestrator.run.records.paths import attempt_log


def write(state: Path, attempt: str, text: str) -> None:
    """Let a worker say something."""
    path = attempt_log(state, attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


def test_lines_begin_with_their_item_while_there_are_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    growing = Growing(tmp_path)
    write(tmp_path, "a.1", "alone\n")
    growing.begin("WRK-a", "a.1", "")
    growing.look()
    growing.begin("WRK-b", "b.1", "b begins")
    growing.begin("WRK-b", "b.1", "b begins again")
    write(tmp_path, "a.1", "one\nhalf")
    write(tmp_path, "b.1", "two\n")
    growing.look()
    write(tmp_path, "a.1", " of it\nlast")
    growing.look()
    growing.end("a.1")
    growing.end("a.1")
    write(tmp_path, "b.1", "alone again\n")
    growing.look()
    growing.keep(())
    told = capsys.readouterr()
    assert told.out == (
        "alone\nWRK-a | one\nWRK-b | two\nWRK-a | half of it\nWRK-a | last\nalone again\n"
    )
    assert told.err == "== b begins\n"


def test_a_very_long_line_is_not_mixed_with_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    growing = Growing(tmp_path)
    write(tmp_path, "a.1", "x" * 200_000)
    write(tmp_path, "b.1", "two\n")
    for name in ("a", "b"):
        growing.begin(name, f"{name}.1", "")
    growing.look()
    write(tmp_path, "a.1", "y\n")
    growing.look()
    growing.keep(())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a | xxx")
    assert "b | two" in lines
    assert sum(line.count("x") for line in lines) == 200_000
    assert lines[-1].endswith("y")


def test_a_log_that_is_not_there_is_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_whole(tmp_path, "none.1")
    assert capsys.readouterr().out == ""
