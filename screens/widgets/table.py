"""A table of any number of rows that draws only the lines one sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from screens.widgets.columns import GAP, Column, share
from screens.widgets.cursor import CursorView, Told
from screens.widgets.paint import (
    Cell,
    as_cell,
    component_classes,
    component_styles,
    strip_of,
    style_named,
)
from workbench.text import fit, plain

__all__ = ["Cell", "Column", "Row", "Table"]


@dataclass(frozen=True)
class Row:
    """A row: one cell per column, found again by `key` when rows are replaced."""

    key: str
    cells: Sequence[str | Cell]
    marked: bool = False


class Table(CursorView):
    """Show rows under a header with a cursor; render lines on demand, repaint those that changed.

    Texts are shown as they are typed: no markup is read and no control character is written.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes("table", "header", "cursor", "empty")
    DEFAULT_CSS = """
    Table > .table--header { color: $text-muted; }
    Table > .table--empty { color: $text-muted; }
    Table > .table--cursor { background: $panel; }
    Table:focus > .table--cursor { background: $primary-muted; text-style: bold; }
    """ + component_styles("table")

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", "Mark", show=False, id="table.mark")]

    @dataclass
    class Chosen(Told):
        """A row was opened by enter or a double click."""

        key: str

    @dataclass
    class Marked(Told):
        """Space was pressed on a row; whoever holds the marks decides."""

        key: str

    @dataclass
    class Highlighted(Told):
        """The cursor came to another row; None where there is none."""

        key: str | None

        def can_replace(self, message: Message) -> bool:
            """Let the latest place of the cursor stand for the ones before it."""
            return isinstance(message, Table.Highlighted) and message.view is self.view

    def __init__(self, columns: Sequence[Column] = (), empty: str = "nothing here yet", id: str | None = None) -> None:
        """Make a table; `empty` is what it says when it has no rows."""
        super().__init__(id=id)
        self._columns = list(columns)
        self._rows: list[Row] = []
        self._places: dict[str, int] = {}
        self._empty = plain(empty)
        self._shares: tuple[int, list[tuple[int, int]]] = (-1, [])

    @property
    def line_count(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    @property
    def head_lines(self) -> int:
        """Return 1, for the header."""
        return 1

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
        in_sight = self.scroll_offset.y <= cursor < self.scroll_offset.y + self.page_lines
        self._rows = list(rows)
        self._places = {row.key: index for index, row in enumerate(self._rows)}
        self._empty = self._empty if empty is None else plain(empty)
        kept = self._places.get(key) if key is not None else None
        self._cursor = max(0, min(cursor, len(self._rows) - 1)) if kept is None else kept
        self.measure()
        if self._rows and before:
            self._refresh_changed(before, cursor)
        else:
            self.refresh()
        if in_sight:  # who has scrolled away with the wheel is not pulled back
            self.show_cursor()
        if self.cursor_key != key:
            self.cursor_moved()

    def _refresh_changed(self, before: list[Row], cursor: int) -> None:
        """Repaint the visible lines whose row, or cursor, is no longer the same."""
        top = self.scroll_offset.y

        def look(rows: list[Row], at: int, index: int) -> tuple[Row | None, bool]:
            return (rows[index] if index < len(rows) else None), index == at

        seen = range(top, top + self.page_lines)
        self.refresh_index(*(i for i in seen if look(before, cursor, i) != look(self._rows, self._cursor, i)))

    def move_to(self, key: str) -> bool:
        """Put the cursor on the row of this key and show it; return whether there is one."""
        if key not in self._places:
            return False
        self.move_cursor(self._places[key])
        return True

    def cursor_moved(self) -> None:
        """Tell which row is under the cursor now."""
        self.post_message(self.Highlighted(self, self.cursor_key))

    def line_clicked(self, chain: int) -> None:
        """Open the row on a double click."""
        if chain == 2:
            self.action_choose()

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
        base = self.rich_style
        if y == 0:
            style = style_named(self, "table", "header", base)
            titles = [(Cell(plain(self._columns[i].title)), self._columns[i], cells) for i, cells in self._share()]
            return self._line("   ", titles, style)
        index = self.index_at(y)
        if index < len(self._rows):
            return self._render_row(index, base)
        said = "   " + self._empty if not self._rows and y == 1 else ""
        return strip_of(self, [(said, style_named(self, "table", "empty", base))], base)

    def _render_row(self, index: int, base: Style) -> Strip:
        """Render a row with its cursor bar and its mark, both told by a character as well as by colour."""
        row, under = self._rows[index], index == self._cursor
        style = style_named(self, "table", "cursor", base) if under else base
        gutter = f"{'▌' if under else ' '}{'●' if row.marked else ' '} "
        cells = [
            (as_cell(row.cells[i]) if i < len(row.cells) else Cell(""), self._columns[i], cells)
            for i, cells in self._share()
        ]
        return self._line(gutter, cells, style)

    def _line(self, gutter: str, cells: Sequence[tuple[Cell, Column, int]], style: Style) -> Strip:
        """Lay cells beside one another, each in its own style over that of the line."""
        gutter_style = style_named(self, "table", "accent", style) if gutter.strip() else style
        segments = [(gutter, gutter_style)]
        for at, (cell, column, room) in enumerate(cells):
            gap = " " * GAP if at else ""
            segments.append((gap, style))
            segments.append((fit(cell.text, room, column.align), style_named(self, "table", cell.style, style)))
        return strip_of(self, segments, style)
