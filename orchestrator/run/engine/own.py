"""An engine that a long-lived process opens when it needs one, and gives away when others do."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import OrchestratorError, StoppedError, from_system
from orchestrator.messages import Command
from orchestrator.run.engine.calls import Calls
from orchestrator.run.engine.engine import run_engine
from orchestrator.run.lock import SESSION
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config
from orchestrator.text import one_line

R = TypeVar("R")

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class _Life:
    """One engine, from the wish for it to its end.

    Attributes:
      decided: set when it is open, or could not be opened; `error` says why then.
    """

    calls: Calls = attrs.field(factory=Calls, init=False)
    decided: trio.Event = attrs.field(factory=trio.Event, init=False)
    ended: trio.Event = attrs.field(factory=trio.Event, init=False)
    orchestrator: Orchestrator | None = attrs.field(default=None, init=False)
    error: OrchestratorError | None = attrs.field(default=None, init=False)

    def open(self, orchestrator: Orchestrator) -> None:
        """Let it be called."""
        self.orchestrator = orchestrator
        self.decided.set()

    def end(self, error: OrchestratorError) -> None:
        """Let who waits for it know that it is over; ``error`` is for those who never had it."""
        self.orchestrator = None
        if not self.decided.is_set():
            self.error = error
            self.decided.set()
        self.ended.set()


@attrs.define(eq=False, kw_only=True)
class OwnEngine:
    """An engine in this process, at most one at a time; it ends when nobody has called for long.

    Attributes:
      config_file: None: the one in the checkout, where there is one. It is read at each opening.
      linger: seconds that it stays open after the last call.
    """

    directory: Path
    config_file: Path | None
    linger: float
    _life: _Life | None = attrs.field(default=None, init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _left: trio.Event = attrs.field(factory=trio.Event, init=False)

    @property
    def is_there(self) -> bool:
        """Whether it is open, or about to be, or still ending."""
        return self._life is not None

    @property
    def is_at_hand(self) -> bool:
        """Whether `run` goes on: nothing is opened otherwise."""
        return self._nursery is not None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be where engines live, until cancelled.

        Cancellation lets an open engine end politely, see `Calls.finish`.
        """
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None
                self._left.set()

    async def open(self) -> None:
        """Open the engine; whoever asks meanwhile waits for the same one.

        Raises:
          BusyError: when another engine owns the repository, or is about to.
          OrchestratorError: when it cannot be opened; the next attempt begins anew.
        """
        if self._nursery is None:
            raise _over()
        if self._life is None:
            self._life = _Life()
            self._nursery.start_soon(self._live, self._life)
        life = self._life
        await life.decided.wait()
        if life.error is not None:
            raise life.error

    async def call(self, name: str, command: Command[R]) -> R:
        """Run a command in the open engine; cancellation is that of `Orchestrator.call`.

        Args:
          name: what the command is called.

        Raises:
          StoppedError: when the engine is ending; nothing was begun.
          CommandCancelledError: when it ended first; a part of the command may be done.
          Exception: whatever `Orchestrator.call` raises.
        """
        life = self._life
        if life is None or life.orchestrator is None:
            raise _over()
        with life.calls.one(name):
            return await life.orchestrator.call(command)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the engine has ended."""
        with trio.move_on_after(seconds):
            if self._life is not None:
                await self._life.ended.wait()
            else:
                await trio.sleep_forever()

    async def _live(self, life: _Life) -> None:
        scope = trio.CancelScope()
        failure: OrchestratorError = _over()

        async def work(orchestrator: Orchestrator) -> None:
            # From now on it ends politely, also when all around it is cancelled.
            scope.shield = True
            life.open(orchestrator)
            await life.calls.over(self.linger, self._left, orchestrator.stopping.requested)

        try:
            with scope:
                repo, config = await trio.to_thread.run_sync(self._read)
                await run_engine(repo, SESSION, work, config=config, calls=life.calls)
        except Exception as error:
            failure = _ours(error)
            if life.orchestrator is not None and not isinstance(failure, StoppedError):
                log.error("the engine of a connected client failed", exc_info=error)
        finally:
            self._life = None
            life.end(failure)

    def _read(self) -> tuple[Repository, Config]:
        repo = Repository.open(self.directory)
        config = load_config(
            self.config_file or repo.checkout / FILE_NAME,
            environ=os.environ,
            required=self.config_file is not None,
        )
        patience, mode = config.execution.command_timeout, config.workspace.mode
        return repo.within(patience).working(mode), config


def _over() -> StoppedError:
    return StoppedError("nothing is opened here any more", fix="start it again")


def _ours(error: Exception) -> OrchestratorError:
    """Return what a caller is told of an engine that could not go on."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OrchestratorError):
        return error
    if isinstance(error, OSError):
        return from_system(error)
    return OrchestratorError(
        f"a mistake in the orchestrator: its engine failed with {type(error).__name__}: "
        f"{one_line(str(error))}"
    )
