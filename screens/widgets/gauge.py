"""One line that tells how full something is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from screens.widgets.paint import component_classes, component_styles, is_ascii, strip_of, style_named
from workbench.chart.plot import sparkline
from workbench.text import bar, fit, plain, width

_BAR, _LEAST_BAR, _SPARK, _LEAST_SPARK = 10, 4, 12, 4


@dataclass(frozen=True)
class Reading:
    """What a gauge shows: a share of 0 to 1 or None, the value in words, and earlier shares for a sparkline."""

    fraction: float | None = None
    text: str = ""
    history: Sequence[float | None] = ()
    style: str = ""


def gauge_line(label: str, reading: Reading, cells: int, label_cells: int = 6, ascii: bool = False) -> str:
    """Return label, bar, value and, where there is room, the sparkline, in exactly `cells` of plain text.

    The value comes first: a narrow gauge loses its sparkline, then its bar, and its label last.
    """
    text = plain(reading.text)
    room = cells - label_cells - width(text) - 1
    bar_cells = min(_BAR, room) if room >= _LEAST_BAR else 0
    parts = [fit(plain(label), label_cells)] if label_cells else []
    parts += [bar(reading.fraction, bar_cells, ascii)] if bar_cells else []
    line = " ".join([*parts, text]) if text else " ".join(parts)
    spare = min(_SPARK, cells - width(line) - 2)
    if reading.history and spare >= _LEAST_SPARK:
        line += "  " + sparkline(reading.history, spare, 0.0, 1.0, "ascii" if ascii else "braille")
    return fit(line, cells)


class Gauge(Widget):
    """Show one reading in one line; told by the bar and by words, never by colour alone."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("gauge")
    DEFAULT_CSS = "Gauge { height: 1; }\n" + component_styles("gauge")

    def __init__(self, label: str, label_cells: int | None = None, id: str | None = None) -> None:
        """Make a gauge; `label_cells` lines it up with its neighbours."""
        super().__init__(id=id)
        self._label = plain(label)
        self._label_cells = width(self._label) if label_cells is None else label_cells
        self._reading = Reading()

    def show(self, fraction: float | None, text: str, history: Sequence[float | None] = (), style: str = "") -> None:
        """Show a share of 0 to 1 (None where unknown), its value in words, and earlier shares, oldest first."""
        reading = Reading(fraction, text, tuple(history), style)
        if reading != self._reading:
            self._reading = reading
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render the line."""
        base, cells = self.rich_style, self.size.width
        line = gauge_line(self._label, self._reading, cells, self._label_cells, is_ascii(self)) if y == 0 else ""
        return strip_of(self, [(line, style_named(self, "gauge", self._reading.style, base))], base)
