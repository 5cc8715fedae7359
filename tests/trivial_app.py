"""The smallest app for tests of the terminal: it counts presses of the space bar and shows a hostile line."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static

from screens.widgets.tail import Tail
from tests.screens.support import HOSTILE


class TrivialApp(App[None]):
    BINDINGS = [("space", "count", "Count"), ("q", "quit", "Quit")]
    pressed = 0

    def compose(self) -> ComposeResult:
        yield Static("ready", id="count", markup=False)
        yield Tail()

    def on_mount(self) -> None:
        self.query_one(Tail).write([HOSTILE, "\x9b31m \x1b]52;c;c3RvbGVu\x07"])

    def action_count(self) -> None:
        self.pressed += 1
        self.query_one("#count", Static).update(f"pressed {self.pressed}")


if __name__ == "__main__":
    TrivialApp().run()
