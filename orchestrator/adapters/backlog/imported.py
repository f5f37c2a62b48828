"""What reading a backlog comes to: items, and notes of all that has no place in them."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from orchestrator.errors import BacklogFileError, UsageError
from orchestrator.work.backlog.ids import check_id
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.text import one_line

E = TypeVar("E", bound=enum.Enum)


@attrs.frozen
class Imported:
    """A backlog that was read.

    Attributes:
      items: each id once.
      notes: what could not be mapped, a line each, with the file and the line or id. The values
        themselves are in ``Item.foreign``.
    """

    items: tuple[Item, ...] = ()
    notes: tuple[str, ...] = ()


@attrs.frozen
class Values:
    """The values of one item of a file; notes those that are not understood.

    Attributes:
      where: file and line or id, for the notes.
      notes: gets them.
    """

    where: str
    held: Mapping[str, Any]
    notes: list[str]

    def note(self, text: str) -> None:
        """Say something about the item."""
        self.notes.append(f"{self.where}: {one_line(text)}")

    def choice(self, key: str, kind: type[E]) -> E | None:
        """Return one of an enum's values; None when it is absent, null or something else."""
        value = self.held.get(key)
        if value is None:
            return None
        try:
            return kind(value)
        except ValueError:
            expected = ", ".join(str(member.value) for member in kind)
            self.note(f"{key}: {_shown(value)} is none of {expected}; left out")
            return None

    def text(self, key: str) -> str | None:
        """Return a text; None when it is absent, null or something else."""
        value = self.held.get(key)
        if value is None or isinstance(value, str):
            return value
        self.note(f"{key}: {_shown(value)} is no text; left out")
        return None

    def truth(self, key: str) -> bool:
        """Return a yes or no; no when it is absent, null or something else."""
        value = self.held.get(key)
        if value is not None and type(value) is not bool:
            self.note(f"{key}: {_shown(value)} is neither true nor false; left out")
        return value is True

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, each once; () when it is absent, null or something else."""
        value = self.held.get(key)
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return tuple(dict.fromkeys(value))
        self.note(f"{key}: {_shown(value)} is no list of texts; left out")
        return ()


def sound_id(value: object, name: str, number: int) -> str:
    """Return an item's id.

    Raises:
      BacklogFileError: when it is none that can name a branch; names the line.
    """
    try:
        return check_id(value if isinstance(value, str) else "")
    except UsageError:
        raise BacklogFileError(
            f"{name}: line {number}: {_shown(value)} is no id of an item",
            where=name,
            fix="give it one of letters, digits, -, _ and single dots",
        ) from None


def each_once(found: list[tuple[int, Item]], name: str) -> tuple[Item, ...]:
    """Return the items, given with their lines.

    Raises:
      BacklogFileError: when two have the same id.
    """
    lines: dict[str, int] = {}
    for number, item in found:
        first = lines.setdefault(item.id, number)
        if first != number:
            raise BacklogFileError(
                f"{name}: lines {first} and {number} are both {item.id}",
                where=name,
                fix="give one of them another id, or remove it",
            )
    return tuple(item for _, item in found)


def _shown(value: object) -> str:
    return one_line(repr(value), 60)


def is_text(value: object) -> bool:
    """Whether all texts in a value that JSON can spell can be written as UTF-8, too."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
