"""Look after the store: what is damaged in it, and a whole copy of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from store.connection import Store, StoreError
from store.schema import keep_copy

MOST = 20


def damages(store: Store) -> list[str]:
    """Return in words what is wrong with the pages, indexes and references of a store; reads all of it."""
    try:
        found = [row[0] for row in store.query(f"PRAGMA integrity_check({MOST})")]
        loose = store.query("PRAGMA foreign_key_check")
    except sqlite3.DatabaseError as error:
        return [str(error)]
    wrong = [] if found == ["ok"] else [line for answer in found for line in answer.splitlines()]
    return wrong + ([f"{len(loose)} rows refer to what is not there"] if loose else [])


def back_up(store: Store, target: Path) -> int:
    """Write a whole copy of a store (0600) to a file that is not there yet; return its size in bytes."""
    if target.exists():
        raise StoreError(f"{target}: it is there already; name another file")
    try:
        return keep_copy(store.connection, target).stat().st_size
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror}") from error
