"""Promises of answers: what cannot be sent is cut or said, and nobody's error is explained."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from mcp import types

from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.mcp.answers import MOST_CONTENT, MOST_TEXT, Answers, announced
from orchestrator.mcp.tools import Tool
from orchestrator.redact import Redactor

ANSWERS = Answers(Redactor({"TOKEN": "hunter2hunter2"}))


async def run(_: object, __: object) -> None:
    raise NotImplementedError


def tool(output: dict[str, Any] | None = None) -> Tool:
    return Tool(
        name="toy", description="", input={}, output=output, reads=True, deadline=1.0, run=run
    )


def text(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


@pytest.mark.parametrize(
    ("output", "value", "content", "said"),
    [
        (None, {"message": "hi", "n": 1}, {"message": "hi", "n": 1}, "hi"),
        (None, {"message": 1}, {"message": 1}, '{\n  "message": 1\n}'),
        (None, ["ä"], {"result": ["ä"]}, '[\n  "ä"\n]'),
        (None, "words", {"result": "words"}, "words"),
        (None, None, {"result": None}, "done"),
        (None, (1, 2), {"result": [1, 2]}, "[\n  1,\n  2\n]"),
        ({"type": "object"}, {"a": 1}, {"a": 1}, '{\n  "a": 1\n}'),
        ({"type": "string"}, "a", {"result": "a"}, "a"),
        ({}, {"a": 1}, {"result": {"a": 1}}, '{\n  "a": 1\n}'),
        (None, {"a\ud800": "x\udfff hunter2hunter2"}, {"a?": "x? [redacted TOKEN]"}, None),
        (None, {"hunter2hunter2": 1}, {"[redacted TOKEN]": 1}, None),
    ],
)
def test_a_result_is_sent_as_an_object_and_said_as_text(
    output: dict[str, Any] | None, value: Any, content: Any, said: str | None
) -> None:
    result = ANSWERS.success(tool(output), value)
    assert result.structured_content == content
    assert text(result) == (json.dumps(content, indent=2) if said is None else said)
    assert not result.is_error
    result.model_dump_json()


def test_a_schema_that_is_announced_is_one_of_an_object() -> None:
    assert announced(tool()) is None
    assert announced(tool({"type": "object", "x": 1})) == {"type": "object", "x": 1}
    assert announced(tool({"type": "string"})) == {
        "type": "object",
        "properties": {"result": {"type": "string"}},
        "required": ["result"],
    }


def test_what_is_too_long_is_cut_where_nothing_was_promised() -> None:
    long = "ä" * MOST_CONTENT
    result = ANSWERS.success(tool(), long)
    assert result.structured_content is None
    cut, _, note = text(result).rpartition("\n")
    assert cut == "ä" * (MOST_TEXT // 2)
    assert note == f"… cut here: these are {MOST_TEXT} of {2 * MOST_CONTENT} bytes"
    with pytest.raises(OrchestratorError, match="toy is done, but its result of"):
        ANSWERS.success(tool({"type": "string"}), long)
    failed = ANSWERS.failure(UsageError("x" * MOST_TEXT * 2))
    assert len(text(failed)) < MOST_TEXT + 100


def test_an_error_says_what_to_do_and_keeps_secrets() -> None:
    result = ANSWERS.failure(UsageError("not hunter2hunter2", where="\ud800", fix="wait"))
    assert result.is_error
    assert text(result) == "not [redacted TOKEN]\nwait"
    assert result.structured_content == {
        "code": "usage",
        "message": "not [redacted TOKEN]",
        "where": "?",
        "fix": "wait",
    }


def test_whose_error_it_is_decides_what_is_told(caplog: pytest.LogCaptureFixture) -> None:
    ours = UsageError("no")
    assert ANSWERS.ours(ExceptionGroup("one", [ExceptionGroup("two", [ours])]), "toy") is ours
    assert caplog.records == []
    with caplog.at_level(logging.ERROR):
        told = ANSWERS.ours(ValueError("hunter2hunter2"), "toy")
    assert told.message == "a mistake in the orchestrator: toy failed with ValueError"
    assert "ValueError: [redacted TOKEN]" in caplog.text
    assert "hunter2hunter2" not in caplog.text
