"""The sheet on which the right label of a text is said."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from screens.dialogs import Sheet
from screens.widgets.picker import Option, Picker
from workbench.text import plain


class PickLabel(Sheet[str | None]):
    """Pick the right label, or none; the answer is an empty text for none."""

    def __init__(self, labels: Sequence[str], gold: str | None) -> None:
        super().__init__()
        self.options = [*(Option(label, plain(label)) for label in labels), Option("", "not known")]
        self.gold = gold

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet pick-label"):
            yield Picker("The right label", self.options, filterable=True, id="pick-label")
            yield Static(Content("enter takes it · / filters · esc back"), classes="sheet-foot")

    def on_mount(self) -> None:
        self.query_one(Picker).pick(self.gold or "")

    @on(Picker.Picked)
    def take(self, event: Picker.Picked) -> None:
        self.dismiss(event.value)
