"""Runs workers under guardians: small processes that own a worker's whole process tree."""

from __future__ import annotations

import array
import fcntl
import json
import os
import socket
import struct
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs
import trio

from orchestrator.adapters.process import Spawned, spawn
from orchestrator.errors import BusyError, GuardianError
from orchestrator.guardian.output import Output
from orchestrator.guardian.reaper import TOKEN, is_subreaper, sweep_leftovers, sweep_orphans

_START_SECONDS = 10.0
_STOP_SECONDS = 8.0
_IDLE_SECONDS = 2.0
_DRAIN = 0.05
_ROOT = str(Path(__file__).resolve().parents[2])
_CODE = (
    "import sys; sys.path.append(sys.argv[1]); from orchestrator.guardian.child import main; main()"
)


@attrs.frozen(kw_only=True)
class Job:
    """What a guardian is to run.

    Attributes:
      argv: program, looked up on the PATH of ``env``, and its arguments.
      env: the complete environment.
      writable: paths the tree may write to, where the kernel has Landlock; None confines nothing.
      lock: file that stays locked until the tree is empty, also when the engine dies.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    writable: tuple[Path, ...] | None = None
    lock: Path | None = None


@attrs.frozen(kw_only=True)
class Exit:
    """How a worker ended.

    Attributes:
      returncode: negative when a signal ended it.
      stragglers: processes that were killed after, or together with, the worker.
      survivors: processes that could not be killed.
      max_rss: bytes of memory of the largest process.
      cpu: seconds of processor time of the whole tree.
    """

    returncode: int
    stragglers: int = 0
    survivors: tuple[int, ...] = ()
    max_rss: int = 0
    cpu: float = 0.0


class GuardedProcess:
    """A running worker. Lives as long as the block of ``Guardians.run``.

    Attributes:
      pid: process id of the worker, 0 until it has started.
      confined: whether the kernel keeps its writes inside ``Job.writable``.
      stdin, stdout, stderr: its pipes.
    """

    def __init__(
        self, link: _Link, stdin: trio.abc.SendStream, stdout: Output, stderr: Output
    ) -> None:
        self.pid = 0
        self.confined = False
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._link = link
        self._started = trio.Event()
        self._done = trio.Event()
        self._exit: Exit | None = None
        self._failure: str | None = None

    async def wait(self) -> Exit:
        """Wait until the worker has ended and its tree is gone.

        Raises:
          GuardianError: the guardian was killed; what it left was killed too.
        """
        await self._done.wait()
        if self._exit is None:
            raise GuardianError(
                self._failure or "the guardian was killed",
                where=f"process {self.pid}",
                fix="run it again",
            )
        return self._exit

    async def terminate(self) -> None:
        """Send SIGTERM to the worker, and to nothing below it."""
        await self._link.send({"do": "terminate"})

    def kill(self) -> None:
        """Kill the whole tree; ``wait`` tells when it is gone."""
        self._link.end()

    async def _watch(self) -> None:
        """Follow the guardian until it has ended."""
        try:
            while (message := await self._link.receive()) is not None:
                if message["event"] == "started":
                    self.pid, self.confined = message["pid"], message["confined"]
                    self._started.set()
                elif message["event"] == "failed":
                    self._failure = message["reason"]
                elif message["event"] == "done":
                    self._exit = Exit(
                        returncode=-9 if message["status"] is None else message["status"],
                        stragglers=message["stragglers"],
                        survivors=tuple(message["survivors"]),
                        max_rss=message["max_rss"],
                        cpu=message["cpu"],
                    )
        finally:
            await self._link.finish()
            now = trio.current_time()
            self.stdout.end_by(now + _DRAIN)
            self.stderr.end_by(now + _DRAIN)


class _Link:
    """A guardian and the socket to it."""

    def __init__(self, spawned: Spawned, end: socket.socket) -> None:
        self.spawned = spawned
        self._socket = trio.socket.from_stdlib_socket(end)
        self._buffer = b""
        self._reaped = False

    def alive(self) -> bool:
        return not self.spawned.ended()

    async def send(self, message: object, descriptors: tuple[int, ...] = ()) -> None:
        body = json.dumps(message).encode()
        data = struct.pack("!I", len(body)) + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        with suppress(OSError):
            sent = await self._socket.sendmsg([data], rights if descriptors else [])
            while sent < len(data):
                sent += await self._socket.send(data[sent:])

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, or None when the guardian has closed its end."""
        while True:
            if len(self._buffer) >= 4:
                (length,) = struct.unpack("!I", self._buffer[:4])
                if len(self._buffer) >= 4 + length:
                    message: dict[str, Any] = json.loads(self._buffer[4 : 4 + length])
                    self._buffer = self._buffer[4 + length :]
                    return message
            try:
                data = await self._socket.recv(1 << 16)
            except OSError:
                return None
            if not data:
                return None
            self._buffer += data

    def end(self) -> None:
        """Tell the guardian to kill its tree: it reads the end of the stream."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def finish(self, seconds: float = _STOP_SECONDS) -> None:
        """End the guardian, by force when it does not end in that time, and reap it."""
        self.end()
        with trio.CancelScope(shield=True):
            with trio.move_on_after(seconds):
                await trio.lowlevel.wait_readable(self.spawned.pidfd)
            self.spawned.kill()
            with trio.move_on_after(seconds):
                await trio.lowlevel.wait_readable(self.spawned.pidfd)
                self.spawned.reap()
        self._socket.close()


class Guardians:
    """Starts workers under guardians; an async context manager.

    The next guardian is started while a worker runs, so that the next start only hands over a
    job. Leaving the block ends the idle one.

    Args:
      python: interpreter of the guardians.
    """

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._next: _Link | None = None
        self._manager = trio.open_nursery()
        self._nursery: trio.Nursery | None = None

    async def __aenter__(self) -> Guardians:
        self._nursery = await self._manager.__aenter__()
        self._nursery.start_soon(self._prepare)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._nursery is not None
        # The body's error is not handed to the nursery, which would wrap it in a group.
        self._nursery.cancel_scope.shield = True
        self._nursery.cancel_scope.cancel()
        await self._manager.__aexit__(None, None, None)
        if self._next is not None:
            await self._next.finish(_IDLE_SECONDS)

    @asynccontextmanager
    async def run(self, job: Job) -> AsyncGenerator[GuardedProcess, None]:
        """Run a job for as long as the block lasts; leaving it kills the whole tree, and waits.

        Raises:
          BusyError: another tree holds the job's lock.
          GuardianError: the program cannot be executed, or the guardian did not start it.
        """
        assert self._nursery is not None
        lock = _locked(job.lock)
        try:
            link = await self._take()
            process, theirs = _connect(link)
            try:
                self._nursery.start_soon(self._follow, process, job)
                held = () if lock is None else (lock,)
                await link.send({"job": _document(job)}, (*theirs, *held))
            finally:
                for handle in theirs:
                    os.close(handle)
                theirs = ()
            try:
                await self._wait_for_start(process, job)
                self._nursery.start_soon(self._prepare)
                yield process
            finally:
                process.kill()
                with trio.move_on_after(3 * _STOP_SECONDS, shield=True):
                    await process._done.wait()
                for stream in (process.stdout, process.stderr):
                    stream.close()
                with trio.move_on_after(1, shield=True):
                    await process.stdin.aclose()
        finally:
            if lock is not None:
                os.close(lock)

    async def _follow(self, process: GuardedProcess, job: Job) -> None:
        """Watch a guardian; when it was killed, clear what it left."""
        try:
            await process._watch()
            if process._exit is None and process._failure is None:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(_clear, job.env.get(TOKEN))
        finally:
            process._started.set()
            process._done.set()

    async def _wait_for_start(self, process: GuardedProcess, job: Job) -> None:
        with trio.move_on_after(_START_SECONDS):
            await process._started.wait()
        if process.pid == 0:
            reason = process._failure or "its guardian did not start it"
            raise GuardianError(
                f"cannot run {job.argv[0]}: {reason}",
                where=job.argv[0],
                fix="check that the program is installed and the working directory exists",
            )

    async def _prepare(self) -> None:
        if self._next is None:
            link = await self._start()
            if self._next is None:
                self._next = link
            else:
                await link.finish(_IDLE_SECONDS)

    async def _take(self) -> _Link:
        link, self._next = self._next, None
        if link is not None and link.alive():
            return link
        if link is not None:
            await link.finish(_IDLE_SECONDS)
        return await self._start()

    async def _start(self) -> _Link:
        return _Link(*await trio.to_thread.run_sync(_spawn, self._python))


def _spawn(python: str) -> tuple[Spawned, socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        argv = [python, "-I", "-S", "-X", "utf8", "-c", _CODE, _ROOT]
        env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        try:
            return spawn(argv, cwd=Path("/"), env=env, stdin=theirs.fileno()), ours
        except BaseException:
            ours.close()
            raise


def _connect(link: _Link) -> tuple[GuardedProcess, tuple[int, ...]]:
    their_in, our_in = os.pipe2(os.O_CLOEXEC)
    our_out, their_out = os.pipe2(os.O_CLOEXEC)
    our_err, their_err = os.pipe2(os.O_CLOEXEC)
    stdin = trio.lowlevel.FdStream(our_in)
    process = GuardedProcess(link, stdin, Output(our_out), Output(our_err))
    return process, (their_in, their_out, their_err)


def _locked(path: Path | None) -> int | None:
    if path is None:
        return None
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise BusyError(
            "another worker is still running in this workspace",
            where=str(path),
            fix="wait until it has ended, or stop it",
        ) from error
    return handle


def _clear(workspace: str | None) -> None:
    sweep_orphans()
    if workspace and not is_subreaper():
        sweep_leftovers(workspace)


def _document(job: Job) -> dict[str, object]:
    return {
        "argv": [_text(argument) for argument in job.argv],
        "cwd": _text(job.cwd),
        "env": {_text(name): _text(value) for name, value in job.env.items()},
        "writable": None if job.writable is None else [_text(path) for path in job.writable],
    }


def _text(value: str | Path) -> str:
    return os.fsencode(value).decode("utf-8", "surrogateescape")
