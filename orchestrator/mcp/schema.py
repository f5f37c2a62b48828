"""JSON Schema of what a command takes and what it answers, derived from their types."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from orchestrator.calling import field_descriptions, plain
from orchestrator.messages import Command

Schema = dict[str, Any]

_SIMPLE: Mapping[Any, str] = {
    str: "string", int: "integer", float: "number", bool: "boolean", Path: "string",
    types.NoneType: "null",
}  # fmt: skip
_LISTS = (list, tuple, Sequence)
_SETS = (set, frozenset)
_EMPTY: Mapping[Any, Any] = {list: [], tuple: [], set: [], frozenset: [], dict: {}}


def input_schema(command: type[Command[Any]]) -> Schema | None:
    """Return the schema of a command's arguments, None when they cannot all be written as JSON."""
    return _Writer(unknown=None, closed=True).of(command)


def output_schema(result: Any) -> Schema | None:
    """Return the schema of a result as `calling.plain` writes it, None when it is no attrs class.

    Parts that have no schema may be anything.
    """
    return _Writer(unknown={}, closed=False).of(result) if attrs.has(result) else None


@attrs.frozen(kw_only=True)
class _Writer:
    """Writes schemas.

    Attributes:
      unknown: what stands for a type that has no schema; with None, its whole has none either.
      closed: whether objects have only the properties that are told.
    """

    unknown: Schema | None
    closed: bool

    def of(self, kind: Any, above: tuple[Any, ...] = ()) -> Schema | None:
        """Return the schema of a type; ``above`` are the classes that it is a part of."""
        origin, inside = typing.get_origin(kind), typing.get_args(kind)
        if isinstance(kind, typing.NewType):
            return self.of(kind.__supertype__, above)
        if origin is typing.Literal:
            return self._one_of(inside)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return self._one_of(tuple(kind))
        if origin in (typing.Union, types.UnionType):
            return self._union(inside, above)
        if origin in (*_LISTS, *_SETS):
            return self._list(origin, inside, above)
        if origin in (dict, Mapping):
            return self._mapping(inside, above)
        if attrs.has(kind):
            return self._object(kind, above)
        for simple, name in _SIMPLE.items():
            if kind is simple:
                return {"type": name}
        return self.unknown

    def _one_of(self, members: Sequence[Any]) -> Schema | None:
        values = [member.value if isinstance(member, enum.Enum) else member for member in members]
        if not all(isinstance(value, (str, int, float, types.NoneType)) for value in values):
            return self.unknown
        only_text = all(isinstance(value, str) for value in values)
        return {"type": "string", "enum": values} if only_text else {"enum": values}

    def _union(self, inside: Sequence[Any], above: tuple[Any, ...]) -> Schema | None:
        rest = [each for each in inside if each is not types.NoneType]
        each = self.of(rest[0], above) if len(rest) == 1 else None
        return self.unknown if each is None else {"anyOf": [each, {"type": "null"}]}

    def _list(self, origin: Any, inside: Sequence[Any], above: tuple[Any, ...]) -> Schema | None:
        if origin in _SETS and not self.closed:
            return self.unknown  # `plain` writes a set as text
        each = [self.of(part, above) for part in inside if part is not ...]
        if None in each:
            return self.unknown
        if origin is not tuple or ... in inside:
            return {"type": "array", "items": each[0]}
        whole: Schema = {"type": "array", "minItems": len(each), "maxItems": len(each)}
        if all(part == each[0] for part in each):
            return {**whole, "items": each[0]} if each else whole
        return {**whole, "prefixItems": each}

    def _mapping(self, inside: Sequence[Any], above: tuple[Any, ...]) -> Schema | None:
        each = self.of(inside[1], above) if inside[0] is str else None
        return self.unknown if each is None else {"type": "object", "additionalProperties": each}

    def _object(self, kind: Any, above: tuple[Any, ...]) -> Schema | None:
        try:
            hints = typing.get_type_hints(kind)
        except (NameError, TypeError):
            return self.unknown  # a class of somebody else's, not meant to be looked into
        if kind in above:
            return self.unknown
        said = field_descriptions(kind)
        properties: Schema = {}
        required = []
        for field in attrs.fields(kind):
            if not field.init:
                continue
            schema = self.of(hints[field.name], (*above, kind))
            if schema is None:
                return self.unknown
            if field.name in said:
                schema = {**schema, "description": said[field.name]}
            # A result has all its fields, whatever they are made from.
            if not self.closed or field.default is attrs.NOTHING:
                required.append(field.name)
            else:
                schema = {**schema, **_default(field.default)}
            properties[field.name] = schema
        whole: Schema = {"type": "object", "properties": properties}
        if required:
            whole["required"] = required
        return {**whole, "additionalProperties": False} if self.closed else whole


def _default(value: Any) -> Schema:
    """Return how a default is told: not at all when it is made anew each time, unless empty."""
    factory = getattr(value, "factory", None)
    if factory is not None:
        return {"default": _EMPTY[factory]} if factory in _EMPTY else {}
    return {"default": plain(sorted(value, key=str) if isinstance(value, _SETS) else value)}
