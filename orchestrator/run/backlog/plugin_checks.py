"""Asks a plugin whether a gate holds: its command looks, and says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import attrs

from orchestrator.calling import build_command
from orchestrator.context import Context
from orchestrator.errors import UsageError
from orchestrator.messages import Command
from orchestrator.plugin import Plugin
from orchestrator.registry import Registry
from orchestrator.run.backlog.gates import Ask

R = TypeVar("R")

plugin = Plugin("checks")
_DEADLINE = 900.0


class Caller(Protocol):
    """What gives commands."""

    async def call(self, command: Command[R]) -> R:
        """Run a command."""
        ...


@attrs.frozen(kw_only=True)
class RunCheck(Command[str]):
    """Run the command ``name`` of a plugin as a gate; returns what is wrong, "" when nothing is.

    Attributes:
      given: what the command may ask for, by the names of its fields: "workspace", "item", "phase",
        "issue", "branch".
    """

    name: str
    given: Mapping[str, str]


@plugin.handles(RunCheck, name="run-check", deadline=_DEADLINE)
async def run_check(command: RunCheck, context: Context) -> str:
    """Handle `RunCheck`."""
    registration = context.service(Registry).by_name.get(command.name)
    if registration is None:
        raise UsageError(
            f"no plugin has a command {command.name}", where=command.name, fix="orc plugins"
        )
    wanted = [field.name for field in attrs.fields(registration.command)]
    fields = {name: command.given[name] for name in wanted if name in command.given}
    found: Any = await context.call(build_command(registration, fields))
    return "" if found is None else str(found)


def asking(caller: Caller, values: Mapping[str, str]) -> Ask:
    """Return what asks plugins through ``caller``; ``values`` are those of the gate's texts."""

    async def ask(name: str, root: Path) -> str:
        return await caller.call(RunCheck(name=name, given={**values, "workspace": str(root)}))

    return ask
