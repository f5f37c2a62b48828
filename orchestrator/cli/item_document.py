"""Items as the documents of ``--json``: every field is there, whatever an item says. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from orchestrator.work.backlog.item import Item


def item_document(item: Item, **more: Any) -> dict[str, Any]:
    """Return all fields of an item, times in Unix nanoseconds, and what else is told with it."""
    document = attrs.asdict(item, value_serializer=plain)
    for name in ("head", "based_on", "waiting", "pool", "visit", "subphases", "overridden"):
        del document[name]  # how it is worked on, not what it is
    return {**document, **more}


def plain(_: object, __: object, value: object) -> object:
    """Return a value of a field as JSON has it."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
