"""What one kind of tool finds declared in a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Declared:
    """The commands one ecosystem brings.

    Attributes:
      setup, verify: shell commands for the project's root.
      own_python: whether set-up installs into a Python environment that has to be made first.
      includes: names of marker files below the root that belong to this project.
      not_used: what was seen and could not be used, one phrase each.
    """

    setup: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    own_python: bool = False
    includes: tuple[str, ...] = ()
    not_used: tuple[str, ...] = ()


def table(document: Mapping[str, Any] | None, *keys: str) -> Mapping[str, Any]:
    """Return a table inside tables; an empty one where there is none."""
    found: Any = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def strings(entries: object) -> tuple[str, ...]:
    """Return the strings of what should be a list of them."""
    return tuple(e for e in entries if isinstance(e, str)) if isinstance(entries, list) else ()
