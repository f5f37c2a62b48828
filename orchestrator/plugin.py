"""What plugin authors write with. A plugin is a value: importing one has no other effect."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from .context import Context
from .errors import PluginError
from .messages import Command

ENTRY_POINT_GROUP = "orchestrator.plugins"

C = TypeVar("C", bound=Command[Any])
Handler = Callable[[C, Context], Any]


@attrs.frozen(kw_only=True)
class Registration:
    """One handler as its plugin declared it; `Registry` checks it.

    Attributes:
      name: how it is called from outside, ``plugin.verb-noun``.
      deadline: seconds an ``async def`` handler may run; None for a ``def`` handler.
      lane: names what a command writes; None when it waits for nobody.
      reads: whether it changes nothing, so that anybody may call it who may look.
    """

    plugin: str
    name: str
    command: type[Command[Any]]
    handler: Callable[[Any, Context], Any]
    deadline: float | None
    lane: Callable[[Any], str] | None
    reads: bool = False


@attrs.define
class Plugin:
    """A named set of command handlers."""

    name: str
    registrations: list[Registration] = attrs.field(factory=list, init=False)

    def handles(
        self,
        command: type[C],
        *,
        name: str,
        deadline: float | None = None,
        lane: Callable[[C], str] | None = None,
        reads: bool = False,
    ) -> Callable[[Handler[C]], Handler[C]]:
        """Register the decorated function as the handler of ``command``.

        A ``def`` handler runs inline between two other commands: it must be quick, and takes
        neither deadline nor lane. An ``async def`` handler runs as a task, after the earlier ones
        of its lane; without a lane it is a read and waits for nobody.

        Args:
          command: matched by exact type; subclasses need handlers of their own.
          name: ``verb-noun``; from outside the command is ``<plugin>.<name>``.
          deadline: seconds the handler may run, counted from its start, not from the call.
          lane: returns the key of what the command writes, such as ``workspace:<item>``.
          reads: say so when it changes nothing; see `Registration`.
        """

        def register(handler: Handler[C]) -> Handler[C]:
            self.registrations.append(
                Registration(
                    plugin=self.name,
                    name=f"{self.name}.{name}",
                    command=command,
                    handler=handler,
                    deadline=deadline,
                    lane=lane,
                    reads=reads,
                )
            )
            return handler

        return register


def load_plugins(*, group: str = ENTRY_POINT_GROUP) -> list[Plugin]:
    """Load every installed plugin, in the order of their entry points' names.

    Raises:
      PluginError: for the first that cannot be imported or is not a `Plugin`; names the entry
        point and its distribution.
    """
    plugins = []
    for entry in sorted(importlib.metadata.entry_points(group=group), key=lambda e: e.name):
        distribution = entry.dist.name if entry.dist else "an unknown distribution"
        origin = f"{entry.name} = {entry.value} (from {distribution})"
        fix = f"repair or uninstall {distribution}"
        try:
            plugin = entry.load()
        except Exception as exc:
            raise PluginError(f"cannot load plugin {origin}: {exc!r}", fix=fix) from exc
        if not isinstance(plugin, Plugin):
            raise PluginError(f"{origin} is not a Plugin but {plugin!r}", fix=fix)
        plugins.append(plugin)
    return plugins
