"""Promise: a worker that speaks MCP reports, asks and verifies by our tools, wherever it runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from mcp import Client, StdioServerParameters, types
from mcp.client.stdio import stdio_client

from orchestrator.agents.command import CommandWorker
from orchestrator.agents.drive import write_task
from orchestrator.agents.own_tools import TOOLS, server_command
from orchestrator.agents.port import WorkerTask
from orchestrator.agents.result import ResultFile, read_result
from orchestrator.guardian import landlock
from orchestrator.guardian.client import Guardians
from orchestrator.run.hosting.host import GuardedHost, writable_paths
from orchestrator.settings import Check, Seconds
from orchestrator.work.worker import Verdict
from tests.backlog_scratch import make_backlog
from tests.mock_model import Say, Turn, Use, serve, serve_answers
from tests.scratch import CHANGE, VERIFY, alive_with, make_scratch
from tests.worker_host import task

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

PATIENCE = 60.0


async def make_task(folder: Path, *checks: Check, **changes: Any) -> WorkerTask:
    """Return a task whose files lie there, as a worker finds them when it starts."""
    job = task(folder, "Do it well.", verify=checks, **changes)
    await write_task(job, job.environment())
    return job


def parameters(job: WorkerTask) -> StdioServerParameters:
    """Return the server as an agent starts it: in the workspace, with the worker's variables."""
    program, *arguments = server_command()
    env = job.environment()
    return StdioServerParameters(command=program, args=arguments, env=env, cwd=str(job.cwd))


@asynccontextmanager
async def tools_of(job: WorkerTask) -> AsyncGenerator[Client, None]:
    with (job.directory / "stderr").open("w") as errors, trio.fail_after(PATIENCE):
        async with Client(stdio_client(parameters(job), errlog=errors), mode="legacy") as client:
            yield client


def said(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


async def until(condition: Callable[[], object]) -> None:
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - another process makes it true
            await trio.sleep(0.02)


async def result_of(job: WorkerTask) -> ResultFile:
    return await trio.to_thread.run_sync(read_result, job.result_file)


def lay_traps(workspace: Path) -> None:
    """Put modules there that are not to be imported in place of those that are installed."""
    for name in ("orchestrator", "mcp", "trio"):
        (workspace / name).mkdir()
        (workspace / name / "__init__.py").write_text("raise SystemExit('trapped')\n")


async def test_every_tool_serves_the_client_of_the_sdk(tmp_path: Path) -> None:
    check = Check(run="test -f built.txt", timeout=Seconds(30))
    job = await make_task(tmp_path, check, story="")
    lay_traps(job.cwd)
    async with tools_of(job) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == set(TOOLS)
        assert said(await client.call_tool("get_task")) == "Do it well."

        failed = await client.call_tool("run_verify")
        assert failed.structured_content is not None
        assert not failed.is_error
        assert said(failed) == "test -f built.txt failed (exit 1)"
        (job.cwd / "built.txt").touch()
        assert said(await client.call_tool("run_verify")) == "It passes: test -f built.txt"

        await client.call_tool("add_follow_up", {"title": "More"})
        wrong = await client.call_tool("report_result", {"result": "phase_complete"})
        assert (wrong.is_error, said(wrong)) == (True, "summary: missing")
        assert await result_of(job) == ResultFile()
        await client.call_tool("report_result", {"result": "phase_complete", "summary": "built"})
        claim = (await result_of(job)).claim
        assert claim is not None
        assert claim.document == {
            "item_id": job.item,
            "phase": job.phase,
            "result": "phase_complete",
            "summary": "built",
            "follow_ups": [{"title": "More"}],
        }

        asked = await client.call_tool("ask_operator", {"question": "Which port?"})
        assert said(asked).startswith("Asked. Stop now")
        claim = (await result_of(job)).claim
        assert claim is not None
        assert (claim.verdict, claim.reason) == (Verdict.BLOCKED, "Which port?")

        other = await client.call_tool("phase_transition_branch", {"to": "done"})
        assert other.is_error
        assert "no tool" in said(other)
    assert (job.directory / "stderr").read_text() == ""
    assert not list(job.cwd.rglob("__pycache__"))


async def test_progress_of_a_verification_is_told(tmp_path: Path) -> None:
    job = await make_task(tmp_path, Check(run="sleep 6", timeout=Seconds(30)))
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)
        await trio.lowlevel.checkpoint()

    async with tools_of(job) as client:
        result = await client.call_tool("run_verify", progress_callback=hear)
    assert said(result) == "It passes: sleep 6"
    assert heard == ["sleep 6: 5 s"]


