"""Promises of `orc mcp` on a real repository, kept to independent clients over real streams."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from tests.by_hand import WORKFLOW, scratch
from tests.gitrepo import commit_files, git
from tests.scratch import alive_with, wait_for

pytestmark = [
    pytest.mark.processes,
    # The SDK's client leaves the streams of answers half read, for Trio to complain about.
    pytest.mark.filterwarnings(r"ignore:Async generator 'http(x|core)2\.:ResourceWarning"),
]

Process = subprocess.Popen[bytes]
BRANCH = "feature/12-login"
FORCE = {"reason": "because", "approved_by": "bob"}
PATIENCE = 60.0
SERVER = [sys.executable, "-m", "orchestrator", "mcp"]

AGENT = """
[execution]
agent = "mine"

[agents.mine]
kind = "command"
argv = ["true"]

[[pipelines.quick.phases]]
name = "do"
command = "while [ ! -e {go} ]; do sleep 0.05; done; echo hi > done.txt"
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return scratch(tmp_path / "repo")


@asynccontextmanager
async def connected(repo: Path, env: Mapping[str, str] | None = None) -> AsyncGenerator[Client]:
    """Give a client of the repository's own server; the server's complaints go to a file."""
    program, *arguments = SERVER
    server = StdioServerParameters(
        command=program, args=arguments, cwd=repo, env={**os.environ, **(env or {})}
    )
    with (repo.parent / "stderr").open("a") as errors, trio.fail_after(PATIENCE):
        async with Client(stdio_client(server, errlog=errors)) as client:
            yield client


