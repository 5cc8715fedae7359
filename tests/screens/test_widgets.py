"""Chart, tail, gauge and picker: what they show, what they tell, and that text stays text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from rich.color import Color as RichColor
from rich.style import Style
from textual.app import App, ComposeResult
from textual.containers import Horizontal

from screens.widgets.chart import Chart, Series
from screens.widgets.gauge import Gauge, Reading, gauge_line
from screens.widgets.paint import style_named
from screens.widgets.picker import Option, Picker
from screens.widgets.tail import Cell, Tail
from tests.screens.support import HOSTILE, HOSTILE_SHOWN, SIZES, golden, screen_text

OPTIONS = [
    Option("sentiment", "sentiment", "is a text positive or negative"),
    Option("ner", "named entities", "people, places and organisations in a text"),
    Option("qa", "extractive qa", disabled="needs a context column"),
    Option("mt", HOSTILE, "translation"),
]
EVALS = list(range(0, 400, 50))
SERIES = [
    Series("train", list(range(400)), [math.exp(-i / 90) + 0.1 for i in range(400)], "series-1"),
    Series(
        "eval", list(range(0, 400, 50)), [math.exp(-i / 100) + 0.12 for i in range(0, 400, 50)], "series-2", "dashed"
    ),
]


class Board(App[None]):
    CSS = "Horizontal { height: 8; } Picker { width: 1fr; } Tail { height: 4; }"
    ascii = False

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, Any]] = []

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Picker("Task", OPTIONS, id="task")
            yield Picker("Backbone", [Option(f"m{i}", f"model-{i}", f"{i} M") for i in range(40)], True, id="backbone")
        yield Chart()
        yield Tail(empty="nothing logged")
        yield Gauge("util", 5, id="util")
        yield Gauge(HOSTILE, id="hostile")

    def on_mount(self) -> None:
        self.query_one("#task").focus()
        self.query_one(Chart).show(SERIES, title="loss", x_label="step")
        self.query_one(Tail).write(f"step {i} loss 0.2" for i in range(9))
        self.query_one("#util", Gauge).show(0.71, "71 %", [0.1, 0.5, 0.9, 1.0] * 6)

    def on_picker_picked(self, message: Picker.Picked) -> None:
        self.told.append(("picked", message.value))

    def on_picker_refused(self, message: Picker.Refused) -> None:
        self.told.append(("refused", message.reason))

    def on_picker_highlighted(self, message: Picker.Highlighted) -> None:
        self.told.append(("highlighted", message.value))


@pytest.mark.parametrize("size", SIZES)
async def test_picture(size: tuple[int, int]) -> None:
    async with Board().run_test(size=size) as pilot:
        await pilot.press("j", "enter")
        golden(f"widgets-{size[0]}x{size[1]}", screen_text(pilot.app))


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_is_shown_as_typed(size: tuple[int, int]) -> None:
    async with Board().run_test(size=size) as pilot:
        app = pilot.app
        app.query_one(Chart).show([Series(HOSTILE, [0, 1], [0, 1])], title=HOSTILE[:12])
        app.query_one(Tail).write([HOSTILE, Cell(HOSTILE, "bad")])
        app.query_one("#hostile", Gauge).show(0.5, HOSTILE)
        app.query_one("#task", Picker).set_options([Option("x", HOSTILE)])
        app.query_one("#backbone", Picker).set_options([Option("x", "y", HOSTILE[:9])])
        await pilot.pause()
        shown = screen_text(app)
        assert shown.count(HOSTILE_SHOWN[:30]) >= 6
        assert "\x1b" not in shown


async def test_only_rows_that_differ_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Board().run_test(size=(80, 40)) as pilot:
        chart, drawn = pilot.app.query_one(Chart), []
        await pilot.pause()
        render = chart.render_line
        monkeypatch.setattr(chart, "render_line", lambda y: drawn.append(y) or render(y))  # type: ignore[func-returns-value]
        chart.show(SERIES, title="loss", x_label="step")
        await pilot.pause()
        assert drawn == []
        values = [*SERIES[0].values[:-1], 0.5]
        chart.show([Series("train", SERIES[0].steps, values, "series-1"), SERIES[1]], title="loss", x_label="step")
        await pilot.pause()
        assert 0 < len(drawn) < chart.size.height // 2


async def test_a_chart_says_what_it_does_not_show() -> None:
    async with Board().run_test(size=(80, 40)) as pilot:
        chart = pilot.app.query_one(Chart)
        chart.show([Series("loss", [0, 1, 2], [1.0, math.nan, -1.0])], log_y=True)
        await pilot.pause()
        assert not chart.log_y
        assert "1 not finite · linear axis: -1 has no logarithm" in screen_text(pilot.app)
        chart.show([])
        await pilot.pause()
        assert "no points yet" in screen_text(pilot.app)


async def test_a_tail_shows_the_last_lines_and_keeps_some() -> None:
    async with Board().run_test(size=(80, 24)) as pilot:
        tail = pilot.app.query_one(Tail)
        tail.write(f"line {i}" for i in range(1000))
        await pilot.pause()
        shown = screen_text(pilot.app)
        assert all(f"line {i}" in shown for i in range(996, 1000))
        assert "line 995" not in shown
        assert len(tail.lines) == 200
        tail.set_lines([])
        await pilot.pause()
        assert "nothing logged" in screen_text(pilot.app)


async def test_picking_tells_and_a_disabled_option_says_why() -> None:
    app = Board()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter", "j", "space", "j", "enter")
        picks = [told for told in app.told if told[0] != "highlighted"]
        assert picks == [("picked", "sentiment"), ("picked", "ner"), ("refused", "needs a context column")]
        assert app.query_one("#task", Picker).picked == "ner"
        await pilot.click("#task", offset=(4, 1))
        assert app.told[-1] == ("picked", "sentiment")


async def test_a_filter_takes_letters_that_are_keys_elsewhere() -> None:
    app = Board()
    async with app.run_test(size=(80, 24)) as pilot:
        picker = app.query_one("#backbone", Picker)
        picker.focus()
        await pilot.press("slash", "j", "k", "g")
        assert picker.filter_text == "jkg"
        assert "nothing matches" in screen_text(app)
        await pilot.press("backspace", "backspace", "backspace", "3", "7", "enter")
        assert app.told[-1] == ("picked", "m37")
        await pilot.press("escape")
        assert picker.filter_text == ""
        assert picker.cursor_value == "m37"
        await pilot.press("G")
        assert picker.cursor_value == "m39"


async def test_ascii_alone_where_asked_for() -> None:
    app = Board()
    app.ascii = True
    async with app.run_test(size=(80, 24)) as pilot:
        app.query_one("#task", Picker).set_options(OPTIONS[:3])
        app.query_one("#hostile").remove()
        await pilot.press("enter")
        assert screen_text(app).isascii()


def test_a_gauge_loses_its_sparkline_then_its_bar_before_its_value() -> None:
    reading = Reading(0.5, "50 %", [0.0, 1.0] * 20)
    assert gauge_line("mem", reading, 40, 5) == "mem   ▰▰▰▰▰▱▱▱▱▱ 50 %  ⣸⣿⣿⣸⣿⣿⣸⣿⣿⣸⣿⣿     "
    assert gauge_line("mem", reading, 22, 5) == "mem   ▰▰▰▰▰▱▱▱▱▱ 50 % "
    assert gauge_line("mem", reading, 11, 5) == "mem   50 % "


async def test_colours_stay_readable_in_every_theme() -> None:
    app = Board()
    async with app.run_test(size=(80, 24)) as pilot:
        for theme in ("textual-dark", "textual-light", "catppuccin-mocha", "solarized-light"):
            app.theme = theme
            await pilot.pause()
            picker, chart = app.query_one("#task", Picker), app.query_one(Chart)
            cursor, axis = style_named(picker, "picker", "cursor"), style_named(chart, "chart", "axis")
            assert contrast(cursor) > 2.9, theme
            assert 1.2 < contrast(axis) < contrast(chart.rich_style), theme


def contrast(style: Style) -> float:
    """Return the contrast ratio of a style, from 1 to 21 (WCAG 2.2)."""
    assert style.color is not None
    assert style.bgcolor is not None
    light, dark = sorted((luminance(style.color), luminance(style.bgcolor)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: RichColor) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [part / 255 for part in colour.get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
