"""The MCP server of one attempt: its worker reports and asks, and can do nothing else.

It runs among the worker's own processes and is confined like them. It speaks to no engine: all
that comes of it is the attempt's result file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio
from cattrs.errors import ClassValidationError

import orchestrator as product
from orchestrator.agents.assignment import Assignment, read_assignment
from orchestrator.agents.port import TASK_FILE
from orchestrator.beside import beside
from orchestrator.calling import plain, structured
from orchestrator.errors import ConfigError, UsageError
from orchestrator.messages import Command
from orchestrator.plugin import Registration
from orchestrator.registry import Registry
from orchestrator.runtime import Orchestrator, open_orchestrator
from orchestrator.structure import first_problem
from orchestrator.text import one_line

from .attempt_handlers import attempt_plugin
from .attempt_result import ResultWriter
from .attempt_verify import Verifier
from .loading import heavy_imports
from .tools import Progress, Tool, tools_of

_TICK = 5.0
_INSTRUCTIONS = (
    "You work on one attempt at a task; get_task says it again. run_verify runs the commands that "
    "decide about your result. The last thing you do is report_result, after which you end your "
    "turn. What only a person can decide is for ask_operator: stop then, too."
)
_FOLLOW_UPS = " add_follow_up notes other work that you find."


async def serve_attempt(environ: Mapping[str, str]) -> None:
    """Serve the worker of an attempt over stdin and stdout until it hangs up, or is told to stop.

    Args:
      environ: the variables that the worker was started with, or those that tell its tools.

    Raises:
      ConfigError: they are not those of an attempt that is under way.
    """
    assignment, directory = await trio.to_thread.run_sync(find_attempt, environ)
    with heavy_imports():
        from .server import make_server
        from .stdio import serve_stdio

    verifier = Verifier(assignment=assignment, environ=environ)
    async with open_orchestrator(
        plugins=[attempt_plugin(assignment)],
        services={
            Assignment: assignment,
            ResultWriter: ResultWriter(assignment=assignment, directory=directory),
            Verifier: verifier,
        },
        signals=True,
    ) as orchestrator:
        server = make_server(
            attempt_tools(orchestrator, verifier),
            (),
            name="orchestrator",
            version=product.__version__,
            instructions=_INSTRUCTIONS + ("" if assignment.is_story else _FOLLOW_UPS),
        )
        await serve_stdio(server, stopping=orchestrator.stopping.requested)


def find_attempt(environ: Mapping[str, str]) -> tuple[Assignment, Path]:
    """Return what the attempt is about, and its directory. Blocking.

    Raises:
      ConfigError: no attempt is under way here, or another one is.
    """
    file = Path(environ.get("ORCHESTRATOR_RESULT", ""))
    if not file.is_absolute():
        raise ConfigError(
            "no attempt is under way here: ORCHESTRATOR_RESULT does not say where its result goes",
            fix="orc run starts this for its workers; for your own agent or editor: orc mcp",
        )
    assignment = read_assignment(file.parent / TASK_FILE)
    told = environ.get("ORCHESTRATOR_ATTEMPT", assignment.attempt)
    if told != assignment.attempt or file.name != assignment.result:
        raise ConfigError(
            "ORCHESTRATOR_RESULT and ORCHESTRATOR_ATTEMPT are not those of one attempt",
            where=str(file),
            fix="leave both as the worker got them",
        )
    return assignment, file.parent


def attempt_tools(orchestrator: Orchestrator, verifier: Verifier) -> tuple[Tool, ...]:
    """Return the tools of an attempt, called without the name of the plugin: there is no other."""
    commands = orchestrator.service(Registry).by_name
    caller = _Caller(orchestrator=orchestrator, verifier=verifier, commands=commands)
    return tuple(
        attrs.evolve(tool, name=tool.name.removeprefix("attempt_"))
        for tool in tools_of(commands, caller)
    )


@attrs.frozen(kw_only=True)
class _Caller:
    """Carries out the commands of an attempt in this process."""

    orchestrator: Orchestrator
    verifier: Verifier
    commands: Mapping[str, Registration]

    async def call(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
        """Run a command; see `Caller.call`."""
        command = _command(self.commands[name], arguments)
        work = partial(self.orchestrator.call, command)
        return plain(await beside(partial(self._tell, progress), work))

    async def _tell(self, progress: Progress) -> None:
        """Say what runs: a client may give up what it hears nothing of."""
        began = trio.current_time()
        while True:
            await trio.sleep(_TICK)
            doing = one_line(self.verifier.doing) or "waiting"
            progress(None, f"{doing}: {trio.current_time() - began:.0f} s")


def _command(registration: Registration, arguments: Mapping[str, Any]) -> Command[Any]:
    try:
        return structured(registration.command, arguments)
    except ClassValidationError as error:
        path, text, fix = first_problem(error)
        text = "missing" if text.startswith("missing key") else text
        raise UsageError(f"{path}: {text}" if path else text, fix=fix) from None
