"""Items as JSON documents: what the store, the mirror and exports hold of them.

A document has the item's fields by name; what is at its default is left out. Read back, every
value is checked. Keys that are not ours are kept in ``Item.foreign`` and written back to their
place.
"""

from __future__ import annotations

import enum
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import attrs

from .item import (
    UNDESCRIBED,
    UNRATED,
    Asks,
    Assessments,
    Cause,
    Claim,
    Description,
    Item,
    Level,
    Pool,
    Question,
    Size,
    Status,
    Waiting,
)
from .track_document import track_from, track_to

UNKNOWN = "unknown"
"""Where ``Item.foreign`` keeps what a document held beyond the fields of an item."""

# What a database can hold.
_LEAST, _MOST = -(2**63), 2**63 - 1


def item_to(item: Item) -> dict[str, Any]:
    """Return an item as a document."""
    document: dict[str, Any] = {"id": item.id, "title": item.title}
    for name, default in _PLAIN:
        value = getattr(item, name)
        if value != default:
            document[name] = value
    if item.status is not Status.NEW:
        document["status"] = item.status.value
    if item.pool is not None:
        document["pool"] = item.pool.value
    if item.tags:
        document["tags"] = list(item.tags)
    if item.needs:
        document["needs"] = list(item.needs)
    if item.description is not UNDESCRIBED and item.description:
        document["description"] = _fields(item.description)
    if item.ratings is not UNRATED and item.ratings != UNRATED:
        document["ratings"] = _fields(item.ratings)
    if item.question is not None:
        document["question"] = {"text": item.question.text, **_fields(item.question)}
    if item.claim is not None:
        document["claim"] = {"at": item.claim.at, "by": item.claim.by}
    if item.track is not None:
        document["track"] = track_to(item.track)
    if item.waiting:
        document["waiting"] = [attrs.asdict(waiting) for waiting in item.waiting]
    if item.foreign:
        foreign = dict(item.foreign)
        unknown = foreign.get(UNKNOWN)
        if isinstance(unknown, Mapping) and unknown and not unknown.keys() & _READERS.keys():
            document.update(foreign.pop(UNKNOWN))
        if foreign:
            document["foreign"] = foreign
    return document


def item_from(document: object) -> Item:
    """Return the item that a document holds.

    Raises:
      ValueError: when it is none; begins with the path of the wrong key.
    """
    if type(document) is not dict:
        raise ValueError("an item is an object")
    fields: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    key = ""
    try:
        for key, value in document.items():
            if key in _READERS:
                fields[key] = _READERS[key](value)
            else:
                unknown[key] = value
    except _WrongError as error:
        raise ValueError(f"{key}{error}") from None
    if not fields.get("id"):
        raise ValueError("id: missing")
    if "title" not in fields:
        raise ValueError("title: missing")
    if unknown:
        foreign = fields.get("foreign", {})
        kept = foreign.get(UNKNOWN, {})
        if type(kept) is not dict:
            raise ValueError(f"foreign.{UNKNOWN}: must be an object")
        fields["foreign"] = {**foreign, UNKNOWN: {**kept, **unknown}}
    return Item(**fields)


def write_line(item: Item) -> str:
    """Return an item as one line of JSON, without its end: keys sorted, nothing superfluous."""
    return write_document(item_to(item))


def write_document(document: Mapping[str, Any]) -> str:
    """Return a document as one line of JSON, without its end.

    Raises:
      ValueError: when it holds a number that JSON has no word for.
    """
    line = _encode(document)
    # Half of a surrogate pair, as JSON may spell it, has no place in UTF-8.
    return line if line.isascii() or _is_text(line) else _encode_ascii(document)


def read_line(line: str | bytes) -> Item:
    """Return the item that a line of JSON holds.

    Raises:
      ValueError: when it holds none; says where it is wrong.
    """
    return item_from(read_document(line))


def read_document(line: str | bytes) -> Any:
    """Return what a line of JSON holds.

    Raises:
      ValueError: when it is not JSON, is nested too deeply, or holds a number out of all bounds.
    """
    try:
        text = line if isinstance(line, str) else line.decode()
        return _decode(text)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _fields(value: attrs.AttrsInstance) -> dict[str, Any]:
    """Return the fields of a small value that are not at their default, enums by their value."""
    found = {}
    for field in attrs.fields(type(value)):
        held = getattr(value, field.name)
        if held != field.default:
            found[field.name] = held.value if isinstance(held, enum.Enum) else held
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(f"{text} is too large a number")
    return value


