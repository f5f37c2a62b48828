"""Serves MCP over streamable HTTP to this machine alone, to whoever knows the token."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from orchestrator.errors import UsageError

from .gate import Gate

log = logging.getLogger(__name__)

MOST_SESSIONS = 64
MOST_BODY = 4 << 20
"""Bytes of a request."""

SHORTEST_TOKEN = 32

_GRACE = 1.0


async def serve_http(
    server: Server[Any],
    *,
    port: int,
    token: str,
    ready: Callable[[int], None],
    stopping: trio.Event,
) -> None:
    """Serve at ``http://127.0.0.1:PORT/mcp`` until ``stopping`` is set.

    Calls that run then are cancelled. Cancelling this ends them too, but may wait for a client
    that does not read; ``stopping`` does not.

    Args:
      port: 0 for one that is free.
      token: every request must carry it; at least `SHORTEST_TOKEN` characters, none to be guessed.
      ready: is told the port once requests are taken.

    Raises:
      UsageError: when the port is taken or the token too short.
    """
    if len(token) < SHORTEST_TOKEN:
        raise UsageError(f"the token has less than {SHORTEST_TOKEN} characters")
    listener = _listen(port)
    port = listener.getsockname()[1]
    manager = StreamableHTTPSessionManager(
        server, max_sessions=MOST_SESSIONS, max_request_body_size=MOST_BODY
    )
    gate = Gate(app=manager.handle_request, port=port, token=token)
    async with trio.open_nursery() as nursery:
        async with manager.run():
            await nursery.start(_serve, gate, _config(listener), stopping, nursery.cancel_scope)
            ready(port)
            await stopping.wait()
            gate.close()
        while True:
            await trio.sleep(2 * _GRACE)
            _hang_up(port)


async def _serve(
    gate: Any,  # Hypercorn takes more kinds of applications than it asks for
    config: Config,
    stopping: trio.Event,
    whole: trio.CancelScope,
    *,
    task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
) -> None:
    await serve(gate, config, shutdown_trigger=stopping.wait, mode="asgi", task_status=task_status)
    whole.cancel()


def _config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = log
    config.graceful_timeout = _GRACE
    config.include_server_header = False
    return config


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"port {port} cannot be used: {getattr(error, 'strerror', None) or error}",
            fix="choose another; 0 takes a free one",
        ) from None
    return listener


def _hang_up(port: int) -> None:
    """End the connections that are left on a port: their clients do not read.

    Hypercorn shields what it sends from cancellation and hands out no connection.
    """
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if connection.family == socket.AF_INET and connection.getsockname()[1] == port:
                    connection.shutdown(socket.SHUT_RDWR)
