"""Look into a file that may be the store, and change nothing: what it is, and how far it can be read."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from store.errors import REBUILD, StoreError
from store.schema import APPLICATION_ID, VERSION, columns

BUSY_SECONDS = 5.0
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_NO_ACCESS = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


@dataclass
class Sight:
    """An open reading connection, the version of the tables, how commits are kept, and what the sight lacks."""

    connection: sqlite3.Connection
    version: int
    journal_mode: str
    warning: str = ""


def look_into(path: Path) -> Sight:
    """Return a file as it can be read; raise StoreError where it is no store, sqlite3.OperationalError where busy.

    One of a newer version is given with a warning where it has all that this version reads.
    """
    try:
        sight = _look(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if _code(error) not in _NO_ACCESS or not path.is_file() or not os.access(path, os.R_OK):
            raise _unreadable(path, error) from error
        sight = _look_at_what_cannot_change(path)
    try:
        _refuse_strangers(path, sight)
    except BaseException:
        sight.connection.close()
        raise
    if not sight.warning and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        sight.warning = f"{path} cannot be written: what is there is shown, nothing is changed"
    return sight


def check_version(path: Path, version: int) -> None:
    """Raise StoreError unless the tables are those of this version."""
    if version > VERSION:
        raise StoreError(f"{path}: made by a newer workbench (schema {version}, this one knows {VERSION}); update")
    if version < VERSION:
        raise StoreError(f"{path}: empty, or made by an older workbench; the next run brings it up to date")


def _look(path: Path, how: str) -> Sight:
    connection = sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return Sight(connection, version, connection.execute("PRAGMA journal_mode").fetchone()[0])
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _unreadable(path, error) from error


def _look_at_what_cannot_change(path: Path) -> Sight:
    """Open a store whose folder cannot be written, not even for the files that SQLite reads a log with."""
    try:
        sight = _look(path, "mode=ro&immutable=1")
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    log = path.with_name(f"{path.name}-wal")
    stale = log.exists() and log.stat().st_size > 0
    missing = "what was written last is missing" if stale else "what is written meanwhile may be missing"
    sight.warning = f"{path} cannot be written, so it may be stale ({missing}); nothing is changed"
    return sight


def _refuse_strangers(path: Path, sight: Sight) -> None:
    application = sight.connection.execute("PRAGMA application_id").fetchone()[0]
    empty = sight.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not empty and application != APPLICATION_ID:
        raise StoreError(f"{path}: an SQLite file of another program; choose another place with --home")
    if sight.version > VERSION:
        if not _has_all_columns(sight.connection):
            check_version(path, sight.version)
        words = f"made by a newer workbench (schema {sight.version}, this one knows {VERSION})"
        sight.warning = f"{path}: {words}: what this one knows is shown, nothing is changed; update"


def _has_all_columns(connection: sqlite3.Connection) -> bool:
    found = {table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} for table in columns()}
    return all(names <= found[table] for table, names in columns().items())


def _unreadable(path: Path, error: sqlite3.Error) -> Exception:
    if _code(error) in _BUSY:
        return error
    return StoreError(f"{path}: not a readable store ({error})\n{REBUILD}")


def _code(error: sqlite3.Error) -> int:
    """Return the primary code of an error; the higher bits say more of it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
