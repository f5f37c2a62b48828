"""Promises of the MCP server, kept to the SDK's own client and to whatever else connects."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from orchestrator.adapters.lines import iter_lines
from orchestrator.mcp.stdio import LONGEST
from tests.mcp_toy import MOST_AT_ONCE

pytestmark = [
    pytest.mark.processes,
    # The SDK's client leaves the streams of answers half read, for Trio to complain about.
    pytest.mark.filterwarnings(r"ignore:Async generator 'http(x|core)2\.:ResourceWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hunter2hunter2"
TOKEN = "a-token-that-nobody-guesses-0123456789"
MODERN = "2026-07-28"
PATIENCE = 30.0


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TOY_TOKEN": SECRET}


def command(directory: Path, kind: str) -> list[str]:
    (directory / "token").write_text(TOKEN)
    return [sys.executable, "-W", "error", str(ROOT / "tests/mcp_toy.py"), str(directory), kind]


@asynccontextmanager
async def toy(directory: Path, kind: str) -> AsyncGenerator[trio.Process, None]:
    """Start the toy server; it is killed in the end unless it has ended."""
    with (directory / "stderr").open("wb") as errors:
        process = await trio.lowlevel.open_process(
            command(directory, kind),
            stdin=subprocess.PIPE if kind == "stdio" else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(),
        )
    try:
        with trio.fail_after(PATIENCE):
            yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    await stream.aclose()


async def end(process: trio.Process, seconds: float = 1.0) -> None:
    """See a process end by itself, well, and in time."""
    with trio.fail_after(seconds):
        assert await process.wait() == 0


@asynccontextmanager
async def over_http(directory: Path) -> AsyncGenerator[int, None]:
    """Serve over HTTP; the port is all that is ever printed, except by tools."""
    async with toy(directory, "http") as process:
        assert process.stdout is not None
        lines = iter_lines(process.stdout)
        port = await anext(lines)
        assert isinstance(port, bytes)
        yield int(port)
        process.send_signal(signal.SIGTERM)
        await end(process, 4.0)
        rest = {line async for line in lines}
        assert rest <= {b"what a tool prints is not for the client", b"nor what a child prints"}


@asynccontextmanager
async def client(way: str, era: str, directory: Path) -> AsyncGenerator[Client, None]:
    if way == "stdio":
        program, *arguments = command(directory, "stdio")
        server = StdioServerParameters(command=program, args=arguments, env=environment())
        with (directory / "stderr").open("w") as errors:
            async with Client(stdio_client(server, errlog=errors), mode=era) as connected:
                yield connected
        return
    async with over_http(directory) as port:
        http = create_mcp_http_client(headers={"authorization": f"Bearer {TOKEN}"})
        transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)
        async with http, Client(transport, mode=era) as connected:
            yield connected
        gc.collect()  # here, where that is expected


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - another process makes it true
            await trio.sleep(0.01)


def said(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


all_ways = pytest.mark.parametrize(
    ("way", "era"),
    [("stdio", "legacy"), ("stdio", MODERN), ("http", "legacy"), ("http", MODERN)],
)


@all_ways
async def test_the_client_of_the_sdk_is_served(way: str, era: str, tmp_path: Path) -> None:
    async with client(way, era, tmp_path) as toys:
        await lists_and_calls(toys)
        await fails_well(toys)
        await reads(toys)
        await hears_of_progress(toys)
        await cancels(toys, tmp_path)
        await is_not_delayed(toys, tmp_path)


async def lists_and_calls(toys: Client) -> None:
    listed = {tool.name: tool for tool in (await toys.list_tools()).tools}
    echo, add = listed["echo"], listed["toy_add_numbers"]
    assert echo.annotations is not None
    assert (echo.annotations.read_only_hint, echo.annotations.destructive_hint) == (True, False)
    assert (add.title, add.description) == ("Toy add numbers", "Add numbers.")
    assert add.input_schema["required"] == ["first"]
    assert add.output_schema is not None

    result = await toys.call_tool("toy_add_numbers", {"first": 3, "note": "!"})
    assert (said(result), result.is_error) == ("it is 4!", False)
    assert result.structured_content == {"total": 4, "message": "it is 4!"}

    result = await toys.call_tool("echo", {"text": f"{SECRET} ä", "nothing": None})
    told = {"got": {"text": "[redacted TOY_TOKEN] ä", "nothing": None}, "stdin": ""}
    assert result.structured_content == told
    assert json.loads(said(result)) == told


async def fails_well(toys: Client) -> None:
    def document(result: types.CallToolResult) -> Mapping[str, Any]:
        assert result.is_error
        error: Mapping[str, Any] = result.structured_content
        assert said(result) == f"{error['message']}\n{error['fix']}"
        assert SECRET not in said(result)
        return error

    assert document(await toys.call_tool("fail")) == {
        "code": "error",
        "message": "no [redacted TOY_TOKEN] here",
        "where": "toy",
        "fix": "try again",
    }
    wrong = document(await toys.call_tool("toy_add_numbers", {"first": "x"}))
    assert wrong["message"] == "first: expected int, got 'x'"
    assert document(await toys.call_tool("patient"))["code"] == "command-timed-out"
    assert document(await toys.call_tool("ecko"))["fix"] == "did you mean echo?"
    bug = document(await toys.call_tool("boom"))["message"]
    assert bug == "a mistake in the orchestrator: boom failed with ZeroDivisionError"


async def reads(toys: Client) -> None:
    assert [each.name for each in (await toys.list_resources()).resources] == ["greeting", "broken"]
    (read,) = (await toys.read_resource("toy://greeting")).contents
    assert isinstance(read, types.TextResourceContents)
    assert (read.text, read.mime_type) == ("hello [redacted TOY_TOKEN]", "text/plain")
    with pytest.raises(MCPError, match="a mistake in the orchestrator") as failed:
        await toys.read_resource("toy://broken")
    assert failed.value.code == types.INTERNAL_ERROR
    with pytest.raises(MCPError, match="no resource toy://x") as failed:
        await toys.read_resource("toy://x")
    assert failed.value.code == types.INVALID_PARAMS


async def hears_of_progress(toys: Client) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))
        await trio.lowlevel.checkpoint()

    result = await toys.call_tool("progress", progress_callback=hear)
    assert result.structured_content == {"result": None}
    await until(lambda: len(heard) == 5)
    assert sorted(heard) == [(step * 25, 100, f"step {step}") for step in range(5)]

    heard.clear()
    result = await toys.call_tool("flood", {"size": 600_000}, progress_callback=hear)
    assert result.structured_content is None
    assert said(result).endswith("… cut here: these are 200000 of 600008 bytes")
    await until(lambda: len(heard) == 64)
    assert sorted(heard)[-1] == (63, None, "step 63")


async def cancels(toys: Client, directory: Path) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(toys.call_tool, "slow")
        await until((directory / "started").exists)
        assert not (directory / "cancelled").exists()
        nursery.cancel_scope.cancel()
    await until((directory / "cancelled").exists)


async def is_not_delayed(toys: Client, directory: Path) -> None:
    for name in ("started", "cancelled"):
        (directory / name).unlink()
    async with trio.open_nursery() as nursery:
        for _ in range(MOST_AT_ONCE - 1):
            nursery.start_soon(toys.call_tool, "slow")
        await until((directory / "started").exists)
        result = await toys.call_tool("echo")
        assert not result.is_error
        assert not (directory / "cancelled").exists()
        nursery.cancel_scope.cancel()


def request(id: object, method: str, **params: Any) -> bytes:
    document = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
    return json.dumps(document).encode() + b"\n"


def tool_call(id: object, name: str) -> bytes:
    return request(id, "tools/call", name=name, arguments={})


HELLO = request(
    "hello",
    "initialize",
    protocolVersion="2025-11-25",
    capabilities={},
    clientInfo={"name": "test", "version": "0"},
)


class Wire:
    """The bytes that go to a server and come from it, one document a line."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.say = process.stdin.send_all
        self.hang_up = process.stdin.aclose
        self._lines = iter_lines(process.stdout, 1 << 24)

    async def hear(self) -> dict[str, Any] | None:
        """Return the next document, None at the end."""
        line = await anext(self._lines, None)
        if line is None:
            return None
        assert isinstance(line, bytes)
        document = json.loads(line)
        assert document["jsonrpc"] == "2.0"
        return dict(document)

    async def answer_to(self, id: object) -> dict[str, Any]:
        while (document := await self.hear()) is not None:
            if document.get("id") == id:
                return document
        raise AssertionError(f"no answer to {id}")


