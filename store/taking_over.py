"""Take over from an old store what no run folder has, row by row, as far as it can be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from store.connection import Store
from store.schema import columns

OF_RUNS = ("config", "point", "summary", "curve", "event", "checkpoint", "prediction")
"""What the folder of a run has; taken over where the folder is gone."""
BESIDE = ("tag", "command", "sys_point")
"""What belongs to a run and is in no folder."""
OF_PERSONS = ("archived", "pinned", "note")
"""Columns of a run that are in no folder."""


@dataclass
class Taken:
    """Rows taken over by table, and in words what could not be read."""

    rows: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def take_over(store: Store, old: sqlite3.Connection, same_version: bool) -> Taken:
    """Copy runs that only the old store has, and of all runs what is in no folder; examples of another version are not
    told in the same way."""
    return _Copy(store, old).all(same_version)


class _Copy:
    """One old store on its way into a new one: the numbers of its runs, metrics and keys are other ones here."""

    def __init__(self, store: Store, old: sqlite3.Connection) -> None:
        self.store, self.old, self.taken = store, old, Taken()
        self.runs: dict[int, int] = {}
        self.names: dict[str, dict[int, int]] = {"metric_id": {}, "key_id": {}}

    def all(self, same_version: bool) -> Taken:
        with self.store.write() as connection:
            connection.execute("PRAGMA defer_foreign_keys=ON")
            fresh = self._runs(connection)
            self._numbers(connection, "metric", "metric_id")
            self._numbers(connection, "sys_key", "key_id")
            for table in OF_RUNS:
                self._copy(connection, table, fresh)
            for table in BESIDE:
                self._copy(connection, table, set(self.runs))
            for table in ("view", "trial", "answer", *(["eval_example"] if same_version else [])):
                self._copy(connection, table, set(self.runs))
        return self.taken

    def _runs(self, connection: sqlite3.Connection) -> set[int]:
        """Give each old run its number here; return those that had to be made: their folders are gone."""
        here = {row["uid"]: row["id"] for row in connection.execute("SELECT id, uid FROM run")}
        taken, fresh = set(here.values()), set()
        for row in self._rows("run"):
            number = here.get(row["uid"])
            if number is None:
                number = row["id"] if row["id"] not in taken else max(taken) + 1
                taken.add(number)
                fresh.add(row["id"])
                self._insert(connection, "run", dict(row) | {"id": number})
            else:
                values = [row[name] for name in OF_PERSONS]
                assignments = ", ".join(f"{name}=?" for name in OF_PERSONS)
                connection.execute(f"UPDATE run SET {assignments} WHERE id=?", (*values, number))
            self.runs[row["id"]] = number
        for number in fresh:
            sql = "UPDATE run SET parent_id=(SELECT id FROM run p WHERE p.id=?) WHERE id=?"
            row = connection.execute("SELECT parent_id FROM run WHERE id=?", (self.runs[number],)).fetchone()
            connection.execute(sql, (self.runs.get(row[0]), self.runs[number]))
        return fresh

    def _numbers(self, connection: sqlite3.Connection, table: str, column: str) -> None:
        for row in self._rows(table):
            connection.execute(f"INSERT OR IGNORE INTO {table}(name) VALUES(?)", (row["name"],))
            found = connection.execute(f"SELECT id FROM {table} WHERE name=?", (row["name"],)).fetchone()
            self.names[column][row["id"]] = found[0]

    def _copy(self, connection: sqlite3.Connection, table: str, wanted: set[int]) -> None:
        for row in self._rows(table):
            values = dict(row)
            if "run_id" in values:
                if values["run_id"] not in wanted:
                    continue
                values["run_id"] = self.runs[values["run_id"]]
            for column, numbers in self.names.items():
                if column in values:
                    values[column] = numbers.get(values[column])
            if table == "event":
                values["id"] = None
            self._insert(connection, table, values)

    def _insert(self, connection: sqlite3.Connection, table: str, values: dict[str, Any]) -> None:
        known = {name: value for name, value in values.items() if name in columns()[table]}
        marks = ", ".join("?" * len(known))
        sql = f"INSERT OR IGNORE INTO {table}({', '.join(known)}) VALUES({marks})"
        if connection.execute(sql, tuple(known.values())).rowcount > 0 and table not in ("metric", "sys_key"):
            self.taken.rows[table] = self.taken.rows.get(table, 0) + 1

    def _rows(self, table: str) -> Iterator[sqlite3.Row]:
        """Yield the rows of a table up to the first that cannot be read."""
        count = 0
        try:
            for row in self.old.execute(f"SELECT * FROM {table}"):
                yield row
                count += 1
        except sqlite3.DatabaseError as error:
            self.taken.lost.append(f"{table}: {count} rows could be read, then: {error}")
