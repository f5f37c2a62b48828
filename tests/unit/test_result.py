"""What a worker claims: the best of result file, promise tag and exit code, and never a trap."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.result import (
    MAX_RESULT,
    Claim,
    ResultFile,
    judge,
    parse_result,
    promise,
    read_result,
)
from orchestrator.work.worker import Verdict

DONE = ResultFile(claim=Claim(verdict=Verdict.COMPLETE, learnings="use tabs"))


def write(path: Path, **document: object) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_result_file_says_what_the_worker_claims(tmp_path: Path) -> None:
    path = write(tmp_path / "r", status="blocked", question="Which port?", learnings="x\x1b[31my")

    assert read_result(path) == ResultFile(
        claim=Claim(
            verdict=Verdict.BLOCKED,
            reason="Which port?",
            learnings="xy",
            document={"status": "blocked", "question": "Which port?", "learnings": "xy"},
        )
    )


@pytest.mark.parametrize(
    ("result", "verdict", "reason"),
    [
        ("phase_complete", Verdict.COMPLETE, ""),
        ("subphase_complete", Verdict.COMPLETE, ""),
        ("failed", Verdict.FAILED, "did it"),
        ("blocked", Verdict.BLOCKED, "which?"),
    ],
)
def test_result_of_a_phase_is_understood_and_kept_whole(
    result: str, verdict: Verdict, reason: str
) -> None:
    document = {
        "item_id": "WRK-1",
        "phase": "build",
        "result": result,
        "summary": "did it",
        "context": "which?",
        "follow_ups": [{"title": "more"}],
        "unknown": [1, None, 2.5],
    }
    claim = parse_result(json.dumps(document).encode()).claim
    assert claim is not None
    assert (claim.verdict, claim.reason, claim.document) == (verdict, reason, document)
    assert judge(file=ResultFile(claim=claim)).document == document


def test_what_a_document_says_holds_no_terminal_control() -> None:
    data = json.dumps({"status": "complete", "a\x1b[1m": [{"b": "\x1b]0;x\x07c\ud800"}]}).encode()
    claim = parse_result(data).claim
    assert claim is not None
    assert claim.document == {"status": "complete", "a": [{"b": "c"}]}


def test_missing_result_file_is_no_problem(tmp_path: Path) -> None:
    assert read_result(tmp_path / "none") == ResultFile()


def test_link_to_a_valid_result_is_ignored(tmp_path: Path) -> None:
    write(tmp_path / "other", status="complete")
    (tmp_path / "r").symlink_to(tmp_path / "other")

    assert read_result(tmp_path / "r") == ResultFile(problem="it is a symbolic link")


def test_fifo_in_place_of_the_result_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r")

    assert read_result(tmp_path / "r") == ResultFile(problem="it is not a regular file")


def test_directory_in_place_of_the_result_is_ignored(tmp_path: Path) -> None:
    assert read_result(tmp_path) == ResultFile(problem="it is not a regular file")


def test_huge_result_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "r", status="complete", reason="x" * MAX_RESULT)

    assert read_result(path) == ResultFile(problem="it is larger than 1 MiB")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (
            b'{"status": "done"}',
            'its "status" is not complete, failed, blocked or limited',
        ),
        (
            b'{"status": ["complete"]}',
            'its "status" is not complete, failed, blocked or limited',
        ),
        (b'{"status": "failed", "reason": 3}', 'its "reason" is not text'),
        (b'{"status": "comp', "it is not JSON"),
        (b'{"status": "complete", "x": ' + b"[" * 50 + b"]" * 50 + b"}", "it is not JSON"),
        (
            b'{"result": "done"}',
            'its "result" is not phase_complete, subphase_complete, failed or blocked',
        ),
        (
            b'{"status": "complete", "result": "failed"}',
            'its "status" is complete, and its "result" is failed',
        ),
    ],
)
def test_malformed_result_is_ignored_with_its_problem(data: bytes, problem: str) -> None:
    assert parse_result(data) == ResultFile(problem=problem)


@given(st.binary(max_size=200))
def test_no_result_file_raises(data: bytes) -> None:
    assert (parse_result(data).claim is None) == bool(parse_result(data).problem)


@pytest.mark.parametrize(
    ("message", "claim"),
    [
        ("all good\n<promise>COMPLETE</promise>\n\n", (Verdict.COMPLETE, "")),
        ("**<promise>COMPLETE</promise>**", (Verdict.COMPLETE, "")),
        ("<promise>FAILED: no compiler</promise>", (Verdict.FAILED, "no compiler")),
        ("<promise>BLOCKED: which port?</promise>  ", (Verdict.BLOCKED, "which port?")),
        ("<promise>COMPLETE</promise><promise>FAILED: x</promise>", (Verdict.FAILED, "x")),
    ],
)
def test_promise_is_read_from_the_last_line(message: str, claim: tuple[Verdict, str]) -> None:
    assert promise(message) == Claim(verdict=claim[0], reason=claim[1])


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\n \n",
        "<promise>COMPLETE</promise>\nbut one test fails",
        "<promise>complete</promise>",
        "<promise>COMPLETE",
    ],
)
def test_anything_else_is_no_promise(message: str) -> None:
    assert promise(message) is None


def test_line_made_to_be_slow_is_not() -> None:
    started = time.perf_counter()

    assert promise("</promise>" + "<promise>FAILED:" * 100_000) is None
    assert time.perf_counter() - started < 1.0


def test_result_file_beats_the_promise() -> None:
    report = judge(file=DONE, message="<promise>FAILED: x</promise>", exit_code=0)

    assert (report.verdict, report.learnings) == (Verdict.COMPLETE, "use tabs")


def test_valid_result_file_beats_the_exit_code() -> None:
    assert judge(file=DONE, exit_code=3).verdict is Verdict.COMPLETE


def test_exit_code_beats_a_promise_of_success() -> None:
    report = judge(message="<promise>COMPLETE</promise>", exit_code=3, complaint="no disk")

    assert (report.verdict, report.reason) == (Verdict.FAILED, "exited with 3: no disk")


def test_failing_command_may_still_ask_its_question() -> None:
    report = judge(message="<promise>BLOCKED: which?</promise>", exit_code=1)

    assert (report.verdict, report.reason) == (Verdict.BLOCKED, "which?")


def test_command_that_exits_well_without_a_word_is_complete() -> None:
    assert judge(exit_code=0).verdict is Verdict.COMPLETE


def test_agent_without_a_claim_is_silent() -> None:
    assert judge(message="I think it works").verdict is Verdict.SILENT


def test_failure_seen_by_the_adapter_beats_every_claim() -> None:
    report = judge(failure="refused", file=DONE, message="<promise>COMPLETE</promise>")

    assert (report.verdict, report.reason) == (Verdict.FAILED, "refused")


@pytest.mark.parametrize("message", ["", "<promise>COMPLETE</promise>"])
@pytest.mark.parametrize("exit_code", [None, 0])
def test_result_file_that_nobody_understands_is_no_success(
    message: str, exit_code: int | None
) -> None:
    file = parse_result(b'{"status": "on fire"}')
    report = judge(file=file, message=message, exit_code=exit_code)

    assert report.verdict is Verdict.FAILED
    assert 'its result file was ignored: its "status" is not complete' in report.reason


def test_question_is_asked_whatever_lies_at_the_place_of_the_result_file() -> None:
    file = ResultFile(problem="it is a symbolic link")
    report = judge(file=file, message="<promise>BLOCKED: which?</promise>", exit_code=0)

    assert (report.verdict, report.reason) == (Verdict.BLOCKED, "which?")


def test_ignored_result_file_is_named_in_the_reason() -> None:
    report = judge(file=ResultFile(problem="it is not JSON"), exit_code=-9)

    assert report.verdict is Verdict.FAILED
    assert report.reason == "killed by signal 9 (its result file was ignored: it is not JSON)"


def test_no_usage_that_a_worker_claims_is_beyond_what_sums_and_json_can_say() -> None:
    usage = {"cost": 1e308, "turns": 10**30, "input_tokens": 10**25, "output_tokens": -5}
    claim = parse_result(json.dumps({"status": "complete", "usage": usage}).encode()).claim
    assert claim is not None
    assert claim.usage is not None
    json.dumps([claim.usage.cost * 1000, claim.usage.turns * 1000], allow_nan=False)
    assert claim.usage.turns * 1000 < 2**63
    assert claim.usage.input_tokens * 1000 < 2**63
    assert claim.usage.output_tokens == 0
