"""For tests of plugins: a context without an orchestrator, and a sink that remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import trio

from .context import Context
from .errors import UnknownCommandError
from .messages import Command, Event

E = TypeVar("E", bound=Event)


class EventLog:
    """A sink that keeps what it is given; also usable as a handler's ``publish``."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def emit(self, batch: Sequence[Event], /) -> None:
        """Keep the batch."""
        await trio.lowlevel.checkpoint()
        self.events.extend(batch)

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of that type, in order."""
        return [event for event in self.events if isinstance(event, kind)]


def handler_context(
    services: Mapping[type[Any], object] = MappingProxyType({}),
    publish: Callable[[Event], None] = lambda _: None,
) -> Context:
    """Return a context to call a handler with directly; it knows no other commands."""

    async def call(command: Command[Any]) -> Any:
        await trio.lowlevel.checkpoint()
        raise UnknownCommandError(f"nothing handles {type(command).__qualname__} in this test")

    return Context(publish=publish, services=services, call=call)
