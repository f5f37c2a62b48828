"""The tables of the store, as the migrations that made them. One is never changed, only added."""

from __future__ import annotations

APPLICATION_ID = 0x4F726368
"""What marks the file as ours: "Orch"."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            item TEXT NOT NULL,
            state TEXT NOT NULL,
            at INTEGER NOT NULL,
            document TEXT NOT NULL
        )""",
        "CREATE INDEX runs_by_item ON runs (item)",
        """CREATE TABLE attempts (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            item TEXT NOT NULL,
            run TEXT NOT NULL,
            state TEXT NOT NULL,
            at INTEGER NOT NULL,
            document TEXT NOT NULL
        )""",
        "CREATE INDEX attempts_by_item ON attempts (item)",
        """CREATE TABLE facts (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            item TEXT NOT NULL,
            run TEXT NOT NULL,
            name TEXT NOT NULL,
            document TEXT NOT NULL
        )""",
        "CREATE INDEX facts_by_item ON facts (item)",
        """CREATE TABLE timers (
            name TEXT PRIMARY KEY,
            until REAL NOT NULL,
            reason TEXT NOT NULL
        )""",
        """CREATE TABLE checks (
            key TEXT PRIMARY KEY,
            passed INTEGER NOT NULL,
            seconds REAL NOT NULL,
            at INTEGER NOT NULL,
            output TEXT NOT NULL
        )""",
        """CREATE TABLE operations (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            item TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('intent', 'done', 'void')),
            plan TEXT NOT NULL,
            at INTEGER NOT NULL
        )""",
        "CREATE INDEX operations_by_item ON operations (item)",
        """CREATE TABLE guidance (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            item TEXT NOT NULL,
            text TEXT NOT NULL,
            at INTEGER NOT NULL,
            attempt TEXT
        )""",
        "CREATE INDEX guidance_by_item ON guidance (item)",
    ),
    (
        """CREATE TABLE items (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            status TEXT NOT NULL,
            document TEXT NOT NULL
        )""",
        """CREATE TABLE history (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            item TEXT NOT NULL,
            what TEXT NOT NULL,
            document TEXT NOT NULL
        )""",
        "CREATE INDEX history_by_item ON history (item)",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
        "INSERT INTO meta (key, value) VALUES ('epoch', '0')",
    ),
)
"""Each one is a list of statements that make one transaction; the file says how many it has had."""
