"""What a handler is given: the services it may use, a way to publish, a way to call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

import attrs

from .errors import PluginError
from .messages import Command, Event

R = TypeVar("R")
T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Context:
    """The world as a handler sees it. Made by the coordinator, one for each turn.

    Attributes:
      publish: hand an event to whoever listens; synchronous, so legal inside ``finally``.
    """

    publish: Callable[[Event], None]
    _services: Mapping[type[Any], object]
    _call: Callable[[Command[Any]], Awaitable[Any]]

    async def call(self, command: Command[R]) -> R:
        """Run another command inside this turn and return its result.

        A command of a lane that this turn already holds runs at once; one of another lane waits
        for its turn there. Cancelling the handler cancels it.

        Raises:
          UnknownCommandError: when nothing handles it.
          CommandTimedOutError: when it outran its registered deadline.
          PluginError: when two turns would wait for each other's lanes for ever.
          Exception: whatever its handler raised.
        """
        return cast(R, await self._call(command))

    def service(self, kind: type[T]) -> T:
        """Return the service that `open_orchestrator` was given under this type.

        Raises:
          PluginError: when there is none.
        """
        try:
            return cast(T, self._services[kind])
        except KeyError:
            raise PluginError(
                f"no service of type {kind.__qualname__}",
                fix=f"open_orchestrator(services={{{kind.__qualname__}: ...}})",
            ) from None
