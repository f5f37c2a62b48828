"""Promises of the MCP server that need no process: deadlines, sizes, one client inside this one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
import trio
from mcp import Client, MCPError, types
from mcp.server.lowlevel import Server

from orchestrator.errors import UsageError
from orchestrator.mcp.http import serve_http
from orchestrator.mcp.server import MOST_OF_RESOURCE, make_server
from orchestrator.mcp.tools import Progress, Resource, Tool


async def forever(_: Mapping[str, Any], __: Progress) -> Any:
    await trio.sleep_forever()


def server(
    read: Callable[[], Awaitable[str]] | None = None, *, tools: tuple[Tool, ...] = ()
) -> Server[Any]:
    resources = []
    if read is not None:
        resources = [
            Resource(uri="toy://x", name="x", description="", media_type="text/plain", read=read)
        ]
    return make_server(tools, resources, name="toy", version="1", instructions="")


async def large() -> str:
    await trio.lowlevel.checkpoint()
    return "x" * (MOST_OF_RESOURCE + 1)


async def late() -> str:
    await trio.sleep(16)
    return ""


async def unwilling() -> str:
    await trio.lowlevel.checkpoint()
    raise UsageError("not today", fix="tomorrow")


@pytest.mark.parametrize(
    ("read", "code", "text"),
    [
        (large, types.INTERNAL_ERROR, "toy://x has 524289 bytes: too many to send"),
        (late, types.INTERNAL_ERROR, "toy://x did not finish within 15 s"),
        (unwilling, types.INVALID_PARAMS, "not today"),
    ],
)
async def test_a_resource_that_cannot_be_sent_says_why(
    read: Callable[[], Awaitable[str]], code: int, text: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with Client(server(read), mode="legacy") as client:
        with pytest.raises(MCPError) as failed:
            await client.read_resource("toy://x")
    assert (failed.value.code, failed.value.message) == (code, text)
    assert set(failed.value.data) == {"code", "message", "where", "fix"}


async def test_a_call_has_its_own_deadline(autojump_clock: trio.testing.MockClock) -> None:
    slow = Tool(
        name="slow", description="", input={"type": "object"}, output=None, reads=False,
        deadline=40.0, run=forever,
    )  # fmt: skip
    async with Client(server(tools=(slow,)), mode="legacy") as client:
        began = trio.current_time()
        result = await client.call_tool("slow")
        assert trio.current_time() - began == pytest.approx(40)
    assert result.structured_content["code"] == "command-timed-out"


async def test_http_says_what_is_wrong_with_its_port_or_token() -> None:
    taken = trio.socket.socket()
    await taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    token = "t" * 40
    with taken:
        for number, secret, said in (
            (port, token, f"port {port} cannot be used: Address already in use"),
            (70_000, token, "port 70000 cannot be used"),
            (0, "short", "the token has less than 32 characters"),
        ):
            with pytest.raises(UsageError, match=said):
                await serve_http(
                    server(), port=number, token=secret, ready=print, stopping=trio.Event()
                )
