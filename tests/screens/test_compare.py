from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from screens.compare import CompareScreen
from screens.widgets.chart import Chart
from screens.widgets.table import Table
from store.connection import open_store
from tests.screens.opening import look, opened
from tests.screens.places import add_predictions
from tests.screens.support import HOSTILE, HOSTILE_SHOWN, SIZES, golden, screen_text
from workbench.paths import Home


@pytest.fixture(scope="module")
def judged(seeded: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The seeded home with predictions."""
    home = Home(Path(shutil.copytree(seeded.root, tmp_path_factory.mktemp("judged") / "home")))
    add_predictions(home)
    return home


@pytest.mark.parametrize("size", SIZES)
async def test_two_runs_look_like_their_picture(judged: Home, size: tuple[int, int]) -> None:
    async with opened(judged, size, "4", "enter", "j") as (app, pilot):
        await look(app, pilot)
        golden(f"compare-{size[0]}x{size[1]}", screen_text(app))


@pytest.mark.parametrize(("presses", "name"), [(1, "results"), (2, "settings")])
async def test_each_part_has_its_tab_where_there_is_no_room(judged: Home, presses: int, name: str) -> None:
    async with opened(judged, (80, 24), "4", "enter") as (app, pilot):
        await look(app, pilot)
        await pilot.press(*(["right_square_bracket"] * presses))
        await pilot.pause()
        golden(f"compare-{name}-80x24", screen_text(app))


async def test_nothing_marked_says_how_to_mark_and_offers_two(judged: Home) -> None:
    async with opened(judged, (80, 24), "4") as (app, pilot):
        shown = screen_text(app)
        assert "space marks a run" in shown
        assert "compares #30 sst2-scratch-30  with  #29 sst2-gradual-29" in shown
        await pilot.press("w")
        assert "nothing is compared yet" in screen_text(app)


async def test_an_empty_home_offers_nothing(tmp_path: Path) -> None:
    async with opened(Home(tmp_path / "home"), (80, 24), "4", "enter") as (app, _):
        assert "Nothing is marked to compare." in screen_text(app)
        assert "enter" not in screen_text(app)


async def test_marks_are_compared_in_the_order_of_marking(judged: Home) -> None:
    async with opened(judged, (120, 40), *["down"] * 4, "space", "up", "up", "space", "4") as (app, pilot):
        await look(app, pilot)
        assert isinstance(app.screen, CompareScreen)
        assert app.screen.run_ids == (29, 30)
        assert app.screen.comparison is not None
        assert app.screen.comparison.columns[app.screen.comparison.baseline].run_id == 29


async def test_the_chart_answers_its_keys(judged: Home) -> None:
    async with opened(judged, (120, 40), "4", "enter") as (app, pilot):
        await look(app, pilot)
        assert "eval loss · by step" in screen_text(app)
        await pilot.press("w", "x", "l", "m")
        await pilot.pause()
        assert "accuracy · by time · log y · smooth 0.6" in screen_text(app)
        await pilot.press("space")
        await pilot.pause()
        assert len(app.screen.query_one(Chart)._series) == 1
        await pilot.press("space")
        assert len(app.screen.query_one(Chart)._series) == 2


async def test_another_baseline_turns_the_comparison_round(judged: Home) -> None:
    async with opened(judged, (120, 40), "4", "enter") as (app, pilot):
        await look(app, pilot)
        assert "▼" in screen_text(app).split("sst2-scratch-30  ")[-1]
        await pilot.press("j", "b")
        await look(app, pilot)
        shown = screen_text(app)
        assert "vs #30" in shown
        assert "▲" in shown.split("vs #30")[1]


async def test_all_settings_and_those_that_differ(judged: Home) -> None:
    async with opened(judged, (80, 24), "4", "enter") as (app, pilot):
        await look(app, pilot)
        settings = app.screen.query_one("#settings", Table)
        before = settings.rows_count
        await pilot.press("a")
        await pilot.pause()
        assert settings.rows_count > before
        assert "all settings" in screen_text(app)


async def test_the_table_is_sent_to_the_clipboard_and_written_to_a_file(
    judged: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(judged, (120, 40), "4", "enter") as (app, pilot):
        await look(app, pilot)
        await pilot.press("y", "e", "e")
        await pilot.pause()
        assert "accuracy" in app.clipboard
        assert "#29 sst2-gradual-29" in app.clipboard
        written = sorted(path.name for path in tmp_path.glob("compare-*"))
        assert written == ["compare-29-30-2.csv", "compare-29-30.csv"]
        lines = (tmp_path / written[1]).read_text(encoding="utf-8").splitlines()
        assert lines[0] == ",#29 sst2-gradual-29,#30 sst2-scratch-30"
        assert lines[1].startswith("eval/accuracy,0.8")


async def test_a_run_that_is_deleted_meanwhile_is_left_out(judged: Home, tmp_path: Path) -> None:
    home = Home(Path(shutil.copytree(judged.root, tmp_path / "home")))
    async with opened(home, (120, 40), "4", "enter") as (app, pilot):
        await look(app, pilot)
        with open_store(home.store) as store, store.write() as connection:
            connection.execute("DELETE FROM run WHERE id=29")
        await look(app, pilot)
        assert "Nothing is marked to compare." in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_are_shown_as_typed(judged: Home, tmp_path: Path, size: tuple[int, int]) -> None:
    home = Home(Path(shutil.copytree(judged.root, tmp_path / "home")))
    with open_store(home.store) as store, store.write() as connection:
        connection.execute("UPDATE run SET name=?", (HOSTILE,))
        connection.execute("UPDATE config SET text=? WHERE path='data.train'", (HOSTILE + "2",))
        connection.execute("UPDATE config SET text=? WHERE path='data.train' AND run_id=29", (HOSTILE,))
    async with opened(home, size, "4", "enter") as (app, pilot):
        await look(app, pilot)
        for _ in range(3):
            shown = screen_text(app)
            assert "\x1b" not in shown
            assert "\x07" not in shown
            assert HOSTILE_SHOWN[:6] in shown
            await pilot.press("right_square_bracket")
            await pilot.pause()


async def test_any_size_is_borne(judged: Home) -> None:
    async with opened(judged, (120, 40), "4", "enter") as (app, pilot):
        await look(app, pilot)
        for size in ((60, 15), (200, 60), (20, 5), (110, 29), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "[chart]" in screen_text(app)


@pytest.mark.parametrize("keys", [("n",), ("4", "enter"), ("5",)])
async def test_ascii_alone_where_it_is_asked_for(judged: Home, keys: tuple[str, ...]) -> None:
    async with opened(judged, (120, 40), *keys, ascii=True) as (app, pilot):
        await pilot.pause(0.5)
        await look(app, pilot)
        assert screen_text(app).isascii()
