"""The backlog as it is on the disk, for commands that only read it. Blocking."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import StoreError
from orchestrator.run.backlog.kept import kept_items
from orchestrator.settings import Config
from orchestrator.store.reading import ItemRow, Reader, open_reader
from orchestrator.work.backlog.document import read_line, write_line
from orchestrator.work.backlog.ids import resolve
from orchestrator.work.backlog.item import Item

from .place import reader_git


def settings(repo: Repository, arguments: argparse.Namespace) -> Config:
    """Return the settings in force.

    Raises:
      ConfigError: when they are wrong; names the file and the key.
    """
    return load_config(
        Path(arguments.config) if arguments.config else repo.checkout / FILE_NAME,
        environ=os.environ,
        required=arguments.config is not None,
    )


class Stored:
    """What a store holds of items; made by `open_stored`."""

    def __init__(self, reader: Reader | None, state: Path) -> None:
        self.reader = reader
        self.rows: Sequence[ItemRow] = reader.items() if reader is not None else ()
        if not self.rows:  # the store is new, or was lost
            kept = kept_items(reader_git(state))
            self.rows = [ItemRow(item.id, item.status.value, write_line(item)) for item in kept]

    def items(self) -> tuple[Item, ...]:
        """Return every item, in the order they were added.

        Raises:
          StoreError: when one cannot be read; names it.
        """
        return tuple(map(_item, self.rows))

    def find(self, beginning: str) -> Item:
        """Return the item that a person means.

        Raises:
          UnknownItemError: when there is none, or there are several.
          StoreError: when it cannot be read.
        """
        rows = {row.id: row for row in self.rows}
        return _item(rows[resolve(beginning, rows)])

    def named(self, ids: Sequence[str]) -> list[Item]:
        """Return the items of these ids, as far as there are any, in that order."""
        rows = {row.id: row for row in self.rows}
        return [_item(rows[id]) for id in ids if id in rows]

    def about(self, id: str) -> tuple[Item, ...]:
        """Return the items that name another one, and no more than a few that do not."""
        return tuple(_item(row) for row in self.rows if id in row.document and row.id != id)


@contextmanager
def open_stored(state: Path) -> Iterator[Stored]:
    """Read the backlog of a repository for as long as the block lasts; it may be empty.

    Raises:
      StoreError: when there is a store that cannot be read.
    """
    with open_reader(state) as reader:
        yield Stored(reader, state)


def _item(row: ItemRow) -> Item:
    try:
        return read_line(row.document)
    except ValueError as error:
        raise StoreError(
            f"the store's item {row.id} cannot be read: {error}",
            fix="a newer orchestrator may have written it: use that one",
        ) from error
