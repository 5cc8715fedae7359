from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from screens.runs import RunsScreen
from screens.widgets.table import Table
from store import runs
from store.connection import open_store, prepare
from tests.screens.opening import look, opened
from tests.screens.seed import NOW, add_run
from tests.screens.support import HOSTILE, HOSTILE_SHOWN, SIZES, golden, screen_text
from workbench.paths import Home
from workbench.supervision import queue


def numbers(app: Any) -> list[int]:
    """Return the numbers of the runs in the table, from the top."""
    return [int(row.key) for row in app.screen.query_one(Table)._rows]


@pytest.mark.parametrize("size", SIZES)
async def test_the_place_looks_like_its_picture(seeded: Home, size: tuple[int, int]) -> None:
    async with opened(seeded, size, "down") as (app, _):
        golden(f"runs-{size[0]}x{size[1]}", screen_text(app))


async def test_a_filter_keeps_rows_with_every_word(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "slash", *"Full BERT-mini") as (app, pilot):
        assert numbers(app) == [31, 28, 16, 13, 10]
        assert "5 of 33" in screen_text(app)
        await pilot.press("enter", "down")
        assert isinstance(app.screen, RunsScreen)
        assert app.screen.run is not None
        assert app.screen.run.id == 28
        await pilot.press("escape")
        await pilot.pause()
        assert len(numbers(app)) == 33
        assert app.screen.run.id == 28


async def test_a_filter_without_match_says_how_to_leave_it(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "slash", *"zz") as (app, _):
        assert "no run has all of “zz”: esc shows all again" in screen_text(app)


async def test_letters_in_the_filter_are_text(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "slash", *"q1dn") as (app, _):
        assert app.is_running
        assert "q1dn" in screen_text(app)


async def test_orders_put_the_best_first(seeded: Home) -> None:
    async with opened(seeded, (120, 40), "o") as (app, pilot):
        scores = [app.feed.runs[number].best_value for number in numbers(app)][:31]
        assert scores == sorted(scores, reverse=True)
        assert "score↓" in screen_text(app)
        await pilot.press("o")
        losses = [app.feed.losses[number] for number in numbers(app)[:32]]
        assert losses == sorted(losses)


async def test_marks_are_handed_to_compare(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "down", "space", "space") as (app, pilot):
        assert app.marks == [32, 31]
        assert screen_text(app).count("●") == 2
        handed: list[tuple[object, ...]] = []
        app.open_place = lambda *what: handed.append(what)
        await pilot.press("c")
        assert handed == [("compare", 32, 31)]
        await pilot.press("escape")
        assert app.marks == []


async def test_a_key_that_cannot_act_says_why(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "d") as (app, _):
        assert "run 33 is queued: stop it first (s)" in screen_text(app)


async def test_read_only_changes_nothing(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "s", readonly=True) as (app, _):
        assert "this is a read-only view (--readonly)" in screen_text(app)


async def test_deleting_asks_and_cancels_by_default(home: Home) -> None:
    async with opened(home, (80, 24), "G", "d") as (app, pilot):
        shown = screen_text(app)
        assert "Delete run 1 sst2-full-1?" in shown
        assert "14:00 of training and 3 files" in shown
        await pilot.press("enter")
        await look(app, pilot)
        assert 1 in app.feed.runs
        await pilot.press("d", "y")
        await look(app, pilot)
        await look(app, pilot)
        assert 1 not in app.feed.runs
        assert not home.run_folder("0001seedfinished").exists()
        assert list(home.trash.iterdir())


async def test_stopping_a_queued_run_takes_it_out_of_the_queue(home: Home) -> None:
    async with opened(home, (80, 24), "s") as (app, pilot):
        assert "Take run 33 reviews-scratch-33 out of the queue?" in screen_text(app)
        await pilot.press("y")
        await look(app, pilot)
        await look(app, pilot)
        assert app.feed.runs[33].state == "stopped"


async def test_resuming_queues_a_failed_run_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "advance", lambda home: None)
    async with opened(home, (80, 24), "down", "down", "u") as (app, pilot):
        await look(app, pilot)
        assert app.feed.runs[31].state == "queued"
        assert "run 31 goes on" in screen_text(app)


async def test_a_queued_run_is_moved_in_the_queue(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "advance", lambda home: {})
    with open_store(home.store) as store:
        for index in (33, 34):
            add_run(store, home, index, "queued")
    async with opened(home, (80, 24)) as (app, pilot):
        assert [f"{number} {app.feed.places[number]}" for number in numbers(app)[:3]] == ["35 3", "34 2", "33 1"]
        await pilot.press("less_than_sign")
        await look(app, pilot)
        assert "run 35 is number 2 in the queue" in screen_text(app)
        await look(app, pilot)
        assert [app.feed.places[number] for number in (35, 34, 33)] == [2, 3, 1]
        assert [line.partition("queued ")[2][:1] for line in screen_text(app).splitlines()[2:5]] == ["2", "3", "1"]
        await pilot.press("down", "down", "greater_than_sign")
        await look(app, pilot)
        await look(app, pilot)
        assert [app.feed.places[number] for number in (35, 34, 33)] == [1, 3, 2]


async def test_a_run_that_is_not_queued_has_no_place(home: Home) -> None:
    async with opened(home, (80, 24), "down", "less_than_sign") as (app, _):
        assert "run 32 is not queued: it has no place in the queue" in screen_text(app)


async def test_hostile_names_are_shown_as_typed(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    prepare(home.store)
    with open_store(home.store) as store:
        run_id = add_run(store, home, 3, "failed")
        words = dict.fromkeys(("name", "backbone", "dataset", "strategy", "task"), HOSTILE)
        with store.write() as connection:
            runs.set_columns(connection, run_id, **words)
    async with opened(home, (160, 45)) as (app, pilot):
        shown = screen_text(app)
        assert f"1 {HOSTILE_SHOWN}" in shown
        assert "\x1b" not in shown
        await pilot.press("d")
        await pilot.pause()
        assert f"Delete run 1 {HOSTILE_SHOWN}?" in screen_text(app)


async def test_ten_thousand_runs_are_listed(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    prepare(home.store)
    with open_store(home.store) as store:
        add_run(store, home, 0, "finished")
        columns = [name for (name, *_) in store.connection.execute("SELECT * FROM run").description if name != "id"]
        rest = ", ".join(name if name != "uid" else "uid || n" for name in columns)
        with store.write() as connection:
            connection.execute(
                f"""INSERT INTO run({", ".join(columns)}) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c
                    WHERE n < 9999) SELECT {rest} FROM run, c WHERE run.id = 1"""
            )
    async with opened(home) as (app, pilot):
        assert len(app.feed.runs) == 10_000
        await pilot.press("G")
        assert len(numbers(app)) == 10_000


async def test_the_moment_is_that_of_the_seed(seeded: Home) -> None:
    async with opened(seeded) as (app, _):
        assert app.now() == NOW


async def test_escape_from_a_filter_goes_back_to_the_run_from_which_it_was_opened(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "down", "down") as (app, pilot):
        for words in ("gradual", "zzz"):
            await pilot.press("slash", *words, "escape")
            await look(app, pilot)
            assert app.screen.query_one(Table).cursor_key == "31"


async def test_a_run_found_with_a_filter_stays_under_the_cursor(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "slash", *"gradual", "enter", "j") as (app, pilot):
        found = app.screen.query_one(Table).cursor_key
        await pilot.press("escape")
        await look(app, pilot)
        assert app.screen.query_one(Table).cursor_key == found
