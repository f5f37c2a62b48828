"""Claude Code's stream: every recorded run gets its true verdict, and no line can break it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.claude_events import ControlRequest, ControlResponse, Init, Result
from orchestrator.agents.claude_protocol import (
    Decoder,
    control_refusal,
    control_request,
    user_message,
)
from orchestrator.agents.claude_verdict import Transcript
from orchestrator.agents.drive import Ending
from orchestrator.agents.result import judge
from orchestrator.work.worker import (
    ApiRetry,
    Message,
    RateLimited,
    ToolCall,
    ToolResult,
    Usage,
    UsageSoFar,
    Verdict,
    WorkerReport,
)

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "transcripts"

recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded runs are not here")


def line(**document: object) -> bytes:
    return json.dumps(document).encode()


def result_line(**changes: object) -> bytes:
    document: dict[str, object] = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "num_turns": 1,
        "result": "done",
        "session_id": "s",
        "total_cost_usd": 0.5,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 3},
        "permission_denials": [],
    }
    return line(**{**document, **changes})


def replay(*lines: bytes) -> Transcript:
    decoder, transcript = Decoder(), Transcript()
    for each in lines:
        for event in decoder.decode(each):
            transcript.add(event)
    return transcript


def ending(code: int, *, complaint: str = "", interrupted: bool = False) -> Ending:
    return Ending(returncode=code, complaint=complaint, interrupted=interrupted, killed=False)


def report(transcript: Transcript, end: Ending) -> WorkerReport:
    return judge(
        failure=transcript.failure(end, agent="claude"),
        message=transcript.result.text if transcript.result else "",
        usage=transcript.usage,
        session=transcript.session,
        denied=transcript.denied,
    )


@recorded
@pytest.mark.parametrize(
    ("name", "code", "turns"),
    [
        ("ok", 0, 3),
        ("latest-ok", 0, 3),
        ("2.1.197-ok", 0, 3),
        ("bare", 0, 3),
        ("bidi-ok", 0, 4),
        ("err500x2", 0, 2),
        ("mcp-stdio", 0, 2),
        ("partial", 0, 3),
        ("resume", 0, 1),
        ("schema", 0, 4),
    ],
)
def test_recorded_success_is_no_failure(name: str, code: int, turns: int) -> None:
    transcript = replay(*(RECORDED / f"claude-{name}.jsonl").read_bytes().splitlines())
    answer = report(transcript, ending(code))

    assert (answer.verdict, answer.reason) == (Verdict.SILENT, "")
    assert answer.session
    assert answer.usage.turns == turns


@recorded
@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("denied", 0, "[agents.claude] allowed_tools"),
        ("hook", 0, "[agents.claude] allowed_tools"),
        ("budget", 1, "Reached maximum budget ($0.001)"),
        ("maxturns", 1, "Reached maximum number of turns (1)"),
        ("err401-r1", 1, "refused the credential (401)"),
        ("err401", -9, "401 authentication_failed"),
        ("err429-r1", 1, "usage limit was reached"),
        ("2.1.330-connreset-retries", -9, "failed 8 time(s): "),
        ("hang-TERM", 143, "exited with 143"),
        ("sleep-SIGTERM", 143, "exited with 143"),
        ("setsid-SIGTERM", 143, "exited with 143"),
        ("sleep-SIGKILL", -9, "killed by signal 9"),
        ("sleep-SIGINT", 0, "aborted_tools"),
        ("bypass", 1, "cannot be used with root"),
    ],
)
def test_recorded_failure_says_why(name: str, code: int, reason: str) -> None:
    complaint = (RECORDED / f"claude-{name}.stderr").with_suffix(".stderr")
    said = complaint.read_text() if complaint.exists() else ""
    transcript = replay(*(RECORDED / f"claude-{name}.jsonl").read_bytes().splitlines())
    answer = report(transcript, ending(code, complaint=said))

    assert answer.verdict is Verdict.FAILED
    assert reason in answer.reason


@recorded
def test_recorded_interrupt_is_answered_and_ends_the_turn() -> None:
    decoder = Decoder()
    lines = (RECORDED / "claude-bidi-sleep.jsonl").read_bytes().splitlines()
    events = [event for each in lines for event in decoder.decode(each)]

    assert ControlResponse(request="int1", error=None) in events
    first = next(event for event in events if isinstance(event, Result))
    assert (first.is_error, first.terminal_reason) == (True, "aborted_tools")


@recorded
def test_recorded_run_shows_each_step_once() -> None:
    decoder = Decoder()
    lines = (RECORDED / "claude-ok.jsonl").read_bytes().splitlines()
    init, *told, result = [event for each in lines for event in decoder.decode(each)]
    steps = [event for event in told if not isinstance(event, UsageSoFar)]
    used = [event.usage.turns for event in told if isinstance(event, UsageSoFar)]

    assert isinstance(init, Init)
    assert used == [1, 2, 3]
    assert [type(step) for step in steps] == [
        *(Message, ToolCall, ToolResult) * 2,
        Message,
    ]
    assert steps[4] == ToolCall(tool="Bash", summary="echo from-agent-$$ && ls")
    assert isinstance(steps[5], ToolResult)
    assert steps[5].tool == "Bash"
    assert isinstance(result, Result)
    assert result.usage.input_tokens == 360 + 30 + 150
    assert result.usage.cost == pytest.approx(0.00342)


@recorded
def test_recorded_resume_costs_only_its_own_turn() -> None:
    transcript = replay(*(RECORDED / "claude-resume.jsonl").read_bytes().splitlines())

    assert transcript.usage.cost == pytest.approx(0.00114)


def test_totals_of_one_process_are_not_counted_twice() -> None:
    transcript = replay(result_line(total_cost_usd=0.5), result_line(total_cost_usd=0.75))

    assert transcript.usage == Usage(turns=2, input_tokens=30, output_tokens=6, cost=0.75)


def test_success_with_bad_exit_status_is_a_failure() -> None:
    answer = report(replay(result_line()), ending(1))

    assert answer.reason == "it reported success but exited with 1"


def test_result_counts_when_it_had_to_be_killed_afterwards() -> None:
    end = Ending(returncode=-9, complaint="", interrupted=False, killed=True)

    assert replay(result_line()).failure(end, agent="claude") == ""


def test_interrupt_is_the_reason_of_what_it_broke_off() -> None:
    broken = result_line(subtype="error_during_execution", is_error=True)

    assert replay(broken).failure(ending(0, interrupted=True), agent="claude") == "interrupted"
    assert replay().failure(ending(143, interrupted=True), agent="claude") == "interrupted"
    assert replay(result_line()).failure(ending(0, interrupted=True), agent="claude") == ""


def test_message_seen_twice_is_shown_once() -> None:
    block = {"type": "text", "text": "hello"}
    said = line(type="assistant", message={"id": "m1", "content": [block]})
    decoder = Decoder()

    assert decoder.decode(said) == (Message(text="hello"),)
    assert decoder.decode(said) == ()


def test_terminal_control_does_not_pass() -> None:
    block = {"type": "text", "text": "a\x1b]0;title\x07\x1b[2Jb\u202ec"}

    assert Decoder().decode(line(type="assistant", message={"id": "m", "content": [block]})) == (
        Message(text="abc"),
    )


@pytest.mark.parametrize(
    ("reset", "expected"), [(1_900_000_000, 1.9e9), (1.9e12, 1.9e9), (0, None)]
)
def test_usage_limit_says_when_it_ends(reset: float, expected: float | None) -> None:
    info = {"status": "rejected", "resetsAt": reset, "rateLimitType": "five_hour"}
    event = line(type="rate_limit_event", rate_limit_info=info)

    assert Decoder().decode(event) == (
        RateLimited(resets_at=expected, reason="five hour limit reached"),
    )
    failed = result_line(is_error=True, api_error_status=429)
    assert replay(event).limit_reset == expected
    assert replay(event, failed).limit_reset == expected
    assert replay(event, failed).failure(ending(1), agent="c").startswith("a usage limit")


def test_warning_about_a_limit_is_not_the_limit() -> None:
    info = {"status": "allowed_warning", "resetsAt": 1_900_000_000}

    assert Decoder().decode(line(type="rate_limit_event", rate_limit_info=info)) == ()


def test_limit_with_its_time_in_the_text_keeps_the_time() -> None:
    text = "Claude AI usage limit reached|1900000000"
    transcript = replay(result_line(is_error=True, result=text))

    assert transcript.limit_reset == 1.9e9


def test_limit_that_ended_before_the_run_did_is_not_reported() -> None:
    transcript = replay(result_line(is_error=True, api_error_status=429), result_line())

    assert transcript.limit_reset is None


def test_retry_carries_its_delay_in_seconds() -> None:
    event = line(type="system", subtype="api_retry", attempt=2, retry_delay_ms=1500)

    assert Decoder().decode(event) == (ApiRetry(attempt=2, delay=1.5, reason="connection failed"),)


def test_question_of_the_agent_is_refused_by_its_id() -> None:
    asked = line(type="control_request", request_id="7", request={"subtype": "can_use_tool"})
    (question,) = Decoder().decode(asked)

    assert question == ControlRequest(request="7", subtype="can_use_tool")
    answer = json.loads(control_refusal(ControlRequest(request="7", subtype="can_use_tool")))
    assert (answer["response"]["request_id"], answer["response"]["subtype"]) == ("7", "error")


@given(st.text(alphabet=st.characters()))
def test_every_prompt_is_one_line_that_says_it(prompt: str) -> None:
    encoded = user_message(prompt)

    assert encoded.count(b"\n") == 1
    assert json.loads(encoded)["message"]["content"][0]["text"] == prompt


def test_control_request_is_one_line() -> None:
    encoded = json.loads(control_request("i", "interrupt"))

    assert encoded["request_id"] == "i"
    assert encoded["request"] == {"subtype": "interrupt"}


KEYS = """
type subtype message content id name input result usage is_error total_cost_usd num_turns status
permission_denials tool_name tool_input tool_use_id text response request rate_limit_info errors
resetsAt model_usage_since_last_result retry_delay_ms attempt
"""
WORDS = """
system assistant user result rate_limit_event control_response control_request init success
api_retry permission_denied text tool_use tool_result rejected
"""
keys, words = st.sampled_from(KEYS.split()), st.sampled_from(WORDS.split())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


def _typed(kind: str, rest: dict[str, Any]) -> bytes:
    return json.dumps({**rest, "type": kind}).encode()


LINES = st.binary(max_size=60) | st.builds(_typed, words, st.dictionaries(keys, VALUES, max_size=8))


@given(st.lists(LINES, max_size=8), st.integers(-64, 255))
def test_no_stream_breaks_the_decoder_or_passes_for_success_by_accident(
    lines: list[bytes], code: int
) -> None:
    transcript = replay(*lines)

    good = report(transcript, ending(code)).verdict is not Verdict.FAILED
    assert not good or (code == 0 and transcript.result is not None and not transcript.denied)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"[" * 100_000, b'{"type":"new"}'])
def test_line_that_is_not_understood_is_no_event(data: bytes) -> None:
    assert Decoder().decode(data) == ()
