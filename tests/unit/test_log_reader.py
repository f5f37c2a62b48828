"""Promises of following a log: every line once and in order, and what was dropped is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.run.attempts.attempt_log import AttemptLog
from orchestrator.run.attempts.log_reader import LogReader
from orchestrator.run.records.paths import attempt_log

LIMIT = 400
DROPPED = "[part of the output was dropped]\n"


def new_log(directory: Path) -> AttemptLog:
    path = attempt_log(directory, "a")
    path.parent.mkdir(exist_ok=True)
    return AttemptLog(path, LIMIT)


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    with LogReader(tmp_path, "a") as reader:
        assert list(reader.read()) == []
        with new_log(tmp_path) as log:
            log.write(b"first\nsec")
            assert list(reader.read()) == ["first\n"]
            log.write(b"ond\n")
            assert list(reader.read()) == ["second\n"]
            log.write(b"cut \xff")
            assert list(reader.read()) == []
        assert list(reader.read(to_end=True)) == ["cut �\n"]


@settings(max_examples=30)
@given(rounds=st.lists(st.integers(0, 12), max_size=40))
def test_who_keeps_up_gets_every_line_and_who_does_not_is_told(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("log")
    read: list[str] = []
    written: list[str] = []
    with LogReader(directory, "a") as reader:
        with new_log(directory) as log:
            for number, lines in enumerate(rounds):
                for line in range(lines):
                    written.append(f"{number} {line} {'x' * 10}\n")
                    log.write(written[-1].encode())
                read += reader.read()
        read += reader.read(to_end=True)
    if DROPPED not in read:
        assert read == written
    kept = [line for line in read if line != DROPPED]
    assert kept == [line for line in written if line in set(kept)]
    assert kept[-1:] == written[-1:]


def test_a_line_without_end_comes_in_pieces(tmp_path: Path) -> None:
    path = attempt_log(tmp_path, "a")
    path.parent.mkdir()
    path.write_bytes(b"x" * 1_000_000)
    with LogReader(tmp_path, "a") as reader:
        pieces = list(reader.read(to_end=True))
    assert "".join(pieces) == "x" * 1_000_000 + "\n"
    assert max(map(len, pieces)) <= 1 << 18
