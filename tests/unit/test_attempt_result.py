"""Promise: what our tools write is the result file as an agent could leave it, whole and valid."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agents.assignment import Assignment
from orchestrator.agents.result import Claim, read_result
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.mcp.attempt_result import NOTED, ResultWriter
from orchestrator.work.backlog.report import MOST
from orchestrator.work.worker import Verdict

DONE = {"result": "phase_complete", "summary": "built it"}
WHOSE = {"item_id": "W-1", "phase": "build"}


def writer(directory: Path, story: str = "") -> ResultWriter:
    """Return the writer of an attempt, as a server that was just started has it."""
    assignment = Assignment(item="W-1", phase="build", story=story, attempt="a", root=directory)
    return ResultWriter(assignment=assignment, directory=directory)


def claim(directory: Path) -> Claim:
    read = read_result(directory / "result.json")
    assert read.claim is not None, read.problem
    return read.claim


def document(directory: Path) -> dict[str, Any]:
    """Return the result as the engine reads it."""
    return dict(claim(directory).document)


def test_a_result_is_one_of_this_attempt(tmp_path: Path) -> None:
    writer(tmp_path).report(DONE)
    assert document(tmp_path) == {**WHOSE, **DONE}
    writer(tmp_path, story="2").report({"status": "complete", "learnings": "run make first"})
    assert document(tmp_path) == {"status": "complete", "learnings": "run make first"}
    assert claim(tmp_path).learnings == "run make first"


def test_the_latest_result_counts(tmp_path: Path) -> None:
    writer(tmp_path).report(DONE)
    writer(tmp_path).report({"result": "blocked", "context": "Which port?"})
    assert (claim(tmp_path).verdict, claim(tmp_path).reason) == (Verdict.BLOCKED, "Which port?")
    writer(tmp_path).report({"result": "failed", "summary": "no way"})
    assert (claim(tmp_path).verdict, claim(tmp_path).reason) == (Verdict.FAILED, "no way")
    assert os.listdir(tmp_path) == ["result.json"]


def test_follow_ups_add_up_before_and_after_a_result(tmp_path: Path) -> None:
    """Each once, though a call is repeated and every call is served by another process."""
    titles = ["one", "own", "two", "three"]
    assert writer(tmp_path).add({"title": "one"}) == 1
    assert not (tmp_path / "result.json").exists()
    writer(tmp_path).report({**DONE, "follow_ups": [{"title": "own"}]})
    writer(tmp_path).add({"title": "two"})
    writer(tmp_path).report({**DONE, "follow_ups": [{"title": "own"}]})
    writer(tmp_path).add({"title": "two"})
    assert writer(tmp_path).add({"title": "three"}) == 3
    assert sorted(each["title"] for each in document(tmp_path)["follow_ups"]) == sorted(titles)
    writer(tmp_path).report({"result": "blocked", "context": "Why?"})
    assert [each["title"] for each in document(tmp_path)["follow_ups"]] == ["one", "two", "three"]


def test_a_result_of_the_workers_own_hand_gets_follow_ups_too(tmp_path: Path) -> None:
    by_hand = {**WHOSE, **DONE, "follow_ups": ["mine"]}
    (tmp_path / "result.json").write_text(json.dumps(by_hand))
    writer(tmp_path).add({"title": "ours"})
    assert document(tmp_path) == {**by_hand, "follow_ups": ["mine", {"title": "ours"}]}


@pytest.mark.parametrize("left", ["{half", '{"item_id": "W-1"}', '{"status": "done"}'])
def test_a_broken_result_is_left_as_it_is(tmp_path: Path, left: str) -> None:
    (tmp_path / "result.json").write_text(left)
    writer(tmp_path).add({"title": "ours"})
    assert (tmp_path / "result.json").read_text() == left
    writer(tmp_path).report(DONE)
    assert document(tmp_path) == {**WHOSE, **DONE, "follow_ups": [{"title": "ours"}]}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"result": "finished"}, '"result" is not'),
        ({"summary": "no result"}, '"status" is not'),
        ({**DONE, "status": "failed"}, '"status" is failed'),
        ({**DONE, "learnings": 7}, '"learnings" is not text'),
        ({"result": "failed", "summary": "x", "asks": "money"}, "asks: expected"),
        ({**DONE, "follow_ups": [{}]}, "follow_ups.0.title: missing"),
        ({**DONE, "follow_ups": [{"title": "t"}] * (MOST + 1)}, "at most 100"),
        ({**DONE, "phase": "deploy"}, "another one's"),
        ({**DONE, "context": "x" * (1 << 20)}, "larger than 1 MiB"),
    ],
)
def test_what_would_not_be_understood_is_not_written(
    tmp_path: Path, said: dict[str, Any], problem: str
) -> None:
    writer(tmp_path).report({**DONE, "context": "before"})
    with pytest.raises(UsageError, match=problem):
        writer(tmp_path).report(said)
    assert document(tmp_path) == {**WHOSE, **DONE, "context": "before"}


def test_too_many_follow_ups_are_refused_and_lose_none(tmp_path: Path) -> None:
    for number in range(MOST):
        writer(tmp_path).add({"title": str(number)})
    with pytest.raises(UsageError, match="at most 100"):
        writer(tmp_path).add({"title": "more"})
    writer(tmp_path).report(DONE)
    assert len(document(tmp_path)["follow_ups"]) == MOST


@pytest.mark.parametrize("left", ["{", "{}", "[" * 100_000])
def test_notes_that_are_none_count_as_none(tmp_path: Path, left: str) -> None:
    (tmp_path / NOTED).write_text(left)
    assert writer(tmp_path).add({"title": "one"}) == 1


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "result.json").mkdir()
    with pytest.raises(OrchestratorError, match="cannot be written") as failed:
        writer(tmp_path).report(DONE)
    assert failed.value.where == str(tmp_path / "result.json")
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "else").write_text("mine")
    (tmp_path / "result.json").symlink_to(tmp_path / "else")
    writer(tmp_path).report(DONE)
    assert (tmp_path / "else").read_text() == "mine"
    assert document(tmp_path) == {**WHOSE, **DONE}
