"""The rows of the table of runs: made once per change, filtered, ordered."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from screens.feed import Feed
from screens.rows import Row, row_of
from screens.widgets.table import Cell, Column
from screens.widgets.table import Row as TableRow
from store.runs import Run
from workbench.catalog import goal_of
from workbench.text import ago

COLUMNS = (
    Column("number", "#", 3, "right", 100),
    Column("name", "name", None, "left", 90, 14),
    Column("task", "task", 10, "left", 20),
    Column("backbone", "backbone", None, "left", 70, 11),
    Column("strategy", "strategy", 8, "left", 80),
    Column("data", "data", None, "left", 10),
    Column("state", "state", 12, "left", 95),
    Column("score", "score", 5, "right", 94),
    Column("loss", "loss", 5, "right", 60),
    Column("time", "time", 7, "right", 30),
    Column("age", "age", 3, "right", 75),
)
ORDERS = ("number", "score", "loss", "time")


class Listing:
    """What the table shows: `words` that must occur, and the `order`, newest, best, least or longest first."""

    def __init__(self) -> None:
        self.words: tuple[str, ...] = ()
        self.order = "number"
        self._made: dict[int, tuple[Run, float | None, bool, Row]] = {}

    def columns(self, highest: int) -> list[Column]:
        """Return the columns, the one in order marked, wide enough for the number `highest`."""
        number = replace(COLUMNS[0], width=max(3, len(str(highest))))
        return [number, *(self._mark(column) for column in COLUMNS[1:])]

    def _mark(self, column: Column) -> Column:
        if column.key != self.order:
            return column
        return replace(column, title=f"{column.title}↓", width=max(column.width or 0, len(column.title) + 1))

    def rows(self, feed: Feed, now: float, marks: Container[int], *, ascii: bool = False) -> list[TableRow]:
        """Return the rows to show; `now` in seconds since the epoch."""
        shown: list[tuple[Run, Row]] = []
        made: dict[int, tuple[Run, float | None, bool, Row]] = {}
        for run in feed.runs.values():
            loss, stalled = feed.losses.get(run.id), feed.stalled(run)
            known = self._made.get(run.id)
            if known and known[0] is run and known[1] == loss and known[2] == stalled and not run.active:
                row = known[3]
                age = ago(run.ended or run.created, now)
                row = row if row.age == age else replace(row, age=age)
            else:
                row = row_of(run, loss, now, stalled=stalled, ascii=ascii)
            made[run.id] = (run, loss, stalled, row)
            if not self.words or row.matches(self.words):
                shown.append((run, row))
        self._made = made
        return [_cells(row, row.id in marks) for _, row in self._ordered(shown, feed)]

    def _ordered(self, shown: list[tuple[Run, Row]], feed: Feed) -> list[tuple[Run, Row]]:
        worst = float("inf")
        if self.order == "score":

            def score(item: tuple[Run, Row]) -> float:
                value = item[0].best_value
                sign = -1 if goal_of(item[0].goal_key or "") == "max" else 1
                return worst if value is None else sign * value

            return sorted(shown, key=score)
        if self.order == "loss":
            losses = feed.losses
            return sorted(shown, key=lambda item: worst if (v := losses.get(item[0].id)) is None else v)
        if self.order == "time":
            return sorted(shown, key=lambda item: -item[0].seconds)
        return shown


def _cells(row: Row, marked: bool) -> TableRow:
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
            Cell(row.state.text, style),
            row.score,
            row.loss,
            Cell(row.time, "muted"),
            Cell(row.age, "muted"),
        ),
        marked,
    )
