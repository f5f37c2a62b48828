"""Workers with real processes: what they are given, how they are stopped, what cannot hold us."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import attrs
import pytest
import trio

from orchestrator.agents.assignment import read_assignment
from orchestrator.agents.claude import ClaudeWorker
from orchestrator.agents.command import CommandWorker
from orchestrator.agents.drive import Patience
from orchestrator.agents.own_tools import TOOLS, server_command
from orchestrator.agents.port import Worker, WorkerTask
from orchestrator.errors import GuardianError
from orchestrator.work.worker import (
    Message,
    OversizedLine,
    Verdict,
    WorkerEvent,
    WorkerReport,
)
from tests.worker_host import Left, SessionHost, SessionProcess, task

pytestmark = pytest.mark.processes

SHORT = Patience(interrupted=1.0, finished=1.0, drain=1.0)


class Run:
    """One run of a worker, with everything it said."""

    def __init__(self, worker: Worker, job: WorkerTask) -> None:
        self.worker = worker
        self.job = job
        self.host = SessionHost()
        self.events: list[WorkerEvent] = []
        self.log = bytearray()
        self.interrupt = trio.Event()
        self.spoke = trio.Event()

    async def work(self) -> WorkerReport:
        with trio.fail_after(30):
            return await self.worker.work(
                self.job, self.host, self._emit, self.interrupt, self.log.extend
            )

    def _emit(self, event: WorkerEvent) -> None:
        self.events.append(event)
        self.spoke.set()

    @property
    def said(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Message)]


def python(code: str, *arguments: str, patience: Patience = SHORT) -> CommandWorker:
    return CommandWorker(
        name="mine", argv=(sys.executable, "-c", code, *arguments), patience=patience
    )


async def test_command_gets_the_prompt_on_its_input_and_its_story_in_the_environment(
    tmp_path: Path,
) -> None:
    code = """if True:
        import os, sys
        print(sys.stdin.read())
        for name in ("ITEM", "PHASE", "STORY", "ATTEMPT"):
            print(os.environ["ORCHESTRATOR_" + name])
        print(open(os.environ["ORCHESTRATOR_PROMPT_FILE"]).read())
        print(os.getcwd())
    """
    run = Run(python(code), task(tmp_path, "Say hällo."))
    report = await run.work()

    assert report.verdict is Verdict.COMPLETE
    told = ["Say hällo.", "add-login", "implement", "1", "a1", "Say hällo."]
    assert run.said == [*told, str(tmp_path / "workspace")]


async def test_prompt_file_takes_the_place_of_the_input(tmp_path: Path) -> None:
    code = "import sys; print(open(sys.argv[1]).read(), repr(sys.stdin.read()))"
    run = Run(python(code, "{prompt_file}"), task(tmp_path, "From a file."))
    await run.work()

    assert run.said == ["From a file. ''"]
    assert str(tmp_path / "attempt" / "prompt.md") in run.host.started[0]


async def test_prompt_larger_than_an_argument_or_a_pipe_may_be_arrives_whole(
    tmp_path: Path,
) -> None:
    prompt = "x" * (1 << 20)
    run = Run(python("import sys; print(len(sys.stdin.read()))"), task(tmp_path, prompt))
    await run.work()

    assert run.said == [str(len(prompt))]


async def test_command_that_does_not_read_its_prompt_is_no_error(tmp_path: Path) -> None:
    run = Run(python("print('no need')"), task(tmp_path, "x" * (1 << 20)))

    assert (await run.work()).verdict is Verdict.COMPLETE


async def test_result_file_decides_although_the_command_fails(tmp_path: Path) -> None:
    code = """if True:
        import json, os, sys
        result = {"status": "complete", "learnings": "run make first"}
        json.dump(result, open(os.environ["ORCHESTRATOR_RESULT"], "w"))
        sys.exit(4)
    """
    report = await Run(python(code), task(tmp_path)).work()

    assert (report.verdict, report.learnings) == (Verdict.COMPLETE, "run make first")


async def test_failing_command_is_explained_by_its_last_complaint(tmp_path: Path) -> None:
    code = "import sys; print('working'); sys.exit('disk\\x1b[31m full')"
    report = await Run(python(code), task(tmp_path)).work()

    assert (report.verdict, report.reason) == (Verdict.FAILED, "exited with 1: disk full")


async def test_ignored_result_file_is_said_aloud_and_is_no_success(tmp_path: Path) -> None:
    code = "import os; os.mkfifo(os.environ['ORCHESTRATOR_RESULT'])"
    run = Run(python(code), task(tmp_path))
    report = await run.work()

    assert report.verdict is Verdict.FAILED
    assert report.reason == "its result file was ignored: it is not a regular file"
    assert run.said == ["The result file is ignored: it is not a regular file."]


async def test_endless_line_is_dropped_and_reading_goes_on(tmp_path: Path) -> None:
    code = "print('x' * 3_000_000); print('<promise>BLOCKED: too long?</promise>')"
    run = Run(python(code), task(tmp_path))
    report = await run.work()

    assert any(isinstance(event, OversizedLine) for event in run.events)
    assert (report.verdict, report.reason) == (Verdict.BLOCKED, "too long?")
    assert len(run.log) < 100_000


async def test_interrupted_command_is_asked_to_end_first(tmp_path: Path) -> None:
    code = """if True:
        import os, signal, sys, time
        def stop(*_):
            os.write(1, b"tidied up\\n")  # print may be under way, and is not reentrant
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        time.sleep(100)
    """
    run = Run(python(code, patience=Patience()), task(tmp_path))
    report = await _interrupt(run)

    assert run.said == ["ready", "tidied up"]
    assert (report.verdict, report.reason) == (Verdict.FAILED, "interrupted")


async def test_command_that_will_not_end_is_killed_after_the_grace(tmp_path: Path) -> None:
    code = """if True:
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(100)
    """
    run = Run(python(code), task(tmp_path))
    report = await _interrupt(run)

    assert (report.verdict, report.reason) == (Verdict.FAILED, "interrupted")
    assert run.host.process is not None
    assert run.host.process.inner.returncode == -9


async def test_grandchild_that_holds_the_output_does_not_hold_us(tmp_path: Path) -> None:
    code = """if True:
        import subprocess
        subprocess.Popen(["sleep", "100"])
        print("done")
    """
    run = Run(python(code), task(tmp_path))

    assert (await run.work()).verdict is Verdict.COMPLETE
    assert run.said == ["done"]


async def test_host_that_loses_the_process_is_heard_as_it_is(tmp_path: Path) -> None:
    class Lost(SessionProcess):
        async def wait(self) -> Left:
            await super().wait()
            raise GuardianError("the guardian is gone")

    run = Run(python("print('ready')"), task(tmp_path))
    run.host.kind = Lost

    with pytest.raises(GuardianError, match="the guardian is gone"):
        await run.work()


async def test_cancelled_work_leaves_no_process(tmp_path: Path) -> None:
    run = Run(python("print('ready', flush=True); import time; time.sleep(100)"), task(tmp_path))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.work)
        await run.spoke.wait()
        nursery.cancel_scope.cancel()

    assert run.host.process is not None
    assert run.host.process.inner.returncode == -9


def impostor(folder: Path, code: str) -> ClaudeWorker:
    """Return a Claude worker whose program is a Python script of ours."""
    script = folder / "claude"
    prelude = "import json, sys, time\ndef say(**d): print(json.dumps(d), flush=True)\n"
    script.write_text(f"#!{sys.executable}\n{prelude}{code}", encoding="utf-8")
    script.chmod(stat.S_IRWXU)
    return ClaudeWorker(executable=str(script), patience=SHORT)


SUCCESS = (
    "say(type='result', subtype='success', is_error=False, num_turns=1, session_id='s',"
    " result='ok\\n<promise>COMPLETE</promise>', total_cost_usd=0.1, permission_denials=[])\n"
)


async def test_claude_is_told_its_limits_and_never_the_prompt_in_its_arguments(
    tmp_path: Path,
) -> None:
    job = task(tmp_path, "secret", model="m", max_turns=7, max_cost=0.000001, resume="old")
    run = Run(impostor(tmp_path, "sys.stdin.readline()\n" + SUCCESS), job)
    report = await run.work()
    argv = " ".join(run.host.started[0])

    assert (report.verdict, report.session) == (Verdict.COMPLETE, "s")
    assert "--model m --max-turns 7 --max-budget-usd 0.000001 --resume old" in argv
    assert "--allowedTools Bash,Edit,Write,Read,Glob,Grep" in argv
    assert "secret" not in argv


async def test_claude_is_handed_our_own_tools_and_no_others(tmp_path: Path) -> None:
    job = task(tmp_path, "secret", env={"PATH": os.defpath, "ANTHROPIC_API_KEY": "secret"})
    worker = attrs.evolve(impostor(tmp_path, "sys.stdin.readline()\n" + SUCCESS), own_tools=True)
    run = Run(worker, job)
    await run.work()
    (argv,) = run.host.started
    (server,) = json.loads(argv[argv.index("--mcp-config") + 1])["mcpServers"].values()

    assert (server["command"], server["args"]) == (sys.executable, list(server_command()[1:]))
    assert server["env"] == job.variables()
    allowed = argv[argv.index("--allowedTools") + 1].split(",")
    assert allowed[:2] == ["Bash", "Edit"]
    assert allowed[6:] == [f"mcp__orchestrator__{tool}" for tool in TOOLS]
    assert "secret" not in " ".join(argv)
    described = read_assignment(job.task_file)
    assert (described.item, described.attempt) == (job.item, job.attempt)
    assert {"ORCHESTRATOR_ATTEMPT", "CLAUDE_CODE_MAX_RETRIES"} <= set(described.withheld)


async def test_claude_ends_by_itself_once_its_input_is_closed(tmp_path: Path) -> None:
    code = "sys.stdin.readline()\n" + SUCCESS + "assert sys.stdin.read() is not None\n"
    run = Run(impostor(tmp_path, code), task(tmp_path))

    assert (await run.work()).verdict is Verdict.COMPLETE
    assert run.host.process is not None
    assert run.host.process.inner.returncode == 0


async def test_claude_that_does_not_exit_after_its_result_is_killed_and_counts(
    tmp_path: Path,
) -> None:
    run = Run(impostor(tmp_path, SUCCESS + "time.sleep(100)\n"), task(tmp_path))

    assert (await run.work()).verdict is Verdict.COMPLETE
    assert run.host.process is not None
    assert run.host.process.inner.returncode == -9


async def test_question_of_claude_is_answered_and_does_not_hang(tmp_path: Path) -> None:
    code = """