def start(repo: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
    """Start the command line beside a client."""
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=repo,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def end(process: Process) -> None:
    """End what was started, and clear away."""
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()


async def call(client: Client, tool: str, /, **arguments: Any) -> Any:
    """Call a tool that succeeds; return its structured content."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    content = result.structured_content
    assert content is not None
    return content["result"] if set(content) == {"result"} else content


async def refused(client: Client, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """Call a tool that fails; return the document of its error."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


async def test_an_agent_brings_a_branch_through_its_workflow(repo: Path) -> None:
    async with connected(repo) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {
            "health",
            "phase_start_work",
            "phase_get_state",
            "phase_get_context",
            "phase_transition_branch",
            "phase_force_transition",
            "phase_transition_cycle",
            "phase_save_plan",
            "phase_report_result",
            "phase_ask_operator",
            "phase_run_verify",
            "git_commit_changes",
            "git_checkout_branch",
            "file_edit_file",
            "backlog_list_items",
            "backlog_add_items",
        } <= set(tools)
        assert "by" not in tools["phase_start_work"].input_schema["properties"]
        started = await call(client, "phase_start_work", branch=BRANCH, title="The login")
        assert started["state"]["phase"] == "design"
        closed = await refused(client, "phase_transition_branch")
        assert closed["code"] == "gate"
        assert "design.md is missing" in closed["message"]
        assert closed["fix"]
        edited = await call(client, "file_edit_file", path="design.md", content="decided\n")
        assert edited["written"] is True
        await call(client, "git_commit_changes", message="Decide")
        assert (await call(client, "phase_transition_branch"))["target"] == "build"
        part = {"exit_criteria": "x", "deliverables": [{"id": "a"}]}
        await call(client, "phase_save_plan", cycles=[{"number": 1, **part}, {"number": 2, **part}])
        await refused(client, "phase_transition_cycle")
        forced = await call(client, "phase_force_cycle", to=2, **FORCE)
        assert forced["skipped"] == ["round.md is missing; it has to be there"]
        guidance = (await client.read_resource("orchestrator://guidance")).contents[0]
        assert "Cycle 2 of 2" in str(getattr(guidance, "text", ""))
        state = (await client.read_resource("orchestrator://state")).contents[0]
        assert json.loads(str(getattr(state, "text", "")))["cycle"] == 2
    history = git(repo, "log", "--format=%s", BRANCH)
    assert "chore(P_DESIGN): Decide" in history


async def test_a_lost_store_is_put_back_under_a_connected_client(repo: Path) -> None:
    async with connected(repo) as client:
        await call(client, "phase_start_work", branch=BRANCH)
        await call(client, "phase_force_transition", to="build", **FORCE)
    for path in (repo / ".git/orchestrator").glob("store.db*"):
        path.unlink()
    git(repo, "update-ref", "-d", "refs/orchestrator/backlog")
    async with connected(repo) as client:
        state = await call(client, "phase_get_state")
        assert (state["rebuilt"], state["phase"]) == ("record", "build")
    (repo / ".git/orchestrator/store.db").write_bytes(b"no database at all" * 100)
    async with connected(repo) as client:
        broken = await refused(client, "phase_get_state")
        assert broken["code"] == "store"
        assert (await call(client, "health"))["version"]


async def test_a_git_that_hangs_delays_nobody_and_leaves_nothing(
    repo: Path, tmp_path: Path
) -> None:
    real = shutil.which("git")
    slow, at = tmp_path / "bin", tmp_path / "at"
    slow.mkdir()
    wrapper = slow / "git"
    wrapper.write_text(
        f'#!/bin/sh\ncase " $* " in *" commit "*) touch {at}; sleep 600;; esac\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    config = WORKFLOW + '[execution]\ncommand_timeout = "1s"\n'
    commit_files(repo, {"orchestrator.toml": config}, "Configure")
    path = f"{slow}{os.pathsep}{os.environ['PATH']}"
    async with connected(repo, {"PATH": path}) as client:
        await call(client, "phase_start_work", branch=BRANCH)
        (repo / "n").write_text("n")
        late: list[dict[str, Any]] = []

        async def commit() -> None:
            late.append(await refused(client, "git_commit_changes", message="n"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            await trio.to_thread.run_sync(wait_for, at.exists)
            for _ in range(10):
                await call(client, "health")
                await call(client, "phase_get_state")
            assert not late
        assert late[0]["code"] == "timed-out"
        assert not alive_with("sleep\x00600")


async def test_a_client_that_cancels_ends_what_it_asked_for(repo: Path, tmp_path: Path) -> None:
    at = tmp_path / "at"
    config = (
        f'[execution]\nverify = ["touch {at}; sleep 601"]\n[workspace]\nwritable = ["{tmp_path}"]\n'
    )
    commit_files(repo, {"orchestrator.toml": config + WORKFLOW}, "Configure")
    async with connected(repo) as client:
        told: list[str] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            await trio.lowlevel.checkpoint()
            told.append(message or "")

        async def verify(scope: trio.CancelScope) -> None:
            with scope:
                await client.call_tool("phase_run_verify", {}, progress_callback=hear)

        scope = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(verify, scope)
            await trio.to_thread.run_sync(wait_for, at.exists)
            await trio.to_thread.run_sync(wait_for, lambda: told)
            scope.cancel()
        assert "phase.run-verify" in told[0]
        gone = await trio.to_thread.run_sync(wait_for, lambda: not alive_with("sleep\x00601"))
        assert gone


async def test_clients_of_several_processes_lose_nothing(repo: Path) -> None:
    branches = [f"feature/{number}-x" for number in range(4)]
    for branch in branches:
        git(repo, "branch", branch)
    count = 10
    taken = dict.fromkeys(branches, 0)

    async with connected(repo) as one, connected(repo) as two, connected(repo) as three:

        async def step(client: Client, branch: str, number: int) -> None:
            arguments = {"branch": branch, "to": ("design", "ready")[number % 2], **FORCE}
            result = await client.call_tool("phase_force_transition", arguments)
            if result.is_error:  # that of another came first
                assert "already" in str(result.content)
            else:
                taken[branch] += 1

        async with trio.open_nursery() as nursery:
            for number in range(count):
                for client in (one, two, three):
                    for branch in branches:
                        nursery.start_soon(step, client, branch, number)
        for branch in branches:
            context = await call(two, "phase_get_context", branch=branch)
            steps = [row for row in context["history"] if row["what"] in ("transition", "cycle")]
            assert count <= taken[branch]
            assert len(steps) == min(20, taken[branch])
            chain = git(repo, "for-each-ref", "--format=%(refname)", "refs/orchestrator/phases")
            ref = next(name for name in chain.split() if f"/feature-{branch[8]}-x" in name)
            assert int(git(repo, "rev-list", "--count", ref)) >= taken[branch]


async def test_a_run_takes_over_and_the_client_stays_connected(repo: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    commit_files(repo, {"orchestrator.toml": WORKFLOW + AGENT.format(go=go)}, "Configure")
    async with connected(repo) as client:
        await call(client, "phase_start_work", branch=BRANCH)
        (item,) = await call(
            client, "backlog_add_items", items=[{"title": "Q", "pipeline": "quick"}]
        )
        run = start(repo, "run", "--json")
        assert run.stdout is not None
        try:
            for line in run.stdout:
                if json.loads(line)["event"] == "attempt_started":
                    break
            state = await call(client, "phase_get_state")
            assert state["phase"] == "design"
            moved = await call(client, "phase_force_transition", to="build", **FORCE)
            assert moved["target"] == "build"
            go.touch()
            code = await trio.to_thread.run_sync(lambda: (run.communicate(), run.returncode)[1])
        finally:
            end(run)
        assert code == 0
        listed = await call(client, "backlog_list_items", all=True)
        status = {each["id"]: each["status"] for each in listed["items"]}
        assert status[item] == "done"
        assert (await call(client, "phase_get_state"))["phase"] == "build"
    assert git(repo, "show", f"orchestrator/{item}:done.txt") == "hi"


async def test_what_was_answered_survives_kill_9(repo: Path) -> None:
    process = await trio.lowlevel.open_process(
        SERVER, cwd=repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None

    async def ask(number: int, tool: str, **arguments: Any) -> None:
        call = {"name": tool, "arguments": arguments}
        frame = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": call}
        await process.stdin.send_all(json.dumps(frame).encode() + b"\n")  # type: ignore[union-attr]

    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    first = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    await process.stdin.send_all(json.dumps(first).encode() + b"\n")
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await process.stdin.send_all(json.dumps(note).encode() + b"\n")
    heard = b""

    async def answered(number: int) -> None:
        nonlocal heard
        with trio.fail_after(PATIENCE):
            while f'"id":{number},'.encode() not in heard:
                heard += await process.stdout.receive_some(65536)  # type: ignore[union-attr]

    await ask(1, "phase_start_work", branch=BRANCH)
    await answered(1)
    await ask(2, "phase_force_transition", branch=BRANCH, to="build", **FORCE)
    await answered(2)
    process.send_signal(signal.SIGKILL)
    with trio.fail_after(PATIENCE):
        await process.wait()
    await process.stdin.aclose()
    await process.stdout.aclose()
    async with connected(repo) as client:
        state = await call(client, "phase_get_state")
        assert (state["phase"], state["rebuilt"]) == ("build", "")


async def test_the_same_over_http_for_who_has_the_token(repo: Path) -> None:
    token = "a-token-that-nobody-guesses-0123456789"
    process = start(repo, "mcp", "--http", env={"ORC_MCP_TOKEN": token})
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        told = await trio.to_thread.run_sync(process.stderr.readline)
        url = told.decode().split()[1]
        http = create_mcp_http_client(headers={"authorization": f"Bearer {token}"})
        with trio.fail_after(PATIENCE):
            async with http, Client(streamable_http_client(url, http_client=http)) as client:
                await call(client, "phase_start_work", branch=BRANCH)
                assert (await call(client, "phase_get_state"))["phase"] == "design"
            gc.collect()
            process.terminate()
            assert await trio.to_thread.run_sync(process.wait) == 0
        assert process.stdout.read() == b""
        assert token.encode() not in process.stderr.read()
    finally:
        end(process)
