"""The store as the engine has it: reads for any thread, writes through the one writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from orchestrator.errors import StoreError

from .database import open_for_reading, open_for_writing, store_path
from .reading import Reader
from .transaction import Transaction
from .writer import DEADLINE as DEADLINE
from .writer import Job, Writer

T = TypeVar("T")


class Store(Reader):
    """One repository's decisions: items, runs, attempts, facts, operations and what goes with them.

    Made by `open_store` only. Reads see what is committed.
    """

    def __init__(self, reading: sqlite3.Connection, writer: Writer) -> None:
        super().__init__(reading)
        self._writer = writer

    def write(self, change: Callable[[Transaction], T]) -> T:
        """Apply a change in one transaction; it is durable when this returns. Blocking.

        For worker threads: the change runs in the writer's thread, must be short and must wait for
        nothing. When it raises, nothing of it is recorded.

        Raises:
          StoreError: when it could not be recorded; the engine has to stop then.
          Exception: whatever ``change`` raised.
        """
        return self._writer.write(change)

    def submit(self, change: Callable[[Transaction], T], tell: Callable[[], None]) -> Job[T]:
        """Queue a change and return at once; see `Writer.submit`.

        Raises:
          StoreError: when the store is closed.
        """
        return self._writer.submit(change, tell)

    def unanswered(self) -> StoreError:
        """Return the error about a submitted change that was not decided within `DEADLINE`."""
        return self._writer.unanswered()


@contextmanager
def open_store(state_dir: Path) -> Generator[Store, None, None]:
    """Own a repository's store for as long as the block lasts. Blocking; under the engine's lock.

    It is made when it is missing or empty, and brought up to date when it is older. Leaving the
    block commits what is queued.

    Raises:
      StoreError: when the file is damaged, another program's, made by a newer orchestrator, or
        cannot be written; it is not changed then.
    """
    path = store_path(state_dir)
    writing = open_for_writing(path)
    reading = open_for_reading(path)
    assert reading is not None  # it was made just now
    writer = Writer(writing, path)
    try:
        yield Store(reading, writer)
    finally:
        writer.close()
        reading.close()
        writing.close()
