"""The last lines of a log, as many as fit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from screens.widgets.paint import (
    Cell,
    as_cell,
    changed,
    component_classes,
    component_styles,
    refresh_lines,
    strip_of,
    style_named,
)
from workbench.text import cut

__all__ = ["Cell", "Tail"]

_KEPT = 200


class Tail(Widget):
    """Show the newest lines, cut at the right edge and never wrapped; hand it lines in batches.

    It keeps the last 200 lines and draws once however many come in one go, which costs a terminal far fewer
    bytes than a scrolling log.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("tail")
    DEFAULT_CSS = "Tail { height: 1fr; min-height: 1; }\n" + component_styles("tail")

    def __init__(self, empty: str = "", id: str | None = None) -> None:
        """Make a tail that says `empty` before its first line."""
        super().__init__(id=id)
        self._kept: deque[Cell] = deque(maxlen=_KEPT)
        self._empty = empty
        self._lines: list[Cell] = []

    @property
    def lines(self) -> list[str]:
        """Return the kept lines, oldest first, as they are shown but uncut."""
        return [cell.text for cell in self._kept]

    def write(self, lines: Iterable[str | Cell]) -> None:
        """Add lines at the end; a line with newlines in it stays one line."""
        self._kept.extend(map(as_cell, lines))
        self._redraw()

    def set_lines(self, lines: Sequence[str | Cell]) -> None:
        """Replace all lines."""
        self._kept.clear()
        self.write(lines[-_KEPT:])

    def on_resize(self) -> None:
        """Show more or fewer lines."""
        self._redraw()

    def _redraw(self) -> None:
        """Work out what is visible and repaint the lines that differ."""
        height = self.size.height
        before, self._lines = self._lines, list(self._kept)[-height:] if height else []
        if not self._kept and self._empty:
            self._lines = [Cell(as_cell(self._empty).text, "muted")]
        refresh_lines(self, changed(before, self._lines))

    def render_line(self, y: int) -> Strip:
        """Render one visible line."""
        base, width = self.rich_style, self.size.width
        line = self._lines[y] if y < len(self._lines) else Cell("")
        return strip_of(self, [(cut(line.text, width), style_named(self, "tail", line.style, base))], base)
