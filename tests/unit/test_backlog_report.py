"""Promise: what a phase reports is understood whole or refused, and nothing of it is guessed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.result import MAX_RESULT, judge, read_result
from orchestrator.work.backlog.item import Asks, Assessments, Description, Level, Size
from orchestrator.work.backlog.report import MOST, phase_result
from orchestrator.work.backlog.result import FollowUp, Outcome, PhaseResult
from orchestrator.work.worker import Verdict

WHOLE = {
    "item_id": "WRK-1",
    "phase": "build",
    "result": "phase_complete",
    "summary": "Built it.",
    "context": "All of it.",
    "updated_assessments": {"size": "small", "complexity": None, "risk": "high"},
    "follow_ups": [
        "Bare title",
        {"title": "More", "context": "why", "suggested_size": "large", "suggested_risk": "low"},
        {"title": "Less", "context": None, "suggested_size": None, "unknown": 1},
        {"title": " "},
    ],
    "based_on_commit": "ABC1234",
    "pipeline_type": "blog",
    "commit_summary": "Add the thing\nand more",
    "duplicates": ["WRK-2", "WRK-2", "WRK-1"],
    "description": {"context": "c", "problem": "p"},
    "unknown": {"x": [1]},
}


def understood(
    document: dict[str, Any], verdict: Verdict = Verdict.COMPLETE, reason: str = ""
) -> PhaseResult | str:
    return phase_result(document, verdict, reason, item="WRK-1", phase="build")


def test_everything_a_phase_says_is_understood() -> None:
    assert understood(WHOLE) == PhaseResult(
        outcome=Outcome.COMPLETE,
        summary="Built it.",
        context="All of it.",
        ratings=Assessments(size=Size.SMALL, risk=Level.HIGH),
        follow_ups=(
            FollowUp(title="Bare title"),
            FollowUp(
                title="More",
                context="why",
                ratings=Assessments(size=Size.LARGE, risk=Level.LOW),
            ),
            FollowUp(title="Less"),
        ),
        based_on="abc1234",
        pipeline="blog",
        commit_summary="Add the thing and more",
        duplicates=("WRK-2",),
        description=Description(context="c", problem="p"),
    )


@pytest.mark.parametrize("document", [{}, {"status": "complete"}, {"result": "phase_complete"}])
def test_who_only_says_that_it_is_complete_is(document: dict[str, Any]) -> None:
    assert understood(document) == PhaseResult(outcome=Outcome.COMPLETE)


def test_a_part_may_be_complete() -> None:
    found = understood({"result": "subphase_complete", "summary": "half"})
    assert found == PhaseResult(outcome=Outcome.SUBPHASE, summary="half")


@pytest.mark.parametrize(
    ("document", "reason", "question"),
    [
        ({"context": "Which?", "summary": "asks"}, "Which?", "Which?"),
        ({"context": "Which?", "summary": "asks"}, "", "Which?"),
        ({"summary": "asks"}, "", "asks"),
        ({}, "", "it does not say on what"),
    ],
)
def test_who_is_blocked_asks(document: dict[str, Any], reason: str, question: str) -> None:
    found = understood({"asks": "decision", **document}, Verdict.BLOCKED, reason)
    assert isinstance(found, PhaseResult)
    assert (found.outcome, found.context) == (Outcome.BLOCKED, question)
    assert found.asks is Asks.DECISION


def test_failure_is_told_with_its_reason_whatever_the_document_claims() -> None:
    found = understood({**WHOLE}, Verdict.FAILED, "it used up its budget")
    assert isinstance(found, PhaseResult)
    assert (found.outcome, found.summary) == (Outcome.FAILED, "it used up its budget")
    expected = PhaseResult(outcome=Outcome.FAILED, summary="exited with 1")
    assert understood({"follow_ups": 3}, Verdict.FAILED, "exited with 1") == expected
    assert understood({"item_id": "WRK-2"}, Verdict.FAILED, "exited with 1") == expected


@pytest.mark.parametrize("verdict", [Verdict.SILENT, Verdict.LIMITED])
def test_who_says_nothing_has_no_result(verdict: Verdict) -> None:
    assert understood({}, verdict, "why") == "why"
    assert isinstance(understood({}, verdict), str)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"item_id": "WRK-2"}, "item_id: expected 'WRK-1', got 'WRK-2'"),
        ({"phase": "plan"}, "phase: expected 'build', got 'plan'"),
        ({"item_id": 1, "phase": None}, "item_id: expected 'WRK-1', got 1; phase: expected"),
    ],
)
def test_result_of_another_is_none_of_this_attempt(document: dict[str, Any], problem: str) -> None:
    found = understood({**WHOLE, **document})
    assert isinstance(found, str)
    assert problem in found


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("summary", None, "summary: expected text, got None"),
        ("summary", ["x"], "summary: expected text"),
        ("context", 1, "context: expected text, got 1"),
        ("updated_assessments", "big", "updated_assessments: expected an object"),
        ("updated_assessments", {"size": "Small"}, "updated_assessments.size: expected small, "),
        ("updated_assessments", {"risk": "HIGH"}, "updated_assessments.risk: expected low, "),
        ("updated_assessments", {"impact": []}, "updated_assessments.impact: expected low, "),
        ("follow_ups", None, "follow_ups: expected a list, got None"),
        ("follow_ups", "one", "follow_ups: expected a list"),
        ("follow_ups", [1], "follow_ups.0: expected an object, got 1"),
        ("follow_ups", ["a", {}], "follow_ups.1.title: missing"),
        ("follow_ups", [{"title": None}], "follow_ups.0.title: expected text"),
        ("follow_ups", [{"title": "a", "suggested_risk": "x"}], "follow_ups.0.suggested_risk"),
        ("follow_ups", ["a"] * (MOST + 1), f"follow_ups: expected at most {MOST}"),
        ("based_on_commit", "HEAD", "based_on_commit: expected the id of a commit"),
        ("based_on_commit", "--all", "based_on_commit: expected the id of a commit"),
        ("pipeline_type", ["feature"], "pipeline_type: expected text"),
        ("commit_summary", 1, "commit_summary: expected text"),
        ("duplicates", None, "duplicates: expected a list, got None"),
        ("duplicates", [1], "duplicates.0: expected text, got 1"),
        ("description", 3, "description: expected an object"),
        ("description", {"impact": None}, "description.impact: expected text"),
        ("asks", "help", "asks: expected clarification, decision or approval"),
    ],
)
def test_value_of_the_wrong_type_spoils_the_report(key: str, value: object, problem: str) -> None:
    found = understood({**WHOLE, key: value})
    assert isinstance(found, str)
    assert problem in found
    assert len(found) < 400


@pytest.mark.parametrize(
    "key",
    ["context", "updated_assessments", "based_on_commit", "pipeline_type", "commit_summary",
     "description", "asks"],
)  # fmt: skip
def test_null_says_nothing_where_nothing_need_be_said(key: str) -> None:
    without = {name: value for name, value in WHOLE.items() if name != key}
    assert understood({**WHOLE, key: None}) == understood(without)


def test_description_may_be_plain_text() -> None:
    found = understood({"description": "Old.\nProblem: slow\nSolution: cache"})
    assert isinstance(found, PhaseResult)
    assert found.description == Description(context="Old.", problem="slow", solution="cache")


def test_long_words_are_cut() -> None:
    found = understood({"summary": "x" * 1_000_000, "follow_ups": ["y" * 1_000_000]})
    assert isinstance(found, PhaseResult)
    assert len(found.summary) == 8_000
    assert len(found.follow_ups[0].title) == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(WHOLE)), JSON), st.sampled_from(Verdict))
def test_no_report_raises(document: dict[str, Any], verdict: Verdict) -> None:
    found = understood(document, verdict)
    assert isinstance(found, str) == (not isinstance(found, PhaseResult))
    assert found


def from_file(path: Path) -> PhaseResult | str:
    """Return what comes of a worker that exits well and leaves this result file."""
    report = judge(file=read_result(path), exit_code=0)
    return phase_result(report.document, report.verdict, report.reason, item="WRK-1", phase="build")


def test_result_file_of_a_phase_arrives(tmp_path: Path) -> None:
    (tmp_path / "r").write_text(json.dumps(WHOLE))
    assert from_file(tmp_path / "r") == understood(WHOLE)


def test_stale_result_of_an_earlier_phase_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r").write_text(json.dumps({**WHOLE, "phase": "plan"}))
    assert "phase: expected 'build', got 'plan'" in str(from_file(tmp_path / "r"))


def _huge(path: Path) -> None:
    path.write_text(json.dumps({**WHOLE, "context": "x" * MAX_RESULT}))


def _link(path: Path) -> None:
    other = path.with_name("other")
    other.write_text(json.dumps(WHOLE))
    path.symlink_to(other)


def _half(path: Path) -> None:
    path.write_text(json.dumps(WHOLE)[:-20])


def _unknown(path: Path) -> None:
    path.write_text(json.dumps({**WHOLE, "result": "phase_done"}))


@pytest.mark.parametrize("leave", [_huge, _link, os.mkfifo, _half, _unknown, Path.mkdir])
def test_result_file_that_cannot_be_used_fails_the_attempt_and_says_why(
    tmp_path: Path, leave: Any
) -> None:
    leave(tmp_path / "r")
    found = from_file(tmp_path / "r")
    assert isinstance(found, PhaseResult)
    assert found.outcome is Outcome.FAILED
    assert found.summary.startswith("its result file was ignored: ")
