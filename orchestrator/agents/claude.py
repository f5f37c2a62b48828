"""The worker that is Claude Code, driven by its bidirectional stream-json protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import attrs
import trio

from orchestrator.agents.claude_events import ControlRequest, ControlResponse, Denied, Init, Result
from orchestrator.agents.claude_protocol import (
    Decoder,
    control_refusal,
    control_request,
    user_message,
)
from orchestrator.agents.claude_verdict import Transcript
from orchestrator.agents.drive import Drive, Patience, collect_result, write_task
from orchestrator.agents.own_tools import SERVER, TOOLS, server_config
from orchestrator.agents.port import ProcessHost, WorkerTask
from orchestrator.agents.result import judge
from orchestrator.work.worker import OversizedLine, UsageSoFar, WorkerEvent, WorkerReport

# It marks its own children with these, and behaves differently when it finds them.
_NESTING = ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT")
_SETTINGS = {
    # It would retry even a rejected credential ten times; backing off is ours.
    "CLAUDE_CODE_MAX_RETRIES": "2",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_BUG_COMMAND": "1",
}
_QUESTIONS = 64
_USAGE = "usage"
_USAGE_EVERY = 10.0
"""Seconds between two questions for the exact usage; what the messages say comes at once."""


@attrs.frozen(kw_only=True)
class ClaudeWorker:
    """Runs one session of Claude Code per attempt.

    Attributes:
      name: what it is configured under.
      executable: the program, by name or path.
      allowed_tools: what it may use without asking; anything else is refused.
      permission_mode: its ``--permission-mode``.
      own_tools: whether it gets the tools of our own MCP server, besides those it has.
      env: variables added to the task's.
    """

    name: str = "claude"
    executable: str = "claude"
    allowed_tools: tuple[str, ...] = ("Bash", "Edit", "Write", "Read", "Glob", "Grep")
    permission_mode: str = "acceptEdits"
    own_tools: bool = False
    env: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    patience: Patience = attrs.field(factory=Patience)

    def arguments(self, task: WorkerTask) -> tuple[str, ...]:
        """Return the whole command line of an attempt; the prompt is not on it."""
        argv = [self.executable, "-p", "--input-format", "stream-json"]
        argv += ["--output-format", "stream-json", "--verbose"]
        argv += ["--permission-mode", self.permission_mode]
        argv += ["--add-dir", str(task.directory)]
        allowed = self.allowed_tools
        if self.own_tools:
            argv += ["--mcp-config", server_config(task)]
            # One by one: a server of the operator's with this name could do more.
            allowed += tuple(f"mcp__{SERVER}__{tool}" for tool in TOOLS)
        if allowed:
            argv += ["--allowedTools", ",".join(allowed)]
        if task.model is not None:
            argv += ["--model", task.model]
        if task.max_turns is not None:
            argv += ["--max-turns", str(task.max_turns)]
        if task.max_cost is not None:
            argv += ["--max-budget-usd", f"{task.max_cost:f}"]
        if task.resume is not None:
            argv += ["--resume", task.resume]
        return tuple(argv)

    def environment(self, task: WorkerTask) -> dict[str, str]:
        """Return the complete environment of an attempt; what the operator set wins."""
        env = {**_SETTINGS, **task.environment(), **self.env}
        return {key: value for key, value in env.items() if key not in _NESTING}

    async def work(
        self,
        task: WorkerTask,
        host: ProcessHost,
        emit: Callable[[WorkerEvent], None],
        interrupt: trio.Event,
        log: Callable[[bytes], None],
    ) -> WorkerReport:
        """Run one session; see ``Worker.work``."""
        argv, env = self.arguments(task), self.environment(task)
        await write_task(task, env)
        decoder, transcript = Decoder(), Transcript()
        ask, questions = trio.open_memory_channel[bytes](_QUESTIONS)
        next_usage = 0.0
        async with host.run(argv, cwd=task.cwd, env=env) as process:
            drive = Drive(process, log, self.patience, task.redact)

            def say_soon(data: bytes) -> None:
                try:
                    ask.send_nowait(data)
                except trio.WouldBlock:
                    # It asks faster than it listens; it can wait for an answer.
                    return

            def read(line: bytes | OversizedLine) -> None:
                nonlocal next_usage
                if isinstance(line, OversizedLine):
                    emit(line)
                    return
                for event in decoder.decode(line):
                    transcript.add(event)
                    match event:
                        case Result():
                            drive.finish()
                        case ControlRequest():
                            say_soon(control_refusal(event))
                        case ControlResponse(request=request, error=error):
                            if request == _USAGE and error:
                                next_usage = math.inf
                        case Init() | Denied():
                            pass
                        case UsageSoFar() if trio.current_time() >= next_usage:
                            next_usage = trio.current_time() + _USAGE_EVERY
                            say_soon(control_request(_USAGE, "get_usage", skip_behaviors=True))
                            emit(event)
                        case _:
                            emit(event)

            async def feed() -> None:
                await drive.say(control_request("initialize", "initialize"))
                await drive.say(user_message(task.prompt))
                async for line in questions:
                    await drive.say(line)

            async def ask_to_stop() -> None:
                await drive.say(control_request("interrupt", "interrupt"))

            with ask, questions:
                ending = await drive.run(
                    read, feed=feed, ask_to_stop=ask_to_stop, interrupt=interrupt
                )
        file = await collect_result(task, emit)
        return judge(
            failure=transcript.failure(ending, agent=self.name),
            limited=transcript.limited and not ending.interrupted,
            file=file,
            message=transcript.result.text if transcript.result else "",
            usage=transcript.usage,
            session=transcript.session,
            denied=transcript.denied,
            limit_reset=transcript.limit_reset,
        )
