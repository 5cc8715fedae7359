from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from screens.app import WorkbenchApp
from screens.feed import StoreChanged
from screens.keys import ALL, KEYS, PLACES, keys_of
from tests.screens.opening import look, opened
from tests.screens.support import HOSTILE, HOSTILE_SHOWN, screen_text
from workbench.errors import WorkbenchError
from workbench.paths import Home


async def test_numbers_lead_to_the_places(seeded: Home) -> None:
    async with opened(seeded) as (app, pilot):
        for number, place in enumerate(PLACES, 1):
            await pilot.press(str(number))
            await pilot.pause()
            assert app.place is not None
            assert place == app.place.PLACE
            assert f"[{number} {PLACES[place]}]" in screen_text(app)
        await pilot.press("escape", "3", "escape")
        await pilot.pause()
        assert app.place is not None
        assert app.place.PLACE == "runs"


@pytest.mark.parametrize("place", list(PLACES))
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_runs_can_be_handed_to_a_place_never_seen_before(seeded: Home, place: str, size: tuple[int, int]) -> None:
    async with opened(seeded, size) as (app, pilot):
        for handed in ((30, 29), (28, 27)):
            app.open_place(place, *handed)
            await look(app, pilot)
            assert app.place is not None
            assert place == app.place.PLACE
            assert app.place.handed == ()


async def test_help_shows_every_key_of_the_place(seeded: Home) -> None:
    async with opened(seeded, (120, 60), "question_mark") as (app, pilot):
        shown = screen_text(app)
        for key in keys_of("runs"):
            assert key.face in shown
            assert key.tooltip[:30] in shown
        await pilot.press("escape")
        await pilot.pause()
        assert "Keys in Runs" not in screen_text(app)


def test_a_key_of_a_place_does_one_thing() -> None:
    for place in PLACES:
        pressed = [name for key in keys_of(place) for name in key.key.split(",")]
        assert len(pressed) == len(set(pressed)), place
        ids = [key.id for key in keys_of(place)]
        assert len(ids) == len(set(ids)), place


def test_a_letter_means_the_same_everywhere() -> None:
    meanings: dict[str, set[str]] = {}
    for key in KEYS:
        if len(key.key) == 1 and key.key.isalpha():
            meanings.setdefault(key.key, set()).add(key.action)
    assert {letter: actions for letter, actions in meanings.items() if len(actions) > 1} == {}


@pytest.mark.parametrize("place", ["runs", "live"])
async def test_every_key_has_its_action(seeded: Home, place: str) -> None:
    async with opened(seeded) as (app, pilot):
        await pilot.press(str(list(PLACES).index(place) + 1))
        await pilot.pause()
        for key in keys_of(place):
            name = key.action.partition("(")[0]
            assert hasattr(app.place, f"action_{name}"), key


@pytest.mark.parametrize(("size", "told"), [((59, 24), "needs 60x15, has 59x24"), ((80, 14), "needs 60x15, has 80x14")])
async def test_a_tiny_terminal_says_what_it_needs(seeded: Home, size: tuple[int, int], told: str) -> None:
    async with opened(seeded, size) as (app, _):
        assert screen_text(app).strip() == told


async def test_a_terminal_made_large_again_shows_the_place(seeded: Home) -> None:
    async with opened(seeded, (120, 40)) as (app, pilot):
        before = screen_text(app)
        for size in ((40, 10), (1, 1), (80, 24), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await look(app, pilot)
        assert screen_text(app) == before


async def test_quitting_tells_what_goes_on(seeded: Home) -> None:
    async with opened(seeded) as (app, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert app.return_value == "2 runs go on; `workbench` to watch, `workbench stop 32 33`"


async def test_quitting_is_silent_where_nothing_runs(tmp_path: Path) -> None:
    async with opened(Home(tmp_path)) as (app, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert app.return_value == ""


async def test_a_store_is_made_where_there_is_none(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    async with opened(home) as (app, _):
        assert "No runs yet: press n to start one, or `workbench demo`" in screen_text(app)
        assert home.store.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"not a store at all" * 400, b""])
async def test_a_broken_store_is_a_state_with_a_next_step(tmp_path: Path, content: bytes) -> None:
    home = Home(tmp_path).create()
    home.store.write_bytes(content)
    if not content:
        home.store.unlink()
        sqlite3.connect(home.store).executescript("CREATE TABLE other(x)")
    app = WorkbenchApp(home)
    app.begin = lambda: None
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed.look()
        await pilot.pause()
        shown = screen_text(app)
        assert "The store cannot be read" in shown
        assert "workbench.db" in "".join(shown.split())
        home.store.unlink()
        app.feed.look()
        await pilot.pause()
        assert "No runs yet" in screen_text(app)


async def test_an_error_in_a_worker_is_a_notice_and_the_app_goes_on(home: Home) -> None:
    async with opened(home) as (app, pilot):
        assert app.place is not None

        def fail() -> None:
            raise WorkbenchError(HOSTILE, where="row 3", hint="mend it")

        app.place.run_worker(fail, thread=True, exit_on_error=False)
        for _ in range(50):
            await pilot.pause(0.01)
            if "mend it" in screen_text(app):
                break
        shown = screen_text(app)
        assert "row 3: " + HOSTILE_SHOWN[:20] in shown
        assert "mend it" in shown
        assert app.is_running


async def test_a_notice_takes_the_place_of_the_one_before_but_not_of_an_error(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "d", "d", "d") as (app, pilot):
        assert len(app._notifications) == 1
        app.say("broken", "error")
        await pilot.pause()
        app.say("well again")
        await pilot.pause()
        assert [notice.message for notice in app._notifications] == ["broken", "well again"]


async def test_an_unforeseen_error_leaves_its_traceback_in_a_file(home: Home) -> None:
    async with opened(home) as (app, _):
        try:
            {}["missing"]
        except KeyError as error:
            app.report(error)
        (kept,) = home.logs.glob("screens-*.txt")
        assert "KeyError: 'missing'" in kept.read_text()


async def test_a_store_message_can_stand_for_the_one_before() -> None:
    assert StoreChanged("ready").can_replace(StoreChanged("making"))


def test_the_last_two_keys_are_help_and_quit() -> None:
    for place in PLACES:
        assert [key.id for key in keys_of(place)][-2:] == ["help", "quit"]
    assert all(key.tooltip and key.description for key in KEYS)
    assert {place for key in KEYS for place in key.places} == set(ALL)
