"""What the parsers of all commands are made with. Imports nothing heavy."""

from __future__ import annotations

import argparse
from typing import NoReturn, TypeAlias

from orchestrator.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Raises what argparse would print, so that ``--json`` covers wrong arguments too."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, fix=f"{self.prog} --help")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


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
    parser = commands.add_parser(name, description=text, allow_abbrev=False)
    parser.set_defaults(json=False, is_alias=stands_for is not None)
    if stands_for is not None:
        parser.set_defaults(command=stands_for)
    if json:
        parser.add_argument("--json", action="store_true", help="JSON on stdout")
    return parser
