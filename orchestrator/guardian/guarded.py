"""A guarded worker: what it is to run, how it is watched, how it ended."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import attrs
import trio

from orchestrator.errors import GuardianError
from orchestrator.guardian import tree
from orchestrator.guardian.link import Link
from orchestrator.guardian.output import Output

_DRAIN = 0.05


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

    def document(self) -> dict[str, object]:
        """Return the job as JSON for the guardian; bytes of names that are no UTF-8 survive."""
        return {
            "argv": [_text(argument) for argument in self.argv],
            "cwd": _text(self.cwd),
            "env": {_text(name): _text(value) for name, value in self.env.items()},
            "writable": None if self.writable is None else [_text(path) for path in self.writable],
        }


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
        self, link: Link, stdin: trio.abc.SendStream, stdout: Output, stderr: Output
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
        """Follow what the guardian tells until it has closed its end."""
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

    def _settle(self, lost: tree.Toll | None) -> None:
        """Tell everybody that the guardian has ended; ``lost``: it was killed, that was cleared."""
        if lost is not None and lost.survivors:
            self._failure = f"the guardian was killed; not so processes {lost.survivors}"
        now = trio.current_time()
        self.stdout.end_by(now + _DRAIN)
        self.stderr.end_by(now + _DRAIN)
        self._started.set()
        self._done.set()


def _text(value: str | Path) -> str:
    return os.fsencode(value).decode("utf-8", "surrogateescape")
