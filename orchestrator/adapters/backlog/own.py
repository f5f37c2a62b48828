"""The product's own file of a backlog: one item a line, sorted by id, below a line that says so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.document import (
    item_from,
    read_document,
    write_document,
    write_line,
)
from orchestrator.work.backlog.item import Item

from .files import lines_of, wrong_line
from .imported import each_once, sound_id

HEADER = "orchestrator_backlog"
VERSION = 1


def write_own(items: Iterable[Item]) -> bytes:
    """Return the file of these items, with all there is of them."""
    return write_lines((item.id, write_line(item)) for item in items)


def write_documents(documents: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return the file of these documents of items, by their ids."""
    return write_lines((id, write_document(document)) for id, document in documents.items())


def write_lines(lines: Iterable[tuple[str, str]]) -> bytes:
    """Return the file of items that are lines already, each given with its id."""
    # Code points have the order of their bytes.
    ordered = [line for _, line in sorted(lines)]
    return "".join(f"{line}\n" for line in (json.dumps({HEADER: VERSION}), *ordered)).encode()


def read_own(data: bytes, name: str) -> tuple[Item, ...]:
    """Return the items of a file, in its order. The line that names it may be missing.

    Args:
      name: of the file, for errors.

    Raises:
      BacklogFileError: when its version is unknown, or a line holds no item, or one that another
        line holds, too; names the line.
    """
    found: list[tuple[int, Item]] = []
    for number, line in lines_of(data, name):
        try:
            document = read_document(line)
            if not found and isinstance(document, dict) and HEADER in document:
                _check_version(document[HEADER], name)
                continue
            item = item_from(document)
        except ValueError as error:
            raise wrong_line(name, number, str(error)) from None
        sound_id(item.id, name, number)
        found.append((number, item))
    return each_once(found, name)


def _check_version(version: object, name: str) -> None:
    if type(version) is not int or version != VERSION:
        raise BacklogFileError(
            f"{name}: unsupported {HEADER} {version!r}; version {VERSION} can be read",
            where=name,
            fix="read it with the orchestrator that wrote it, or a newer one",
        )
