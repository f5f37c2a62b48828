"""The entry point: arguments in, exit code out; no traceback reaches an operator."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from orchestrator.errors import OrchestratorError, UsageError, from_system

from .output import print_error
from .parser import build_parser

E = TypeVar("E", bound=BaseException)
_MODULES = {
    "init": "init",
    "doctor": "doctor",
    "demo": "demo",
    "run": "run",
    "triage": "backlog",
    "verify": "verify",
    "add": "items",
    "edit": "items",
    "answer": "items",
    "move": "items",
    "retry": "items",
    "hold": "items",
    "close": "items",
    "complete": "items",
    "claim": "items",
    "git": "by_hand",
    "mcp": "mcp",
    "pipeline": "pipelines",
    "worklog": "worklog",
    "import": "exchange:take_over",
    "export": "exchange:hand_over",
    "status": "status",
    "logs": "logs",
    "events": "events",
    "stop": "steer",
    "pause": "steer",
    "resume": "steer",
    "tell": "steer",
    "list": "spec",
    "show": "spec",
    "report": "report",
    "why": "why",
    "diff": "deliver",
    "finish": "deliver",
    "recover": "deliver",
    "undo": "deliver",
    "gc": "deliver",
    "config": "config",
    "completion": "completion",
    "plugins": "call",
    "call": "call",
}
"""The module of each command, and its function there when that has another name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (design §11)."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _stop)
    argv = sys.argv[1:] if argv is None else argv
    parser = build_parser(_command(argv))
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
        name, _, function = _MODULES[arguments.command].partition(":")
        module = importlib.import_module(f".{name}", __package__)
        command: Any = getattr(module, function or arguments.command)
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
        print_error(from_system(error), as_json=arguments.json)
        return 1
    except Exception as error:
        return _report_bug(error, as_json=arguments.json)


def _command(argv: Sequence[str]) -> str | None:
    """Return the command that is given, None when it is none that is known."""
    words = iter(argv)
    for word in words:
        if word in ("-C", "-c"):
            next(words, None)
        elif not word.startswith("-"):
            return word if word in _MODULES else None
    return None


def _stop(_: int, __: object) -> None:
    """End like Ctrl-C: by an exception, so that what runs is ended too, at a place Trio chooses."""
    signal.raise_signal(signal.SIGINT)


def _report_bug(error: BaseException, *, as_json: bool) -> int:
    """Say that this is a mistake of ours, without a traceback unless one was asked for."""
    if os.environ.get("ORC_TRACEBACK"):
        raise error
    import traceback  # late: only a bug pays for it

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    bug = OrchestratorError(
        f"a mistake in the orchestrator: {type(error).__name__}: {error}",
        where=f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None,
        fix="nothing is lost: run it again; with ORC_TRACEBACK=1 it prints what a report needs",
    )
    print_error(bug, as_json=as_json)
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
    if rest is None:
        return 1
    stops, rest = rest.split(KeyboardInterrupt)
    system, rest = rest.split(OSError) if rest is not None else (None, None)
    if rest is not None:
        return _report_bug(rest, as_json=as_json)
    if system is not None:
        print_error(from_system(next(_leaves(system))), as_json=as_json)
        return 1
    return 130 if stops is not None else 1


def _leaves(group: BaseExceptionGroup[E]) -> Iterator[E]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
