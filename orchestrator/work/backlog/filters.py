"""Which items a person wants worked on or listed: ``--only KEY=VALUE[,VALUE…]``."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Mapping, Sequence

import attrs

from orchestrator.errors import UsageError

from .item import Item, Level, Size, Status

Value = enum.Enum | str

_LEVELS = {"l": Level.LOW, "m": Level.MEDIUM, "h": Level.HIGH}
_SIZES = {"s": Size.SMALL, "m": Size.MEDIUM, "l": Size.LARGE}


@attrs.frozen(kw_only=True)
class _Field:
    """A key of filters.

    Attributes:
      read: returns what an item has of it; several only of tags.
      words: the values it can have, by what a person may write; empty: any text.
    """

    read: Callable[[Item], Sequence[Value | None]]
    words: Mapping[str, enum.Enum] = attrs.field(factory=dict)


def _words(kind: type[enum.Enum], short: Mapping[str, enum.Enum]) -> dict[str, enum.Enum]:
    return {**{member.value: member for member in kind}, **short}


_FIELDS: Mapping[str, _Field] = {
    "status": _Field(read=lambda item: (item.status,), words=_words(Status, {})),
    "impact": _Field(read=lambda item: (item.ratings.impact,), words=_words(Level, _LEVELS)),
    "size": _Field(read=lambda item: (item.ratings.size,), words=_words(Size, _SIZES)),
    "risk": _Field(read=lambda item: (item.ratings.risk,), words=_words(Level, _LEVELS)),
    "complexity": _Field(
        read=lambda item: (item.ratings.complexity,), words=_words(Level, _LEVELS)
    ),
    "tag": _Field(read=lambda item: item.tags),
    "pipeline_type": _Field(read=lambda item: (item.pipeline,)),
}
_ALIASES = {"pipeline": "pipeline_type"}


@attrs.frozen(kw_only=True)
class Criterion:
    """One condition: the field has one of the values."""

    field: str
    values: tuple[Value, ...]

    def matches(self, item: Item) -> bool:
        """Say whether an item fulfils it; what the item does not say never does."""
        return any(value in self.values for value in _FIELDS[self.field].read(item))

    def __str__(self) -> str:
        texts = (value.value if isinstance(value, enum.Enum) else value for value in self.values)
        return f"{self.field}={','.join(texts)}"


@attrs.frozen(kw_only=True)
class Filters:
    """Conditions that must all be fulfilled; without one, everything is wanted."""

    criteria: tuple[Criterion, ...] = ()

    def matches(self, item: Item) -> bool:
        """Say whether an item is wanted."""
        return all(criterion.matches(item) for criterion in self.criteria)

    def __bool__(self) -> bool:
        return bool(self.criteria)

    def __str__(self) -> str:
        return " AND ".join(map(str, self.criteria))


EVERYTHING = Filters()


def parse_filters(texts: Sequence[str]) -> Filters:
    """Read what was given with ``--only``, each text one time.

    A comma is an or; several texts must all match. Keys and values are told apart at the first
    "="; case matters in tags and names of pipelines only.

    Raises:
      UsageError: a text is no filter, names an unknown field or value or one twice, or the texts
        contradict each other.
    """
    criteria: list[Criterion] = []
    for text in texts:
        criterion = _parse(text)
        for earlier in criteria:
            if earlier.field == criterion.field:
                _check_twice(earlier, criterion)
        criteria.append(criterion)
    return Filters(criteria=tuple(criteria))


def _parse(text: str) -> Criterion:
    key, _, listed = (part.strip() for part in text.partition("="))
    if not key or not listed:
        raise UsageError(
            f"Filter must be in format KEY=VALUE, got: {text}",
            where="--only",
            fix="write for example impact=high,medium",
        )
    name = _ALIASES.get(key.lower(), key.lower())
    field = _FIELDS.get(name)
    if field is None:
        supported = f"Supported: {', '.join(_FIELDS)}"
        raise UsageError(
            f"Unknown filter field: {key}. {supported}",
            where=f"--only {text}",
            fix=_nearest(key.lower(), [*_FIELDS, *_ALIASES]) or "use one of the supported fields",
        )
    values: list[Value] = []
    for raw in (part.strip() for part in listed.split(",")):
        value = _value(name, field, raw, text)
        if value in values:
            raise UsageError(
                f"Duplicate value '{raw}' in comma-separated list for field '{name}'",
                where=f"--only {text}",
                fix="name each value once",
            )
        values.append(value)
    return Criterion(field=name, values=tuple(values))


def _value(name: str, field: _Field, raw: str, text: str) -> Value:
    if not raw:
        raise UsageError(
            f"Empty value in comma-separated list for field '{name}'. "
            "Each comma separates two values",
            where=f"--only {text}",
            fix="remove the comma that has no value beside it",
        )
    if not field.words:
        return raw
    value = field.words.get(raw.lower())
    if value is None:
        valid = dict.fromkeys(str(word.value) for word in field.words.values())
        raise UsageError(
            f"Invalid value '{raw}' for field '{name}'. Valid values: {', '.join(valid)}",
            where=f"--only {text}",
            fix=_nearest(raw.lower(), list(valid)) or "use one of the valid values",
        )
    return value


def _check_twice(earlier: Criterion, later: Criterion) -> None:
    if later.field != "tag":
        both = dict.fromkeys((*earlier.values, *later.values))
        combined = Criterion(field=later.field, values=tuple(both))
        raise UsageError(
            f"Field '{later.field}' specified multiple times in separate --only flags. "
            "Combine values with a comma in one",
            where=f"--only {later}",
            fix=f"write --only {combined}",
        )
    if set(earlier.values) == set(later.values):
        raise UsageError(
            f"Duplicate filter: {later} specified multiple times",
            where=f"--only {later}",
            fix="give it once",
        )


def _nearest(word: str, known: Sequence[str]) -> str | None:
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else None
