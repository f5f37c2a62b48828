"""The MCP server itself: lists tools and resources, calls and reads them, whatever carries it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import trio
from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

from orchestrator.errors import BusyError, CommandTimedOutError, OrchestratorError, UsageError
from orchestrator.redact import redactor
from orchestrator.text import one_line

from .answers import Answers, announced
from .notes import Notes
from .tools import CLIENT, Progress, Resource, Tool

MOST_AT_ONCE = 512
"""Calls and readings that run at the same time, of all clients together."""

MOST_OF_RESOURCE = 512 * 1024
"""Bytes of a resource."""

_READING = 15.0

Request = ServerRequestContext[Any, Any]


def make_server(
    tools: Iterable[Tool],
    resources: Iterable[Resource],
    *,
    name: str,
    version: str,
    instructions: str,
    most_at_once: int = MOST_AT_ONCE,
) -> Server[Any]:
    """Return a server of these tools and resources, for `stdio.serve_stdio` or `http.serve_http`.

    What it tells is free of the secrets that this process has in its environment now.
    """
    front = _Front(
        most_at_once=most_at_once,
        tools={tool.name: tool for tool in tools},
        resources={resource.uri: resource for resource in resources},
        answers=Answers(redactor(os.environ)),
    )
    return Server(
        name,
        version=version,
        instructions=instructions,
        get_tool_input_schema=front.input_of,
        on_list_tools=front.list_tools,
        on_call_tool=front.call_tool,
        on_list_resources=front.list_resources,
        on_read_resource=front.read_resource,
    )


@attrs.define(eq=False, kw_only=True)
class _Front:
    most_at_once: int
    tools: Mapping[str, Tool]
    resources: Mapping[str, Resource]
    answers: Answers
    _running: int = attrs.field(default=0, init=False)

    def input_of(self, name: str) -> Mapping[str, Any] | None:
        tool = self.tools.get(name)
        return None if tool is None else tool.input

    async def list_tools(self, _: Request, __: object) -> types.ListToolsResult:
        await trio.lowlevel.checkpoint()
        return types.ListToolsResult(tools=[_listed(tool) for tool in self.tools.values()])

    async def call_tool(
        self, request: Request, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Answer a call. Whatever happens is an answer, except that the client cancels it."""
        await trio.lowlevel.checkpoint()
        CLIENT.set(_name_of(request))
        tool = self.tools.get(params.name)
        if tool is None:
            return self.answers.failure(_unknown(params.name, self.tools))
        arguments = params.arguments or {}
        try:
            with self._place():
                if "progress_token" not in (request.meta or {}):
                    return await self._run(tool, arguments, _unheard)
                notes = Notes(self.answers.text, request.session.report_progress)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(notes.pump)
                    answer = await self._run(tool, arguments, notes.take)
                    notes.close()
                return answer
        except BusyError as error:
            return self.answers.failure(error)

    async def _run(
        self, tool: Tool, arguments: Mapping[str, Any], progress: Progress
    ) -> types.CallToolResult:
        try:
            with trio.move_on_after(tool.deadline):
                return self.answers.success(tool, await tool.run(arguments, progress))
            return self.answers.failure(CommandTimedOutError(tool.name, tool.deadline))
        except Exception as error:
            return self.answers.failure(self.answers.ours(error, tool.name))

    async def list_resources(self, _: Request, __: object) -> types.ListResourcesResult:
        await trio.lowlevel.checkpoint()
        return types.ListResourcesResult(
            resources=[
                types.Resource(
                    uri=each.uri,
                    name=each.name,
                    description=each.description,
                    mime_type=each.media_type,
                )
                for each in self.resources.values()
            ]
        )

    async def read_resource(
        self, _: Request, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """Answer with a text. What goes wrong is an error of the protocol: it has no other here."""
        uri = str(params.uri)
        try:
            text = await self._read(uri)
        except Exception as error:
            failure = self.answers.ours(error, uri)
            code = INVALID_PARAMS if isinstance(failure, UsageError) else INTERNAL_ERROR
            document = self.answers.clean(failure.document())
            raise MCPError(code, document["message"], document) from None
        return types.ReadResourceResult(
            contents=[
                types.TextResourceContents(
                    uri=uri, text=text, mime_type=self.resources[uri].media_type
                )
            ]
        )

    async def _read(self, uri: str) -> str:
        resource = self.resources.get(uri)
        if resource is None:
            raise UsageError(
                f"no resource {one_line(uri)}", fix=_near(uri, self.resources, "resources/list")
            )
        with self._place(), trio.move_on_after(_READING):
            text = self.answers.text(await resource.read())
            if (size := len(text.encode())) > MOST_OF_RESOURCE:
                raise OrchestratorError(f"{uri} has {size} bytes: too many to send", where=uri)
            return text
        raise CommandTimedOutError(uri, _READING)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._running >= self.most_at_once:
            raise BusyError(
                f"{self.most_at_once} calls run already", fix="wait until one has ended"
            )
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


def _listed(tool: Tool) -> types.Tool:
    title = tool.name.replace("_", " ").capitalize()
    return types.Tool(
        name=tool.name,
        title=title,
        description=tool.description,
        input_schema=dict(tool.input),
        output_schema=announced(tool),
        annotations=types.ToolAnnotations(
            title=title, read_only_hint=tool.reads, destructive_hint=not tool.reads
        ),
    )


def _name_of(request: Request) -> str:
    """Return what the client calls itself, "" when it does not say."""
    known = request.session.client_params
    return one_line(known.client_info.name, 60) if known is not None else ""


def _unheard(_: float | None, __: str) -> None:
    """Progress of a call whose client did not ask for it."""


def _unknown(name: str, tools: Mapping[str, Tool]) -> UsageError:
    return UsageError(f"no tool {one_line(name)}", fix=_near(name, tools, "tools/list"))


def _near(name: str, known: Iterable[str], listing: str) -> str:
    near = difflib.get_close_matches(one_line(name), known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"{listing} names them"