say(type="control_request", request_id="q1", request={"subtype": "can_use_tool"})
for line in sys.stdin:
    if json.loads(line)["type"] == "control_response":
        break
"""
    run = Run(impostor(tmp_path, code + SUCCESS), task(tmp_path))

    assert (await run.work()).verdict is Verdict.COMPLETE


async def test_interrupted_claude_is_asked_by_its_protocol(tmp_path: Path) -> None:
    code = """
say(type="assistant", message={"id": "m", "content": [{"type": "text", "text": "ready"}]})
for line in sys.stdin:
    if json.loads(line).get("request", {}).get("subtype") == "interrupt":
        break
say(type="result", subtype="error_during_execution", is_error=True, session_id="s")
sys.exit(0)
"""
    run = Run(impostor(tmp_path, code), task(tmp_path))
    report = await _interrupt(run)

    assert (report.verdict, report.reason) == (Verdict.FAILED, "interrupted")
    assert report.session == "s"
    assert run.host.process is not None
    assert run.host.process.inner.returncode == 0


async def test_claude_that_dies_is_explained_by_its_complaint(tmp_path: Path) -> None:
    run = Run(impostor(tmp_path, "sys.exit('no such model')\n"), task(tmp_path))
    report = await run.work()

    assert report.verdict is Verdict.FAILED
    assert report.reason == "it ended without a result (exited with 1): no such model"


async def test_log_keeps_the_stream_as_it_came(tmp_path: Path) -> None:
    run = Run(impostor(tmp_path, SUCCESS), task(tmp_path))
    await run.work()

    assert json.loads(bytes(run.log))["subtype"] == "success"


def test_claude_started_inside_claude_does_not_know(tmp_path: Path) -> None:
    job = task(tmp_path, env={"CLAUDECODE": "1", "CLAUDE_CODE_MAX_RETRIES": "9"})
    env = ClaudeWorker().environment(job)

    assert "CLAUDECODE" not in env
    assert env["CLAUDE_CODE_MAX_RETRIES"] == "9"
    assert env["ORCHESTRATOR_RESULT"] == str(tmp_path / "attempt" / "result.json")


async def _interrupt(run: Run) -> WorkerReport:
    """Run until the worker has spoken, then interrupt it."""
    reports: list[WorkerReport] = []

    async def work() -> None:
        reports.append(await run.work())

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await run.spoke.wait()
            run.interrupt.set()
    return reports[0]
