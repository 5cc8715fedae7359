"""A small app for tests of the terminal: it counts presses of a key and shows hostile text in every widget."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static

from screens.widgets.chart import Chart, Series
from screens.widgets.gauge import Gauge
from screens.widgets.picker import Option, Picker
from screens.widgets.table import Column, Row, Table
from screens.widgets.tail import Tail
from tests.screens.support import HOSTILE


class TrivialApp(App[None]):
    BINDINGS = [("plus", "count", "Count"), ("q", "quit", "Quit")]
    pressed = 0

    def compose(self) -> ComposeResult:
        yield Static("ready", id="count", markup=False)
        yield Tail()
        yield Chart()
        yield Table([Column("name", HOSTILE, None)])
        yield Picker(HOSTILE, [Option("x", HOSTILE, HOSTILE), Option("y", "y", disabled=HOSTILE)])
        yield Gauge(HOSTILE)

    def on_mount(self) -> None:
        self.query_one(Tail).write([HOSTILE, "\x9b31m \x1b]52;c;c3RvbGVu\x07"])
        self.query_one(Chart).show([Series(HOSTILE, [0, 1], [0, 1])], title=HOSTILE, x_label=HOSTILE)
        self.query_one(Table).set_rows([Row("x", [HOSTILE])])
        self.query_one(Gauge).show(0.5, HOSTILE)

    def action_count(self) -> None:
        self.pressed += 1
        self.query_one("#count", Static).update(f"pressed {self.pressed}")


if __name__ == "__main__":
    TrivialApp().run()
