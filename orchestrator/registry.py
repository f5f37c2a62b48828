"""Command type to handler, checked and decided once, before any task starts."""

from __future__ import annotations

import inspect
import math
import re
import typing
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from .context import Context
from .errors import PluginError, UnknownCommandError
from .messages import Command
from .plugin import Plugin, Registration

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\.[a-z][a-z0-9]*(-[a-z0-9]+)+")


class Registry:
    """The handlers of every plugin. Immutable once made.

    Attributes:
      by_name: registrations by ``plugin.verb-noun``.

    Raises:
      PluginError: for the first wrong or clashing registration; names its plugin.
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self._by_type: dict[type[Command[Any]], Registration] = {}
        by_name: dict[str, Registration] = {}
        for plugin in plugins:
            for new in plugin.registrations:
                _check(new)
                if (other := by_name.get(new.name) or self._by_type.get(new.command)) is not None:
                    raise _wrong(new, f"clashes with {other.name} of plugin {other.plugin!r}")
                by_name[new.name] = self._by_type[new.command] = new
        self.by_name: Mapping[str, Registration] = MappingProxyType(by_name)

    def lookup(self, command: Command[Any]) -> Registration:
        """Return the registration for exactly the command's type.

        Raises:
          UnknownCommandError: when there is none.
        """
        try:
            return self._by_type[type(command)]
        except KeyError:
            raise UnknownCommandError(
                f"nothing handles {type(command).__qualname__}",
                fix="pass the plugin that handles it to open_orchestrator(plugins=...)",
            ) from None


def _check(new: Registration) -> None:
    if _NAME.fullmatch(new.name) is None:
        raise _wrong(new, "the name is not <plugin>.<verb>-<noun> in lower case")
    if not (isinstance(new.command, type) and issubclass(new.command, Command)):
        raise _wrong(new, f"{new.command!r} is not a Command class")
    _check_signature(new)
    if not inspect.iscoroutinefunction(new.handler):
        if new.deadline is not None or new.lane is not None:
            raise _wrong(new, "a def handler runs inline: it takes neither deadline nor lane")
    elif new.deadline is None or not 0 < new.deadline < math.inf:
        raise _wrong(new, f"an async handler needs a finite deadline, not {new.deadline!r}")


def _check_signature(new: Registration) -> None:
    parameters = list(inspect.signature(new.handler).parameters)
    try:
        hints = typing.get_type_hints(new.handler)
    except NameError as exc:
        raise _wrong(new, f"its annotations cannot be resolved: {exc}") from exc
    if len(parameters) != 2:
        raise _wrong(new, "the handler does not take (command, context)")
    first, second = (hints.get(name) for name in parameters)
    if first is not new.command or second is not Context:
        raise _wrong(new, f"the handler is not annotated ({new.command.__qualname__}, Context)")
    result = _result(new.command)
    if "return" not in hints or hints["return"] != result:
        raise _wrong(new, f"the handler returns {hints.get('return')!r}, its command {result!r}")


def _result(command: type[Command[Any]]) -> Any:
    """Return ``R`` of the ``Command[R]`` that the class derives from."""
    for cls in command.__mro__:
        for base in cls.__dict__.get("__orig_bases__", ()):
            if typing.get_origin(base) is Command:
                (result,) = typing.get_args(base)
                return type(None) if result is None else result
    return Any


def _wrong(new: Registration, what: str) -> PluginError:
    return PluginError(
        f"plugin {new.plugin!r}: {new.name}: {what}",
        where=getattr(new.handler, "__qualname__", repr(new.handler)),
        fix="correct the registration; see Plugin.handles",
    )
