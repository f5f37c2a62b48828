"""The store's one writer: a thread of its own that commits all that is queued in one go."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from orchestrator.errors import StoreError

from .database import unwritable
from .transaction import Transaction

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds after which a change that was not answered is given up; whether it came is unknown."""

_GROUP = 256


class _Job:
    def __init__(self, change: Callable[[Transaction], Any]) -> None:
        self.change = change
        self.answered = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None


class Writer:
    """Applies changes in the order they come in, durably, many to one sync of the disk.

    Each change has a savepoint: one that raises takes back what it did, and nothing of its
    neighbours. When the file itself refuses, the whole group fails, and so does every later change:
    what could not be recorded must not be built upon.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
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
        job = _Job(change)
        with self._gate:
            if self._closed:
                raise StoreError("the store is closed", where=str(self._path))
            self._queue.put(job)
        if not job.answered.wait(DEADLINE):
            raise StoreError(
                f"the store did not answer within {DEADLINE:g} s",
                where=str(self._path),
                fix="see whether its disk works, then run again",
            )
        if job.error is not None:
            raise job.error
        return cast(T, job.result)

    def close(self) -> None:
        """Commit what is queued, then end the thread. Does not raise; later changes do."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join(DEADLINE)

    def _work(self) -> None:
        last = False
        while not last:
            jobs = [self._queue.get()]
            while jobs[-1] is not None and len(jobs) < _GROUP:
                try:
                    jobs.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            last = jobs[-1] is None
            group = [job for job in jobs if job is not None]
            if group:
                self._commit(group)

    def _commit(self, group: list[_Job]) -> None:
        if self._refusal is not None:
            for job in group:
                job.error = self._refusal
                job.answered.set()
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._apply(job)
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._refusal = unwritable(self._path, error)
            for job in group:
                job.error = job.error or self._refusal
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        finally:
            for job in group:
                job.answered.set()

    def _apply(self, job: _Job) -> None:
        self._connection.execute("SAVEPOINT change")
        try:
            job.result = job.change(Transaction(self._connection))
        except BaseException as error:
            # On a full disk SQLite takes back the whole transaction, savepoints and all.
            if isinstance(error, sqlite3.OperationalError) or not self._connection.in_transaction:
                raise
            job.error = error
            self._connection.execute("ROLLBACK TO change")
        self._connection.execute("RELEASE change")
