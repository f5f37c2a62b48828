"""A tiny MCP server, run as a process: ``mcp_toy.py DIRECTORY stdio|http``.

Over HTTP it prints its port and nothing else; the token is in the file ``token``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import trio

from orchestrator import Command, Context, Plugin
from orchestrator.calling import build_command, plain
from orchestrator.errors import OrchestratorError
from orchestrator.mcp.loading import heavy_imports
from orchestrator.mcp.tools import Progress, Resource, Tool, tools_of
from orchestrator.plugin import Registration
from orchestrator.registry import Registry
from orchestrator.stop import StopWatcher

MOST_AT_ONCE = 64
"""Calls that run at the same time: a client that has that many stays quick."""

INPUT: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": True}


@attrs.frozen(kw_only=True)
class Sum:
    """A sum.

    Attributes:
      total: of all numbers.
    """

    total: int
    message: str


@attrs.frozen(kw_only=True)
class AddNumbers(Command[Sum]):
    """Add numbers.

    Attributes:
      first, second: what is added.
      note: said with the answer.
    """

    first: int
    second: int = 1
    note: str | None = None


plugin = Plugin("toy")


@plugin.handles(AddNumbers, name="add-numbers", deadline=5)
async def add_numbers(command: AddNumbers, _: Context) -> Sum:
    await trio.lowlevel.checkpoint()
    total = command.first + command.second
    return Sum(total=total, message=f"it is {total}{command.note or ''}")


@attrs.frozen
class Toys:
    """What the tools do; `directory` is where they leave traces."""

    directory: Path
    registrations: Mapping[str, Registration] = attrs.field(
        factory=lambda: Registry([plugin]).by_name
    )

    async def call(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
        registration = self.registrations[name]
        command = build_command(registration, arguments)
        return plain(await registration.handler(command, None))  # type: ignore[arg-type]

    async def echo(self, arguments: Mapping[str, Any], _: Progress) -> Any:
        print("what a tool prints is not for the client")
        await trio.run_process(["echo", "nor what a child prints"])
        return {"got": dict(arguments), "stdin": sys.stdin.read()}

    async def slow(self, arguments: Mapping[str, Any], progress: Progress) -> Any:
        (self.directory / "started").touch()
        progress(None, "sleeping")
        try:
            await trio.sleep_forever()
        finally:
            (self.directory / "cancelled").touch()

    async def patient(self, _: Mapping[str, Any], __: Progress) -> Any:
        await trio.sleep(60)

    async def boom(self, _: Mapping[str, Any], __: Progress) -> Any:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError("secret: hunter2hunter2")

    async def fail(self, _: Mapping[str, Any], __: Progress) -> Any:
        await trio.lowlevel.checkpoint()
        raise OrchestratorError("no hunter2hunter2 here", where="toy", fix="try again")

    async def progress(self, _: Mapping[str, Any], progress: Progress) -> Any:
        for step in range(5):
            progress(step / 4, f"step {step}")
            await trio.lowlevel.checkpoint()
        return None

    async def flood(self, arguments: Mapping[str, Any], progress: Progress) -> Any:
        for step in range(1000):
            progress(None, f"step {step}")
        await trio.lowlevel.checkpoint()
        return ["x" * int(arguments.get("size", 1))]

    def tools(self) -> list[Tool]:
        names = ("echo", "slow", "patient", "boom", "fail", "progress", "flood")
        return [
            *(
                Tool(
                    name=name,
                    description=f"The toy {name}.",
                    input=INPUT,
                    output={"type": "null"} if name == "progress" else None,
                    reads=name == "echo",
                    deadline=0.2 if name == "patient" else 60.0,
                    run=getattr(self, name),
                )
                for name in names
            ),
            *tools_of(self.registrations, self),
        ]


async def greeting() -> str:
    await trio.lowlevel.checkpoint()
    return "hello hunter2hunter2"


async def no_greeting() -> str:
    await trio.lowlevel.checkpoint()
    raise ZeroDivisionError("secret: hunter2hunter2")


RESOURCES = [
    Resource(
        uri=f"toy://{name}", name=name, description="A toy.", media_type="text/plain", read=read
    )
    for name, read in (("greeting", greeting), ("broken", no_greeting))
]


async def main(directory: Path, kind: str) -> None:
    with heavy_imports():
        from orchestrator.mcp.http import serve_http
        from orchestrator.mcp.server import make_server
        from orchestrator.mcp.stdio import serve_stdio

    server = make_server(
        Toys(directory).tools(),
        RESOURCES,
        name="toy",
        version="1",
        instructions="Play.",
        most_at_once=MOST_AT_ONCE,
    )
    watcher = StopWatcher()
    async with trio.open_nursery() as nursery:
        await nursery.start(watcher.watch_signals)
        if kind == "stdio":
            await serve_stdio(server, stopping=watcher.requested)
        else:
            await serve_http(
                server,
                port=0,
                token=(directory / "token").read_text(),
                ready=lambda port: print(port, flush=True),
                stopping=watcher.requested,
            )
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2])
