"""Open the store: one SQLite file, written under one lock, read without any."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store.schema import APPLICATION_ID, VERSION, migrate


class StoreError(Exception):
    """The file cannot serve as the store; the text says why and what to do."""


class Store:
    """One connection, for one thread.

    Every write transaction runs under a file lock of its own: writers wait their turn, and no commit can
    overlap a checkpoint of the write-ahead log (the WAL-reset bug of SQLite before 3.51.3).
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        connection.row_factory = sqlite3.Row

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return every row of a SELECT."""
        return self.connection.execute(sql, parameters).fetchall()

    def first(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Return the first row of a SELECT, or None."""
        row: sqlite3.Row | None = self.connection.execute(sql, parameters).fetchone()
        return row

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed; costs a few microseconds."""
        version: int = self.connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock and one IMMEDIATE transaction; commit at the end, roll back on an error."""
        with _write_lock(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk ends a transaction by itself; a commit that fails leaves it open.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@contextmanager
def _write_lock(path: Path) -> Iterator[None]:
    descriptor = os.open(path.with_name("write.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_store(path: Path, *, timeout: float = 30.0) -> Store:
    """Open the store for reading and writing; `prepare` must have made it. `timeout` in seconds."""
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    return Store(path, connection)


def read_store(path: Path) -> Store:
    """Open the store for reading alone; raise StoreError where it is missing or not a store."""
    if not path.exists():
        raise StoreError(f"{path}: there is no store here yet")
    connection, version = _look_into(path)
    if version < VERSION:
        connection.close()
        raise StoreError(f"{path}: empty, or made by an older workbench; the next run brings it up to date")
    return Store(path, connection)


def is_current(path: Path) -> bool:
    """Return whether the store exists and has this version's tables; raise StoreError on a foreign or newer file."""
    if not path.exists():
        return False
    connection, version = _look_into(path)
    connection.close()
    return version == VERSION


def prepare(path: Path) -> None:
    """Make the store, or migrate it, where needed."""
    if is_current(path):
        return
    with _write_lock(path):
        migrate(path)
    path.chmod(0o600)


def prepare_apart(path: Path) -> None:
    """Do what `prepare` does in a child process, which alone loads what that needs (sqlite-utils loads pandas)."""
    if is_current(path):
        return
    made = subprocess.run(
        [sys.executable, "-m", "store", str(path)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if made.returncode:
        reason = made.stderr.strip().rpartition("\n")[2] or f"exit code {made.returncode}"
        raise StoreError(f"{path}: could not be made: {reason}")


def _look_into(path: Path) -> tuple[sqlite3.Connection, int]:
    """Return a reading connection and the version of the tables; raise StoreError where it is not a store."""
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: not a readable store ({error}); nothing was changed in it") from error
    try:
        return connection, _check(path, connection)
    except BaseException:
        connection.close()
        raise


def _check(path: Path, connection: sqlite3.Connection) -> int:
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: not a readable store ({error}); nothing was changed in it") from error
    if not empty and application != APPLICATION_ID:
        raise StoreError(f"{path}: an SQLite file of another program; choose another place with --home")
    if version > VERSION:
        raise StoreError(f"{path}: made by a newer workbench (schema {version}, this one knows {VERSION}); update")
    return version
