"""Reads the values of one YAML mapping by their keys, strictly."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

import attrs

from orchestrator.adapters.backlog.imported import is_text
from orchestrator.work.backlog.text import one_line

from .findings import Findings, Problem

_SEARCHED = 100
"""Names that are compared at most, and characters of one: each pair takes long."""


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return what to do about a name that is none of those that are known."""
    searched = [each for each in islice(known, _SEARCHED) if len(each) <= _SEARCHED]
    near = difflib.get_close_matches(name[:_SEARCHED], searched, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {one_line(', '.join(searched))}" if searched else None


@attrs.frozen
class Table:
    """A mapping in a file. A null is as good as no key.

    What is wrong in it is kept, and comes out as the empty value of its kind.

    Attributes:
      path: of its key; "" for the whole file.
      held: None when it is none: then all of it is empty, and nothing more is wrong.
      strict: whether an unknown key is wrong; else it is told.
    """

    file: str
    path: str
    held: Mapping[str, Any] | None
    findings: Findings
    strict: bool = False

    def at(self, key: str | int) -> str:
        """Return the path of a key in it."""
        return f"{self.path}.{key}" if self.path else str(key)

    def note(self, key: str, text: str) -> None:
        """Say something about the value of a key."""
        self.findings.note(self.file, self.at(key), text)

    def wrong(self, key: str | int, text: str, fix: str | None = None) -> None:
        """Keep what is wrong with the value of a key."""
        self.findings.problems.append(Problem(self.file, self.at(key), text, fix))

    def only(self, *known: str) -> None:
        """Look for keys that are not known."""
        for key in self.names():
            if key in known:
                continue
            if self.strict:
                self.wrong(key, "unknown key", nearest(key, known))
            else:
                self.note(key, "unknown; left out")

    def names(self) -> tuple[str, ...]:
        """Return its keys."""
        return tuple(self.held or ())

    def text(self, key: str, *, default: str = "", required: bool = False) -> str:
        """Return a text; it may only be blank when that is its default."""
        value = self._value(key, required=required)
        if value is None:
            return default
        return self._text(key, value, blank=not required and not default)

    def choice(self, key: str, *options: str, required: bool = False) -> str:
        """Return one of some texts; "" when there is none."""
        text = self.text(key, required=required)
        if text and text not in options:
            self.wrong(key, f"expected {' or '.join(options)}, got {_shown(text)}")
        return text

    def truth(self, key: str, *, default: bool = False) -> bool:
        """Return a yes or no."""
        value = self._value(key)
        if value is not None and type(value) is not bool:
            self.wrong(key, f"expected true or false, got {_shown(value)}")
        return default if value is None else value is True

    def texts(
        self, key: str, *, default: tuple[str, ...] = (), required: bool = False, some: bool = False
    ) -> tuple[str, ...]:
        """Return a list of texts, none of which is blank.

        Args:
          some: whether it is wrong when it is there and holds none.
        """
        listed = self._list(key, required=required)
        if listed is None:
            return default if self.held is not None and self.held.get(key) is None else ()
        if some and not listed:
            self.wrong(key, "expected one or more, got none")
        inner = attrs.evolve(self, path=self.at(key))
        read = [inner._text(place, value, blank=False) for place, value in enumerate(listed)]
        return tuple(read) if all(read) else ()

    def table(self, key: str, *, required: bool = False) -> Table:
        """Return a mapping."""
        value = self._value(key, required=required)
        if value is None:
            return attrs.evolve(self, path=self.at(key), held=None)
        return self._table(key, value)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield the mappings that are the values of its keys."""
        for key in self.names():
            yield key, self.table(key, required=True)

    def rows(self, key: str) -> Iterator[Table]:
        """Yield the mappings of a list."""
        inner = attrs.evolve(self, path=self.at(key))
        for place, value in enumerate(self._list(key) or ()):
            yield inner._table(place, value)

    def _value(self, key: str, *, required: bool = False) -> Any:
        value = self.held.get(key) if self.held is not None else None
        if value is None and required and self.held is not None:
            self.wrong(key, "has no value" if key in self.held else "is missing")
        return value

    def _text(self, key: str | int, value: object, *, blank: bool) -> str:
        if not isinstance(value, str):
            self.wrong(key, f"expected text, got {_shown(value)}")
        elif "\0" in value or not is_text(value):
            self.wrong(key, f"expected text without NUL, got {_shown(value)}")
        elif not blank and not value.strip():
            self.wrong(key, "expected text, got nothing but blanks")
        else:
            return value
        return ""

    def _list(self, key: str, *, required: bool = False) -> list[Any] | None:
        value = self._value(key, required=required)
        if value is not None and not isinstance(value, list):
            self.wrong(key, f"expected a list, got {_shown(value)}")
            return None
        return value

    def _table(self, key: str | int, value: object) -> Table:
        held = value if isinstance(value, dict) else None
        if held is None:
            self.wrong(key, f"expected a mapping, got {_shown(value)}")
        return attrs.evolve(self, path=self.at(key), held=held)


def _shown(value: object) -> str:
    return one_line(repr(value), 60)
