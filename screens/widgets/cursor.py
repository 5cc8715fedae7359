"""The one base of the lists: a cursor over lines that are drawn on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView

from screens.widgets.paint import is_ascii, refresh_lines


@dataclass
class Told(Message):
    """What a view tells of one of its lines; a handler can select it by the view."""

    view: CursorView

    @property
    def control(self) -> CursorView:
        """Return the view."""
        return self.view


class CursorView(ScrollView, can_focus=True):
    """Move a cursor over `line_count` lines below `head_lines` fixed ones, with keys and mouse.

    A subclass says how many lines there are, renders them, and is told where the cursor came to and what was clicked.
    """

    DEFAULT_CSS = "CursorView { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; height: 1fr; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="list.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False, id="list.page-down"),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False, id="list.page-up"),
        Binding("home,g", "edge(-1)", "First", show=False, id="list.first"),
        Binding("end,G", "edge(1)", "Last", show=False, id="list.last"),
        Binding("enter", "choose", "Open", show=False, id="list.choose"),
    ]

    def __init__(self, id: str | None = None) -> None:
        """Make a view with the cursor on its first line."""
        super().__init__(id=id)
        self._cursor = 0

    @property
    def line_count(self) -> int:
        """Return how many lines the cursor can be on."""
        raise NotImplementedError

    @property
    def head_lines(self) -> int:
        """Return how many lines stay at the top."""
        return 0

    @property
    def page_lines(self) -> int:
        """Return how many lines are visible at once below the head, at least 1."""
        return max(1, self.size.height - self.head_lines)

    def cursor_moved(self) -> None:
        """Tell that the cursor came to another line."""

    def action_choose(self) -> None:
        """Choose the line under the cursor."""

    def line_clicked(self, chain: int) -> None:
        """React to a click on the line the cursor is on now; `chain` is 2 for a double click."""

    def index_at(self, y: int) -> int:
        """Return the index of the line seen at `y`, which may be none that exists."""
        return self.scroll_offset.y + y - self.head_lines

    def measure(self) -> None:
        """Fit the scrolling to the number of lines."""
        size = Size(0, self.line_count + self.head_lines)
        if size != self.virtual_size:
            self.virtual_size = size

    def move_cursor(self, index: int) -> None:
        """Put the cursor on a line, the nearest that exists; repaint two lines and tell."""
        index = max(0, min(index, self.line_count - 1))
        if not self.line_count or index == self._cursor:
            return
        self.refresh_index(self._cursor, index)
        self._cursor = index
        self.show_cursor()
        self.cursor_moved()

    def refresh_index(self, *indices: int) -> None:
        """Repaint these lines, as far as they are seen."""
        top = self.scroll_offset.y
        refresh_lines(self, [index - top + self.head_lines for index in indices if index >= top])

    def show_cursor(self) -> None:
        """Scroll just as far as the cursor needs."""
        top = self.scroll_offset.y
        wanted = min(max(top, self._cursor - self.page_lines + 1), self._cursor)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True)

    def on_mount(self) -> None:
        """Do without a scrollbar where ASCII alone is wanted: its glyphs are Textual's."""
        if is_ascii(self):
            self.styles.scrollbar_size_vertical = 0

    def on_resize(self) -> None:
        """Keep the cursor in sight when there is less room."""
        self.call_after_refresh(self.show_cursor)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked line."""
        place = event.get_content_offset(self)
        if place is None or place.y < self.head_lines:
            return
        index = self.index_at(place.y)
        if 0 <= index < self.line_count:
            self.move_cursor(index)
            self.line_clicked(event.chain)

    def action_move(self, lines: int) -> None:
        """Move the cursor by `lines`."""
        self.move_cursor(self._cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by `pages`."""
        self.move_cursor(self._cursor + pages * self.page_lines)

    def action_edge(self, side: int) -> None:
        """Move the cursor to the first (-1) or the last line (1)."""
        self.move_cursor(0 if side < 0 else self.line_count - 1)
