"""The parts of a place that is too small to show them at once, as one line of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from screens.widgets.paint import in_signs
from workbench.text import cut, plain, width


class Steps(Widget):
    """Show names with the open one in brackets, and a note at the right."""

    DEFAULT_CSS = "Steps { height: 1; width: 100%; color: $foreground-muted; }"

    @dataclass
    class Pressed(Message):
        """A name was clicked."""

        name: str

    def __init__(self, names: Sequence[str], id: str | None = None) -> None:
        super().__init__(id=id)
        self.names = list(names)
        self.open = self.names[0]
        self.marks: dict[str, str] = {}
        self.note = ""

    def show(self, open: str, marks: dict[str, str] | None = None, note: str = "") -> None:
        """Open a name; `marks` put a character behind names, `note` stands at the right."""
        state = (open, marks or {}, plain(note))
        if state != (self.open, self.marks, self.note):
            self.open, self.marks, self.note = state
            self.refresh()

    def render(self) -> Content:
        """Return the line."""
        parts: list[tuple[str, str]] = []
        for name in self.names:
            shown = self._shown(name)
            here = name == self.open
            parts.append((f"[{shown}]" if here else f" {shown} ", "bold $foreground" if here else "$foreground-muted"))
        used = sum(width(text) for text, _ in parts)
        note = cut(self.note, self.size.width - used - 3)
        gap = " " * max(0, self.size.width - used - width(note) - 1)
        return in_signs(self, Content.assemble(*parts, (gap + note, "$foreground-muted")))

    def _shown(self, name: str) -> str:
        return f"{name} {self.marks[name]}" if self.marks.get(name) else name

    def on_click(self, event: events.Click) -> None:
        """Tell which name was clicked."""
        column = 0
        for name in self.names:
            column += width(self._shown(name)) + 2
            if event.x < column:
                self.post_message(self.Pressed(name))
                return
