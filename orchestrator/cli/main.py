"""The entry point: arguments in, exit code out; no traceback reaches an operator."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from orchestrator.errors import OrchestratorError, UsageError

from .output import print_error
from .parser import build_parser

E = TypeVar("E", bound=BaseException)
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
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _stop)
    argv = sys.argv[1:] if argv is None else argv
    parser = build_parser()
    try:
        arguments = parser.parse_args(argv)
    except UsageError as error:
        print_error(error, as_json="--json" in argv)
        return error.exit_code
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
        # Whoever read our output has seen enough; Python would complain again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print_error(_from_system(error), as_json=arguments.json)
        return 1


def _from_system(error: OSError) -> OrchestratorError:
    return OrchestratorError(
        str(error.strerror or error), where=str(error.filename) if error.filename else None
    )


def _stop(signum: int, _: object) -> NoReturn:
    """End by an exception, so that a git that runs is ended too."""
    raise SystemExit(128 + signum)


def _from_group(group: BaseExceptionGroup[BaseException], *, as_json: bool) -> int:
    """Print what a group of failures holds; the first of ours decides the exit code."""
    ours, rest = group.split(OrchestratorError)
    if ours is not None:
        leaves = list(_leaves(ours))
        for error in leaves[:1] if as_json else leaves:
            print_error(error, as_json=as_json)
        if rest is None:
            return leaves[0].exit_code
    if rest is None:
        return 1
    stops, rest = rest.split((KeyboardInterrupt, SystemExit))
    system, rest = rest.split(OSError) if rest is not None else (None, None)
    if rest is not None:
        raise rest
    if system is not None:
        print_error(_from_system(next(_leaves(system))), as_json=as_json)
        return 1
    return 130 if stops is not None else 1


def _leaves(group: BaseExceptionGroup[E]) -> Iterator[E]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
