"""What can be changed in the store; every method is part of the transaction it is called in."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

from .reading import GuidanceRow, Reader

FACTS_KEPT = 100_000
"""The newest facts stay; older ones go as new ones come."""

_CHECKS_KEPT = 1_000
_OPERATIONS_KEPT = 10_000
HISTORY_KEPT = 1_000_000
"""The newest entries of all items' history together."""


class Transaction(Reader):
    """Reads and writes inside one change; made by the store's writer, used in no other thread.

    Attributes:
      now: Unix time in whole seconds, the same for the whole change.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.now = int(time.time())

    def put_run(self, document: str) -> None:
        """Record a run, given as the JSON of its record, in place of what was known of it."""
        run = json.loads(document)
        self._connection.execute(
            "INSERT INTO runs (id, item, state, at, document) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET item = excluded.item, state = excluded.state, "
            "at = excluded.at, document = excluded.document",
            (run["id"], run["item"], run["state"], run["at"], document),
        )

    def put_attempt(self, document: str) -> None:
        """Record an attempt, given as the JSON of its record, in place of what was known of it."""
        attempt = json.loads(document)
        self._connection.execute(
            "INSERT INTO attempts (id, item, run, state, at, document) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document",
            (
                attempt["id"],
                attempt["item"],
                attempt["run"],
                attempt["state"],
                attempt["at"],
                document,
            ),
        )

    def add_fact(
        self, name: str, document: Mapping[str, Any], *, item: str = "", run: str = ""
    ) -> int:
        """Record that something happened and return its sequence number."""
        seq = self._connection.execute(
            "INSERT INTO facts (at, item, run, name, document) VALUES (?, ?, ?, ?, ?)",
            (self.now, item, run, name, json.dumps(document, ensure_ascii=True)),
        ).lastrowid
        assert seq is not None
        if seq > FACTS_KEPT:
            self._connection.execute("DELETE FROM facts WHERE seq <= ?", (seq - FACTS_KEPT,))
        return seq

    def set_timer(self, name: str, until: float, reason: str) -> None:
        """Remember that something is waited for until a Unix time in seconds."""
        self._connection.execute(
            "INSERT OR REPLACE INTO timers (name, until, reason) VALUES (?, ?, ?)",
            (name, until, reason),
        )

    def clear_timer(self, name: str) -> None:
        """Forget a timer, if there is one."""
        self._connection.execute("DELETE FROM timers WHERE name = ?", (name,))

    def put_check(self, key: str, *, passed: bool, seconds: float, output: str) -> None:
        """Remember how a command ended on a tree; the newest thousand are kept."""
        self._connection.execute(
            "INSERT OR REPLACE INTO checks (key, passed, seconds, at, output) "
            "VALUES (?, ?, ?, ?, ?)",
            (key, passed, seconds, self.now, output),
        )
        self._connection.execute(
            "DELETE FROM checks WHERE rowid <= (SELECT max(rowid) FROM checks) - ?",
            (_CHECKS_KEPT,),
        )

    def begin_operation(self, id: str, kind: str, item: str, plan: Mapping[str, Any]) -> None:
        """Record what is about to be done; one of the same id that was not done is replaced."""
        cursor = self._connection.execute(
            "INSERT INTO operations (id, kind, item, state, plan, at) "
            "VALUES (?, ?, ?, 'intent', ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET state = 'intent', plan = excluded.plan, "
            "at = excluded.at WHERE state <> 'done'",
            (id, kind, item, json.dumps(plan), self.now),
        )
        assert cursor.rowcount == 1, f"operation {id} was done before"
        self._connection.execute(
            "DELETE FROM operations WHERE state <> 'intent' AND "
            "number <= (SELECT max(number) FROM operations) - ?",
            (_OPERATIONS_KEPT,),
        )

    def finish_operation(self, id: str) -> bool:
        """Record that an operation took place; True only for the one who decides it first."""
        return self._decide(id, "done")

    def void_operation(self, id: str) -> bool:
        """Record that an operation did not and will not take place; True for the first to say."""
        return self._decide(id, "void")

    def put_item(self, id: str, status: str, document: str) -> None:
        """Record an item of the backlog in place of what was known of it."""
        self._connection.execute(
            "INSERT INTO items (id, status, document) VALUES (?, ?, ?) ON CONFLICT (id) "
            "DO UPDATE SET status = excluded.status, document = excluded.document",
            (id, status, document),
        )

    def add_history(self, at: int, item: str, what: str, document: Mapping[str, Any]) -> None:
        """Record what happened to an item; ``at`` in Unix nanoseconds."""
        seq = self._connection.execute(
            "INSERT INTO history (at, item, what, document) VALUES (?, ?, ?, ?)",
            (at, item, what, json.dumps(document)),
        ).lastrowid
        assert seq is not None
        if seq > HISTORY_KEPT:
            self._connection.execute("DELETE FROM history WHERE seq <= ?", (seq - HISTORY_KEPT,))

    def set_meta(self, key: str, value: str) -> None:
        """Keep a single value under a name."""
        self._connection.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value)
        )

    def add_guidance(self, item: str, text: str) -> int:
        """Keep what a person told an item for its next attempt; returns its id."""
        id = self._connection.execute(
            "INSERT INTO guidance (item, text, at) VALUES (?, ?, ?)", (item, text, self.now)
        ).lastrowid
        assert id is not None
        return id

    def take_guidance(self, item: str, attempt: str) -> tuple[GuidanceRow, ...]:
        """Give ``attempt`` what no attempt was verified with yet, and return it."""
        rows = self.pending_guidance(item)
        self._connection.executemany(
            "UPDATE guidance SET attempt = ? WHERE id = ?", [(attempt, row.id) for row in rows]
        )
        return tuple(row._replace(attempt=attempt) for row in rows)

    def _decide(self, id: str, state: str) -> bool:
        cursor = self._connection.execute(
            "UPDATE operations SET state = ? WHERE id = ? AND state = 'intent'", (state, id)
        )
        return cursor.rowcount == 1
