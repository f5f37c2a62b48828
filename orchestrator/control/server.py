"""Serves the socket: a service of the engine. No client can hold, crash or impersonate it."""

from __future__ import annotations

import logging
import math
import os
import select
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from orchestrator.adapters.lines import iter_lines
from orchestrator.beside import beside
from orchestrator.errors import (
    BusyError,
    CommandTimedOutError,
    OrchestratorError,
    UsageError,
)
from orchestrator.text import one_line

from . import endpoint, protocol
from .feed import Feed
from .protocol import FrameError, Request
from .replies import command_in

log = logging.getLogger(__name__)

MAX_CLIENTS = 64
_IDLE = 600.0
_REFUSAL = 2.0
_PAUSE = 0.2


@attrs.frozen(kw_only=True)
class Method:
    """What a request can ask for.

    Attributes:
      run: takes the parameters, returns what JSON can hold; raises OrchestratorError to fail.
      changes: whether it acts on the run: what the run itself started may not call it.
      deadline: seconds it may take.
      needs_client: whether it is cancelled when the client that asked for it hangs up.
    """

    run: Callable[[Mapping[str, Any]], Awaitable[Any]]
    changes: bool
    deadline: float = 10.0
    needs_client: bool = False


@attrs.define(eq=False, kw_only=True)
class ControlServer:
    """The engine's end of the socket.

    Attributes:
      state_dir: the repository's; its engine lock is ours.
      methods: by name, some of them as the parameters have it; ``events.subscribe`` is always
        there.
      hello: what a client is told first, besides the protocol's version.
      closed: returns after the last event.
      unreachable: is told when there is no place for a socket; the engine goes on without.
    """

    state_dir: Path
    methods: Mapping[str, Method | Callable[[Mapping[str, Any]], Method]]
    feed: Feed
    hello: Mapping[str, Any]
    closed: Callable[[], Awaitable[None]]
    unreachable: Callable[[OSError], None]
    _clients: set[trio.SocketStream] = attrs.field(factory=set, init=False)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until the last event has been told to every subscriber.

        Cancellation closes every connection.
        """
        try:
            raw, path = await trio.to_thread.run_sync(endpoint.listen, self.state_dir)
        except OSError as error:
            self.unreachable(error)
            task_status.started()
            return
        try:
            with trio.socket.from_stdlib_socket(raw) as listening:
                async with trio.open_nursery() as clients:
                    async with trio.open_nursery() as accepting:
                        listener = trio.SocketListener(listening)
                        accepting.start_soon(self._accept, listener, clients)
                        task_status.started()
                        await self.closed()
                        accepting.cancel_scope.cancel()
                    for client in self._clients:
                        # Ends the reading; subscribers still get what is left.
                        with suppress(OSError):
                            client.socket.shutdown(trio.socket.SHUT_RD)
        finally:
            endpoint.remove(self.state_dir, path)

    async def _accept(self, listener: trio.SocketListener, clients: trio.Nursery) -> None:
        await trio.serve_listeners(self._serve, [listener], handler_nursery=clients)

    async def _serve(self, stream: trio.SocketStream) -> None:
        raw = stream.socket
        try:
            pid, uid = endpoint.peer(raw)
        except OSError:
            await stream.aclose()
            return
        refusal: OrchestratorError | None = None
        if uid not in (os.geteuid(), 0):
            refusal = OrchestratorError(f"the engine belongs to user {os.geteuid()}")
        elif len(self._clients) >= MAX_CLIENTS:
            refusal = BusyError(f"{MAX_CLIENTS} others are connected already")
        async with stream:
            if refusal is not None:
                frame = protocol.failure(
                    None, protocol.REFUSED, refusal.message, data=refusal.document()
                )
                with trio.move_on_after(_REFUSAL), suppress(trio.BrokenResourceError):
                    await stream.send_all(frame)
                return
            self._clients.add(stream)
            try:
                await _Connection(self, stream, pid).run()
            except Exception as error:
                log.error("a connection to the control socket failed: %r", error)
            finally:
                self._clients.discard(stream)


@attrs.define(eq=False)
class _Connection:
    _server: ControlServer
    _stream: trio.SocketStream
    _pid: int
    _mouth: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _subscribed: bool = attrs.field(default=False, init=False)

    async def run(self) -> None:
        """Answer until the client has gone, said nothing for long, or heard the last event."""
        with self._scope:
            hello = {"protocol": protocol.PROTOCOL, **self._server.hello}
            await self._send(protocol.notification("hello", hello))
            async with trio.open_nursery() as nursery:
                await self._listen(nursery)

    async def _send(self, frame: bytes) -> None:
        async with self._mouth:
            try:
                await self._stream.send_all(frame)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._scope.cancel()
                await trio.lowlevel.checkpoint()

    async def _listen(self, nursery: trio.Nursery) -> None:
        lines = iter_lines(self._stream, protocol.MAX_FRAME)
        while True:
            line: object = None
            with trio.move_on_after(math.inf if self._subscribed else _IDLE):
                try:
                    line = await anext(lines)
                except (StopAsyncIteration, trio.BrokenResourceError):
                    return
            if not isinstance(line, bytes):
                text, fix = (
                    ("the connection was idle", "connect again")
                    if line is None
                    else ("the frame is too long", f"at most {protocol.MAX_FRAME} bytes are read")
                )
                document = UsageError(text, fix=fix).document()
                await self._send(protocol.failure(None, protocol.INVALID_REQUEST, text, document))
                self._scope.cancel()
                return
            if line.strip():
                await self._answer(line, nursery)

    async def _answer(self, frame: bytes, nursery: trio.Nursery) -> None:
        try:
            request = protocol.parse_request(frame)
        except FrameError as error:
            await self._send(protocol.failure(error.id, error.code, error.message))
            return
        reply = await self._reply(request, nursery)
        if request.answered:
            await self._send(reply)

    async def _reply(self, request: Request, nursery: trio.Nursery) -> bytes:
        try:
            if request.method == "events.subscribe":
                return protocol.success(request.id, self._subscribe(request, nursery))
            return protocol.success(request.id, await self._call(request))
        except FrameError as error:
            return protocol.failure(request.id, error.code, error.message)
        except OrchestratorError as error:
            return protocol.failure(
                request.id, protocol.FAILED, error.message, data=error.document()
            )
        except Exception as error:
            log.error("%s failed: %r", one_line(request.method), error)
            text = f"a mistake in the orchestrator: {one_line(request.method)} failed"
            return protocol.failure(request.id, protocol.INTERNAL_ERROR, text)

    async def _call(self, request: Request) -> Any:
        method = self._server.methods.get(request.method)
        if method is None:
            name = one_line(request.method, 80)
            raise FrameError(protocol.METHOD_NOT_FOUND, f"no method {name}")
        if not isinstance(method, Method):
            method = method(request.params)
        if method.changes and self._pid and endpoint.descends_from(self._pid, os.getpid()):
            text = "what a run started may look at it, and not act on it"
            raise FrameError(protocol.REFUSED, text)
        run = partial(method.run, request.params)
        with trio.move_on_after(method.deadline):
            return await (beside(self._gone, run) if method.needs_client else run())
        name = command_in(request.method, request.params) or request.method
        raise CommandTimedOutError(name, method.deadline)

    async def _gone(self) -> None:
        """Return when the client has hung up; one that only says no more still listens.

        Nothing is read for that: what a client sends meanwhile takes no memory here.
        """
        raw = self._stream.socket
        while True:
            await trio.lowlevel.wait_readable(raw)
            poll = select.poll()
            poll.register(raw.fileno(), 0)
            if poll.poll(0):
                return
            # What waits to be read would wake us again at once.
            await trio.sleep(_PAUSE)

    def _subscribe(self, request: Request, nursery: trio.Nursery) -> dict[str, Any]:
        since = request.params.get("since")
        if isinstance(since, bool) or not isinstance(since, (int, type(None))):
            raise FrameError(protocol.INVALID_PARAMS, "since is a whole number")
        if self._subscribed:
            raise FrameError(protocol.INVALID_REQUEST, "subscribed already")
        self._subscribed = True
        nursery.start_soon(self._server.feed.pump, since, self._send)
        return {}
