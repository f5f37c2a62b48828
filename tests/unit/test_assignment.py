"""Promise: an attempt's tools know what it is about, and no secret lies in the file for that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.assignment import Assignment, describe, read_assignment
from orchestrator.agents.port import WorkerTask
from orchestrator.errors import ConfigError
from orchestrator.settings import Check, Seconds

TASK = WorkerTask(
    item="W-1",
    phase="build",
    story="",
    attempt="a1",
    prompt="secret words",
    cwd=Path("/w/project"),
    directory=Path("/a/a1"),
    env={"PATH": "/bin", "ANTHROPIC_API_KEY": "sk-secret"},
    verify=(Check(run="make test", cwd="web", timeout=Seconds(90)), Check(run="x", when=("a/**",))),
    withheld=frozenset({"ANTHROPIC_API_KEY"}),
)


def described(tmp_path: Path, data: bytes) -> Assignment:
    (tmp_path / "task.json").write_bytes(data)
    return read_assignment(tmp_path / "task.json")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    env = {**TASK.environment(), "AGENT_KEY": "also-secret", "PATH": "/agent/bin"}
    data = describe(TASK, env)
    assert described(tmp_path, data) == Assignment(
        item="W-1",
        phase="build",
        story="",
        attempt="a1",
        root=Path("/w/project"),
        verify=TASK.verify,
        withheld=("AGENT_KEY", "ANTHROPIC_API_KEY", *sorted(TASK.variables())),
    )
    assert b"secret" not in data


@given(st.text(), st.text(), st.text(), st.text())
def test_any_names_come_back(item: str, phase: str, story: str, attempt: str) -> None:
    task = WorkerTask(
        item=item,
        phase=phase,
        story=story,
        attempt=attempt,
        prompt="",
        cwd=Path("/"),
        directory=Path("/"),
        env={},
    )
    document = json.loads(describe(task, {}))
    assert (document["item"], document["phase"]) == (item, phase)
    assert (document["story"], document["attempt"]) == (story, attempt)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": 2}, "it has version 2, not 1"),
        ({"version": None}, "it has version None"),
        ({"item": 7}, "item: expected str"),
        ({"verify": [{"run": " "}]}, "verify.0.run: expected a command"),
        ({"verify": [{"run": "x", "cwd": "../up"}]}, "a directory inside the project"),
        ({"more": 1}, "more: unknown key"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    document = {**json.loads(describe(TASK, TASK.env)), **change}
    with pytest.raises(ConfigError, match=problem) as failed:
        described(tmp_path, json.dumps(document).encode())
    assert failed.value.where == str(tmp_path / "task.json")
    assert failed.value.exit_code == 2


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_file_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"not JSON|version None"):
        described(tmp_path, data)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_assignment(tmp_path / "task.json")
