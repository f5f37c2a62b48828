"""The port of every worker: what it is asked, where its process runs, what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import attrs
import trio

from orchestrator.settings import Check
from orchestrator.work.worker import WorkerEvent, WorkerReport

RESULT_FILE = "result.json"
PROMPT_FILE = "prompt.md"
TASK_FILE = "task.json"


@attrs.frozen(kw_only=True)
class WorkerTask:
    """One attempt, complete: a worker needs nothing else.

    Attributes:
      item: id of the unit of work.
      phase: name of the phase that runs.
      story: id of the story, "" when the phase has none.
      attempt: id of this attempt.
      prompt: what is to be done, in words.
      cwd: the workspace; the worker's process starts here.
      directory: fresh private directory of this attempt, outside the workspace.
      env: the complete environment of the process, before the worker's own additions.
      model: which model to ask for, or None for the agent's default.
      max_turns: limit on model turns, or None.
      max_cost: limit in US dollars, or None.
      resume: session of an earlier attempt to carry on, or None.
      redact: takes secrets out of a line; everything the process prints goes through it first.
      verify: commands that decide about the result, each with its time.
      withheld: names of variables in ``env`` that these commands do not get.
    """

    item: str
    phase: str
    story: str
    attempt: str
    prompt: str = attrs.field(repr=False)
    cwd: Path
    directory: Path
    env: Mapping[str, str] = attrs.field(repr=False)
    model: str | None = None
    max_turns: int | None = None
    max_cost: float | None = None
    resume: str | None = None
    redact: Callable[[bytes], bytes] = bytes
    verify: tuple[Check, ...] = ()
    withheld: frozenset[str] = frozenset()

    @property
    def result_file(self) -> Path:
        """Where the worker may write its result as JSON."""
        return self.directory / RESULT_FILE

    @property
    def prompt_file(self) -> Path:
        """Where the prompt lies as a file."""
        return self.directory / PROMPT_FILE

    @property
    def task_file(self) -> Path:
        """Where the task is described for the worker's tools; see `Assignment`."""
        return self.directory / TASK_FILE

    def environment(self) -> dict[str, str]:
        """Return ``env`` with the variables that tell a worker what it works on."""
        return {**self.env, **self.variables()}

    def variables(self) -> dict[str, str]:
        """Return the variables that tell a worker, and its tools, what it works on."""
        return {
            "ORCHESTRATOR_ITEM": self.item,
            "ORCHESTRATOR_PHASE": self.phase,
            "ORCHESTRATOR_STORY": self.story,
            "ORCHESTRATOR_ATTEMPT": self.attempt,
            "ORCHESTRATOR_PROMPT_FILE": str(self.prompt_file),
            "ORCHESTRATOR_RESULT": str(self.result_file),
        }


class ProcessExit(Protocol):
    """How a process ended."""

    @property
    def returncode(self) -> int:
        """Exit status; a negative number is the signal that ended it."""


class WorkerProcess(Protocol):
    """A running process together with everything it started."""

    @property
    def stdin(self) -> trio.abc.SendStream:
        """What the process reads."""

    @property
    def stdout(self) -> trio.abc.ReceiveStream:
        """What the process prints."""

    @property
    def stderr(self) -> trio.abc.ReceiveStream:
        """What the process complains about."""

    async def wait(self) -> ProcessExit:
        """Wait until the process and all it started have ended."""

    async def terminate(self) -> None:
        """Ask the process to end."""

    def kill(self) -> None:
        """End the process and all it started, now. Harmless when it is over."""


class ProcessHost(Protocol):
    """Runs processes such that none of their descendants outlives the block."""

    def run(
        self, argv: tuple[str, ...], *, cwd: Path, env: Mapping[str, str]
    ) -> AbstractAsyncContextManager[WorkerProcess]:
        """Start ``argv``; leaving the block, however it is left, kills what still runs."""


class Worker(Protocol):
    """Does the job of one attempt."""

    @property
    def name(self) -> str:
        """The name it is configured under: ``[agents.<name>]``."""

    async def work(
        self,
        task: WorkerTask,
        host: ProcessHost,
        emit: Callable[[WorkerEvent], None],
        interrupt: trio.Event,
        log: Callable[[bytes], None],
    ) -> WorkerReport:
        """Work until done, and say how it ended.

        Args:
          emit: is told what happens while it happens; must not block.
          interrupt: once set, the worker is asked to stop by its own protocol, and is killed
            when it has not stopped after a grace.
          log: gets every raw line of output, newline included; must not block.

        Returns:
          The worker's own claim. A worker that misbehaves is a report, not an exception.

        Raises:
          GuardianError, AdapterError: its process could not be started or watched.

        Cancellation kills the process tree and returns when it is gone.
        """
