"""What the line widgets share: cells, safe segments, and which lines changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, zip_longest
from operator import itemgetter

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from workbench.text import plain

_ASCII = str.maketrans("…—−–·•±×→←↑↓▲▼▶●▌▏✓✗⚠─━│┤▰▱⏎␛␇␍◌", "~---..+x><^v^v>*>_vx!--|+#-^^^^.")

STYLES = ("muted", "accent", "good", "warn", "bad", "strong")
"""The names a `Cell` may ask for; every widget here has a component class of that name."""


@dataclass(frozen=True)
class Cell:
    """A text with the name of a style, one of STYLES; an empty name is the widget's own."""

    text: str
    style: str = ""


def as_cell(value: str | Cell) -> Cell:
    """Return `value` as a cell whose text is safe to write to a terminal."""
    return Cell(plain(value)) if isinstance(value, str) else Cell(plain(value.text), value.style)


def is_ascii(widget: Widget) -> bool:
    """Return whether the app was asked to draw with ASCII alone."""
    return bool(getattr(widget.app, "ascii", False))


def component_classes(name: str, *more: str) -> set[str]:
    """Return the component classes of a widget called `name`: one per style name, and `more`."""
    return {f"{name}--{style}" for style in (*STYLES, *more)}


def component_styles(name: str) -> str:
    """Return the default CSS of the component classes that every line widget has, theme tokens only."""
    widget = name.capitalize()
    rules = {
        "muted": "color: $text-muted;",
        "accent": "color: $text-accent;",
        "good": "color: $text-success;",
        "warn": "color: $text-warning;",
        "bad": "color: $text-error;",
        "strong": "text-style: bold;",
    }
    return "\n".join(f"{widget} > .{name}--{style} {{ {rule} }}" for style, rule in rules.items())


def style_named(widget: Widget, prefix: str, style: str, base: Style | None = None) -> Style:
    """Return the Rich style of component class `prefix--style` over `base`; no or an unknown name is `base`."""
    base = widget.rich_style if base is None else base
    if not style or f"{prefix}--{style}" not in widget._get_component_classes():
        return base
    named = f"{prefix}--{style}"
    return _blend(base, widget.get_component_rich_style(named, partial=True), widget.get_component_rich_style(named))


@lru_cache(maxsize=512)
def _blend(base: Style, rules: Style, blended: Style) -> Style:
    """Lay over `base` what `rules` rules, with the colours of `blended`: only there has Textual mixed transparency."""
    colours = Style(color=blended.color if rules.color else None, bgcolor=blended.bgcolor if rules.bgcolor else None)
    return base + rules + colours


def strip_of(widget: Widget, segments: Iterable[tuple[str, Style]], base: Style) -> Strip:
    """Return a strip as wide as `widget`; text is never read as markup, neighbours of one style join.

    Where ASCII alone is wanted, the signs of the interface become their likes; text of the user stays.
    """
    parts = [segment for segment in segments if segment[0]]
    if is_ascii(widget):
        parts = [(text.translate(_ASCII), style) for text, style in parts]
    strip = Strip(Segment("".join(text for text, _ in run), style) for style, run in groupby(parts, itemgetter(1)))
    return strip.adjust_cell_length(widget.size.width, base)


def in_signs(widget: Widget, content: Content) -> Content:
    """Return `content` with the signs of the interface as ASCII where that alone is wanted."""
    return Content(content.plain.translate(_ASCII), list(content.spans)) if is_ascii(widget) else content


def changed(old: Sequence[object], new: Sequence[object]) -> Iterator[int]:
    """Yield the indices at which two lists of lines differ."""
    for index, (before, after) in enumerate(zip_longest(old, new)):
        if before != after:
            yield index


def refresh_lines(widget: Widget, lines: Iterable[int]) -> None:
    """Repaint only these lines of the content of `widget`, counted from its visible top."""
    width, height = widget.size
    regions = [Region(0, y, width, 1) for y in lines if 0 <= y < height]
    if regions:
        widget.refresh(*regions)