def _integer(text: str) -> int:
    if len(text) > 40:
        raise ValueError(f"{text[:40]}… is too large a number")
    return int(text)


_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
_encode_ascii = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
_decode = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_float, parse_int=_integer
).decode


def _is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class _WrongError(ValueError):
    """A value is wrong; its text begins with where in the value, then a colon."""


_Read = Callable[[Any], Any]
"""Returns the value that JSON stands for; raises `_WrongError`."""


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _WrongError(": must be a string")
    if not value.isascii() and not _is_text(value):
        raise _WrongError(": holds half a character")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise _WrongError(": must be a whole number")
    if not _LEAST <= value <= _MOST:
        raise _WrongError(": must fit into 64 bits")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise _WrongError(": must be true or false")
    return value


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise _WrongError(": must be an object")
    return value


def _optional(read: _Read) -> _Read:
    """Return the reader of a value, or of null."""
    return lambda value: None if value is None else read(value)


def _list(read: _Read) -> _Read:
    """Return the reader of a list."""

    def read_list(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise _WrongError(": must be a list")
        found: list[Any] = []
        try:
            for entry in value:
                found.append(read(entry))
        except _WrongError as error:
            raise _WrongError(f"[{len(found)}]{error}") from None
        return tuple(found)

    return read_list


def _choice(kind: type[enum.Enum]) -> _Read:
    """Return the reader of one of an enum's values."""
    members = {member.value: member for member in kind}

    def read(value: Any) -> enum.Enum:
        member = members.get(value) if type(value) is str else None
        if member is None:
            raise _WrongError(f": must be one of {', '.join(members)}")
        return member

    return read


def _value(make: Callable[..., Any], needed: tuple[str, ...] = (), **readers: _Read) -> _Read:
    """Return the reader of a small value of these fields and no others."""

    def read(value: Any) -> Any:
        fields = {}
        for key, held in _object(value).items():
            if key not in readers:
                raise _WrongError(f".{key}: no such key; there are {', '.join(readers)}")
            try:
                fields[key] = readers[key](held)
            except _WrongError as error:
                raise _WrongError(f".{key}{error}") from None
        for name in needed:
            if name not in fields:
                raise _WrongError(f".{name}: missing")
        return make(**fields)

    return read


def _track(value: Any) -> Any:
    try:
        return track_from(value)
    except ValueError as error:
        raise _WrongError(str(error)) from None


# There are 256 of them, and many items.
_ratings = functools.cache(Assessments)
_level = _optional(_choice(Level))
_texts = _list(_text)

_SHAPED: dict[str, _Read] = {
    "id": _text,
    "title": _text,
    "status": _choice(Status),
    "description": _value(
        Description,
        context=_text,
        problem=_text,
        solution=_text,
        impact=_text,
        sizing_rationale=_text,
    ),
    "tags": _texts,
    "needs": _texts,
    "pool": _optional(_choice(Pool)),
    "ratings": _value(
        _ratings, size=_optional(_choice(Size)), complexity=_level, risk=_level, impact=_level
    ),
    "question": _optional(
        _value(
            Question,
            ("text",),
            text=_text,
            asks=_choice(Asks),
            cause=_choice(Cause),
            since=_choice(Status),
        )
    ),
    "claim": _optional(_value(Claim, ("by", "at"), by=_text, at=_whole)),
    "track": _optional(_track),
    "waiting": _list(
        _value(
            Waiting,
            ("phase", "summary", "attempt"),
            phase=_text,
            summary=_text,
            attempt=_text,
        )
    ),
    "foreign": _object,
}
"""The fields that JSON has another form for, or that an item is nothing without."""

_BY_DEFAULT: dict[type, _Read] = {
    str: _text,
    int: _whole,
    bool: _truth,
    type(None): _optional(_text),
}
_PLAIN = tuple(
    (field.name, field.default) for field in attrs.fields(Item) if field.name not in _SHAPED
)
"""The fields that are written as they are, with their defaults."""

_READERS = _SHAPED | {name: _BY_DEFAULT[type(default)] for name, default in _PLAIN}
