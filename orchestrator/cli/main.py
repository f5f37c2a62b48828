"""The entry point: arguments in, exit code out; no traceback reaches an operator."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.errors import OrchestratorError, UsageError

from .output import print_error
from .parser import build_parser

_MODULES = {
    "init": "setup",
    "doctor": "setup",
    "demo": "demo",
    "run": "run",
    "status": "status",
    "logs": "status",
    "list": "spec",
    "show": "spec",
    "diff": "deliver",
    "finish": "deliver",
    "recover": "deliver",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (design §11)."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        if not os.path.isdir(arguments.directory):
            raise UsageError("no such directory", where=arguments.directory, fix="check -C DIR")
        module = importlib.import_module(f".{_MODULES[arguments.command]}", __package__)
        command: Any = getattr(module, arguments.command)
        return int(command(arguments))
    except OrchestratorError as error:
        print_error(error, as_json=arguments.json)
        return error.exit_code
    except BaseExceptionGroup as group:
        return _from_group(group, as_json=arguments.json)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _from_group(group: BaseExceptionGroup[BaseException], *, as_json: bool) -> int:
    """Print what a group of failures holds; the first of ours decides the exit code."""
    ours, rest = group.split(OrchestratorError)
    if ours is not None:
        leaves = list(_leaves(ours))
        for error in leaves[:1] if as_json else leaves:
            print_error(error, as_json=as_json)
        if rest is None:
            return leaves[0].exit_code
    if rest is not None:
        _, rest = rest.split(KeyboardInterrupt)
        if rest is None:
            return 130
        raise rest
    return 1


def _leaves(group: BaseExceptionGroup[OrchestratorError]) -> Iterator[OrchestratorError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
