"""Installed agents are found with their version; a broken one is listed, not waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from orchestrator.agents.detect import InstalledAgent, installed_agents, parse_version

pytestmark = pytest.mark.processes


def program(folder: Path, script: str) -> Path:
    path = folder / "claude"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


async def detect(folder: Path, deadline: float = 10.0) -> tuple[InstalledAgent, ...]:
    environ = {"PATH": f"{folder}:/usr/bin:/bin"}
    return await installed_agents(environ, limiter=trio.CapacityLimiter(1), deadline=deadline)


async def test_installed_agent_is_found_with_its_version(tmp_path: Path) -> None:
    path = program(tmp_path, "echo '2.1.197 (Claude Code)'")

    (found,) = await detect(tmp_path)
    assert found == InstalledAgent(kind="claude", path=path, version="2.1.197")


async def test_agent_that_is_not_installed_is_not_listed(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}

    assert await installed_agents(environ, limiter=trio.CapacityLimiter(1)) == ()


async def test_agent_that_fails_is_listed_with_its_problem(tmp_path: Path) -> None:
    program(tmp_path, "echo 'needs node 22' >&2; exit 1")

    (found,) = await detect(tmp_path)
    assert (found.version, found.problem) == (None, "needs node 22")


async def test_agent_that_hangs_is_killed_at_the_deadline(tmp_path: Path) -> None:
    program(tmp_path, "sleep 100")

    with trio.fail_after(20):
        (found,) = await detect(tmp_path, deadline=1.0)
    assert found.version is None
    assert "within 1 s" in found.problem


@pytest.mark.real_cli("claude")
async def test_real_claude_says_its_version() -> None:
    (found,) = await installed_agents(os.environ, limiter=trio.CapacityLimiter(1), deadline=30.0)
    assert found.version is not None
    assert found.version.startswith("2.")


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("2.1.197 (Claude Code)\n", "2.1.197"),
        ("agent-cli 0.169.0-beta.1", "0.169.0-beta.1"),
        ("", None),
    ],
)
def test_version_is_the_dotted_number(output: str, version: str | None) -> None:
    assert parse_version(output) == version
