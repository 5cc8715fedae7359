"""The tables, and the migrations that make them."""

from __future__ import annotations

import os
import sqlite3
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

APPLICATION_ID = 0x77626E63
VERSION = 2

_FIRST = (
    """CREATE TABLE run(
        id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, task TEXT NOT NULL,
        backbone TEXT NOT NULL, strategy TEXT NOT NULL, dataset TEXT NOT NULL,
        state TEXT NOT NULL, reason TEXT, error TEXT, exit_code INTEGER,
        created REAL NOT NULL, started REAL, ended REAL, attempt INTEGER NOT NULL DEFAULT 0,
        slot TEXT, priority INTEGER NOT NULL DEFAULT 0,
        grp TEXT, parent_id INTEGER REFERENCES run(id), seed INTEGER NOT NULL, host TEXT,
        goal_key TEXT, best_value REAL, best_step INTEGER,
        step INTEGER NOT NULL DEFAULT 0, max_steps INTEGER, epoch REAL,
        trainable INTEGER, parameters INTEGER, seconds REAL NOT NULL DEFAULT 0, peak_bytes INTEGER,
        eval_set TEXT, journal INTEGER NOT NULL DEFAULT 0,
        archived INTEGER NOT NULL DEFAULT 0, pinned INTEGER NOT NULL DEFAULT 0, note TEXT,
        recipe_hash TEXT NOT NULL, recipe TEXT NOT NULL, versions TEXT) STRICT""",
    "CREATE INDEX run_state ON run(state, priority, id)",
    """CREATE TABLE config(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, path TEXT NOT NULL,
        type TEXT NOT NULL, text TEXT NOT NULL, num REAL, PRIMARY KEY(run_id, path)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE metric(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, goal TEXT, unit TEXT) STRICT""",
    """CREATE TABLE point(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
        metric_id INTEGER NOT NULL REFERENCES metric(id), step INTEGER NOT NULL, ts REAL NOT NULL, value REAL,
        PRIMARY KEY(run_id, metric_id, step)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE summary(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
        metric_id INTEGER NOT NULL REFERENCES metric(id), last REAL, last_step INTEGER NOT NULL,
        min REAL, min_step INTEGER, max REAL, max_step INTEGER, mean REAL, n INTEGER NOT NULL, n_nan INTEGER NOT NULL,
        PRIMARY KEY(run_id, metric_id)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE curve(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
        metric_id INTEGER NOT NULL REFERENCES metric(id), n INTEGER NOT NULL, steps BLOB NOT NULL, ts BLOB NOT NULL,
        vals BLOB NOT NULL, PRIMARY KEY(run_id, metric_id)) STRICT""",
    "CREATE TABLE sys_key(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE sys_point(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, ts REAL NOT NULL,
        key_id INTEGER NOT NULL REFERENCES sys_key(id), mean REAL, min REAL, max REAL,
        PRIMARY KEY(run_id, key_id, ts)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE event(id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
        ts REAL NOT NULL, step INTEGER NOT NULL, kind TEXT NOT NULL, level TEXT NOT NULL, text TEXT NOT NULL,
        data TEXT) STRICT""",
    "CREATE INDEX event_run ON event(run_id, id)",
    """CREATE TABLE tag(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, tag TEXT NOT NULL,
        PRIMARY KEY(run_id, tag)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE command(id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
        attempt INTEGER NOT NULL, verb TEXT NOT NULL, asked REAL NOT NULL, accepted_step INTEGER, done_step INTEGER,
        answer TEXT) STRICT""",
    "CREATE INDEX command_run ON command(run_id, done_step)",
    """CREATE TABLE checkpoint(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, kind TEXT NOT NULL,
        step INTEGER NOT NULL, path TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
        PRIMARY KEY(run_id, kind, step)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE eval_example(set_id TEXT NOT NULL, idx INTEGER NOT NULL, input TEXT NOT NULL, gold TEXT,
        PRIMARY KEY(set_id, idx)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE prediction(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, step INTEGER NOT NULL,
        set_id TEXT NOT NULL, idx INTEGER NOT NULL, pred TEXT NOT NULL, score REAL, loss REAL, correct INTEGER,
        output TEXT NOT NULL, PRIMARY KEY(run_id, set_id, idx)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE trial(id INTEGER PRIMARY KEY, ts REAL NOT NULL, task TEXT NOT NULL, prompt TEXT NOT NULL,
        gold TEXT, kept INTEGER NOT NULL DEFAULT 0, params TEXT NOT NULL) STRICT""",
    """CREATE TABLE answer(trial_id INTEGER NOT NULL REFERENCES trial(id) ON DELETE CASCADE,
        run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, output TEXT NOT NULL, ms REAL NOT NULL,
        PRIMARY KEY(trial_id, run_id)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE view(name TEXT NOT NULL, kind TEXT NOT NULL, spec TEXT NOT NULL,
        PRIMARY KEY(kind, name)) STRICT, WITHOUT ROWID""",
)


def _migrations() -> Migrations:
    from sqlite_utils.migrations import Migrations

    migrations = Migrations("workbench")

    @migrations()
    def first(db: Database) -> None:
        for statement in _FIRST:
            db.execute(statement)

    @migrations()
    def fields_of_examples(db: Database) -> None:
        """An example is asked with fields, of which a text was the only one."""
        db.execute("UPDATE eval_example SET input=json_object('text', input)")

    return migrations


@lru_cache(maxsize=1)
def columns() -> dict[str, frozenset[str]]:
    """Return the columns of each table that this version reads."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in _FIRST:
            connection.execute(statement)
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        return {
            table: frozenset(row[1] for row in connection.execute(f"PRAGMA table_info({table})")) for table in tables
        }
    finally:
        connection.close()


def migrate(path: Path, journal_mode: str = "WAL") -> None:
    """Bring the store at `path` to this version, under its write lock; a copy of an older one is kept beside it.

    One transaction, so that nobody ever sees half a schema.
    """
    from sqlite_utils import Database

    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if 0 < version < VERSION:
            keep_copy(connection, path.with_name(f"{path.stem}.v{version}.db"))
        _set_journal_mode(path, connection, journal_mode)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            _migrations().apply(Database(connection, strict=True))
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    finally:
        connection.close()


def keep_copy(connection: sqlite3.Connection, target: Path) -> Path:
    """Write a whole copy of a store (0600), synced; return where it is: beside `target` where that is taken."""
    if target.exists():
        target = target.with_name(f"{target.stem}.{time.time_ns()}{target.suffix}")
    beside = target.with_name(f".{target.name}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        connection.execute("VACUUM INTO ?", (str(beside),))
        os.fsync(descriptor)
        beside.rename(target)
    finally:
        os.close(descriptor)
        beside.unlink(missing_ok=True)
    return target


def _set_journal_mode(path: Path, connection: sqlite3.Connection, wanted: str) -> None:
    try:
        got = connection.execute(f"PRAGMA journal_mode={wanted}").fetchone()[0]
    except sqlite3.OperationalError as error:
        got = str(error)
    if got.lower() != wanted.lower():
        raise StoreError(
            f"{path}: journal_mode={wanted} cannot be had ({got}): close every workbench that has it open, or choose a "
            "local disk with --home DIR"
        )
