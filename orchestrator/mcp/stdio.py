"""Serves MCP over stdin and stdout, one JSON document a line; no other byte gets to stdout."""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import attrs
import trio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    jsonrpc_message_adapter,
)

from orchestrator.adapters.lines import iter_lines
from orchestrator.errors import UsageError
from orchestrator.work.worker import OversizedLine

LONGEST = 4 << 20
"""Bytes of a line that is read."""

MOST_UNSENT = 64
"""Answers that wait for the client to read; while there are more, nothing is read from it."""

LAST_WORDS = 2.0
"""Seconds that a client has at the end for reading what it is still told."""

_GLANCE = 0.5
_LARGEST_ID = 2**53


async def serve_stdio(server: Server[Any], *, stopping: trio.Event | None = None) -> None:
    """Serve one client until its end of stdin, or until it no longer reads stdout.

    Calls that run then are cancelled. Meanwhile stdin is empty for everybody else in this
    process, and what they write to stdout goes to stderr. Cancellation leaves at once.

    Args:
      stopping: ends this like the end of stdin once it is set.

    Raises:
      UsageError: when there is no stdin or stdout.
    """
    requests, taken = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    answers, sent = anyio.create_memory_object_stream[SessionMessage](0)
    with _claimed() as (source, sink):
        reading, writing = trio.lowlevel.FdStream(source), trio.lowlevel.FdStream(sink)
        async with reading, writing, trio.open_nursery() as nursery:
            wire = _Wire(reading, writing, requests, answers.clone(), sent)
            nursery.start_soon(wire.read, nursery.cancel_scope)
            nursery.start_soon(wire.write)
            if stopping is not None:
                nursery.start_soon(wire.stop, stopping)
            await server.run(taken, answers, server.create_initialization_options())
            wire.ended.cancel()
            await wire.written.wait()
            nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class _Wire:
    """Carries messages between two streams of bytes and the SDK; `ended` ends the reading."""

    _source: trio.lowlevel.FdStream
    _sink: trio.lowlevel.FdStream
    _requests: MemoryObjectSendStream[SessionMessage | Exception]
    _refusals: MemoryObjectSendStream[SessionMessage]
    _answers: MemoryObjectReceiveStream[SessionMessage]
    ended: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    written: trio.Event = attrs.field(factory=trio.Event, init=False)
    _room: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    async def stop(self, stopping: trio.Event) -> None:
        await stopping.wait()
        self.ended.cancel()

    async def read(self, whole: trio.CancelScope) -> None:
        """Hand on requests until there are no more; then the whole has little time left."""
        with self._requests, self._refusals:
            with self.ended:
                try:
                    async for line in iter_lines(self._source, LONGEST):
                        await self._take(line)
                except (trio.BrokenResourceError, anyio.BrokenResourceError):
                    await trio.lowlevel.checkpoint()  # the client, or the server, is gone
            whole.deadline = trio.current_time() + LAST_WORDS

    async def _take(self, line: bytes | OversizedLine) -> None:
        """Hand on one request; what is none is refused here."""
        while self._answers.statistics().tasks_waiting_send > MOST_UNSENT:
            await self._room.park()
        if not isinstance(line, bytes):
            text = f"the line has more than {LONGEST} bytes"
            await self._refusals.send(_refusal(INVALID_REQUEST, text))
            return
        if not line.strip():
            return
        try:
            message: JSONRPCMessage = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            await self._refusals.send(_diagnosed(line))
        else:
            await self._requests.send(SessionMessage(message))

    async def write(self) -> None:
        """Write answers until there are no more, or nobody who reads them."""
        try:
            with self._answers:
                async for each in self._answers:
                    text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                    await self._send(text.encode() + b"\n")
                    self._room.unpark_all()
        except OSError:
            self.ended.cancel()
        finally:
            self.written.set()

    async def _send(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self._sink.fileno(), rest) :]
            except BlockingIOError:
                with trio.move_on_after(_GLANCE) as glance:
                    await trio.lowlevel.wait_writable(self._sink.fileno())
                # The end of what it sends cannot be read while requests are held up before it.
                if glance.cancelled_caught and _is_hung_up(self._source.fileno()):
                    self.ended.cancel()


def _diagnosed(line: bytes) -> SessionMessage:
    """Return the refusal of a line that is no message, with its id if it has a usable one."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return _refusal(PARSE_ERROR, "the line is not JSON")
    id = document.get("id") if isinstance(document, dict) else None
    usable = isinstance(id, str) and id.isprintable()
    if isinstance(id, int) and not isinstance(id, bool):
        usable = abs(id) < _LARGEST_ID
    text = "not a request or notification of JSON-RPC 2.0; batches are not known"
    return _refusal(INVALID_REQUEST, text, id if usable else None)


def _is_hung_up(descriptor: int) -> bool:
    """Tell whether nobody can write to the other end any more, whatever is still to be read."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    return bool(poll.poll(0))


def _refusal(code: int, text: str, id: str | int | None = None) -> SessionMessage:
    error = ErrorData(code=code, message=text)
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=id, error=error))


@contextmanager
def _claimed() -> Iterator[tuple[int, int]]:
    """Take stdin and stdout away from the rest of the process; yield what they were.

    The two descriptors that are yielded may be closed meanwhile.
    """
    if sys.stdin is None or sys.stdout is None:
        raise UsageError("stdin or stdout is closed", fix="let an MCP client start this")
    kept = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3) for number in (0, 1)]
    source, sink = (fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3) for number in (0, 1))
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        yield source, sink
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()  # to stderr, while that is where it goes
        for number, original in enumerate(kept):
            os.dup2(original, number)
            os.close(original)
        os.close(nothing)
