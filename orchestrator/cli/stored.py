"""The backlog as it is on the disk, for commands that only read it. Blocking."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.runner import Git
from orchestrator.adapters.process import DEADLINE
from orchestrator.config import FILE_NAME, load_config
from orchestrator.run.backlog.kept import kept_items
from orchestrator.run.backlog.rows import read_row, read_rows
from orchestrator.settings import Config
from orchestrator.store.reading import ItemRow, Reader, open_reader
from orchestrator.work.backlog.document import write_line
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

    def __init__(self, reader: Reader | None, git: Git) -> None:
        self.reader = reader
        self._git = git

    @cached_property
    def rows(self) -> Sequence[ItemRow]:
        """What there is of every item, in the order they were added."""
        if self.reader is not None and (rows := self.reader.items()):
            return rows
        # The store is new, or was lost.
        kept = kept_items(self._git)
        return [ItemRow(item.id, item.status.value, write_line(item)) for item in kept]

    def items(self) -> tuple[Item, ...]:
        """Return every item, in the order they were added.

        Raises:
          StoreError: when one cannot be read; names it.
        """
        return read_rows(self.rows)

    def find(self, beginning: str) -> Item:
        """Return the item that a person means.

        Raises:
          UnknownItemError: when there is none, or there are several.
          StoreError: when it cannot be read.
        """
        if (row := self._row(beginning.strip())) is not None:
            return read_row(row)
        rows = {row.id: row for row in self.rows}
        return read_row(rows[resolve(beginning, rows)])

    def named(self, ids: Sequence[str]) -> list[Item]:
        """Return the items of these ids, as far as there are any, in that order."""
        return [read_row(row) for id in ids if (row := self._row(id)) is not None]

    def about(self, id: str) -> tuple[Item, ...]:
        """Return the items that name another one, and no more than a few that do not."""
        return tuple(read_row(row) for row in self.rows if id in row.document and row.id != id)

    def _row(self, id: str) -> ItemRow | None:
        """Return what there is of one item, without a look at the others where that is possible."""
        if self.reader is not None and (row := self.reader.item(id)) is not None:
            return row
        return next((row for row in self.rows if row.id == id), None)


@contextmanager
def open_stored(state: Path, *, deadline: float = DEADLINE) -> Iterator[Stored]:
    """Read the backlog of a repository for as long as the block lasts; it may be empty.

    Args:
      deadline: seconds that a git command may take, where one has to be asked.

    Raises:
      StoreError: when there is a store that cannot be read.
    """
    with open_reader(state) as reader:
        yield Stored(reader, reader_git(state)._replace(deadline=deadline))
