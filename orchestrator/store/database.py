"""Opens the store's file: ours, sound and up to date, or left exactly as it is. Blocking."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from orchestrator.errors import StoreError

from .schema import APPLICATION_ID, MIGRATIONS

PATIENCE = 5.0
"""Seconds to wait for another process that holds the file."""

_WAL_LIMIT = 4 << 20
_MOVE_AWAY = "move it away: what git knows is put back into a new one at the next run"


def store_path(state_dir: Path) -> Path:
    """Return the store's file in the product's directory."""
    return state_dir / "store.db"


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the store, made or migrated where needed, durable with every commit.

    Raises:
      StoreError: when the file is damaged, another program's, made by a newer orchestrator, or
        cannot be written; it is not changed then.
    """
    try:
        if not path.exists():
            # SQLite gives its other files the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        _inspect(path)
        connection = _connect(path, "rw")
    except OSError as error:
        raise StoreError(
            f"the store cannot be opened: {error.strerror}",
            where=str(path),
            fix="make it writable for you, or move it away",
        ) from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        _migrate(connection)
    except sqlite3.Error as error:
        connection.close()
        raise unwritable(path, error) from error
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """Open the store to read what is committed, also while an engine writes; None without one.

    Raises:
      StoreError: as `open_for_writing`, but for a file that cannot be written.
    """
    try:
        if path.stat().st_size == 0:
            return None
    except FileNotFoundError:
        return None
    try:
        return _made(_connect(path, _looking(path)), path)
    except _UnreadableError:
        # A reader writes, too: SQLite's index of the log. A full or read-only disk has no room for
        # it, and without a log nothing is missed.
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return _made(_connect(path, "ro&immutable=1"), path)


def _looking(path: Path) -> str:
    """Return how to open a file that is only looked at.

    One that was killed before its log was made is taken back to what it was, which writes.
    """
    return "rw" if path.with_name(f"{path.name}-journal").exists() else "ro"


def _made(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection | None:
    """Return the connection to a store of ours, None when it has no tables yet."""
    try:
        version = _version(connection, path)
    except BaseException:
        connection.close()
        raise
    if version == 0:
        connection.close()
        return None
    return connection


def _inspect(path: Path) -> None:
    """Refuse a file that is not a sound store of ours, without changing it.

    Raises:
      StoreError: says what is wrong with it.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise StoreError("the store is not a file", where=str(path), fix=_MOVE_AWAY)
    if not os.access(path, os.W_OK):
        raise StoreError("the store may not be written", where=str(path), fix=f"chmod u+w {path}")
    if path.stat().st_size == 0:
        return
    with closing(_connect(path, _looking(path))) as connection:
        _version(connection, path)
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            raise _unsound(path, error) from error
        if found != "ok":
            raise _damaged(path, found)


def unwritable(path: Path, error: BaseException) -> StoreError:
    """Return the error of a store that did not take what was to be recorded."""
    return StoreError(
        f"the store cannot be written: {error}",
        where=str(path),
        fix="nothing is lost: mend it (disk space, permissions), then run again",
    )


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise unwritable(path, error) from error


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return how many migrations the file has had; refuse one that is not ours or is newer."""
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        raise _unsound(path, error) from error
    if application != APPLICATION_ID and (application or version or tables):
        raise StoreError("this is the database of another program", where=str(path), fix=_MOVE_AWAY)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"a newer orchestrator made the store (version {version}, this one knows "
            f"{len(MIGRATIONS)})",
            where=str(path),
            fix=f"use the newer one; or {_MOVE_AWAY}",
        )
    return int(version)


class _UnreadableError(StoreError):
    """The file may be sound; it is the disk, or its permissions, that a reader fails at."""


def _unsound(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    """Return the error of a file that was looked at: it is damaged, or cannot be read."""
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    return _UnreadableError(
        f"the store cannot be read: {error}",
        where=str(path),
        fix="nothing is lost: mend it (disk space, permissions), then say it again",
    )


def _damaged(path: Path, found: str) -> StoreError:
    return StoreError(f"the store is damaged: {found}", where=str(path), fix=_MOVE_AWAY)


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date, one transaction for each step; prove that it can be written."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")
