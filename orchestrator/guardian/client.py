"""Runs workers under guardians: small processes that own a worker's whole process tree."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType

import trio

from orchestrator.errors import AdapterError, BusyError, GuardianError
from orchestrator.guardian import tree
from orchestrator.guardian.guarded import Exit, GuardedProcess, Job
from orchestrator.guardian.link import STOP_SECONDS, Link, start
from orchestrator.guardian.output import Output
from orchestrator.guardian.reaper import TOKEN, is_subreaper, sweep_leftovers, sweep_orphans

_START_SECONDS = 10.0
_IDLE_SECONDS = 2.0
__all__ = ["Exit", "GuardedProcess", "Guardians", "Job"]


class Guardians:
    """Starts workers under guardians; an async context manager.

    The next guardian is started while a worker runs, so that the next start only hands over a
    job. Leaving the block ends the idle one.

    Args:
      python: interpreter of the guardians.
    """

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._next: Link | None = None
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
            process, theirs = await self._connect()
            self._nursery.start_soon(self._follow, process, job)
            try:
                try:
                    held = () if lock is None else (lock,)
                    await process._link.send({"job": job.document()}, (*theirs, *held))
                finally:
                    for handle in theirs:
                        os.close(handle)
                await self._wait_for_start(process, job)
                self._nursery.start_soon(self._prepare)
                yield process
            finally:
                process.kill()
                with trio.move_on_after(3 * STOP_SECONDS, shield=True):
                    await process._done.wait()
                for stream in (process.stdout, process.stderr):
                    stream.close()
                with trio.move_on_after(1, shield=True):
                    await process.stdin.aclose()
        finally:
            if lock is not None:
                os.close(lock)

    async def _connect(self) -> tuple[GuardedProcess, tuple[int, ...]]:
        """Return a process without a job, and the descriptors that belong to the guardian."""
        try:
            link = await self._take()
            try:
                stdin, stdout, stderr = _pipes()
            except BaseException:
                await link.finish(_IDLE_SECONDS)
                raise
        except OSError as error:
            raise GuardianError(
                f"cannot start a guardian: {error.strerror}",
                fix="close what holds files open, or raise the limit (ulimit -n)",
            ) from error
        writer = trio.lowlevel.FdStream(stdin[1])
        process = GuardedProcess(link, writer, Output(stdout[0]), Output(stderr[0]))
        return process, (stdin[0], stdout[1], stderr[1])

    async def _follow(self, process: GuardedProcess, job: Job) -> None:
        """Watch a guardian until it has ended; when it was killed, clear what it left."""
        try:
            await process._watch()
        finally:
            with trio.CancelScope(shield=True):  # bounded by the two functions
                lost = None
                if await process._link.finish() != 0:
                    lost = await trio.to_thread.run_sync(_clear, job.env.get(TOKEN))
                process._settle(lost)

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
            try:
                link = await start(self._python)
            except (AdapterError, OSError):
                return  # The run that needs one tries again, and reports it.
            if self._next is None:
                self._next = link
            else:
                await link.finish(_IDLE_SECONDS)

    async def _take(self) -> Link:
        link, self._next = self._next, None
        if link is not None and link.alive():
            return link
        if link is not None:
            await link.finish(_IDLE_SECONDS)
        return await start(self._python)


def _pipes() -> list[tuple[int, int]]:
    """Open a pipe for each standard stream, all or none."""
    opened: list[tuple[int, int]] = []
    try:
        for _ in range(3):
            opened.append(os.pipe2(os.O_CLOEXEC))
    except OSError:
        for ends in opened:
            os.close(ends[0])
            os.close(ends[1])
        raise
    return opened


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


def _clear(workspace: str | None) -> tree.Toll:
    if workspace and not is_subreaper():
        return sweep_leftovers(workspace)
    return sweep_orphans()