STUBBORN = "(trap '' TERM; touch inside; exec sleep 77) & wait"
"""A command whose child does not end when it is asked to."""


def sleepers(job: WorkerTask) -> list[int]:
    """Return what is left of the command."""
    return [
        pid
        for pid in alive_with(str(job.directory))
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep\0")
    ]


async def test_a_cancelled_verification_leaves_no_process_and_the_tools_go_on(
    tmp_path: Path,
) -> None:
    job = await make_task(tmp_path, Check(run=STUBBORN, timeout=Seconds(100)))
    async with tools_of(job) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call_tool, "run_verify")
            await until(lambda: sleepers(job))
            nursery.cancel_scope.cancel()
        await until(lambda: not sleepers(job))
        assert said(await client.call_tool("get_task")) == "Do it well."


def line(method: str, id: int | None = None, **params: Any) -> bytes:
    document = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(document if id is None else {**document, "id": id}).encode() + b"\n"


@pytest.mark.parametrize("how", ["hangs up", signal.SIGTERM, signal.SIGINT])
async def test_the_end_of_the_agent_is_the_end_of_the_verification(
    tmp_path: Path, how: str | signal.Signals
) -> None:
    job = await make_task(tmp_path, Check(run=STUBBORN, timeout=Seconds(100)))
    process = await trio.lowlevel.open_process(
        list(server_command()),
        cwd=job.cwd,
        env=job.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    who = {"name": "test", "version": "0"}
    with trio.fail_after(PATIENCE):
        async with process.stdin:
            await process.stdin.send_all(
                line("initialize", 0, protocolVersion="2025-11-25", capabilities={}, clientInfo=who)
                + line("notifications/initialized")
                + line("tools/call", 1, name="run_verify", arguments={})
            )
            await until(lambda: sleepers(job))
            if isinstance(how, signal.Signals):
                process.send_signal(how)
                assert await process.wait() == 0
        assert await process.wait() == 0
    assert not sleepers(job)


@pytest.mark.parametrize("missing", ["ORCHESTRATOR_RESULT", "task.json"])
async def test_elsewhere_it_says_what_it_is_for(tmp_path: Path, missing: str) -> None:
    job = await make_task(tmp_path)
    env = {name: value for name, value in job.environment().items() if name != missing}
    if missing == "task.json":
        job.task_file.unlink()
    done = await trio.run_process(
        list(server_command()), env=env, cwd=job.cwd, capture_stdout=True, capture_stderr=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"fix:" in done.stderr


CLIENT = """\
import os, sys, trio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main(program, *arguments):
    server = StdioServerParameters(command=program, args=list(arguments), env=dict(os.environ))
    async with Client(stdio_client(server), mode="legacy") as client:
        task = await client.call_tool("get_task")
        verified = await client.call_tool("run_verify")
        print(task.content[0].text, "|", verified.content[0].text)
        said = {"result": "complete", "learnings": verified.structured_content["message"]}
        await client.call_tool("report_result", said)
    sys.exit(7)  # what it reported counts all the same

trio.run(main, *sys.argv[1:])
"""


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")
async def test_a_confined_worker_reports_and_its_verification_is_confined_too(
    tmp_path: Path,
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    checks = (
        Check(run="echo fine > inside.txt", timeout=Seconds(30)),
        Check(run=f"echo bad > {outside}/x", timeout=Seconds(30)),
    )
    job = task(tmp_path, "Do it well.", verify=checks, cwd=tmp_path / "workspace")
    (tmp_path / "client.py").write_text(CLIENT)
    worker = CommandWorker(
        name="mine",
        argv=(sys.executable, "-B", str(tmp_path / "client.py"), *server_command()),
    )
    lines: list[bytes] = []
    async with Guardians() as guardians:
        host = GuardedHost(
            guardians=guardians,
            writable=writable_paths(os.environ, job.cwd, (job.directory,)),
            lock=tmp_path / "lock",
        )
        with trio.fail_after(PATIENCE):
            report = await worker.work(job, host, lambda _: None, trio.Event(), lines.append)
    assert report.verdict is Verdict.COMPLETE, b"".join(lines)
    assert f"echo bad > {outside}/x failed (exit " in report.learnings
    assert "ermission denied" in report.learnings
    assert (job.cwd / "inside.txt").exists()
    assert list(outside.iterdir()) == []
    assert b"".join(lines).startswith(b"Do it well. | ")


DO_STORY = (
    'printf "good\\n" > "story-$ORCHESTRATOR_STORY.txt"; '
    f'sed -i "s/- \\[ \\] $ORCHESTRATOR_STORY\\./- [x] $ORCHESTRATOR_STORY./" '
    f"openspec/changes/{CHANGE}/tasks.md"
)


def tool(name: str, **inputs: Any) -> Use:
    return Use(f"mcp__orchestrator__{name}", inputs)


@pytest.mark.real_cli("claude")
def test_a_story_is_reported_by_the_real_claude_code(tmp_path: Path) -> None:
    """What it reported is used: its learnings are told to the worker of the next story.

    What verifies it does not see its credential, whoever runs it.
    """
    scratch = make_scratch(tmp_path)
    seen = Path.home() / ".cache" / "seen"
    look = f'echo "$ORCHESTRATOR_ATTEMPT$CLAUDECODE$ANTHROPIC_API_KEY." >> {seen}'
    scratch.configure(agent="claude", verify=[VERIFY, look])
    script = (
        Use("Bash", {"command": DO_STORY, "description": "do the story"}),
        tool("run_verify"),
        tool("report_result", result="complete", learnings="the kettle is on"),
        Say("I have reported."),
    )
    with serve(*script) as model:
        ran = scratch.orc("run", CHANGE, "--json", env=model.environment(), timeout=150)
    assert ran.code == 0, ran.err + ran.out
    assert scratch.log()[-2:] == [f"{CHANGE}: 1 First", f"{CHANGE}: 2 Second"]
    told = "\n".join(model.prompts)
    assert "`report_result` of the MCP server `orchestrator`" in told
    assert "> the kettle is on" in told
    # Before any work, then by the tool and by the engine for each of two stories.
    assert seen.read_text() == ".\n" * 5
    acted = {(e["kind"], e["text"]) for e in ran.events if e["event"] == "worker_acted"}
    assert any(kind == "mcp__orchestrator__report_result" for kind, _ in acted)


@pytest.mark.real_cli("claude")
def test_a_question_of_the_real_claude_code_ends_blocked(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    scratch.configure(agent="claude")
    script = (tool("ask_operator", question="Which port?", asks="decision"), Say("I wait."))
    with serve(*script) as model:
        ran = scratch.orc("run", CHANGE, env=model.environment(), timeout=150)
    assert ran.code == 4, ran.err + ran.out
    assert "Which port?" in ran.out + ran.err


@pytest.mark.real_cli("claude")
def test_a_phase_is_reported_by_the_real_claude_code(tmp_path: Path) -> None:
    """And the other work that it found becomes an item."""
    scratch = make_backlog(tmp_path, ["build"], agent="claude")

    def answer(prompt: str, done: int) -> Turn:
        if "Triage" in prompt:
            return (
                tool("report_result", result="phase_complete", summary="small",
                     updated_assessments={"size": "small", "risk": "low"}, pipeline_type="feature"),
                Say("Triaged."),
            )[min(done, 1)]  # fmt: skip
        return (
            Use("Bash", {"command": "echo built > built.txt", "description": "build"}),
            tool("add_follow_up", title="Paint the shed", suggested_size="small"),
            tool("report_result", result="phase_complete", summary="built", commit_summary="Build"),
            Say("Built."),
        )[min(done, 3)]

    scratch.add("Shed")
    with serve_answers(answer) as model:
        ran = scratch.orc("run", "--target", scratch.ids["Shed"], env=model.environment())
    assert ran.code == 0, ran.err + ran.out
    assert scratch.statuses()["Shed"] == "done"
    assert "Paint the shed" in scratch.items()


@pytest.mark.real_cli("claude")
def test_without_the_setting_there_are_no_tools(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    scratch.configure(agent="claude")
    with (scratch.path / "orchestrator.toml").open("a") as file:
        file.write('[agents.claude]\nkind = "claude"\nmcp = false\n')
    script = (
        Use("Bash", {"command": DO_STORY, "description": "do the story"}),
        Say("Done.\n\n<promise>COMPLETE</promise>"),
    )
    with serve(*script) as model:
        ran = scratch.orc("run", CHANGE, env=model.environment(), timeout=150)
    assert ran.code == 0, ran.err + ran.out
    assert "report_result" not in "\n".join(model.prompts)
