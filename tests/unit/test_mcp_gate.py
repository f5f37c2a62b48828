"""Promises of the gate before the HTTP server, without HTTP."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

import pytest
import trio
import trio.testing

from orchestrator.mcp.gate import Gate, Receive, Send

HOST = (b"host", b"127.0.0.1:80")
KNOWN = (b"authorization", b"Bearer secret-token")


async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in", "more_body": True})
    if scope.get("wait"):
        await trio.sleep_forever()
    await send({"type": "http.response.body", "body": b"side"})


async def waiting(_: object, __: object, ___: object) -> None:
    await trio.sleep_forever()


def gate(app: Any = application) -> Gate:
    return Gate(app=app, port=80, token="secret-token")


async def never() -> None:
    await trio.sleep_forever()


async def ask(asked: Gate, *headers: tuple[bytes, bytes], **scope: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message)

    whole = {"type": "http", "path": "/mcp", "headers": list(headers), **scope}
    await asked(whole, never, send)
    return sent


@pytest.mark.parametrize(
    ("status", "headers", "path"),
    [
        (200, [HOST, KNOWN], "/mcp"),
        (200, [HOST, (b"authorization", b"bearer  secret-token")], "/mcp"),
        (200, [HOST, (b"origin", b"http://[::1]:80"), KNOWN], "/mcp"),
        (421, [KNOWN], "/mcp"),
        (421, [HOST, HOST, KNOWN], "/mcp"),
        (421, [(b"host", b"evil.example"), KNOWN], "/"),
        (403, [HOST, KNOWN, (b"origin", b"http://[::1]:80"), (b"origin", b"null")], "/mcp"),
        (403, [HOST, KNOWN, (b"origin", b"")], "/mcp"),
        (401, [HOST], "/mcp"),
        (401, [HOST, KNOWN, KNOWN], "/mcp"),
        (401, [HOST, (b"authorization", b"Bearer \xff")], "/mcp"),
        (401, [HOST], "/elsewhere"),
        (404, [HOST, KNOWN], "/mcp/"),
    ],
)
async def test_a_request_is_let_in_or_told_why_not(
    status: int, headers: list[tuple[bytes, bytes]], path: str
) -> None:
    start, *bodies = await ask(gate(), *headers, path=path)
    assert start["status"] == status
    if status != 200:
        (body,) = bodies
        assert set(json.loads(body["body"])) == {"code", "message"}
        assert b"secret-token" not in body["body"]


async def test_what_is_no_request_is_not_let_in() -> None:
    assert await ask(gate(), HOST, KNOWN, type="websocket") == [
        {"type": "websocket.close", "code": 1008}
    ]


@pytest.mark.parametrize(
    ("app", "status", "last"), [(application, 200, b""), (waiting, 503, b'"stopped"')]
)
async def test_closing_ends_requests_properly(app: Any, status: int, last: bytes) -> None:
    asked = gate(app)
    async with trio.open_nursery() as nursery:

        async def see() -> None:
            start, *_, end = await ask(asked, HOST, KNOWN, wait=True)
            assert start["status"] == status
            assert last in end["body"]
            assert not end.get("more_body")

        nursery.start_soon(see)
        await trio.testing.wait_all_tasks_blocked()
        asked.close()
    start, _ = await ask(asked, HOST, KNOWN)
    assert start["status"] == 503


async def test_who_is_cancelled_from_outside_is_not_answered() -> None:
    with trio.move_on_after(0) as scope:
        await ask(gate(waiting), HOST, KNOWN)
    assert scope.cancelled_caught
