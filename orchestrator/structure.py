"""Plain documents into typed values, strictly, with the path of what is wrong in them."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override


class Problem(NamedTuple):
    """One thing wrong in a document: the path of its key, what it is, a way on.

    The path is "" for the whole document.
    """

    path: str
    text: str
    fix: str | None = None


def first_problem(error: BaseException) -> Problem:
    """Return the first thing wrong in a document."""
    return next(problems_in(error))


def problems_in(error: BaseException, path: str = "") -> Iterator[Problem]:
    """Yield all that is wrong in a document, in the order of its keys."""
    if isinstance(error, ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(error.cl)]
        for unknown in sorted(error.extra_fields):
            near = difflib.get_close_matches(unknown, known, n=1)
            fix = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
            yield Problem(f"{path}.{unknown}".lstrip("."), "unknown key", fix)
    elif isinstance(error, (ClassValidationError, IterableValidationError)):
        for child in error.exceptions:
            yield from problems_in(child, _below(path, child))
    elif isinstance(error, KeyError):
        yield Problem(path, f"missing key {error}")
    else:
        if len(error.args) > 1 and isinstance(error.args[1], attrs.Attribute):
            path = f"{path}.{error.args[1].name}".strip(".")  # told by a validator
        text = str(error.args[0]) if error.args else str(error)
        yield Problem(path, text.replace("Structuring class", "in"))


def _below(path: str, error: BaseException) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            path = f"{path}.{note.name}".strip(".")
        elif isinstance(note, IterableValidationNote):
            path = f"{path}.{note.index}".strip(".")
    return path


def strictly(expected: type) -> Any:
    """Return a structure hook for values of this type only; a float may be written as an int."""

    def structure(value: object, _: object) -> object:
        accepted = isinstance(value, expected) or (expected is float and isinstance(value, int))
        if not accepted or (isinstance(value, bool) and expected is not bool):
            raise ValueError(f"expected {expected.__name__}, got {value!r}")
        return expected(value)

    return structure


def tables_only(cls: type, converter: cattrs.Converter, **hooks: Any) -> Any:
    """Return a structure hook for an attrs class that takes only tables with known keys.

    Args:
      hooks: structure hooks for single keys, in place of those of their types.
    """
    overrides: Any = {name: override(struct_hook=hook) for name, hook in hooks.items()}
    inner: Any = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True, **overrides)

    def structure(value: object, kind: type) -> object:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a table, got {value!r}")
        return inner(value, kind)

    return structure


def lists_of(cls: type, converter: cattrs.Converter) -> Any:
    """Return a structure hook for tuples of a class, written as lists."""

    def structure(value: object, _: object) -> object:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"expected a list, got {value!r}")
        return tuple(converter.structure(value, list[cls]))  # type: ignore[valid-type]

    return structure


def tables_of(cls: type, converter: cattrs.Converter) -> Any:
    """Return a structure hook for mappings from names to a class, written as tables."""

    def structure(value: object, _: object) -> object:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a table, got {value!r}")
        return converter.structure(value, dict[str, cls])  # type: ignore[valid-type]

    return structure


def one_of(kind: type[enum.Enum]) -> Any:
    """Return a structure hook for an enum, written as the value of one of its members."""
    names = [str(member.value) for member in kind]
    expected = f"{', '.join(names[:-1])} or {names[-1]}"

    def structure(value: object, _: object) -> object:
        if value not in names:
            raise ValueError(f"expected {expected}, got {value!r}")
        return kind(value)

    return structure
