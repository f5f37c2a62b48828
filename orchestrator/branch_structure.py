"""The table ``[branches]`` into its values, and its rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import cattrs

from .structure import Problem, strictly, tables_only
from .work.machine.policy import Branches
from .work.machine.preset import STANDARD

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add_branch_hooks(converter: cattrs.Converter) -> None:
    """Teach a converter the table of branches."""
    hook = tables_only(
        Branches,
        converter,
        preset=_preset,
        types=_words,
        names=_expression,
        commit_types=_words,
        bases=_bases,
        title_max=_count,
    )
    converter.register_structure_hook(Branches, hook)


def branch_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what in the table of branches does not go together."""
    table = document.get("branches")
    if not isinstance(table, Mapping):
        return
    types, bases = table.get("types", Branches().types), table.get("bases")
    if isinstance(types, (list, tuple)) and isinstance(bases, Mapping):
        for name in bases:
            if name not in types:
                known = ", ".join(map(str, types))
                yield Problem(f"branches.bases.{name}", "no such type of branch", f"types: {known}")


def _preset(value: object, _: object) -> str:
    if value not in ("", STANDARD):
        raise ValueError(f"expected {STANDARD!r}, or nothing, got {value!r}")
    return str(value)


def _words(value: object, _: object) -> tuple[str, ...]:
    words = value if isinstance(value, (list, tuple)) else []
    if not words or not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words):
        raise ValueError(f"expected a list of one or more words, got {value!r}")
    return tuple(words)


def _expression(value: object, _: object) -> str:
    text: str = strictly(str)(value, str)
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"expected a regular expression, got {text!r}: {error}") from None
    return text


def _bases(value: object, _: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a table, got {value!r}")
    for patterns in value.values():
        if not isinstance(patterns, (list, tuple)) or not all(map(_is_pattern, patterns)):
            raise ValueError(f"expected lists of branches by type, got {patterns!r}")
    return {str(name): tuple(patterns) for name, patterns in value.items()}


def _is_pattern(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _count(value: object, _: object) -> int:
    number: int = strictly(int)(value, int)
    if number < 0:
        raise ValueError(f"expected 0 or more, got {number}")
    return number
