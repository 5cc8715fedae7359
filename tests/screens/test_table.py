"""The table keeps its cursor, draws what is seen, and shows text as typed."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from screens.widgets.table import Cell, Column, Row, Table
from tests.screens.support import HOSTILE, HOSTILE_SHOWN, SIZES, golden, screen_text

COLUMNS = [
    Column("id", "#", 5, "right", priority=9),
    Column("name", "name", None, priority=8),
    Column("task", "task", 10, priority=3),
    Column("strategy", "strategy", 14, priority=2),
    Column("data", "data", 12, priority=1),
    Column("score", "score", 7, "right", priority=7),
]


def rows(n: int, marked: str = "") -> list[Row]:
    return [
        Row(str(i), [str(i), f"run {i}", "sentiment", "lora r8", "sst2", Cell(f"0.{i}", "good")], str(i) == marked)
        for i in range(n)
    ]


class TableApp(App[None]):
    ascii = False

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, Any]] = []

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, empty="no runs yet: press n")

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    def on_table_chosen(self, message: Table.Chosen) -> None:
        self.told.append(("chosen", message.key))

    def on_table_marked(self, message: Table.Marked) -> None:
        self.told.append(("marked", message.key))

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        self.told.append(("highlighted", message.key))


async def fill(pilot: Pilot[None], new: list[Row]) -> Table:
    app = pilot.app
    assert isinstance(app, TableApp)
    app.table.set_rows(new)
    app.table.focus()
    await pilot.pause()
    return app.table


def count_rendered(table: Table, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    seen: list[int] = []
    render = table.render_line
    monkeypatch.setattr(table, "render_line", lambda y: seen.append(y) or render(y))  # type: ignore[func-returns-value]
    return seen


@pytest.mark.parametrize("size", SIZES)
async def test_picture(size: tuple[int, int]) -> None:
    async with TableApp().run_test(size=size) as pilot:
        await fill(pilot, rows(100, marked="2"))
        await pilot.press("j")
        golden(f"table-{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_columns_of_low_priority_go_first() -> None:
    async with TableApp().run_test(size=(80, 24)) as pilot:
        table = await fill(pilot, rows(3))
        assert table.shown_columns == ["id", "name", "task", "strategy", "data", "score"]
        await pilot.resize_terminal(44, 10)
        assert table.shown_columns == ["id", "name", "task", "score"]
        await pilot.resize_terminal(12, 4)
        assert table.shown_columns == ["id"]


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_is_shown_as_typed(size: tuple[int, int]) -> None:
    app = TableApp()
    async with app.run_test(size=size) as pilot:
        app.table.set_columns([Column("id", HOSTILE, None)])
        await fill(pilot, [Row(HOSTILE, [HOSTILE])])
        assert screen_text(app).count(HOSTILE_SHOWN) == 2
        await pilot.press("enter")
        assert app.told[-1] == ("chosen", HOSTILE)


async def test_keys_move_the_cursor_and_tell() -> None:
    async with TableApp().run_test(size=(80, 24)) as pilot:
        table = await fill(pilot, rows(10_000))
        for key, at in (
            ("j", "1"),
            ("down", "2"),
            ("k", "1"),
            ("G", "9999"),
            ("g", "0"),
            ("pagedown", "23"),
            ("home", "0"),
        ):
            await pilot.press(key)
            assert table.cursor_key == at, key
        await pilot.press("end", "space", "enter")
        app = pilot.app
        assert isinstance(app, TableApp)
        assert app.told[-2:] == [("marked", "9999"), ("chosen", "9999")]
        assert ("highlighted", "9999") in app.told
        assert screen_text(app).splitlines()[-1].startswith("▌   9999  run 9999")


async def test_the_cursor_stays_on_its_key() -> None:
    async with TableApp().run_test(size=(80, 24)) as pilot:
        table = await fill(pilot, rows(50))
        await pilot.press("j", "j")
        table.set_rows([Row("new", ["new"]), *rows(50)])
        assert table.cursor_key == "2"
        table.set_rows(rows(2))
        assert table.cursor_key == "1"
        table.set_rows([])
        await pilot.pause()
        assert table.cursor_key is None
        assert "no runs yet: press n" in screen_text(pilot.app)
        await pilot.press("j", "G", "enter", "space")


async def test_new_rows_do_not_pull_back_who_has_scrolled_away() -> None:
    async with TableApp().run_test(size=(80, 24)) as pilot:
        table = await fill(pilot, rows(1000))
        table.scroll_to(y=500, animate=False)
        await pilot.pause()
        table.set_rows([Row("new", ["new"]), *rows(1000)])
        await pilot.pause()
        assert table.scroll_offset.y == 500
        await pilot.press("j")
        assert table.scroll_offset.y == 2


async def test_only_lines_that_differ_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with TableApp().run_test(size=(80, 24)) as pilot:
        table = await fill(pilot, rows(10_000))
        drawn = count_rendered(table, monkeypatch)
        table.set_rows(rows(10_000))
        await pilot.pause()
        assert drawn == []
        table.set_rows([Row("0", ["0", "changed"]), *rows(10_000)[1:]])
        await pilot.pause()
        assert drawn == [1]
        drawn.clear()
        await pilot.press("j")
        assert sorted(drawn) == [1, 2]


async def test_a_click_moves_the_cursor_and_two_open() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await fill(pilot, rows(100))
        await pilot.click(Table, offset=(5, 4))
        assert table.cursor_key == "3"
        await pilot.click(Table, offset=(5, 0))
        await pilot.click(Table, offset=(5, 6), times=2)
        assert app.told[-1] == ("chosen", "5")


async def test_ascii_alone_where_asked_for() -> None:
    app = TableApp()
    app.ascii = True
    async with app.run_test(size=(80, 24)) as pilot:
        await fill(pilot, rows(5, marked="0"))
        assert screen_text(app).isascii()
        assert screen_text(app).splitlines()[1].startswith(">*")
