"""`completion`: a script that completes this command line in a shell, made from its parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import NoSpecError, OrchestratorError
from orchestrator.run.records.state import read_items
from orchestrator.store.reading import open_reader
from orchestrator.text import one_line

from .parser import build_parser
from .place import find_state, reader_git
from .shells import SCRIPTS, Command, Option

_NAMES = {"item": "items", "changes": "changes", "shown": "both", "pinned": "items"}
_OPEN = ("new", "scoping", "ready", "in_progress", "blocked")
_FILES = {"config", "prompt", "to", "file"}


def completion(arguments: argparse.Namespace) -> int:
    """Print the script of a shell; or, for such a script, names of items and changes."""
    if arguments.list is not None:
        for name in _listed(arguments):
            print(name)
        return 0
    top, commands = describe(build_parser())
    print(SCRIPTS[arguments.shell](top, commands), end="")
    return 0


def describe(parser: argparse.ArgumentParser) -> tuple[tuple[Option, ...], tuple[Command, ...]]:
    """Return the options before the command, and every command."""
    commands = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                if inner.get_default("is_alias"):
                    continue
                positional = [a for a in inner._actions if not a.option_strings]
                commands.append(
                    Command(
                        name,
                        inner.description or "",
                        tuple(_options(inner)),
                        next((_NAMES[a.dest] for a in positional if a.dest in _NAMES), ""),
                        next((tuple(map(str, a.choices)) for a in positional if a.choices), ()),
                    )
                )
    return tuple(_options(parser)), tuple(commands)


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        if not action.option_strings or action.help == argparse.SUPPRESS:
            continue
        takes, words = "value", tuple(map(str, action.choices or ()))
        if action.nargs == 0:
            takes = ""
        elif words:
            takes = "words"
        elif action.dest == "directory":
            takes = "directories"
        elif action.dest in _FILES:
            takes = "files"
        yield Option(tuple(action.option_strings), action.help or "", takes, words)


def _listed(arguments: argparse.Namespace) -> list[str]:
    """Return names that fit on a line; a shell that asks wants no error."""
    start = Path(arguments.directory)
    try:
        names = [] if arguments.list == "changes" else _items(arguments)
        if arguments.list != "items":
            with suppress(NoSpecError):
                names += _changes(start)
    except OrchestratorError:
        return []
    return [name for name in dict.fromkeys(names) if name == one_line(name)]


def _items(arguments: argparse.Namespace) -> list[str]:
    """Return the items of the backlog that are not over, and all that ever ran."""
    state = find_state(arguments)
    with open_reader(state) as reader:
        rows = reader.items(*_OPEN) if reader is not None else ()
    ran = read_items(reader_git(state), running=None)
    return [*(row.id for row in rows), *(item.id for item in ran)]


def _changes(start: Path) -> list[str]:
    # Late: a shell waits for every import, and names of items need none of these.
    from orchestrator.adapters.git.repository import Repository
    from orchestrator.run.specs import find_source

    return [change.id for change in find_source(Repository.open(start), start).changes()]
