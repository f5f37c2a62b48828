"""Commands as tools: what a client is told of each, and how it is called."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, Protocol

import attrs

from orchestrator.errors import PluginError
from orchestrator.plugin import Registration

from .schema import input_schema, output_schema

Progress = Callable[[float | None, str], None]
"""Is told the fraction done, None when nobody knows, and what is going on; it never blocks."""

LONGEST = 1024
"""Characters of a description; clients send all of them with every request to their model."""

CLIENT: ContextVar[str] = ContextVar("client", default="")
"""What the client calls itself whose call goes on, "" when it does not say."""

ASKER = "by"
"""The field of a command that says who asks: the server fills it in."""

_DEADLINE = 10.0
_MARGIN = 20.0
"""Besides the command's own time: it may have to wait for the engine, and for its clean-up."""


@attrs.frozen(kw_only=True)
class Tool:
    """Something that a client can call.

    Attributes:
      input: JSON Schema of its arguments, an object.
      output: JSON Schema of its result, or None.
      reads: whether it changes nothing.
      deadline: seconds it may take.
      run: takes the arguments, which nobody has checked, and returns what JSON can hold; raises
        OrchestratorError to fail. It is cancelled when the client no longer wants it.
    """

    name: str
    description: str
    input: Mapping[str, Any]
    output: Mapping[str, Any] | None
    reads: bool
    deadline: float
    run: Callable[[Mapping[str, Any], Progress], Awaitable[Any]]


@attrs.frozen(kw_only=True)
class Resource:
    """A text that a client can read.

    Attributes:
      read: returns the text; raises OrchestratorError to fail.
    """

    uri: str
    name: str
    description: str
    media_type: str
    read: Callable[[], Awaitable[str]]


class Caller(Protocol):
    """Whoever carries out commands."""

    async def call(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
        """Build the command of that name, run it and return its result as JSON can hold it.

        Raises:
          UsageError: when the arguments are wrong; names the field.
        """


def tools_of(registrations: Mapping[str, Registration], caller: Caller) -> tuple[Tool, ...]:
    """Return a tool for each command whose arguments can be written as JSON.

    Raises:
      PluginError: when two commands would be tools of one name.
    """
    tools: dict[str, tuple[Tool, Registration]] = {}
    for registration in registrations.values():
        schema = input_schema(registration.command)
        if schema is None:
            continue
        # Who asks is known by whom they are connected to, and not by what they say.
        schema["properties"].pop(ASKER, None)
        if ASKER in schema.get("required", ()):
            schema["required"].remove(ASKER)
        name = registration.name.replace(".", "_").replace("-", "_")
        if name in tools:
            raise PluginError(
                f"{tools[name][1].name} and {registration.name} are both the tool {name}",
                where=registration.plugin,
                fix="rename one of them",
            )
        tool = Tool(
            name=name,
            description=_description(registration),
            input=schema,
            output=output_schema(typing.get_type_hints(registration.handler).get("return")),
            reads=registration.reads,
            deadline=(registration.deadline or _DEADLINE) + _MARGIN,
            run=partial(caller.call, registration.name),
        )
        tools[name] = (tool, registration)
    return tuple(tool for tool, _ in tools.values())


def _description(registration: Registration) -> str:
    """Return what the command says of itself, in whole paragraphs; its fields are told elsewhere.

    A command without a docstring of its own would inherit one that says nothing about it.
    """
    text = registration.command.__dict__.get("__doc__") or registration.handler.__doc__
    text = inspect.cleandoc(text or registration.name).partition("\nAttributes:\n")[0].strip()
    if len(text) <= LONGEST:
        return text
    whole = text[: LONGEST + 1].rpartition("\n\n")[0].rstrip()
    return whole or f"{text[: LONGEST - 1]}…"
