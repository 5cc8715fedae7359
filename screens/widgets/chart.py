"""A chart of curves that repaints only the rows that changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from screens.widgets.paint import changed, is_ascii, refresh_lines, strip_of, style_named
from workbench.chart import plot as plotting
from workbench.chart.plot import ASCII_MARKS, Range, Segments, Series
from workbench.text import cut, plain, width

__all__ = ["Chart", "Series"]

_LEGEND = {"solid": "━", "dashed": "┅", "dotted": "┉"}
SERIES_STYLES = tuple(f"series-{n}" for n in range(1, 7))
"""The style names that a `Series` may carry, in the order in which curves should take them."""


class Chart(Widget):
    """Show series as curves over steps, the legend in the title line, axes with round numbers.

    The lines of the drawing come from `workbench.plot`; a redraw writes the changed rows and no other.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart--{name}" for name in ("axis", "label", "title", *SERIES_STYLES)}
    DEFAULT_CSS = """
    Chart { height: 1fr; min-height: 4; }
    Chart > .chart--axis { color: $foreground 30%; }
    Chart > .chart--label { color: $text-muted; }
    Chart > .chart--title { color: $foreground; }
    Chart > .chart--series-1 { color: $primary; }
    Chart > .chart--series-2 { color: $warning; }
    Chart > .chart--series-3 { color: $success; }
    Chart > .chart--series-4 { color: $error; }
    Chart > .chart--series-5 { color: $accent; }
    Chart > .chart--series-6 { color: $secondary; }
    """

    def __init__(self, id: str | None = None) -> None:
        """Make an empty chart."""
        super().__init__(id=id)
        self._series: list[Series] = []
        self._title = ""
        self._log_x = self._log_y = False
        self._x_label = ""
        self._x_range: Range | None = None
        self._y_range: Range | None = None
        self._lines: list[Segments] = []
        self._drawn: plotting.Chart | None = None

    @property
    def note(self) -> str:
        """Return what the drawing cannot show (points not finite, a refused log axis), empty when it shows all."""
        return self._drawn.note if self._drawn else ""

    @property
    def log_y(self) -> bool:
        """Return whether the y axis is logarithmic as drawn, which a value of 0 or below prevents."""
        return bool(self._drawn and self._drawn.log_y)

    def show(
        self,
        series: Sequence[Series],
        *,
        title: str = "",
        log_x: bool = False,
        log_y: bool = False,
        x_label: str = "",
        x_range: Range | None = None,
        y_range: Range | None = None,
    ) -> None:
        """Draw these series; labels and title may be any text and are shown as typed.

        A known `x_range` (0 to the last step) keeps the rows still while a curve grows, so that fewer are repainted.
        """
        self._series = list(series)
        self._title, self._x_label = plain(title), plain(x_label)
        self._log_x, self._log_y = log_x, log_y
        self._x_range, self._y_range = x_range, y_range
        if self.size:
            self._redraw()

    def on_resize(self) -> None:
        """Draw again for the new size."""
        self._redraw()

    def _redraw(self) -> None:
        """Draw all and repaint what differs."""
        cells, rows = self.size
        head = [self._head(cells)] if self._has_head else []
        self._drawn = plotting.plot(
            self._series,
            cells,
            rows - len(head),
            log_x=self._log_x,
            log_y=self._log_y,
            x_label=self._x_label,
            x_range=self._x_range,
            y_range=self._y_range,
            symbols="ascii" if is_ascii(self) else "braille",
        )
        head = [self._head(cells)] if head else []  # once more: the drawing has found out what it cannot show
        lines = head + self._drawn.rows
        before, self._lines = self._lines, lines
        refresh_lines(self, changed(before, lines))

    @property
    def _has_head(self) -> bool:
        """Return whether a line is spent on title and legend."""
        return bool(self._title or any(one.label for one in self._series)) and self.size.height > 3

    def _head(self, cells: int) -> Segments:
        """Return the title line: the title, a sample and label of each curve, and what is not shown."""
        ascii_only = is_ascii(self)
        parts: Segments = [(self._title, "title")]
        for index, one in enumerate(self._series):
            if one.label:
                sample = ASCII_MARKS[index % len(ASCII_MARKS)] if ascii_only else _LEGEND[one.dash]
                parts.append((f"{sample} {plain(one.label)}", one.style))
        parts.append((f"({self.note})" if self.note else "", "label"))
        head: Segments = []
        for text, style in parts:
            if text:
                shown = cut(("   " if head else "") + text, cells)
                head.append((shown, style))
                cells -= width(shown)
        return head

    def render_line(self, y: int) -> Strip:
        """Render one row of the drawing."""
        base = self.rich_style
        line = self._lines[y] if y < len(self._lines) else []
        styled = [(text, style_named(self, "chart", style, base)) for text, style in line]
        return strip_of(self, styled, base)
