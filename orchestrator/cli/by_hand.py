"""`git`: branches by hand; every verb is a command of the phase machine, and takes its fields."""

from __future__ import annotations

import argparse
import inspect
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from orchestrator.calling import field_descriptions, read_argument
from orchestrator.errors import UsageError
from orchestrator.plugin import Registration
from orchestrator.registry import Registry
from orchestrator.run.engine.offered import answered_within
from orchestrator.run.machine.offered import PLUGINS
from orchestrator.text import one_line

from .answered import show
from .arguments import Parser
from .ask import ask, author
from .output import coloured

_OURS = "by"
"""The field that says who asks; it is filled in."""


def git(arguments: argparse.Namespace) -> int:
    """Run one of the commands for branches, and print what it says."""
    verbs = _verbs()
    if not arguments.verb:
        for verb, registration in verbs.items():
            print(f"{coloured(verb, 'bold', sys.stdout):<14} {_purpose(registration)}")
        return 0
    registration = _chosen(arguments.verb, verbs)
    parser = _parser(registration)
    given = parser.parse_args(arguments.rest)
    arguments.json = given.json
    fields = {
        name: _value(registration, name, value)
        for name, value in vars(given).items()
        if name != "json" and value is not None
    }
    if _OURS in _fields(registration):
        fields[_OURS] = author(arguments.directory)
    result = ask(arguments, registration.name, patience=answered_within(registration), **fields)
    return show(result, as_json=arguments.json)


def _verbs() -> dict[str, Registration]:
    """Return the commands by the word that they are called by: the first or last of their name."""
    known = Registry(PLUGINS).by_name
    names = {name.partition(".")[2]: each for name, each in known.items()}
    words: dict[str, list[str]] = {}
    for name in names:
        for word in dict.fromkeys((name.partition("-")[0], name.rpartition("-")[2])):
            words.setdefault(word, []).append(name)
    chosen = {}
    for name, registration in names.items():
        short = [
            word
            for word in (name.partition("-")[0], name.rpartition("-")[2])
            if words[word] == [name] and word not in _GENERAL
        ]
        chosen[short[0] if short else name] = registration
    return chosen


_GENERAL = frozenset({"get", "show", "list", "run", "branch", "files", "file"})
"""Words that say too little to stand for a command."""


def _chosen(verb: str, verbs: Mapping[str, Registration]) -> Registration:
    for word, registration in verbs.items():
        if verb in (word, registration.name, registration.name.partition(".")[2]):
            return registration
    raise UsageError(
        f'there is no "orc git {one_line(verb, 40)}"', fix=f"there are {', '.join(verbs)}"
    )


def _parser(registration: Registration) -> argparse.ArgumentParser:
    verb = next(word for word, each in _verbs().items() if each.name == registration.name)
    parser = Parser(
        prog=f"orc git {verb}",
        description=_purpose(registration),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    hints = typing.get_type_hints(registration.command)
    about = field_descriptions(registration.command)
    for field in attrs.fields(registration.command):
        if field.name == _OURS:
            continue
        required, told = field.default is attrs.NOTHING, about.get(field.name)
        _add(parser, field.name, hints[field.name], required=required, told=told)
    return parser


def _add(
    parser: argparse.ArgumentParser, name: str, kind: Any, *, required: bool, told: str | None
) -> None:
    flag = f"--{name.replace('_', '-')}"
    plain = _without_none(kind)
    if plain is bool:
        parser.add_argument(
            flag, dest=name, action=argparse.BooleanOptionalAction, default=None, help=told
        )
        return
    options: dict[str, Any] = {"metavar": name.upper(), "help": told and told.replace("%", "%%")}
    if typing.get_origin(plain) is tuple and typing.get_args(plain)[0] is str:
        options["nargs"] = "+"
    elif typing.get_origin(plain) is typing.Literal:
        options |= {"choices": typing.get_args(plain), "metavar": None}
    if required:
        parser.add_argument(name, **options)
    else:
        parser.add_argument(flag, dest=name, **options)


def _value(registration: Registration, name: str, value: Any) -> Any:
    """Return what a field is given: words as they are, anything else as its JSON."""
    return read_argument(registration, name, value) if isinstance(value, str) else value


def _fields(registration: Registration) -> Sequence[str]:
    return [field.name for field in attrs.fields(registration.command)]


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return kind
    rest = [each for each in typing.get_args(kind) if each is not types.NoneType]
    return rest[0] if len(rest) == 1 else kind


def _purpose(registration: Registration) -> str:
    return one_line((inspect.getdoc(registration.command) or "").partition("\n\n")[0])
