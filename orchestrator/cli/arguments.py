"""What the parsers of all commands are made with. Imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn, cast

from orchestrator.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Raises what argparse would print, so that ``--json`` covers wrong arguments too.

    Words that may be any number may also have options between them.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        found, left = super().parse_known_args(args, namespace)
        words: Any = next(
            (a for a in self._actions if a.nargs == "*" and not a.option_strings), None
        )
        if words is None or not left or any(word.startswith("-") for word in left):
            return found, left
        # argparse took what came before the first option, which may be nothing, for all of them.
        setattr(found, words.dest, [*(getattr(found, words.dest, None) or ()), *left])
        return found, []

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, fix=f"{self.prog} --help")


class Commands:
    """Where commands are added to; when only one of them is wanted, the others cost nothing."""

    def __init__(self, parser: argparse.ArgumentParser, only: str | None) -> None:
        self._added = parser.add_subparsers(dest="command", metavar="COMMAND")
        self._only = only

    def add(self, name: str, text: str) -> argparse.ArgumentParser:
        """Return the parser of a new command, or of none when it is not wanted."""
        if self._only not in (None, name):
            return cast(argparse.ArgumentParser, _UNWANTED)
        return self._added.add_parser(name, description=text, allow_abbrev=False)


class _Unwanted:
    """Takes whatever is added to it, and forgets it."""

    def __getattr__(self, _: str) -> _Unwanted:
        return self

    def __call__(self, *_: object, **__: object) -> _Unwanted:
        return self


_UNWANTED = _Unwanted()


def add_command(
    commands: Commands,
    name: str,
    text: str,
    *,
    json: bool = False,
    stands_for: str | None = None,
) -> argparse.ArgumentParser:
    """Add a command and return its parser.

    Args:
      text: what it does, in one line.
      json: whether it can print a JSON document.
      stands_for: the command that this is an old spelling of; nothing lists it then.
    """
    parser = commands.add(name, text)
    parser.set_defaults(json=False, is_alias=stands_for is not None)
    if stands_for is not None:
        parser.set_defaults(command=stands_for)
    if json:
        parser.add_argument("--json", action="store_true", help="JSON on stdout")
    return parser
