"""Calls commands for a long-lived client: on the engine that is there, else on one of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from orchestrator.adapters.git.discover import discover, state_dir
from orchestrator.beside import beside
from orchestrator.calling import build_command, plain
from orchestrator.control import asking
from orchestrator.control.patience import Patience
from orchestrator.errors import (
    BusyError,
    NoEngineError,
    OrchestratorError,
    StoppedError,
    from_system,
)
from orchestrator.messages import Command
from orchestrator.plugin import Registration
from orchestrator.run.engine.offered import answered_within, command_named, offered_commands
from orchestrator.run.engine.own import OwnEngine

log = logging.getLogger(__name__)

LINGER = 5.0
"""Seconds that an engine of our own stays open after the last call."""

Progress = Callable[[float | None, str], None]
"""Is told the fraction done, None when nobody knows, and what is going on; it never blocks."""

_LINES = 32
_PAUSE = 0.1
_MARGIN = 10.0
_FIRST_WORD = 1.0
_NEXT_WORD = 2.0


class _RefusedError(Exception):
    """Nothing was begun, for a reason that may pass."""

    def __init__(self, reason: BusyError) -> None:
        super().__init__(reason.message)
        self.reason = reason


@attrs.frozen
class _Asked:
    """What one call asks for; its arguments have been checked."""

    registration: Registration
    arguments: Mapping[str, Any]
    command: Command[Any]


@attrs.define(eq=False, kw_only=True)
class Session:
    """Lets a client call commands on a repository for as long as it likes, and keeps nobody out.

    A call goes to the engine that owns the repository: a run, or another client's. Where there is
    none, one is opened in this process. It is given away as soon as work begins in another, and
    ends by itself when nobody calls.

    Attributes:
      config_file: None: the one in the checkout, where there is one.
      linger: seconds that an engine of our own stays open after the last call.
      commands: what can be called, by name.
    """

    directory: Path
    config_file: Path | None = None
    linger: float = LINGER
    commands: Mapping[str, Registration] = attrs.field(factory=offered_commands)
    _own: OwnEngine = attrs.field(init=False)
    _places: tuple[Path, Path] | None = attrs.field(default=None, init=False)
    _finding: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _lines: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(_LINES), init=False
    )

    @_own.default
    def _make_own(self) -> OwnEngine:
        return OwnEngine(directory=self.directory, config_file=self.config_file, linger=self.linger)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be there for `call`, until cancelled.

        Cancellation lets an engine of our own end politely, and waits for it: calls under way have
        five seconds, then they are cancelled.
        """
        await self._own.run(task_status=task_status)

    async def call(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
        """Run the command of that name, and return its result as JSON can hold it.

        Calls run side by side. Cancellation cancels the command, also in another process.

        Args:
          progress: is told every two seconds that a call goes on which takes long.

        Raises:
          UsageError: when there is no such command, or the arguments are wrong; names the field.
          BusyError: when others were in the way for ten seconds; nothing was begun.
          CommandCancelledError: when the engine was to end in the middle of it.
          EngineLostError: when the engine of another process was killed in the middle of it.
          StoppedError: when `run` has ended.
          OrchestratorError: why the command failed, or no engine could be opened.
        """
        registration = command_named(self.commands, name)
        asked = _Asked(registration, arguments, build_command(registration, arguments))
        return await beside(partial(_tell, name, progress), partial(self._ask, asked))

    async def _ask(self, asked: _Asked) -> Any:
        patience = Patience(trio.current_time)
        while self._own.is_at_hand:
            try:
                if not self._own.is_there:
                    with suppress(NoEngineError):
                        return await self._ask_others(asked)
                return await self._ask_own(asked)
            except _RefusedError as refused:
                reason = refused.reason
            patience.spend(reason)
            await self._own.pause(_PAUSE)
        raise StoppedError("this session does not run any more", fix="start it again")

    async def _ask_others(self, asked: _Asked) -> Any:
        """Ask the engine of another process.

        Raises:
          NoEngineError: when there is none.
        """
        state, checkout = await self._found()
        try:
            async with self._lines:
                return await asking.call(
                    state,
                    asked.registration.name,
                    asked.arguments,
                    patience=answered_within(asked.registration) + _MARGIN,
                    checkout=str(checkout),
                )
        except BusyError as error:
            raise _RefusedError(error) from None

    async def _ask_own(self, asked: _Asked) -> Any:
        """Ask the engine in this process, which is opened for that."""
        try:
            await self._own.open()
        except BusyError as error:
            raise _RefusedError(error) from None
        except StoppedError:
            raise _RefusedError(_ending()) from None
        try:
            return plain(await self._own.call(asked.registration.name, asked.command))
        except StoppedError:
            raise _RefusedError(_ending()) from None
        except OrchestratorError:
            raise
        except OSError as error:
            raise from_system(error) from error
        except Exception as error:
            name = asked.registration.name
            log.error("%s failed", name, exc_info=error)
            text = f"a mistake in the orchestrator: {name} failed with {type(error).__name__}"
            raise OrchestratorError(text, where=name) from error

    async def _found(self) -> tuple[Path, Path]:
        """Return the state directory of the repository, and the checkout that commands are for.

        Raises:
          RepositoryError: when there is none (yet).
        """
        async with self._finding:
            if self._places is None:
                self._places = await trio.to_thread.run_sync(_places_of, self.directory)
            return self._places


async def _tell(name: str, progress: Progress) -> None:
    began, pause = trio.current_time(), _FIRST_WORD
    while True:
        await trio.sleep(pause)
        pause = _NEXT_WORD
        progress(None, f"{name}: {trio.current_time() - began:.0f} s")


def _ending() -> BusyError:
    return BusyError("the engine that is here is ending", fix="try again in a moment")


def _places_of(directory: Path) -> tuple[Path, Path]:
    found = discover(directory)
    return state_dir(found.common_dir), found.checkout
