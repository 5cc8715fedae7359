"""Where the answers stand: as tall as they are up to a limit, and scrolled beyond it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content

from screens.widgets.paint import is_ascii
from screens.widgets.told import Told


class AnswersBox(VerticalScroll):
    """Show the answers; the box takes the focus, and with it the arrows, only where there is more than is seen."""

    DEFAULT_CSS = """
    AnswersBox { height: auto; scrollbar-size-vertical: 1; }
    AnswersBox > Told { height: auto; }
    AnswersBox:focus > Told { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("g", "scroll_home", "First", show=False),
        Binding("G", "scroll_end", "Last", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield Told(id="answers")

    def on_mount(self) -> None:
        if is_ascii(self):
            self.styles.scrollbar_size_vertical = 0

    def allow_focus(self) -> bool:
        """Return whether there is something to scroll to."""
        return self.max_scroll_y > 0

    def tell(self, words: Content) -> None:
        """Show these answers in place of those before."""
        self.query_one(Told).tell(words)
        # What was laid out meanwhile for the answers before must not stay.
        self.refresh(layout=True)

    def follow(self) -> None:
        """Keep the end in sight, where a text grows."""
        self.call_after_refresh(self.scroll_end, animate=False)
