"""Commands from plain documents: what a command takes, in words, and how it is built from it."""

from __future__ import annotations

import enum
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.cols import list_structure_factory
from cattrs.errors import ClassValidationError

from .errors import UsageError
from .messages import Command
from .plugin import Registration
from .structure import first_problem, one_of, strictly

T = TypeVar("T")

_WORDS: Mapping[Any, str] = {
    str: "TEXT", int: "INT", float: "NUMBER", bool: "true|false", Path: "PATH",
    types.NoneType: "null",
}  # fmt: skip
_ENTRY = re.compile(r"( +)(\w+(?:, \w+)*):\s+(.*)")
_MANY = (list, tuple, set, frozenset, Sequence)


def parameters(registration: Registration) -> str:
    """Return what a command takes, as it is written on a command line.

    Raises:
      UsageError: when a field of it cannot be written there; names the field.
    """
    hints = typing.get_type_hints(registration.command)
    parts = []
    for field in attrs.fields(registration.command):
        word = _word(hints[field.name])
        if word is None:
            raise UsageError(
                f"{registration.name} cannot be called from here: its field {field.name} is "
                f"{getattr(hints[field.name], '__qualname__', hints[field.name])}",
                fix="call it from Python: open_orchestrator(plugins=load_plugins())",
            )
        part = f"{field.name}={word}"
        parts.append(part if field.default is attrs.NOTHING else f"[{part}]")
    return " ".join(parts)


def build_command(registration: Registration, document: Mapping[str, Any]) -> Command[Any]:
    """Return the command that a document describes, checked as if Python had made it.

    Raises:
      UsageError: when it cannot be called from here, or the document is wrong; names the field.
    """
    usage = f"it takes {parameters(registration) or 'nothing'}"
    document = _without_nulls(registration.command, document)
    try:
        return _CONVERTER.structure(document, registration.command)
    except ClassValidationError as error:
        path, message, fix = first_problem(error)
        path = path or _blamed(registration.command, document)
        message = "missing" if message.startswith("missing key") else message
        raise UsageError(
            f"{path}: {message}" if path else message,
            where=registration.name,
            fix=f"{fix}; {usage}" if fix else usage,
        ) from None


def structured(kind: type[T], document: Mapping[str, Any]) -> T:
    """Return the value that a document describes, checked like the fields of a command.

    Raises:
      ClassValidationError: when it describes none; `structure.first_problem` says why.
    """
    return _CONVERTER.structure(document, kind)


def read_argument(registration: Registration, name: str, text: str) -> Any:
    """Return the value that the text of one argument stands for: itself for text, else its JSON."""
    kind = typing.get_type_hints(registration.command).get(name)
    if _without_null(kind) in (str, Path):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def plain(result: object) -> Any:
    """Return a command's result as JSON can hold it."""
    return json.loads(json.dumps(_CONVERTER.unstructure(result), default=str))


def field_descriptions(kind: type[Any]) -> dict[str, str]:
    """Return what the ``Attributes:`` sections of a class and its bases say, by field."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        _, _, section = f"\n{text}\n".partition("\nAttributes:\n")
        found |= _entries(section)
    return found


def _entries(section: str) -> dict[str, str]:
    """Return the entries of a section, which ends where the text is no longer indented."""
    found: dict[str, str] = {}
    names: list[str] = []
    depth = 0
    for line in section.splitlines():
        if line and not line.startswith(" "):
            break
        entry = _ENTRY.fullmatch(line)
        # What is indented deeper than its entry goes on with it, whatever it looks like.
        if entry is not None and (not names or len(entry[1]) <= depth):
            depth, names = len(entry[1]), entry[2].split(", ")
            found |= dict.fromkeys(names, entry[3].strip())
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def _word(kind: Any) -> str | None:
    """Return how a type is written, None when it cannot be."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    for simple, word in _WORDS.items():
        if kind is simple:
            return word
    if isinstance(kind, typing.NewType):
        return _word(kind.__supertype__)
    if origin is typing.Literal:
        return "|".join(map(str, inside))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "|".join(str(member.value) for member in kind)
    if origin in (typing.Union, types.UnionType):
        rest = _without_null(kind)
        return None if rest is kind else _word(rest)
    if attrs.has(kind):
        try:
            hints = typing.get_type_hints(kind)
        except NameError:  # a class of somebody else's, not meant to be looked into
            return None
        known = all(_word(hints.get(field.name)) for field in attrs.fields(kind))
        return "{…}" if known else None
    if origin in _MANY:
        return "[…]" if all(_word(each) for each in inside if each is not ...) else None
    if origin in (dict, Mapping):
        return "{…}" if inside[0] is str and _word(inside[1]) else None
    return None


def _without_null(kind: Any) -> Any:
    """Return the type that an optional one is without None; any other as it is."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return kind
    rest = [each for each in typing.get_args(kind) if each is not types.NoneType]
    return rest[0] if len(rest) == 1 else kind


def _without_nulls(command: type[Command[Any]], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without fields that are null and need not be: their default is meant."""
    hints = typing.get_type_hints(command)
    meant = {
        field.name
        for field in attrs.fields(command)
        if field.default is not attrs.NOTHING
        and _without_null(hints[field.name]) is hints[field.name]
    }
    return {name: each for name, each in document.items() if each is not None or name not in meant}


def _blamed(command: type[Command[Any]], document: Mapping[str, Any]) -> str:
    """Return the field whose own validator refuses its value, "" when that is not to be found."""
    hints = typing.get_type_hints(command)
    for field in attrs.fields(command):
        if field.validator is None or field.name not in document:
            continue
        try:
            value = _CONVERTER.structure(document[field.name], hints[field.name])
            field.validator(types.SimpleNamespace(**document), field, value)
        except Exception:
            # Whatever it is: construction failed, and this is the field that fails by itself too.
            return str(field.name)
    return ""


def _has_words(kind: object) -> bool:
    """Tell whether a type is an enum whose values are all texts."""
    return (
        isinstance(kind, type)
        and issubclass(kind, enum.Enum)
        and all(isinstance(member.value, str) for member in kind)
    )


def _is_list(kind: object) -> bool:
    return typing.get_origin(kind) in (list, Sequence) or (
        typing.get_origin(kind) is tuple and typing.get_args(kind)[1:] == (...,)
    )


def _strict_list(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Return the hook of a list, which is not made of whatever can be gone through."""
    many: Any = list[typing.get_args(kind)[0]]  # type: ignore[misc]
    inner = list_structure_factory(many, converter)
    make = list if typing.get_origin(kind) is list else tuple

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"expected a list, got {type(value).__name__}")
        return make(inner(value, many))

    return structure


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, strictly(kind))
    converter.register_structure_hook_factory(_is_list, _strict_list)
    converter.register_structure_hook(Path, lambda value, _: Path(strictly(str)(value, str)))
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook_factory(_has_words, one_of)
    return converter


_CONVERTER = _make_converter()