@pytest.mark.parametrize("how", ["hangs up", signal.SIGTERM, signal.SIGINT])
async def test_the_end_is_prompt_and_cancels_what_runs(
    how: str | signal.Signals, tmp_path: Path
) -> None:
    async with toy(tmp_path, "stdio") as process:
        wire = Wire(process)
        await wire.say(HELLO + tool_call(7, "slow"))
        await until((tmp_path / "started").exists)
        if isinstance(how, str):
            await wire.hang_up()
        else:
            process.send_signal(how)
        await end(process)
        assert "closed" in (await wire.answer_to(7))["error"]["message"]
        assert await wire.hear() is None
        assert (tmp_path / "cancelled").exists()


@pytest.mark.parametrize("how", ["hangs up", signal.SIGTERM])
async def test_the_end_is_prompt_before_anything_was_said(
    how: str | signal.Signals, tmp_path: Path
) -> None:
    async with toy(tmp_path, "stdio") as process:
        wire = Wire(process)
        await wire.say(b"x\n")
        assert (await wire.answer_to(None))["error"]["code"] == types.PARSE_ERROR
        if isinstance(how, str):
            await wire.hang_up()
        else:
            process.send_signal(how)
        await end(process)
        assert await wire.hear() is None


async def test_sockets_in_place_of_pipes_are_served_too(tmp_path: Path) -> None:
    """Node.js starts processes so."""
    ours, theirs = trio.socket.socketpair()
    with theirs, (tmp_path / "stderr").open("wb") as errors:
        process = await trio.lowlevel.open_process(
            command(tmp_path, "stdio"),
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=errors,
            env=environment(),
        )
    with trio.fail_after(PATIENCE):
        async with trio.SocketStream(ours) as stream:
            await stream.send_all(HELLO + tool_call(7, "echo"))
            lines = iter_lines(stream)
            for id in ("hello", 7):
                line = await anext(lines)
                assert isinstance(line, bytes)
                assert json.loads(line)["id"] == id
            await stream.send_eof()
            await end(process)


