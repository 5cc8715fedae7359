"""What the screens say and offer when the store is lost, broken, newer or made anew, and when a run waits for room."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from screens.app import WorkbenchApp
from store import runs
from store.connection import open_store
from store.schema import VERSION
from tests.screens.opening import opened
from tests.screens.seed import NOW
from tests.screens.support import SIZES, screen_text
from workbench.paths import Home


@asynccontextmanager
async def over(home: Home, size: tuple[int, int]) -> AsyncIterator[tuple[WorkbenchApp, Pilot[Any]]]:
    """Open the app over a store that may be broken; the feed looks as its thread would."""
    app = WorkbenchApp(home)
    app.now = lambda: NOW
    app.begin = lambda: None
    async with app.run_test(size=size, notifications=True) as pilot:
        await look(app, pilot)
        yield app, pilot


async def look(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    for _ in range(2):
        app.feed.look()
        await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()


def delete(home: Home) -> None:
    home.store.unlink()
    folder = home.runs / "0001seedfinished"
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text("{}")


def empty(home: Home) -> None:
    delete(home)
    home.store.touch()


def corrupt(home: Home) -> None:
    home.store.write_bytes(b"not a database " * 999)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("harm", "words"), [(delete, "is gone"), (empty, "is empty"), (corrupt, "not a readable store")]
)
async def test_a_store_that_is_lost_is_told_in_place_with_the_next_step(
    home: Home, size: tuple[int, int], harm: Any, words: str
) -> None:
    kept = Path(shutil.copy(home.store, home.root / "kept"))
    for leaving in home.root.glob("workbench.db-*"):
        leaving.unlink()
    harm(home)
    before = home.store.read_bytes() if home.store.exists() else None
    async with over(home, size) as (app, pilot):
        shown = " ".join(screen_text(app).split())
        assert "The store cannot be read" in shown
        assert words.replace(" ", "") in shown.replace(" ", "")
        assert "workbench store rebuild" in shown
        assert (home.store.read_bytes() if home.store.exists() else None) == before
        kept.replace(home.store)
        await look(app, pilot)
        assert "The store cannot be read" not in screen_text(app)
        assert len(app.feed.runs) == 33


@pytest.mark.parametrize("size", SIZES)
async def test_a_newer_store_is_shown_and_not_changed(home: Home, size: tuple[int, int]) -> None:
    with open_store(home.store) as store:
        store.connection.execute(f"PRAGMA user_version={VERSION + 1}")
    async with over(home, size) as (app, pilot):
        shown = screen_text(app)
        assert "newer" in shown
        assert "sst2-" in shown
        assert app.readonly
        await pilot.press("s")
        await pilot.pause()
        assert app.feed.runs[32].state == "running"
        await pilot.press("3")
        await look(app, pilot)
        assert "Live" in screen_text(app)


async def test_a_store_that_was_made_anew_is_read_from_then_on(home: Home) -> None:
    async with over(home, (80, 24)) as (app, pilot):
        with open_store(home.store) as store:
            store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copy = Path(shutil.copy(home.store, home.root / "copy.db"))
        with open_store(copy) as store:
            assert runs.delete(store, 5)
        copy.replace(home.store)
        await look(app, pilot)
        assert 5 not in app.feed.runs
        assert len(app.feed.runs) == 32


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_that_waits_for_room_says_so_everywhere(home: Home, size: tuple[int, int]) -> None:
    words = "disk full, no room for the checkpoint: 260 MiB needed, 12 MiB free in /data; delete runs"
    with open_store(home.store) as store, store.write() as connection:
        runs.wait_for(connection, 32, "disk_full", words)
    async with opened(home, size) as (app, pilot):
        assert "! disk full" in screen_text(app)
        app.feed.clock = lambda: 1e9
        assert not app.feed.stalled(app.feed.runs[32])
        await pilot.press("3")
        await look(app, pilot)
        shown = screen_text(app)
        assert "260 MiB needed" in shown
        assert "12 MiB free" in " ".join(shown.split())
