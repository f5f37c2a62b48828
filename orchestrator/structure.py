"""Plain documents into typed values, strictly, with the path of what is wrong in them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn


def first_problem(error: BaseException, path: str = "") -> tuple[str, str, str | None]:
    """Return the first thing wrong in a document: the path of its key, what it is, a way on."""
    if isinstance(error, ForbiddenExtraKeysError):
        unknown = sorted(error.extra_fields)[0]
        known = [field.name for field in attrs.fields(error.cl)]
        near = difflib.get_close_matches(unknown, known, n=1)
        fix = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        return (f"{path}.{unknown}".lstrip("."), "unknown key", fix)
    if isinstance(error, (ClassValidationError, IterableValidationError)):
        child = error.exceptions[0]
        for note in getattr(child, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                path = f"{path}.{note.name}".strip(".")
            elif isinstance(note, IterableValidationNote):
                path = f"{path}.{note.index}".strip(".")
        return first_problem(child, path)
    if isinstance(error, KeyError):
        return path, f"missing key {error}", None
    if len(error.args) > 1 and isinstance(error.args[1], attrs.Attribute):
        path = f"{path}.{error.args[1].name}".strip(".")  # told by a validator
    text = str(error.args[0]) if error.args else str(error)
    return path, text.replace("Structuring class", "in"), None


def strictly(expected: type) -> Any:
    """Return a structure hook for values of this type only; a float may be written as an int."""

    def structure(value: object, _: object) -> object:
        accepted = isinstance(value, expected) or (expected is float and isinstance(value, int))
        if not accepted or (isinstance(value, bool) and expected is not bool):
            raise ValueError(f"expected {expected.__name__}, got {value!r}")
        return expected(value)

    return structure


def tables_only(cls: type, converter: cattrs.Converter) -> Any:
    """Return a structure hook for an attrs class that takes only tables with known keys."""
    inner: Any = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)

    def structure(value: object, kind: type) -> object:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a table, got {value!r}")
        return inner(value, kind)

    return structure
