"""The rows of the table of runs: made once per change, filtered, ordered."""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass, replace

from screens.feed import Feed
from screens.rows import Row, age_words, row_of
from screens.widgets.table import Cell, Column
from screens.widgets.table import Row as TableRow
from store.runs import Run
from workbench.goals import goal_of

COLUMNS = (
    Column("number", "#", 3, "right", 100),
    Column("name", "name", None, "left", 90, 14),
    Column("task", "task", 10, "left", 20),
    Column("backbone", "backbone", None, "left", 70, 11),
    Column("strategy", "strategy", 8, "left", 80),
    Column("data", "data", None, "left", 10),
    Column("group", "group", None, "left", 15),
    Column("state", "state", 12, "left", 95),
    Column("score", "score", 5, "right", 94),
    Column("loss", "loss", 5, "right", 60),
    Column("time", "time", 7, "right", 30),
    Column("age", "age", 3, "right", 75),
)
ORDERS = ("number", "score", "loss", "time")


@dataclass(frozen=True)
class Made:
    """A row with what it was made from, so that only rows that changed are made again."""

    run: Run
    loss: float | None
    marked: bool
    place: int | None
    minute: int
    age: str
    haystack: str
    row: TableRow


class Listing:
    """What the table shows: `words` that must occur, and the `order`, newest, best, least or longest first."""

    def __init__(self) -> None:
        self.words: tuple[str, ...] = ()
        self.order = "number"
        self.grouped = False
        self._made: dict[int, Made] = {}

    def columns(self, highest: int) -> list[Column]:
        """Return the columns of the rows made last, the one in order marked, wide enough for the number `highest`."""
        number = replace(COLUMNS[0], width=max(3, len(str(highest))))
        return [number, *(self._mark(column) for column in COLUMNS[1:] if self.grouped or column.key != "group")]

    def _mark(self, column: Column) -> Column:
        if column.key != self.order:
            return column
        return replace(column, title=f"{column.title}↓", width=max(column.width or 0, len(column.title) + 1))

    def rows(self, feed: Feed, now: float, marks: Container[int], *, ascii: bool = False) -> list[TableRow]:
        """Return the rows to show; `now` in seconds since the epoch."""
        grouped = any(run.grp for run in feed.runs.values())
        if grouped != self.grouped:
            self.grouped, self._made = grouped, {}
        self._made = {run.id: self._make(run, feed, now, run.id in marks, ascii) for run in feed.runs.values()}
        shown = [made for made in self._made.values() if all(word in made.haystack for word in self.words)]
        return [made.row for made in self._ordered(shown)]

    def _make(self, run: Run, feed: Feed, now: float, marked: bool, ascii: bool) -> Made:
        """Return the row of a run, the one made before if nothing in it can differ."""
        loss, place, minute = feed.losses.get(run.id), feed.places.get(run.id), int(now // 60)
        stalled = feed.stalled(run)
        known, key = self._made.get(run.id), (loss, marked, place)
        if known and known.run is run and not run.active and (known.loss, known.marked, known.place) == key:
            if known.minute == minute:
                return known
            if known.age == age_words(run, now):
                return replace(known, minute=minute)
        stalled = run.active and feed.stalled(run)
        row = row_of(run, loss, now, place=place, stalled=stalled, ascii=ascii)
        return Made(run, loss, marked, place, minute, row.age, row.haystack, _cells(row, marked, self.grouped))

    def _ordered(self, shown: list[Made]) -> list[Made]:
        if self.order == "score":
            return sorted(shown, key=lambda made: _rank(made.run.best_value, goal_of(made.run.goal_key or "")))
        if self.order == "loss":
            return sorted(shown, key=lambda made: _rank(made.loss, "min"))
        if self.order == "time":
            return sorted(shown, key=lambda made: -made.run.seconds)
        return shown


def _rank(value: float | None, goal: str) -> float:
    """Return what sorts the best first and the unknown last."""
    return math.inf if value is None else -value if goal == "max" else value


def _cells(row: Row, marked: bool, grouped: bool) -> TableRow:
    style = {"$accent": "accent", "$error": "bad", "$warning": "warn", "$foreground-muted": "muted"}.get(
        row.state.style, ""
    )
    return TableRow(
        str(row.id),
        (
            row.number,
            Cell(row.name, "strong" if row.state.style == "$accent" else ""),
            Cell(row.task, "muted"),
            row.backbone,
            row.strategy,
            Cell(row.data, "muted"),
            *([Cell(row.group, "muted")] if grouped else []),
            Cell(row.state.text, style),
            row.score,
            row.loss,
            Cell(row.time, "muted"),
            Cell(row.age, "muted"),
        ),
        marked,
    )
