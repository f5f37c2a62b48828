"""The commands that are offered by name: to the command line, other terminals and clients."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from orchestrator.errors import UsageError
from orchestrator.plugin import Plugin, Registration, load_plugins
from orchestrator.registry import Registry
from orchestrator.run.backlog import handlers as backlog
from orchestrator.run.machine.offered import PLUGINS

_INLINE = 10.0
_MARGIN = 5.0


def offered_plugins() -> list[Plugin]:
    """Return the plugins whose commands can be called by name, those that are installed included.

    Raises:
      PluginError: when one that is installed does not load.
    """
    return [backlog.plugin, *PLUGINS, *load_plugins()]


def offered_commands() -> Mapping[str, Registration]:
    """Return what can be called, by name.

    Raises:
      PluginError: when a plugin does not load, is wrong, or clashes with another.
    """
    return Registry(offered_plugins()).by_name


def command_named(commands: Mapping[str, Registration], name: str) -> Registration:
    """Return the command of a name.

    Raises:
      UsageError: when there is none; names those that are called alike.
    """
    if name in commands:
        return commands[name]
    near = difflib.get_close_matches(name, commands, n=3)
    known = ", ".join(sorted(commands))
    fix = f"did you mean {' or '.join(near)}?" if near else f"there are {known}"
    raise UsageError(f"no command {name}", fix=fix)


def answered_within(registration: Registration) -> float:
    """Return the seconds after which nobody waits for the answer of a command any more."""
    return _INLINE if registration.deadline is None else registration.deadline + _MARGIN
