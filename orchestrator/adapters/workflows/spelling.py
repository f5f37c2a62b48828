"""Spells values as TOML does. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

Value = str | int | bool | tuple["Value", ...] | Mapping[str, "Value"]


def spelled(value: Value) -> str:
    """Return a value on one line."""
    if isinstance(value, Mapping):
        return (
            f"{{ {', '.join(f'{key(name)} = {spelled(held)}' for name, held in value.items())} }}"
        )
    if isinstance(value, tuple):
        return f"[{', '.join(map(spelled, value))}]"
    # As JSON does, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def key(name: str) -> str:
    """Return a key, with quotes only when it needs them."""
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else spelled(name)


def block(head: str, held: Mapping[str, Value]) -> str:
    """Return a table: its head, and each key on a line; what is empty is left out."""
    lines = [f"{key(name)} = {spelled(value)}" for name, value in held.items() if value]
    return "".join(f"{line}\n" for line in (head, *lines))
