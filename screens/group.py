"""The table of a group over Runs: mean and deviation over seeds, and its learning curve."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.compare_rows import DASHES
from screens.dialogs import Sheet
from screens.export import write_new
from screens.widgets.chart import SERIES_STYLES, Chart, Series
from screens.widgets.table import Cell, Column, Row, Table
from screens.widgets.told import Told
from store.connection import StoreError, read_store
from workbench.errors import WorkbenchError
from workbench.insight import group_words
from workbench.insight.groups import Group, LearningCurve, learning_curve, read_group
from workbench.insight.words import metric_words
from workbench.paths import Home
from workbench.text import plain, width

REFRESH_SECONDS = 2.0
_PRIORITIES = {"seeds": 5, "time": 6, "trainable": 4, "memory": 3, "state": 8}


class GroupSheet(Sheet[tuple[int, ...] | None]):
    """Show a group, and again every two seconds while it is open; enter gives the runs of a combination back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,p", "leave", "back"),
        Binding("y", "copy", "copy"),
        Binding("e", "export", "export"),
    ]

    @dataclass
    class Read(Message):
        """The store was read."""

        group: Group

    def __init__(self, home: Home, name: str) -> None:
        super().__init__()
        self.home, self.group_name = home, name
        self.shown: Group | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet group"):
            yield Static(id="group-title", classes="sheet-title")
            yield Chart(id="group-curve")
            yield Table(empty="reading the group …", id="group-table")
            yield Told(id="group-told")
            yield Static(Content("enter opens the runs · y copy · e export CSV · esc back"), classes="sheet-foot")

    def on_mount(self) -> None:
        self.query_one(Table).focus()
        self.read()
        self.set_interval(REFRESH_SECONDS, self.read)

    @work(thread=True, exclusive=True, exit_on_error=False, group="group", description="reading the group")
    def read(self) -> None:
        """Read the group in a thread."""
        try:
            with read_store(self.home.store) as store:
                self.post_message(self.Read(read_group(store, self.group_name)))
        except (WorkbenchError, StoreError, sqlite3.Error) as error:
            self.app.call_from_thread(self._tell, str(error))

    def _tell(self, words: str) -> None:
        self.query_one("#group-told", Told).tell(Content(plain(words, 300)))

    @on(Read)
    def show(self, event: Read) -> None:
        """Fill title, table and chart."""
        group = self.shown = event.group
        self.query_one("#group-title", Static).update(
            Content.assemble((plain(group.name), "bold"), (f"  {group_words.summary(group)}", "$foreground-muted"))
        )
        table = self.query_one(Table)
        table.set_columns(columns(group))
        table.set_rows(rows(group))
        curve = learning_curve(group)
        drawn = curve is not None and bool(curve.lines)
        self.set_class(drawn, "-curve")
        if curve is not None and drawn:
            goal, (amount,) = metric_words(group.goal_key or "score"), group_words.key_words([curve.key])
            self.query_one(Chart).show(lines(group, curve), title=f"{goal} by {amount}", log_x=True, x_label=amount)

    @on(Table.Chosen)
    def open(self, event: Table.Chosen) -> None:
        if self.shown is not None:
            self.dismiss(self.shown.rows[int(event.key)].run_ids)

    def action_copy(self) -> None:
        if self.shown is not None:
            self.app.copy_to_clipboard(group_words.as_text(self.shown))
            self._tell("The table was sent to the terminal's clipboard; e writes it to a file")

    def action_export(self) -> None:
        if self.shown is None:
            return
        try:
            path = write_new("group", (), group_words.as_csv(self.shown))
        except WorkbenchError as error:
            self._tell(str(error))
        else:
            self._tell(f"Written: {path}")


def columns(group: Group) -> list[Column]:
    """Return the columns: what was spread over and the goal metric are the last to go."""
    heads, told, sides = group_words.cells(group)
    widths = [max(width(line[place]) for line in (heads, *told)) for place in range(len(heads))]
    return [
        Column(f"{place}", head, cells, side, _PRIORITIES.get(head, 9) if place >= len(group.keys) else 10)
        for place, (head, cells, side) in enumerate(zip(heads, widths, sides, strict=True))
    ]


def rows(group: Group) -> list[Row]:
    """Return a row for each combination, the best one strong."""
    _, told, _ = group_words.cells(group)
    score, best = len(group.keys) + 1, group.best
    made = []
    for number, (cells, row) in enumerate(zip(told, group.rows, strict=True)):
        styled: list[str | Cell] = [
            Cell(text, "good" if place == score and row is best else "muted" if place > score else "")
            for place, text in enumerate(cells)
        ]
        made.append(Row(str(number), styled))
    return made


def lines(group: Group, curve: LearningCurve) -> list[Series]:
    """Return the learning curve as series, one for each combination of the other settings."""
    made = []
    for place, (values, points) in enumerate(curve.lines.items()):
        label = ", ".join(group_words.value_words(value) for value in values) or plain(group.name, 20)
        dash = DASHES[place % len(DASHES)]
        amounts, means = [point[0] for point in points], [point[1] for point in points]
        style = SERIES_STYLES[place % len(SERIES_STYLES)]
        made.append(Series(label, amounts, cast(Sequence[float | None], means), style, dash))  # type: ignore[arg-type]
    return made
