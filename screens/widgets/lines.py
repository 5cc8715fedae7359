"""The first line says where one is and what runs; the last line the keys."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from screens.keys import PLACES, Key
from workbench.text import cut, fit, width


class TopLine(Widget):
    """Place names with the current one marked, and at the right what goes on."""

    DEFAULT_CSS = "TopLine { height: 1; width: 100%; color: $text-muted; }"

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        self.status = ""

    def show_status(self, status: str) -> None:
        """Show words, safe already, at the right; what does not fit is cut."""
        if status != self.status:
            self.status = status
            self.refresh()

    def render(self) -> Content:
        wide = self.size.width >= 110
        parts: list[Content | str | tuple[str, str]] = [(" workbench  " if wide else " ", "$secondary")]
        for number, (place, name) in enumerate(PLACES.items(), 1):
            here = place == self.place
            parts.append((f"[{number} {name}]" if here else f" {number} {name} ", "bold $foreground" if here else ""))
        left = Content.assemble(*parts)
        room = self.size.width - left.cell_length - 2
        return Content.assemble(left, "  ", (fit(cut(self.status, room), room - 1, "right") if room > 1 else "", ""))

    def on_click(self, event: events.Click) -> None:
        column = 12 if self.size.width >= 110 else 1
        for place, name in PLACES.items():
            column += len(name) + 4
            if event.x < column:
                self.post_message(BottomLine.Pressed(f"place('{place}')"))
                return


class BottomLine(Widget):
    """The keys of the place that can act now, as many as fit; help and quit stay."""

    DEFAULT_CSS = "BottomLine { height: 1; width: 100%; dock: bottom; color: $text-muted; }"

    @dataclass
    class Pressed(Message):
        """A key was clicked."""

        action: str

    def __init__(self, keys: list[Key]) -> None:
        super().__init__()
        self.keys = [key for key in keys if key.shown]
        self.dim: frozenset[str] = frozenset()
        self._spans: list[tuple[int, int, str]] = []

    def show_dim(self, ids: frozenset[str]) -> None:
        """Leave out the keys that cannot act now, at any width."""
        if ids != self.dim:
            self.dim = ids
            self.refresh()

    def render(self) -> Content:
        parts: list[tuple[str, str]] = [(" ", "")]
        column, self._spans = 1, []
        for key in self._fitting():
            parts.append((key.face.split("/")[0] or "/", "bold $foreground"))
            parts.append((f" {key.description}  ", ""))
            cells = _cells(key)
            self._spans.append((column, column + cells, key.action))
            column += cells
        return Content.assemble(*parts)

    def _fitting(self) -> list[Key]:
        """Return the keys that fit: those on the right give way first, but help and quit, the last two, stay."""
        fitting = [key for key in self.keys if key.id not in self.dim]
        while len(fitting) > 2 and 1 + sum(map(_cells, fitting)) - 2 > self.size.width:
            del fitting[-3]
        return fitting

    def on_click(self, event: events.Click) -> None:
        for start, end, action in self._spans:
            if start <= event.x < end:
                self.post_message(self.Pressed(action))


def _cells(key: Key) -> int:
    return width(key.face.split("/")[0] or "/") + width(key.description) + 3
