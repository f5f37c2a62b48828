"""Drives coding agents through specs. Public names, each imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .bridge import EventSink as EventSink
    from .bridge import Sink as Sink
    from .bus import Lagged as Lagged
    from .bus import Subscription as Subscription
    from .context import Context as Context
    from .errors import AdapterError as AdapterError
    from .errors import AdapterTimedOutError as AdapterTimedOutError
    from .errors import CommandCancelledError as CommandCancelledError
    from .errors import CommandTimedOutError as CommandTimedOutError
    from .errors import OrchestratorError as OrchestratorError
    from .errors import PluginError as PluginError
    from .errors import RestartLimitError as RestartLimitError
    from .errors import StoppedError as StoppedError
    from .errors import UnknownCommandError as UnknownCommandError
    from .messages import Command as Command
    from .messages import Event as Event
    from .messages import Fact as Fact
    from .messages import Progress as Progress
    from .plugin import Plugin as Plugin
    from .plugin import load_plugins as load_plugins
    from .runtime import Orchestrator as Orchestrator
    from .runtime import StopRequested as StopRequested
    from .runtime import open_orchestrator as open_orchestrator
    from .stop import StopLevel as StopLevel
    from .stop import StopWatcher as StopWatcher
    from .supervisor import RestartPolicy as RestartPolicy
    from .supervisor import ServiceRestarted as ServiceRestarted

_MODULES = {
    "EventSink": "bridge",
    "Sink": "bridge",
    "Lagged": "bus",
    "Subscription": "bus",
    "Context": "context",
    "AdapterError": "errors",
    "AdapterTimedOutError": "errors",
    "CommandCancelledError": "errors",
    "CommandTimedOutError": "errors",
    "OrchestratorError": "errors",
    "PluginError": "errors",
    "RestartLimitError": "errors",
    "StoppedError": "errors",
    "UnknownCommandError": "errors",
    "Command": "messages",
    "Event": "messages",
    "Fact": "messages",
    "Progress": "messages",
    "Plugin": "plugin",
    "load_plugins": "plugin",
    "Orchestrator": "runtime",
    "StopRequested": "runtime",
    "open_orchestrator": "runtime",
    "StopLevel": "stop",
    "StopWatcher": "stop",
    "RestartPolicy": "supervisor",
    "ServiceRestarted": "supervisor",
}


def __getattr__(name: str) -> Any:
    """Import the module that defines ``name``: the command line must not pay for trio."""
    try:
        module = _MODULES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(importlib.import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
