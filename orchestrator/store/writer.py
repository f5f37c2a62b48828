"""The store's one writer: a thread of its own that commits all that is queued in one go."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from orchestrator.errors import StoreError

from .database import unwritable
from .transaction import Transaction

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds after which a change that was not answered is given up; whether it came is unknown."""

_GROUP = 256


def _nobody_told() -> None:
    """Tell nobody."""


class Job(Generic[T]):
    """A change on its way to the disk."""

    def __init__(self, change: Callable[[Transaction], T], tell: Callable[[], None]) -> None:
        self.change = change
        self.error: BaseException | None = None
        self._result: T | None = None
        self._answered = threading.Event()
        self._tell = tell

    def wait(self, seconds: float) -> bool:
        """Wait until it is decided; False: not within that time. Blocking."""
        return self._answered.wait(seconds)

    def result(self) -> T:
        """Return what a decided change returned.

        Raises:
          StoreError: when it could not be recorded; nothing of it is.
          Exception: whatever the change raised; nothing of it is recorded then.
        """
        if self.error is not None:
            raise self.error
        return cast(T, self._result)

    def apply(self, transaction: Transaction) -> None:
        """Make the change. For the writer."""
        self._result = self.change(transaction)

    def answer(self) -> None:
        """Say that it is decided. For the writer."""
        self._answered.set()
        self._tell()


def raise_epoch(connection: sqlite3.Connection, path: Path) -> int:
    """Begin a new epoch of the store, durably, and return its number: earlier ones end with it.

    Raises:
      StoreError: when it cannot be written.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch'")
        (epoch,) = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise unwritable(path, error) from error
    return int(epoch)


class Writer:
    """Applies changes in the order they come in, durably, many to one sync of the disk.

    Each change has a savepoint: one that raises takes back what it did, and nothing of its
    neighbours. When the file itself refuses, the whole group fails, and so does every later change:
    what could not be recorded must not be built upon. The same holds when another engine took the
    store over: each one that opens it raises its epoch, and only the newest may write.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._file = _identity(path)
        self._epoch = raise_epoch(connection, path)
        self._queue: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._refusal: StoreError | None = None
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    def write(self, change: Callable[[Transaction], T]) -> T:
        """Apply a change and return what it returned, once it is on the disk. Blocking.

        A caller that is cancelled meanwhile cannot tell whether the change came.

        Raises:
          StoreError: when it could not be recorded; nothing of it is.
          Exception: whatever ``change`` raised; nothing of it is recorded then.
        """
        assert threading.current_thread() is not self._thread, "a change cannot wait for another"
        job = self.submit(change)
        if not job.wait(DEADLINE):
            raise self.unanswered()
        return job.result()

    def submit(
        self, change: Callable[[Transaction], T], tell: Callable[[], None] = _nobody_told
    ) -> Job[T]:
        """Queue a change and return at once: changes are applied in the order of these calls.

        Args:
          tell: is called in the writer's thread once the change is decided; must not block.

        Raises:
          StoreError: when the store is closed.
        """
        job = Job(change, tell)
        with self._gate:
            if self._closed:
                raise StoreError("the store is closed", where=str(self._path))
            self._queue.put(job)
        return job

    def unanswered(self) -> StoreError:
        """Return the error about a change that was not decided in time: whether it came is open."""
        return StoreError(
            f"the store did not answer within {DEADLINE:g} s",
            where=str(self._path),
            fix="see whether its disk works, then run again",
        )

    def close(self) -> None:
        """Commit what is queued, then end the thread. Does not raise; later changes do."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join(DEADLINE)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            self._commit([job])

    def _commit(self, group: list[Job[Any]]) -> None:
        """Decide a job, together with what is queued until it and the others are applied."""
        if self._refusal is not None:
            group[0].error = self._refusal
            group[0].answer()
            return
        try:
            self._require_file()
            self._connection.execute("BEGIN IMMEDIATE")
            self._require_epoch()
            self._apply(group[0])
            while (job := self._next(group)) is not None:
                self._apply(job)
            self._connection.execute("COMMIT")
        except BaseException as error:
            refused = error if isinstance(error, StoreError) else unwritable(self._path, error)
            self._refusal = refused
            for job in group:
                job.error = job.error or self._refusal
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        finally:
            for job in group:
                job.answer()

    def _next(self, group: list[Job[Any]]) -> Job[Any] | None:
        """Take one more job into a group; None when none waits, or there is no room."""
        if len(group) == _GROUP:
            return None
        try:
            job = self._queue.get_nowait()
        except queue.Empty:
            return None
        if job is None:
            self._queue.put(None)  # the end comes after this group
        else:
            group.append(job)
        return job

    def _require_file(self) -> None:
        """Refuse to write to a file that nobody would find any more."""
        if _identity(self._path) != self._file:
            raise StoreError(
                "the store was removed, or replaced, while it was in use",
                where=str(self._path),
                fix="nothing of this is recorded; ask again: what git keeps of it is put back",
            )

    def _require_epoch(self) -> None:
        (epoch,) = self._connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        if int(epoch) != self._epoch:
            raise StoreError(
                "another orchestrator took this repository over",
                where=str(self._path),
                fix="let that one go on (orc status); somebody deleted engine.lock meanwhile",
            )

    def _apply(self, job: Job[Any]) -> None:
        self._connection.execute("SAVEPOINT change")
        try:
            job.apply(Transaction(self._connection))
        except BaseException as error:
            # On a full disk SQLite takes back the whole transaction, savepoints and all.
            if isinstance(error, sqlite3.OperationalError) or not self._connection.in_transaction:
                raise
            job.error = error
            self._connection.execute("ROLLBACK TO change")
        self._connection.execute("RELEASE change")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what a file is known by, whatever its name; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
