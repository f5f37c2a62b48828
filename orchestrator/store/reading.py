"""Reads the store. Imports little: `status` in another process waits for it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.errors import StoreError

from .database import open_for_reading, store_path


class RunRow(NamedTuple):
    """A run; ``document`` is its record as JSON, see `orchestrator.work.records`."""

    id: str
    item: str
    state: str
    at: int
    document: str


class AttemptRow(NamedTuple):
    """An attempt; ``document`` is its record as JSON."""

    id: str
    item: str
    run: str
    state: str
    at: int
    document: str


class FactRow(NamedTuple):
    """Something that happened.

    Attributes:
      seq: counts up from 1 without end; ``at``: Unix seconds.
      item, run: what it is about, or "".
      name: of the event, such as ``story_verified``; ``document``: its fields.
    """

    seq: int
    at: int
    item: str
    run: str
    name: str
    document: dict[str, Any]


class TimerRow(NamedTuple):
    """Something is waited for ``until`` a Unix time in seconds."""

    name: str
    until: float
    reason: str


class CheckRow(NamedTuple):
    """How a command ended on a tree; ``key`` tells which command and which tree."""

    key: str
    passed: bool
    seconds: float
    at: int
    output: str


class OperationRow(NamedTuple):
    """One change of the world outside: ``intent`` before it is made, then ``done`` or ``void``.

    Attributes:
      plan: what decides whether it took place, and what takes it back.
    """

    id: str
    kind: str
    item: str
    state: str
    plan: dict[str, Any]
    at: int


class GuidanceRow(NamedTuple):
    """What a person told an item; ``attempt`` is the one that was given it, None: none yet."""

    id: int
    item: str
    text: str
    at: int
    attempt: str | None


class ItemRow(NamedTuple):
    """An item of the backlog; ``document`` as JSON, see `orchestrator.work.backlog.document`."""

    id: str
    status: str
    document: str


class HistoryRow(NamedTuple):
    """One line of an item's history; ``at`` in Unix nanoseconds.

    Attributes:
      document: the rest of the entry, see `orchestrator.work.backlog.change.Entry`.
    """

    seq: int
    at: int
    item: str
    what: str
    document: dict[str, Any]


class Reader:
    """Reads committed rows through one connection. Blocking, short; for any thread.

    Raises:
      StoreError: from every method, when the file cannot be read.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def run(self, item: str) -> RunRow | None:
        """Return the item's current or last run."""
        rows = self._rows(
            "SELECT id, item, state, at, document FROM runs WHERE item = ? "
            "ORDER BY number DESC LIMIT 1",
            item,
        )
        return RunRow(*rows[0]) if rows else None

    def runs(self) -> tuple[RunRow, ...]:
        """Return every run that ever was, oldest first."""
        rows = self._rows("SELECT id, item, state, at, document FROM runs ORDER BY number")
        return tuple(RunRow(*row) for row in rows)

    def open_runs(self) -> tuple[RunRow, ...]:
        """Return the runs that have not ended, oldest first."""
        rows = self._rows(
            "SELECT id, item, state, at, document FROM runs WHERE state = 'open' ORDER BY number"
        )
        return tuple(RunRow(*row) for row in rows)

    def attempts(self, item: str | None = None) -> tuple[AttemptRow, ...]:
        """Return every attempt, of one item or of all, in the order they were begun."""
        rows = self._rows(
            "SELECT id, item, run, state, at, document FROM attempts "
            "WHERE ?1 IS NULL OR item = ?1 ORDER BY number",
            item,
        )
        return tuple(AttemptRow(*row) for row in rows)

    def attempts_since(self, number: int) -> tuple[AttemptRow, ...]:
        """Return the attempts that were begun after the ``number``-th, see `last_attempt`."""
        rows = self._rows(
            "SELECT id, item, run, state, at, document FROM attempts WHERE number > ? "
            "ORDER BY number",
            number,
        )
        return tuple(AttemptRow(*row) for row in rows)

    def last_attempt(self) -> int:
        """Return the number of the newest attempt, 0 when there is none."""
        return int(self._rows("SELECT coalesce(max(number), 0) FROM attempts")[0][0])

    def facts(
        self,
        since: int = 0,
        *,
        item: str | None = None,
        name: str | None = None,
        limit: int = 1000,
    ) -> tuple[FactRow, ...]:
        """Return facts that come after number ``since``, oldest first, at most ``limit``."""
        rows = self._rows(
            "SELECT seq, at, item, run, name, document FROM facts "
            "WHERE seq > ?1 AND (?2 IS NULL OR item = ?2) AND (?3 IS NULL OR name = ?3) "
            "ORDER BY seq LIMIT ?4",
            since,
            item,
            name,
            limit,
        )
        return tuple(FactRow(*row)._replace(document=json.loads(row[5])) for row in rows)

    def last_fact(self, item: str, *names: str) -> FactRow | None:
        """Return the newest fact of an item that has one of these names."""
        marks = ", ".join("?" * len(names))
        rows = self._rows(
            "SELECT seq, at, item, run, name, document FROM facts "
            f"WHERE item = ? AND name IN ({marks}) ORDER BY seq DESC LIMIT 1",
            item,
            *names,
        )
        found = [FactRow(*row)._replace(document=json.loads(row[5])) for row in rows]
        return found[0] if found else None

    def last_seq(self) -> int:
        """Return the number of the newest fact, 0 when there is none."""
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM facts")[0][0])

    def timers(self) -> tuple[TimerRow, ...]:
        """Return what is waited for, soonest first."""
        rows = self._rows("SELECT name, until, reason FROM timers ORDER BY until")
        return tuple(TimerRow(*row) for row in rows)

    def check(self, key: str) -> CheckRow | None:
        """Return what is remembered of a command on a tree."""
        rows = self._rows("SELECT key, passed, seconds, at, output FROM checks WHERE key = ?", key)
        return CheckRow(rows[0][0], bool(rows[0][1]), *rows[0][2:]) if rows else None

    def operations(
        self, item: str | None = None, *, state: str | None = None
    ) -> tuple[OperationRow, ...]:
        """Return the operations of one item or of all, newest first."""
        rows = self._rows(
            "SELECT id, kind, item, state, plan, at FROM operations "
            "WHERE (?1 IS NULL OR item = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY number DESC",
            item,
            state,
        )
        return tuple(OperationRow(*row)._replace(plan=json.loads(row[4])) for row in rows)

    def guidance(self, item: str) -> tuple[GuidanceRow, ...]:
        """Return what a person told an item, oldest first."""
        rows = self._rows(
            "SELECT id, item, text, at, attempt FROM guidance WHERE item = ? ORDER BY id", item
        )
        return tuple(GuidanceRow(*row) for row in rows)

    def pending_guidance(self, item: str) -> tuple[GuidanceRow, ...]:
        """Return what a person told an item and no attempt was verified with, oldest first."""
        rows = self._rows(
            "SELECT id, item, text, at, attempt FROM guidance WHERE item = ?1 AND "
            "(attempt IS NULL OR attempt NOT IN "
            "(SELECT id FROM attempts WHERE item = ?1 AND state = 'verified')) ORDER BY id",
            item,
        )
        return tuple(GuidanceRow(*row) for row in rows)

    def items(self, *statuses: str) -> tuple[ItemRow, ...]:
        """Return the items of the backlog that have one of these statuses, all without any.

        They are in the order they were added.
        """
        some = f"WHERE status IN ({', '.join('?' * len(statuses))})" if statuses else ""
        rows = self._rows(
            f"SELECT id, status, document FROM items {some} ORDER BY number", *statuses
        )
        return tuple(map(ItemRow._make, rows))

    def item_counts(self) -> dict[str, int]:
        """Return how many items of the backlog there are of each status that one has."""
        return dict(self._rows("SELECT status, count(*) FROM items GROUP BY status"))

    def item(self, id: str) -> ItemRow | None:
        """Return one item of the backlog."""
        rows = self._rows("SELECT id, status, document FROM items WHERE id = ?", id)
        return ItemRow(*rows[0]) if rows else None

    def last_history(self, item: str, limit: int) -> tuple[HistoryRow, ...]:
        """Return what happened to one item last, oldest first, at most ``limit`` rows."""
        rows = self._rows(
            "SELECT * FROM (SELECT seq, at, item, what, document FROM history "
            "WHERE item = ? ORDER BY seq DESC LIMIT ?) ORDER BY seq",
            item,
            limit,
        )
        return tuple(HistoryRow(*row)._replace(document=json.loads(row[4])) for row in rows)

    def history(
        self, item: str | None = None, *, since: int = 0, limit: int = -1
    ) -> tuple[HistoryRow, ...]:
        """Return what happened to one item or to all after number ``since``, oldest first.

        Args:
          limit: how many rows at most; -1: all.
        """
        rows = self._rows(
            "SELECT seq, at, item, what, document FROM history "
            "WHERE (?1 IS NULL OR item = ?1) AND seq > ?2 ORDER BY seq LIMIT ?3",
            item,
            since,
            limit,
        )
        return tuple(HistoryRow(*row)._replace(document=json.loads(row[4])) for row in rows)

    def meta(self, key: str) -> str | None:
        """Return a single value that is kept under a name."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    def _rows(self, query: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the store cannot be read: {error}") from error


@contextmanager
def open_reader(state_dir: Path) -> Generator[Reader | None, None, None]:
    """Read a repository's store for as long as the block lasts; None when there is none yet.

    It sees what is committed, also while an engine of another process writes.

    Raises:
      StoreError: when the file is damaged, another program's or made by a newer orchestrator.
    """
    connection = open_for_reading(store_path(state_dir))
    try:
        yield Reader(connection) if connection is not None else None
    finally:
        if connection is not None:
            connection.close()