async def test_without_stdin_it_says_so(tmp_path: Path) -> None:
    closed = ["sh", "-c", '"$@" <&-', "sh", *command(tmp_path, "stdio")]
    done = await trio.run_process(closed, env=environment(), capture_stderr=True, check=False)
    assert b"UsageError: stdin or stdout is closed" in done.stderr


@pytest.mark.parametrize(
    ("asked", "how"),
    [(request(1, "ping"), signal.SIGTERM), (request(1, "ping") + HELLO, "hangs up")],
    ids=["what runs beside others", "what the SDK waits for"],
)
async def test_a_client_that_never_reads_is_neither_stored_nor_waited_for(
    asked: bytes, how: str | signal.Signals, tmp_path: Path
) -> None:
    async with toy(tmp_path, "stdio") as process:
        wire = Wire(process)
        await wire.say(HELLO + tool_call(7, "slow"))
        await until((tmp_path / "started").exists)
        said = 0
        while True:
            with trio.move_on_after(2) as moment:
                await wire.say(asked * 100)
            if moment.cancelled_caught:
                break
            said += len(asked) * 100
            assert said < 600_000
        if isinstance(how, str):
            await wire.hang_up()
        else:
            process.send_signal(how)
        await end(process, 4.0)
        assert (tmp_path / "cancelled").exists()


async def test_a_client_that_no_longer_listens_ends_it(tmp_path: Path) -> None:
    async with toy(tmp_path, "stdio") as process:
        wire = Wire(process)
        await wire.say(HELLO + tool_call(7, "slow"))
        await until((tmp_path / "started").exists)
        assert process.stdout is not None
        await process.stdout.aclose()
        await wire.say(request(1, "ping"))
        await end(process)
        assert (tmp_path / "cancelled").exists()


def nonsense(dice: random.Random) -> bytes:
    """Return a line that is hardly a request, without its end."""

    def value(depth: int) -> Any:
        simple = [None, True, -1, 2**70, 1.5, "x", "tools/call", "\ud800", "\x00", "notifications/"]
        if depth == 0 or dice.random() < 0.6:
            return dice.choice(simple)
        keys = ["jsonrpc", "id", "method", "params", "name", "_meta", "requestId", "error"]
        if dice.random() < 0.3:
            return [value(depth - 1) for _ in range(dice.randrange(3))]
        return {dice.choice(keys): value(depth - 1) for _ in range(dice.randrange(4))}

    kind = dice.randrange(6)
    if kind == 0:
        return dice.randbytes(dice.randrange(80)).replace(b"\n", b"")
    if kind == 1:
        return json.dumps(value(3)).encode()
    if kind == 2:
        return dice.choice([b"[" * 100_000, b"\xff\xfe{}", b"{}" * 9, b"", b"9" * 9000, b"NaN"])
    methods = [
        "ping", "tools/call", "tools/list", "resources/read", "initialize", "prompts/get", "",
        "notifications/cancelled", "notifications/initialized", "notifications/progress",
        "server/discover", "logging/setLevel", "resources/subscribe",
    ]  # fmt: skip
    document = {"jsonrpc": "2.0", "id": value(1), "method": dice.choice(methods)}
    document["params"] = value(2) if dice.random() < 0.5 else {"name": value(1), "uri": value(1)}
    for key in list(document):
        if dice.random() < 0.1:
            document[key] = value(2)
        elif dice.random() < 0.05:
            del document[key]
    line = json.dumps(document).encode()
    if kind == 3:
        at = dice.randrange(len(line))
        return line[:at] + dice.randbytes(2).replace(b"\n", b"") + line[at:]
    return line


