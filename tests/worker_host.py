"""A host for worker tests: a real process in a session of its own, killed with its block."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import trio

from orchestrator.agents.port import WorkerTask


@attrs.frozen
class Left:
    """How a process ended."""

    returncode: int


@attrs.define(eq=False)
class SessionProcess:
    """A process that leads a session."""

    inner: trio.Process
    stdin: trio.abc.SendStream
    stdout: trio.abc.ReceiveStream
    stderr: trio.abc.ReceiveStream

    async def wait(self) -> Left:
        """Wait for the leader."""
        return Left(await self.inner.wait())

    async def terminate(self) -> None:
        """Ask the leader to end."""
        self.inner.terminate()
        await trio.lowlevel.checkpoint()

    def kill(self) -> None:
        """Kill the whole session's process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.inner.pid, signal.SIGKILL)


@attrs.define
class SessionHost:
    """Starts processes, and remembers their command lines and the last of them."""

    started: list[list[str]] = attrs.field(factory=list)
    process: SessionProcess | None = None
    kind: type[SessionProcess] = SessionProcess

    @asynccontextmanager
    async def run(
        self, argv: tuple[str, ...], *, cwd: Path, env: Mapping[str, str]
    ) -> AsyncIterator[SessionProcess]:
        """Run ``argv`` for the length of the block."""
        self.started.append(list(argv))
        inner = await trio.lowlevel.open_process(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert inner.stdin is not None
        assert inner.stdout is not None
        assert inner.stderr is not None
        self.process = self.kind(inner, inner.stdin, inner.stdout, inner.stderr)
        try:
            yield self.process
        finally:
            self.process.kill()
            with trio.CancelScope(shield=True):
                await inner.wait()
                for stream in (inner.stdin, inner.stdout, inner.stderr):
                    await trio.aclose_forcefully(stream)


def task(folder: Path, prompt: str = "Do it.", **changes: object) -> WorkerTask:
    """Return a task with a workspace and an attempt directory below ``folder``."""
    for name in ("workspace", "attempt"):
        (folder / name).mkdir()
    plain = WorkerTask(
        item="add-login",
        phase="implement",
        story="1",
        attempt="a1",
        prompt=prompt,
        cwd=folder / "workspace",
        directory=folder / "attempt",
        env={**os.environ, "TMPDIR": str(folder / "attempt")},
    )
    return attrs.evolve(plain, **changes)  # type: ignore[arg-type]  # tests name real fields
