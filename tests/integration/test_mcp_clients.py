"""Clients that others wrote call our tools: Claude Code, and the inspector of the protocol."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.by_hand import scratch
from tests.mock_model import Say, Use, serve

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

BRANCH = "feature/12-login"
TOKEN = "a-token-that-nobody-guesses-0123456789"
SERVER = [sys.executable, "-m", "orchestrator", "mcp"]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return scratch(tmp_path / "repo")


@contextmanager
def over_http(repo: Path) -> Iterator[str]:
    """Serve over HTTP for as long as the block lasts; give the address."""
    process = subprocess.Popen(
        [*SERVER, "--http"],
        cwd=repo,
        env={**os.environ, "ORC_MCP_TOKEN": TOKEN},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        yield process.stderr.readline().decode().split()[1]
    finally:
        process.terminate()
        process.communicate()


def ask(argv: list[str], repo: Path, **env: str) -> str:
    """Run a client to its end and return what it printed."""
    done = subprocess.run(
        argv,
        cwd=repo,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.real_cli("claude")
@pytest.mark.parametrize("way", ["stdio", "http"])
def test_claude_code_works_with_our_tools(repo: Path, tmp_path: Path, way: str) -> None:
    script = (
        Use("mcp__orc__phase_start_work", {"branch": BRANCH}),
        Use("mcp__orc__phase_transition_branch", {}),
        Use("mcp__orc__phase_force_transition", {"to": "build", "reason": "r", "approved_by": "b"}),
        Use("mcp__orc__phase_get_state", {}),
        Say("Done."),
    )
    with serve(*script) as model, over_http(repo) as url:
        server: dict[str, Any] = {"command": SERVER[0], "args": SERVER[1:]}
        if way == "http":
            headers = {"Authorization": f"Bearer {TOKEN}"}
            server = {"type": "http", "url": url, "headers": headers}
        config = tmp_path / "mcp.json"
        config.write_text(json.dumps({"mcpServers": {"orc": server}}))
        said = ask(
            [
                "claude",
                "-p",
                "Begin.",
                "--output-format=stream-json",
                "--verbose",
                f"--mcp-config={config}",
                "--strict-mcp-config",
                "--allowedTools=mcp__orc",
            ],
            repo,
            **model.environment(),
        )
    events = [json.loads(line) for line in said.splitlines()]
    results = [
        block
        for event in events
        if event["type"] == "user"
        for block in event["message"]["content"]
        if block["type"] == "tool_result"
    ]
    texts = [json.dumps(block["content"]) for block in results]
    assert "is checked out" in texts[0]
    assert results[1].get("is_error") is True
    assert "design.md is missing" in texts[1]
    assert "1 gate passed by force" in texts[2]
    assert "build, cycle 1 of feature" in texts[3]


@pytest.mark.real_cli("mcp-inspector")
@pytest.mark.parametrize("way", ["stdio", "http"])
def test_the_inspector_lists_and_calls_our_tools(repo: Path, way: str) -> None:
    with over_http(repo) as url:
        there = SERVER if way == "stdio" else [url, "--transport", "http"]
        header = [] if way == "stdio" else ["--header", f"Authorization: Bearer {TOKEN}"]

        def inspect(*words: str) -> dict[str, Any]:
            argv = ["mcp-inspector", "--cli", *there, *words, *header]
            return dict(json.loads(ask(argv, repo)))

        tools = inspect("--method", "tools/list")["tools"]
        assert "phase_get_state" in [tool["name"] for tool in tools]
        call = ("--method", "tools/call", "--tool-name")
        started = inspect(*call, "phase_start_work", "--tool-arg", f"branch={BRANCH}")
        assert started["structuredContent"]["state"]["phase"] == "design"
        state = inspect(*call, "phase_get_state")
        assert state["structuredContent"]["branch"] == BRANCH
        read = inspect("--method", "resources/read", "--uri", "orchestrator://guidance")
        assert "Phase design" in read["contents"][0]["text"]
