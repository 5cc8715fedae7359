"""A list of settings: name, value, a star where it was changed, one line of help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.strip import Strip

from screens.widgets.cursor import CursorView, Told
from screens.widgets.paint import component_classes, component_styles, refresh_lines, strip_of, style_named
from workbench.text import cut, fit, middle, plain, width

_GUTTER = 3
_LEAST_HELP = 16


@dataclass(frozen=True)
class Entry:
    """A setting as it is shown; `problem` stands in the place of its help."""

    key: str
    label: str
    value: str
    help: str = ""
    changed: bool = False
    problem: str = ""


class Form(CursorView):
    """Show settings under a title; enter asks to change one, the arrows to step through its choices.

    Texts are shown as they are typed, never read as markup.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("form", "title", "cursor", "help")
    DEFAULT_CSS = """
    Form > .form--title { color: $foreground-muted; }
    Form:focus > .form--title { color: $text-accent; text-style: bold; }
    Form > .form--help { color: $foreground-muted; }
    Form > .form--cursor { background: $surface-lighten-1; }
    Form:focus > .form--cursor { background: $block-cursor-blurred-background; text-style: bold; }
    """ + component_styles("form")

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,right", "step(1)", "Next value", show=False, id="form.next"),
        Binding("left", "step(-1)", "Value before", show=False, id="form.before"),
        Binding("backspace,delete", "reset", "Default", show=False, id="form.reset"),
    ]

    @dataclass
    class Asked(Told):
        """A setting is to be changed by typing."""

        key: str

    @dataclass
    class Stepped(Told):
        """The next (1) or former (-1) choice of a setting is wanted."""

        key: str
        by: int

    @dataclass
    class Reset(Told):
        """A setting is to go back to its default."""

        key: str

    @dataclass
    class Highlighted(Told):
        """The cursor came to a setting."""

        key: str | None

    def __init__(self, title: str, hint: str = "", id: str | None = None) -> None:
        """Make an empty form; `hint` stands in the title line."""
        super().__init__(id=id)
        self._title, self._hint = plain(title), plain(hint)
        self._entries: list[Entry] = []

    @property
    def line_count(self) -> int:
        """Return the number of settings."""
        return len(self._entries)

    @property
    def head_lines(self) -> int:
        """Return the one line of the title."""
        return 1

    @property
    def cursor_key(self) -> str | None:
        """Return the key of the setting under the cursor."""
        return self._entries[self._cursor].key if self._entries else None

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """Replace the settings; the cursor stays on its key, else on its line; lines that differ are repainted."""
        key, before = self.cursor_key, self._entries
        self._entries = list(entries)
        found = next((index for index, entry in enumerate(self._entries) if entry.key == key), self._cursor)
        self._cursor = max(0, min(found, len(self._entries) - 1))
        self.measure()
        self.show_cursor()
        if self._widths(before) != self._widths(self._entries) or len(before) != len(self._entries):
            self.refresh()
        else:
            pairs = zip(before, self._entries, strict=True)
            self.refresh_index(*(index for index, (old, new) in enumerate(pairs) if old != new))

    def cursor_moved(self) -> None:
        """Tell which setting is under the cursor now."""
        self.post_message(self.Highlighted(self, self.cursor_key))

    def line_clicked(self, chain: int) -> None:
        """Change the setting on a double click."""
        if chain == 2:
            self.action_choose()

    def action_choose(self) -> None:
        """Ask to change the setting under the cursor."""
        if self.cursor_key is not None:
            self.post_message(self.Asked(self, self.cursor_key))

    def action_step(self, by: int) -> None:
        """Ask for the next or former choice."""
        if self.cursor_key is not None:
            self.post_message(self.Stepped(self, self.cursor_key, by))

    def action_reset(self) -> None:
        """Ask for the default of the setting under the cursor."""
        if self.cursor_key is not None:
            self.post_message(self.Reset(self, self.cursor_key))

    def on_focus(self) -> None:
        """Repaint the title, and tell what the cursor is on."""
        refresh_lines(self, [0])
        self.cursor_moved()

    def on_blur(self) -> None:
        """Repaint the title."""
        refresh_lines(self, [0])

    def _widths(self, entries: Sequence[Entry]) -> tuple[int, int]:
        """Return the cells of the names and of the values."""
        room = max(0, self.size.width - _GUTTER)
        label = min(max((width(plain(entry.label)) for entry in entries), default=0), room // 2)
        value = max((width(plain(entry.value)) for entry in entries), default=0)
        least = 10 if room > 60 else 6
        return label, max(least, min(value, room - label - 4 - _LEAST_HELP))

    def render_line(self, y: int) -> Strip:
        """Render the title or a setting."""
        base, cells = self.rich_style, self.size.width
        if y == 0:
            return strip_of(self, self._render_title(base, cells), base)
        index = self.index_at(y)
        if index < len(self._entries):
            return self._render_entry(index, base, cells)
        return strip_of(self, [], base)

    def _render_title(self, base: Style, cells: int) -> list[tuple[str, Style]]:
        style = style_named(self, "form", "title", base)
        dash = "─"
        hint = f"  {self._hint}" if self._hint and cells > len(self._title) + len(self._hint) + 10 else ""
        head = cut(f"{dash} {self._title}{hint} ", cells)
        return [(head + dash * (cells - width(head)), style)]

    def _render_entry(self, index: int, base: Style, cells: int) -> Strip:
        """Render a setting: bar, name, value, star, help or problem."""
        entry, under = self._entries[index], index == self._cursor
        line = style_named(self, "form", "cursor", base) if under else base
        bar = "▌"
        label, value = self._widths(self._entries)
        rest = cells - _GUTTER - label - value - 6
        told, style = (entry.problem, "bad") if entry.problem else (entry.help, "help")
        shown = style_named(self, "form", "strong", line) if entry.changed else line
        segments = [
            (f"{bar if under else ' '}  ", style_named(self, "form", "accent", line)),
            (fit(plain(entry.label), label) + "  ", style_named(self, "form", "muted", line)),
            (fit(middle(plain(entry.value), value), value), shown),
            (" * " if entry.changed else "   ", style_named(self, "form", "accent", line)),
            (cut(plain(told), max(0, rest)), style_named(self, "form", style, line)),
        ]
        return strip_of(self, segments, line)
