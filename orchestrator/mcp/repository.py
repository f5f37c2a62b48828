"""A repository's commands as an MCP server: tools, resources, and the engine behind them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio
from mcp.server.lowlevel import Server

import orchestrator as product
from orchestrator.run.engine.session import Session

from .http import serve_http
from .server import make_server
from .stdio import serve_stdio
from .tools import ASKER, CLIENT, Progress, Resource, Tool, tools_of

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INSTRUCTIONS = """\
Orchestrator brings branches through the phases of a workflow, and works on a backlog of items. \
Begin with phase_get_context: it says where the checked-out branch is, what is expected in its \
phase, and which gates close it; phase_start_work begins a new branch. Commit with \
git_commit_changes, which writes the phase into the message. Go on with phase_transition_branch \
when every gate holds. phase_force_transition is for a person's decision: give their reason and \
name. Ask with phase_ask_operator what only a person can decide. Run phase_run_verify before you \
say that something is done. An error says what happened and what to do next; where it names a \
command line, `orc move` is phase_transition_branch, with --cycle phase_transition_cycle, with \
--force phase_force_transition, `orc git VERB` is the tool of that verb, and `orc answer` is a \
person's."""


@attrs.frozen(kw_only=True)
class Who:
    """Gives the commands of a client, and says in whose name.

    Attributes:
      by: what the records say who asked, "" for what the client calls itself.
    """

    session: Session
    by: str

    async def call(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
        """Run a command; see `Session.call`."""
        registration = self.session.commands.get(name)
        if registration is not None and hasattr(attrs.fields(registration.command), ASKER):
            by = self.by or f"{CLIENT.get() or 'a client'} (MCP)"
            arguments = {**arguments, ASKER: by}
        return await self.session.call(name, arguments, progress)


@asynccontextmanager
async def served(
    directory: Path, config_file: Path | None, by: str
) -> AsyncGenerator[Server[Any], None]:
    """Give the server of a repository's commands for as long as the block lasts.

    Leaving the block ends an engine of its own politely.
    """
    session = Session(directory=directory, config_file=config_file)
    who = Who(session=session, by=by)
    async with trio.open_nursery() as nursery:
        await nursery.start(session.run)
        yield make_server(
            [_health(directory), *tools_of(session.commands, who)],
            _resources(who),
            name="orchestrator",
            version=product.__version__,
            instructions=_INSTRUCTIONS,
        )
        nursery.cancel_scope.cancel()


async def over_stdio(directory: Path, config_file: Path | None, by: str) -> None:
    """Serve the client at stdin and stdout until it hangs up, or a signal says stop."""
    async with served(directory, config_file, by) as server, _signals() as stopping:
        await serve_stdio(server, stopping=stopping)


async def over_http(
    directory: Path,
    config_file: Path | None,
    by: str,
    *,
    port: int,
    token: str,
    ready: Callable[[int], None],
) -> None:
    """Serve clients on this machine until a signal says stop.

    Raises:
      UsageError: the port is taken.
    """
    async with served(directory, config_file, by) as server, _signals() as stopping:
        await serve_http(server, port=port, token=token, ready=ready, stopping=stopping)


@asynccontextmanager
async def _signals() -> AsyncGenerator[trio.Event, None]:
    """Give an event that is set by the first signal to stop; later ones change nothing."""
    stopping = trio.Event()

    async def watch(task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(*_SIGNALS) as signals:
            task_status.started()
            async for _ in signals:
                stopping.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(watch)
        yield stopping
        nursery.cancel_scope.cancel()


def _health(directory: Path) -> Tool:
    """Return the tool that answers at once, whatever goes on: it asks neither git nor engine."""

    place = str(directory.resolve())

    async def check(_: Mapping[str, Any], __: Progress) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return {
            "message": f"ok: orchestrator {product.__version__} in {place}",
            "version": product.__version__,
            "pid": os.getpid(),
            "directory": place,
        }

    return Tool(
        name="health",
        description="Say that the server answers, its version, and where it works.",
        input={"type": "object", "properties": {}, "additionalProperties": False},
        output=None,
        reads=True,
        deadline=5.0,
        run=check,
    )


def _resources(who: Who) -> list[Resource]:
    def reading(name: str, part: str = "", **fields: Any) -> Callable[[], Awaitable[str]]:
        async def read() -> str:
            found = await who.call(name, fields, _unheard)
            if part:
                return str(found[part])
            return json.dumps(found, ensure_ascii=False, indent=2)

        return read

    return [
        Resource(
            uri="orchestrator://state",
            name="state",
            description="where the checked-out branch is in its workflow",
            media_type="application/json",
            read=reading("phase.get-state"),
        ),
        Resource(
            uri="orchestrator://plan",
            name="plan",
            description="what is planned for the checked-out branch",
            media_type="application/json",
            read=reading("phase.get-plan"),
        ),
        Resource(
            uri="orchestrator://guidance",
            name="guidance",
            description="what is expected in the phase of the checked-out branch",
            media_type="text/plain",
            read=reading("phase.get-context", "guidance", commits=0),
        ),
    ]


def _unheard(_: float | None, __: str) -> None:
    """Progress of a reading, which has nobody to tell."""
