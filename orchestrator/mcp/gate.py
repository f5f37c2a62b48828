"""Lets only those to an HTTP server who run on this machine and know its token; pure ASGI."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import attrs
import trio

log = logging.getLogger(__name__)

PATH = "/mcp"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Refusal:
    """An HTTP answer that is not the application's."""

    status: int
    code: str
    message: str


_STOPPING = Refusal(status=503, code="stopped", message="the server is stopping")


@attrs.define(eq=False, kw_only=True)
class Gate:
    """Asks every request for its host, its origin and its token before the application sees it.

    A page in a browser can send requests to 127.0.0.1, also under a name of its own (DNS
    rebinding): such a name gives away the one, its origin the other, and it has no token.

    Attributes:
      token: what follows ``Bearer`` in the header ``Authorization``; nowhere else.
    """

    app: App
    port: int
    token: str
    _closed: bool = attrs.field(default=False, init=False)
    _running: set[trio.CancelScope] = attrs.field(factory=set, init=False)

    def close(self) -> None:
        """Take no more requests, and end those that are being served."""
        self._closed = True
        for scope in self._running:
            scope.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection or request of ASGI."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif (refusal := self.refusal(scope["headers"], scope["path"])) is not None:
            log.warning("refused a request: %s", refusal.message)
            await _refuse(refusal, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        last: Mapping[str, Any] | None = None

        async def forward(message: Any) -> None:
            nonlocal last
            last = message
            await send(message)

        with trio.CancelScope() as running:
            self._running.add(running)
            try:
                await self.app(scope, receive, forward)
            finally:
                self._running.discard(running)
        if running.cancelled_caught and last is None:
            await _refuse(_STOPPING, send)
        elif running.cancelled_caught and _goes_on(last):
            await send({"type": "http.response.body", "body": b""})

    def refusal(self, headers: list[tuple[bytes, bytes]], path: str) -> Refusal | None:
        """Return why a request goes no further, None when it may."""
        hosts = [f"{name}:{self.port}".encode() for name in ("127.0.0.1", "localhost", "[::1]")]
        given = _values(headers, b"host")
        if len(given) != 1 or given[0] not in hosts:
            return Refusal(status=421, code="wrong-host", message="this server has another name")
        origins = [b"http://" + host for host in hosts]
        if any(origin not in origins for origin in _values(headers, b"origin")):
            return Refusal(status=403, code="foreign-origin", message="not for pages of others")
        if not self._is_known(_values(headers, b"authorization")):
            return Refusal(
                status=401,
                code="no-token",
                message="Authorization: Bearer TOKEN is missing or wrong",
            )
        if path != PATH:
            return Refusal(status=404, code="not-found", message=f"the only path is {PATH}")
        return _STOPPING if self._closed else None

    def _is_known(self, given: list[bytes]) -> bool:
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        same = hmac.compare_digest(token.strip(), self.token.encode())
        return same and scheme.lower() == b"bearer"


def _goes_on(message: Mapping[str, Any] | None) -> bool:
    """Tell whether a response is not over with this part of it."""
    return message is not None and (
        message["type"] == "http.response.start" or bool(message.get("more_body"))
    )


def _values(headers: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


async def _live(receive: Receive, send: Send) -> None:
    """Say that there is nothing to start or stop: whoever runs the server does that."""
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


async def _refuse(refusal: Refusal, send: Send) -> None:
    body = json.dumps({"code": refusal.code, "message": refusal.message}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    start = {"type": "http.response.start", "status": refusal.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
