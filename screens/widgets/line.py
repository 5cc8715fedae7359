"""An input that keeps the order of what is typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from workbench.text import plain


class Line(Input):
    """One line to type on: enter submits, tab and escape tell, nothing blinks.

    Textual runs bindings after later letters of a burst (a slow link, a paste), so backspace, enter and the like
    would act on letters typed after them; here every key acts when its turn comes.
    """

    DEFAULT_CSS = """
    Line, Line.-textual-compact { height: 1; border: none; padding: 0 1; background: $surface; }
    Line:focus { background: $surface-lighten-1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    @dataclass
    class Tabbed(Message):
        """Tab was pressed."""

        line: Line

    @dataclass
    class Left(Message):
        """Escape was pressed."""

        line: Line

    def __init__(self, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(placeholder=placeholder, compact=True, id=id)
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        """Keep what a terminal would obey out of the line, however it came there."""
        return plain(value)

    async def _on_key(self, event: events.Key) -> None:
        bound = self._bindings.key_to_bindings.get(event.key)
        if bound:
            event.stop()
            event.prevent_default()
            await self.run_action(bound[0].action)
        else:
            await super()._on_key(event)

    def _on_paste(self, event: events.Paste) -> None:
        """Put in all that is pasted, its lines with a space between."""
        event.stop()
        event.prevent_default()
        text = " ".join(line.strip() for line in event.text.splitlines() if line.strip())
        self.replace(text, *self.selection)

    def action_complete(self) -> None:
        """Tell that a completion is wanted."""
        self.post_message(self.Tabbed(self))

    def action_leave(self) -> None:
        """Take the focus away at once, lest the next key be typed here, and tell that the line is left."""
        self.screen.set_focus(None)
        self.post_message(self.Left(self))
