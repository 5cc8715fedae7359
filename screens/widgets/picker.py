"""A list from which one thing is picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from screens.widgets.cursor import CursorView, Told
from screens.widgets.paint import component_classes, component_styles, refresh_lines, strip_of, style_named
from workbench.text import cut, fit, plain, width

_GUTTER = 3
_LEAST_REASON = 24
"""Cells below which a reason says nothing, and the name of what cannot be had takes them."""


@dataclass(frozen=True)
class Option:
    """A thing to pick: its value, its name, one line of help; `disabled` is the reason why it cannot be picked."""

    value: str
    label: str
    help: str = ""
    disabled: str = ""


class Picker(CursorView):
    """Show options with one line of help each; the bar is the cursor, the dot what is picked.

    With `filterable`, / starts typing a filter: every word must occur in the label, the value or the help.
    Texts are shown as they are typed, never read as markup.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("picker", "title", "cursor", "help", "disabled")
    DEFAULT_CSS = """
    Picker > .picker--title { color: $text-muted; }
    Picker:focus > .picker--title { color: $text-accent; text-style: bold; }
    Picker > .picker--help { color: $text-muted; }
    Picker > .picker--disabled { color: $text-disabled; }
    Picker > .picker--cursor { background: $panel; }
    Picker:focus > .picker--cursor { background: $primary-muted; text-style: bold; }
    """ + component_styles("picker")

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "Pick", show=False, id="picker.pick"),
        Binding("slash", "filter", "Filter", show=False, id="picker.filter"),
    ]

    @dataclass
    class Picked(Told):
        """An option was picked."""

        value: str

    @dataclass
    class Highlighted(Told):
        """The cursor came to an option; None where the filter leaves none."""

        value: str | None

        def can_replace(self, message: Message) -> bool:
            """Let the latest place of the cursor stand for the ones before it."""
            return isinstance(message, Picker.Highlighted) and message.view is self.view

    @dataclass
    class Refused(Told):
        """A disabled option was asked for; `reason` is why it cannot be had."""

        value: str
        reason: str

    def __init__(
        self, title: str = "", options: Sequence[Option] = (), filterable: bool = False, id: str | None = None
    ) -> None:
        """Make a picker with a title line, or without one where `title` is empty."""
        super().__init__(id=id)
        self._title = plain(title)
        self._options = list(options)
        self._shown = list(options)
        self._picked: str | None = None
        self._filterable = filterable
        self._filter = ""
        self._typing = False
        self._label_cells = 0
        self._measure()

    @property
    def cursor_value(self) -> str | None:
        """Return the value under the cursor, None where the filter leaves none."""
        return self._shown[self._cursor].value if self._shown else None

    @property
    def picked(self) -> str | None:
        """Return the value picked last."""
        return self._picked

    @property
    def filter_text(self) -> str:
        """Return what was typed to filter."""
        return self._filter

    def set_options(self, options: Sequence[Option]) -> None:
        """Replace the options; cursor, pick and filter stay where they still fit."""
        self._options = list(options)
        self._narrow()

    def pick(self, value: str) -> bool:
        """Mark `value` as picked and put the cursor on it, without a message; return whether it is listed."""
        index = next((i for i, option in enumerate(self._shown) if option.value == value), None)
        if index is None:
            return False
        self._picked = value
        self.move_cursor(index)
        self.refresh()
        return True

    @property
    def line_count(self) -> int:
        """Return the number of options that pass the filter."""
        return len(self._shown)

    @property
    def head_lines(self) -> int:
        """Return 1 where there is a title or a filter."""
        return 1 if self._title or self._filterable else 0

    def _narrow(self) -> None:
        """Apply the filter; the cursor stays on its option where it is still shown."""
        before = self.cursor_value
        words = self._filter.casefold().split()
        self._shown = [
            option
            for option in self._options
            if all(word in f"{option.label}\n{option.value}\n{option.help}".casefold() for word in words)
        ]
        self._cursor = next((i for i, option in enumerate(self._shown) if option.value == before), 0)
        self._measure()
        self.show_cursor()
        self.refresh()
        if self.cursor_value != before:
            self.cursor_moved()

    def _measure(self) -> None:
        """Fit the scrolling to the options shown, and the label column to the longest label."""
        self._label_cells = max((width(plain(option.label)) for option in self._options), default=0)
        self.measure()

    def cursor_moved(self) -> None:
        """Tell which option is under the cursor now."""
        self.post_message(self.Highlighted(self, self.cursor_value))

    def line_clicked(self, chain: int) -> None:
        """Pick the clicked option."""
        self.action_choose()

    def action_choose(self) -> None:
        """Pick the option under the cursor, or tell why it cannot be had."""
        if not self._shown:
            return
        option = self._shown[self._cursor]
        if option.disabled:
            self.post_message(self.Refused(self, option.value, option.disabled))
            return
        self._picked, self._typing = option.value, False
        self.refresh()
        self.post_message(self.Picked(self, option.value))

    def action_filter(self) -> None:
        """Begin to type a filter."""
        if self._filterable:
            self._typing = True
            refresh_lines(self, [0])

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether the key goes into the filter, so that the footer does not offer it."""
        return self._typing and character is not None and character.isprintable()

    def on_key(self, event: events.Key) -> None:
        """Take what is typed into the filter; escape clears it, backspace takes back."""
        if not self._typing and not (self._filter and event.key == "escape"):
            return
        if event.is_printable and event.character:
            self._filter += event.character
        elif event.key == "backspace":
            self._filter = self._filter[:-1]
        elif event.key == "escape":
            self._filter, self._typing = "", False
        else:
            return
        event.stop()
        event.prevent_default()
        self._narrow()

    def on_blur(self) -> None:
        """End typing; the filter stays."""
        self._typing = False
        refresh_lines(self, [0])

    def render_line(self, y: int) -> Strip:
        """Render the title, an option, or that nothing passes the filter."""
        base, cells = self.rich_style, self.size.width
        if y < self.head_lines:
            return strip_of(self, self._render_title(base, cells), base)
        index = self.index_at(y)
        if index < len(self._shown):
            return self._render_option(index, base, cells)
        nothing = "   nothing matches" if not self._shown and self._filter and y == self.head_lines else ""
        return strip_of(self, [(nothing, style_named(self, "picker", "help", base))], base)

    def _render_title(self, base: Style, cells: int) -> list[tuple[str, Style]]:
        """Return title, filter and a rule to the right edge."""
        style = style_named(self, "picker", "title", base)
        typed = "▏" if self._typing else ""
        sought = f" / {plain(self._filter)}{typed}" if self._filter or self._typing else ""
        hint = " / filter" if self._filterable and not sought else ""
        head = cut(f"─ {self._title}{sought or hint} ", cells)
        return [(head + "─" * (cells - width(head)), style)]

    def _render_option(self, index: int, base: Style, cells: int) -> Strip:
        """Render an option: bar, dot or cross, label, and its help or the reason why it is disabled."""
        option, under = self._shown[index], index == self._cursor
        line = style_named(self, "picker", "cursor", base) if under else base
        mark = "●" if option.value == self._picked else "×" if option.disabled else " "
        gutter = f"{'▌' if under else ' '}{mark} "
        help_text = f"not available: {plain(option.disabled)}" if option.disabled else plain(option.help)
        room = max(0, cells - _GUTTER)
        if option.disabled and room - min(self._label_cells, room // 2) < _LEAST_REASON:
            help_text = ""
        label_cells = min(self._label_cells, room // 2) if help_text else room
        label_style = style_named(self, "picker", "disabled", line) if option.disabled else line
        segments = [
            (gutter, style_named(self, "picker", "accent", line)),
            (fit(plain(option.label), label_cells), label_style),
            ("  " + cut(help_text, room - label_cells - 2), style_named(self, "picker", "help", line)),
        ]
        return strip_of(self, segments, line)
