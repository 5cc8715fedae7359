"""A table of any number of rows that draws only the lines one sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.widgets.columns import GAP, Column, share
from screens.widgets.paint import (
    Cell,
    as_cell,
    component_classes,
    component_styles,
    is_ascii,
    refresh_lines,
    strip_of,
    style_named,
)
from workbench.text import fit, plain

__all__ = ["Cell", "Column", "Row", "Table"]

_HEADER = 1


@dataclass(frozen=True)
class Row:
    """A row: one cell per column, found again by `key` when rows are replaced."""

    key: str
    cells: Sequence[str | Cell]
    marked: bool = False


class Table(ScrollView, can_focus=True):
    """Show rows under a header with a cursor; render lines on demand, repaint those that changed.

    Texts are shown as they are typed: no markup is read and no control character is written.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("table", "header", "cursor", "empty")
    DEFAULT_CSS = """
    Table { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; height: 1fr; }
    Table > .table--header { color: $text-muted; }
    Table > .table--empty { color: $text-muted; }
    Table > .table--cursor { background: $surface-lighten-1; }
    Table:focus > .table--cursor { background: $block-cursor-blurred-background; text-style: bold; }
    """ + component_styles("table")

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="table.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="table.up"),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False, id="table.page-down"),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False, id="table.page-up"),
        Binding("home,g", "edge(-1)", "First", show=False, id="table.first"),
        Binding("end,G", "edge(1)", "Last", show=False, id="table.last"),
        Binding("enter", "choose", "Open", show=False, id="table.choose"),
        Binding("space", "mark", "Mark", show=False, id="table.mark"),
    ]

    @dataclass
    class Chosen(Message):
        """A row was opened by enter or a double click."""

        table: Table
        key: str

        @property
        def control(self) -> Table:
            """Return the table, so that a handler can select it."""
            return self.table

    @dataclass
    class Marked(Message):
        """Space was pressed on a row; whoever holds the marks decides."""

        table: Table
        key: str

        @property
        def control(self) -> Table:
            """Return the table, so that a handler can select it."""
            return self.table

    @dataclass
    class Highlighted(Message):
        """The cursor came to another row; None where there is none."""

        table: Table
        key: str | None

        @property
        def control(self) -> Table:
            """Return the table, so that a handler can select it."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """Let the latest place of the cursor stand for the ones before it."""
            return isinstance(message, Table.Highlighted) and message.table is self.table

    def __init__(self, columns: Sequence[Column] = (), empty: str = "nothing here yet", id: str | None = None) -> None:
        """Make a table; `empty` is what it says when it has no rows."""
        super().__init__(id=id)
        self._columns = list(columns)
        self._rows: list[Row] = []
        self._places: dict[str, int] = {}
        self._cursor = 0
        self._empty = plain(empty)
        self._shares: tuple[int, list[tuple[int, int]]] = (-1, [])

    @property
    def rows_count(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    @property
    def cursor_key(self) -> str | None:
        """Return the key of the row under the cursor, None where there is no row."""
        return self._rows[self._cursor].key if self._rows else None

    @property
    def shown_columns(self) -> list[str]:
        """Return the keys of the columns that fit at the present width."""
        return [self._columns[index].key for index, _ in self._share()]

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Replace the columns; rows already set are read by them from left to right."""
        if list(columns) != self._columns:
            self._columns = list(columns)
            self._shares = (-1, [])
            self.refresh()

    def set_rows(self, rows: Sequence[Row], empty: str | None = None) -> None:
        """Replace the rows: the cursor stays on its key, else on its line; only lines that differ are repainted."""
        key, before, cursor = self.cursor_key, self._rows, self._cursor
        said = self._empty
        self._rows = list(rows)
        self._places = {row.key: index for index, row in enumerate(self._rows)}
        self._empty = said if empty is None else plain(empty)
        kept = self._places.get(key) if key is not None else None
        self._cursor = kept if kept is not None else max(0, min(cursor, len(self._rows) - 1))
        if len(before) != len(self._rows):
            self.virtual_size = Size(0, len(self._rows) + _HEADER)
        if not self._rows or not before:
            self.refresh()
        else:
            self._refresh_changed(before, cursor)
        if self._cursor != cursor:
            self._show_cursor()
        if self.cursor_key != key:
            self.post_message(self.Highlighted(self, self.cursor_key))

    def _refresh_changed(self, before: list[Row], cursor: int) -> None:
        """Repaint the visible lines whose row, or cursor, is no longer the same."""
        top = self.scroll_offset.y
        lines = range(top, top + max(0, self.size.height - _HEADER))

        def look(rows: list[Row], at: int, index: int) -> tuple[Row | None, bool]:
            return (rows[index] if index < len(rows) else None), index == at

        different = (i for i in lines if look(before, cursor, i) != look(self._rows, self._cursor, i))
        refresh_lines(self, [index - top + _HEADER for index in different])

    def move_to(self, key: str) -> bool:
        """Put the cursor on the row of this key and show it; return whether there is one."""
        if key not in self._places:
            return False
        self._move(self._places[key])
        return True

    def _move(self, index: int) -> None:
        """Put the cursor on a row, repaint the two lines and tell."""
        index = max(0, min(index, len(self._rows) - 1))
        if not self._rows or index == self._cursor:
            return
        top = self.scroll_offset.y
        refresh_lines(self, [self._cursor - top + _HEADER, index - top + _HEADER])
        self._cursor = index
        self._show_cursor()
        self.post_message(self.Highlighted(self, self.cursor_key))

    def _show_cursor(self) -> None:
        """Scroll just as far as the cursor needs."""
        top, page = self.scroll_offset.y, self._page
        wanted = min(max(top, self._cursor - page + 1), self._cursor)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True)

    @property
    def _page(self) -> int:
        """Return how many rows are visible at once, at least 1."""
        return max(1, self.size.height - _HEADER)

    def on_resize(self) -> None:
        """Keep the cursor in sight when the table gets smaller."""
        self.call_after_refresh(self._show_cursor)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked row; a double click opens it."""
        place = event.get_content_offset(self)
        index = self.scroll_offset.y + place.y - _HEADER if place is not None and place.y >= _HEADER else -1
        if 0 <= index < len(self._rows):
            self._move(index)
            if event.chain == 2:
                self.action_choose()

    def action_move(self, rows: int) -> None:
        """Move the cursor by `rows`."""
        self._move(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by `pages`."""
        self._move(self._cursor + pages * self._page)

    def action_edge(self, side: int) -> None:
        """Move the cursor to the first (-1) or the last row (1)."""
        self._move(0 if side < 0 else len(self._rows) - 1)

    def action_choose(self) -> None:
        """Tell that the row under the cursor is chosen."""
        if self._rows:
            self.post_message(self.Chosen(self, self._rows[self._cursor].key))

    def action_mark(self) -> None:
        """Tell that the row under the cursor is to be marked or unmarked."""
        if self._rows:
            self.post_message(self.Marked(self, self._rows[self._cursor].key))

    def _share(self) -> list[tuple[int, int]]:
        """Return the shown columns and their cells, worked out once per width."""
        width = self.size.width
        if self._shares[0] != width:
            self._shares = (width, share(self._columns, max(0, width - 4)))
        return self._shares[1]

    def render_line(self, y: int) -> Strip:
        """Render one visible line: the header, a row, or what an empty table says."""
        base, width = self.rich_style, self.size.width
        if y == 0:
            style = style_named(self, "table", "header", base)
            titles = [(Cell(plain(self._columns[i].title)), self._columns[i], cells) for i, cells in self._share()]
            return self._line("   ", titles, style, width)
        index = self.scroll_offset.y + y - _HEADER
        if index < len(self._rows):
            return self._render_row(index, base, width)
        said = "   " + self._empty if not self._rows and y == _HEADER else ""
        return strip_of([(said, style_named(self, "table", "empty", base))], width, base)

    def _render_row(self, index: int, base: Style, width: int) -> Strip:
        """Render a row with its cursor bar and its mark, both told by a character as well as by colour."""
        row, under = self._rows[index], index == self._cursor
        bar, dot = (">", "*") if is_ascii(self) else ("▌", "●")
        style = style_named(self, "table", "cursor", base) if under else base
        gutter = f"{bar if under else ' '}{dot if row.marked else ' '} "
        cells = [
            (as_cell(row.cells[i]) if i < len(row.cells) else Cell(""), self._columns[i], cells)
            for i, cells in self._share()
        ]
        return self._line(gutter, cells, style, width)

    def _line(self, gutter: str, cells: Sequence[tuple[Cell, Column, int]], style: Style, width: int) -> Strip:
        """Lay cells beside one another, each in its own style over that of the line."""
        gutter_style = style_named(self, "table", "accent", style) if gutter.strip() else style
        segments = [(gutter, gutter_style)]
        for at, (cell, column, room) in enumerate(cells):
            gap = " " * GAP if at else ""
            segments.append((gap, style))
            segments.append((fit(cell.text, room, column.align), style_named(self, "table", cell.style, style)))
        return strip_of(segments, width, style)
