"""Open the store: one SQLite file, written under one lock, read without any."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store.errors import StoreError
from store.file_system import on_network
from store.inspection import check_version, look_into
from store.schema import VERSION, migrate
from store.write_lock import holder_words, write_lock

__all__ = ["Store", "StoreError", "is_current", "open_store", "prepare", "prepare_apart", "read_store"]

MAKING_SECONDS = 120.0


class Store:
    """One connection, for one thread.

    Every write transaction runs under a file lock of its own: writers wait their turn, and no commit can
    overlap a checkpoint of the write-ahead log (the WAL-reset bug of SQLite before 3.51.3). `warning` says what
    a store opened for reading lacks.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, timeout: float = 30.0, warning: str = "") -> None:
        self.path = path
        self.connection = connection
        self.timeout = timeout
        self.warning = warning
        self._identity = _identity(path)
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

    @property
    def replaced(self) -> bool:
        """Whether the file was deleted, moved or put in another's place since it was opened; costs microseconds."""
        return _identity(self.path) != self._identity

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock and one IMMEDIATE transaction; commit at the end, roll back on an error.

        Raises sqlite3.OperationalError where another process keeps the lock, StoreError where the file is no longer
        the store: what is written to a deleted file is lost, and another version has other tables.
        """
        with write_lock(self.path, self.timeout):
            if self.replaced:
                raise StoreError(f"{self.path}: it was deleted, moved or made anew meanwhile; open it again")
            self._begin()
            try:
                check_version(self.path, self.connection.execute("PRAGMA user_version").fetchone()[0])
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk ends a transaction by itself; a commit that fails leaves it open.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def _begin(self) -> None:
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            held = holder_words(self.path) if "locked" in str(error) else ""
            if held:
                raise sqlite3.OperationalError(f"the store is locked{held}") from error
            raise

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino


def open_store(path: Path, *, timeout: float = 30.0) -> Store:
    """Open the store for reading and writing; `prepare` must have made it. `timeout` in seconds.

    Raises StoreError where it is missing, no store, or of another version.
    """
    if not path.exists():
        raise StoreError(f"{path}: there is no store here")
    sight = look_into(path)
    sight.connection.close()
    check_version(path, sight.version)
    how = f"{path.as_uri()}?mode=rw"
    connection = sqlite3.connect(how, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error:
        connection.close()
        raise
    return Store(path, connection, timeout)


def read_store(path: Path) -> Store:
    """Open the store for reading alone; raise StoreError where it is missing or not a store."""
    if not path.exists():
        raise StoreError(f"{path}: there is no store here yet")
    sight = look_into(path)
    try:
        check_version(path, min(sight.version, VERSION))
    except StoreError:
        sight.connection.close()
        raise
    return Store(path, sight.connection, warning=sight.warning)


def is_current(path: Path) -> bool:
    """Return whether the store exists as this version makes it; raise StoreError on a foreign or newer file."""
    if not path.exists():
        return False
    sight = look_into(path)
    sight.connection.close()
    check_version(path, max(sight.version, VERSION))
    return sight.version == VERSION and not (sight.journal_mode == "wal" and on_network(path))


def prepare(path: Path) -> None:
    """Make the store, or migrate it, where needed; one that lies on the network is kept without a write-ahead log."""
    if is_current(path):
        return
    with write_lock(path, MAKING_SECONDS):
        migrate(path, "TRUNCATE" if on_network(path) else "WAL")
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
        timeout=MAKING_SECONDS,
    )
    if made.returncode:
        reason = made.stderr.strip().rpartition("\n")[2] or f"exit code {made.returncode}"
        raise StoreError(f"{path}: could not be made: {reason}")
