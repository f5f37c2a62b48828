"""Reads JSON of which nothing is certain: a wrong type is the empty value, never an error."""

from __future__ import annotations

import math
from typing import Any


def mappings(value: object) -> list[dict[str, Any]]:
    """Return the objects among the entries of a list."""
    return [entry for entry in listed(value) if isinstance(entry, dict)]


def mapping(value: object) -> dict[str, Any]:
    """Return an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """Return a list, else an empty one."""
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    """Return a string, else an empty one."""
    return value if isinstance(value, str) else ""


def integer(value: object) -> int | None:
    """Return an integer, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: object) -> float:
    """Return a finite number, else 0."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    try:
        number = float(value)
    except OverflowError:
        return 0.0
    return number if math.isfinite(number) else 0.0