async def test_no_bytes_do_harm_and_none_but_json_comes_back(tmp_path: Path) -> None:
    dice = random.Random(20)
    sent = [nonsense(dice) for _ in range(2000)]
    sent.insert(700, b'"' + b"x" * LONGEST + b'"')
    async with toy(tmp_path, "stdio") as process:
        wire = Wire(process)

        async def say() -> None:
            await wire.say(b"\n".join(sent) + b"\n" + HELLO + tool_call("last", "echo"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(say)
            refused = 0
            while (document := await wire.hear()) is not None:
                refused += "error" in document
                if document.get("id") == "last":
                    break
        assert document is not None
        assert document["result"]["structuredContent"] == {"got": {}, "stdin": ""}
        assert refused > 500
        await wire.hang_up()
        await end(process)
        assert await wire.hear() is None
    told = (tmp_path / "stderr").read_text()
    assert "nor what a child prints" in told
    assert "Traceback" not in told


async def test_too_many_calls_at_once_are_refused(tmp_path: Path) -> None:
    async with toy(tmp_path, "stdio") as process:
        wire = Wire(process)
        await wire.say(HELLO + b"".join(tool_call(n, "slow") for n in range(MOST_AT_ONCE)))
        await wire.say(tool_call("more", "echo") + request("read", "resources/read", uri="toy://x"))
        assert (await wire.answer_to("more"))["result"]["structuredContent"]["code"] == "busy"
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}}
        await wire.say(json.dumps(cancel).encode() + b"\n")
        await until((tmp_path / "cancelled").exists)
        await wire.say(tool_call("again", "echo"))
        assert not (await wire.answer_to("again"))["result"]["isError"]


GOOD = {
    "authorization": f"Bearer {TOKEN}",
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
}


async def test_http_is_for_this_machine_and_the_token_only(tmp_path: Path) -> None:
    async with over_http(tmp_path) as port, httpx2.AsyncClient() as http:
        url = f"http://127.0.0.1:{port}/mcp"
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
            for more in ({}, {"origin": f"http://{host}"}):
                answer = await http.post(url, content=HELLO, headers={**GOOD, "host": host, **more})
                assert answer.status_code == 200, (host, more)

        async def refused(status: int, **headers: str) -> None:
            sent = {name: value for name, value in {**GOOD, **headers}.items() if value}
            for method in ("POST", "GET", "DELETE", "OPTIONS"):
                answer = await http.request(method, url, headers=sent, content=b"")
                assert answer.status_code == status, (method, headers)
                assert set(answer.json()) == {"code", "message"}
                assert "access-control-allow-origin" not in answer.headers

        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}"):
            await refused(421, host=host)
        for origin in ("null", "http://evil.example", "http://127.0.0.1", f"https://[::1]:{port}"):
            await refused(403, origin=origin)
        for given in ("", "Bearer", f"Bearer {TOKEN}x", TOKEN, f"Basic {TOKEN}"):
            await refused(401, authorization=given)
        answer = await http.post(f"{url}?token={TOKEN}", content=HELLO)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        answer = await http.get(url.removesuffix("mcp"), headers=GOOD)
        assert answer.status_code == 404
        answer = await http.post(url, content=b"x" * (5 << 20), headers=GOOD)
        assert answer.status_code == 413
    assert TOKEN not in (tmp_path / "stderr").read_text()


async def test_http_listens_on_the_loopback_address_alone(tmp_path: Path) -> None:
    async with over_http(tmp_path) as port:
        table = await trio.Path("/proc/net/tcp").read_text()
        places = [row.split()[1] for row in table.splitlines() if row.split()[3] == "0A"]
        ours = f":{port:04X}"
        assert [place for place in places if place.endswith(ours)] == [f"0100007F{ours}"]


async def test_http_ends_promptly_whatever_runs_and_whoever_does_not_read(tmp_path: Path) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }

    async def ask(port: int, name: str, times: int = 1, **arguments: Any) -> trio.SocketStream:
        body = request(1, "tools/call", name=name, arguments=arguments, _meta=meta).decode()
        headers = GOOD | {
            "host": f"127.0.0.1:{port}",
            "content-length": str(len(body)),
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": name,
        }
        lines = [f"{key}: {value}" for key, value in headers.items()]
        whole = "\r\n".join(["POST /mcp HTTP/1.1", *lines, "", body])
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all((whole * times).encode())
        return stream

    async with over_http(tmp_path) as port:
        slow = await ask(port, "slow")
        await until((tmp_path / "started").exists)
        sleepy = await ask(port, "flood", times=40, size=500_000)
        assert await sleepy.receive_some(12) == b"HTTP/1.1 200"
        await trio.sleep(1)  # until what it gets fills every buffer between it and the server
    assert (tmp_path / "cancelled").exists()
    await slow.aclose()
    await sleepy.aclose()
