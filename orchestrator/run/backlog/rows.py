"""Reads items from the rows that the store holds of them."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from orchestrator.errors import StoreError
from orchestrator.store.reading import ItemRow
from orchestrator.work.backlog.document import read_line
from orchestrator.work.backlog.item import Item


def read_row(row: ItemRow) -> Item:
    """Return the item of a row.

    Raises:
      StoreError: when it cannot be read; names it.
    """
    try:
        return read_line(row.document)
    except ValueError as error:
        raise StoreError(
            f"the store's item {row.id} cannot be read: {error}",
            fix="a newer orchestrator may have written it: use that one",
        ) from error


def read_rows(rows: Iterable[ItemRow]) -> tuple[Item, ...]:
    """Return the items of many rows, in their order. Blocking.

    Raises:
      StoreError: when one cannot be read; names it.
    """
    with no_collection():
        return tuple(map(read_row, rows))


@contextmanager
def no_collection() -> Generator[None, None, None]:
    """Look for no garbage while much is built that stays: looking through it all takes longer."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
