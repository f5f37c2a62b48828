"""`plugins` and `call`: what installed plugins offer, and one of their commands."""

from __future__ import annotations

import argparse
import difflib
import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import trio

from orchestrator.calling import build_command, parameters, plain, read_argument
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.messages import Command
from orchestrator.plugin import Plugin, Registration, load_plugins
from orchestrator.registry import Registry
from orchestrator.runtime import open_orchestrator
from orchestrator.text import clean, duration, one_line

from .output import coloured, print_json


def plugins(arguments: argparse.Namespace) -> int:
    """Print the commands of every installed plugin."""
    registrations = Registry(load_plugins()).by_name
    if arguments.json:
        print_json({"commands": [_document(each) for each in registrations.values()]})
        return 0
    if not registrations:
        print("no plugin is installed")
    for name, each in registrations.items():
        limit = "" if each.deadline is None else f", at most {duration(each.deadline)}"
        try:
            usage = f"{name} {parameters(each)}".rstrip()
        except UsageError as error:
            usage, limit = coloured(error.message, "dim", sys.stdout), ""
        print(f"{usage}\n    {_purpose(each)}{limit}")
    return 0


def call(arguments: argparse.Namespace) -> int:
    """Run one command of a plugin and print its result."""
    installed = load_plugins()
    known = Registry(installed).by_name
    registration = known.get(arguments.name)
    if registration is None:
        near = difflib.get_close_matches(arguments.name, known, n=3)
        fix = f"did you mean {' or '.join(near)}?" if near else "orc plugins lists them"
        raise UsageError(f"no plugin has a command {arguments.name}", fix=fix)
    command = build_command(registration, _arguments(registration, arguments.arguments))
    result = plain(trio.run(_run, installed, command, registration.name))
    if arguments.json:
        print_json({"command": registration.name, "result": result})
    elif isinstance(result, str):
        print(clean(result))
    elif result is not None:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    return 0


async def _run(installed: Sequence[Plugin], command: Command[Any], name: str) -> Any:
    """Run the command in an orchestrator of its own; Ctrl-C cancels it and waits for its end."""
    async with open_orchestrator(plugins=installed) as orchestrator:
        try:
            return await orchestrator.call(command)
        except OrchestratorError:
            raise
        except Exception as error:
            raise OrchestratorError(
                f"{name} failed: {type(error).__name__}: {one_line(str(error))}", where=name
            ) from error


def _arguments(registration: Registration, given: Sequence[str]) -> Mapping[str, Any]:
    """Return the document that ``key=value`` arguments, or one JSON object, stand for."""
    if len(given) == 1 and given[0].lstrip().startswith("{"):
        try:
            document = json.loads(given[0])
        except ValueError as error:
            raise UsageError(f"not valid JSON: {error}", where=given[0][:60]) from None
        return dict(document)
    document = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{text!r} is not key=value", where=registration.name)
        if name in document:
            raise UsageError(f"{name} is given twice", where=registration.name)
        document[name] = read_argument(registration, name, value)
    return document


def _purpose(registration: Registration) -> str:
    text = inspect.getdoc(registration.command) or inspect.getdoc(registration.handler) or ""
    return one_line(text.partition("\n\n")[0])


def _document(registration: Registration) -> dict[str, Any]:
    usage, why_not = None, None
    try:
        usage = parameters(registration)
    except UsageError as error:
        why_not = error.message
    return {
        "name": registration.name,
        "plugin": registration.plugin,
        "purpose": _purpose(registration),
        "parameters": usage,
        "why_not": why_not,
        "deadline": registration.deadline,
    }
