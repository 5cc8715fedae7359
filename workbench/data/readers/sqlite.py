"""Rows of a query on an SQLite file, which is only read."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from workbench.data.locating import QUERY_HINT
from workbench.data.table import Content
from workbench.errors import WorkbenchError

ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def read_query(file: Path, query: str) -> Content:
    """Return the columns of one SELECT; raise a WorkbenchError where the file or the statement cannot be read."""
    where = f"sqlite:{file}"
    if not query.strip():
        raise WorkbenchError("there is no query", where=where, hint=QUERY_HINT, code="bad-query")
    try:
        connection = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise WorkbenchError(f"cannot be opened: {error}", where=where, code="bad-query") from error
    try:
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY)
        cursor = connection.execute(query)
        columns = [each[0] for each in cursor.description or ()]
        rows = cursor.fetchall()
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise WorkbenchError(_reason(error), where=where, hint=QUERY_HINT, code="bad-query") from error
    finally:
        connection.close()
    twice = next((name for number, name in enumerate(columns) if name in columns[:number]), None)
    if twice is not None:
        raise WorkbenchError(
            f"the query gives two columns {twice!r}", where=where, hint="Name one: … AS other", code="column-twice"
        )
    return Content({column: [row[number] for row in rows] for number, column in enumerate(columns)})


def _reason(error: Exception) -> str:
    words = str(error)
    if any(each in words for each in ("not authorized", "authorization denied", "prohibited")):
        return "only SELECT is allowed: a source is never written to"
    if "one statement" in words:
        return "more than one statement"
    return "not an SQLite file" if "not a database" in words else f"the query fails: {words}"
