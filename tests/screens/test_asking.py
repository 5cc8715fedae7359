"""A run that is asked for something by a key: what its worker answers is shown, with the step."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from screens.app import WorkbenchApp
from store import events, runs
from store.connection import open_store, prepare
from tests.screens.opening import look, opened
from tests.screens.seed import NOW
from tests.screens.support import SIZES, screen_text
from tests.workbench.supervision.support import end_all, recipe, until
from tests.workbench.supervision.support import look as look_up
from workbench.paths import Home
from workbench.supervision import locks, queue, replies


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home with one run, whose worker trains nothing but answers."""
    monkeypatch.setenv("WORKBENCH_WORKER_MODULE", "tests.faults.fake_worker")
    monkeypatch.setenv("WORKBENCH_SLOTS", "cpu")
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    run = queue.submit(home, recipe("wait"))
    until(lambda: look_up(home, run).step == 7)
    yield home
    end_all(home)


async def shown(app: WorkbenchApp, pilot: Pilot[Any], words: str) -> None:
    deadline = time.monotonic() + 120
    while words not in screen_text(app):
        assert time.monotonic() < deadline, screen_text(app)
        app.feed.poll()
        await pilot.pause(0.02)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("key", "verb"), [("j", "evaluate"), ("k", "checkpoint"), ("h", "pause")])
async def test_a_key_in_live_shows_the_answer(trained: Home, key: str, verb: str, size: tuple[int, int]) -> None:
    async with opened(trained, size, "3", key) as (app, pilot):
        await shown(app, pilot, f"{verb} after update 7, as asked")
        if verb == "pause":
            await shown(app, pilot, "paused: u resumes" if size[0] > 80 else "paused")
            await pilot.press("j")
            await pilot.pause()
            assert "has ended: there is nothing to evaluate" in screen_text(app)


async def test_a_run_is_paused_in_the_table(trained: Home) -> None:
    async with opened(trained, (80, 24), "h") as (app, pilot):
        await shown(app, pilot, "pause after update 7, as asked")
        await shown(app, pilot, "paused")


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_that_is_pausing_says_so(home: Home, size: tuple[int, int]) -> None:
    with open_store(home.store) as store:
        assert runs.move(store, 32, "stopping", since=("running",), reason=runs.PAUSE)
    async with opened(home, size) as (app, pilot):
        assert "pausing" in screen_text(app)
        await pilot.press("3")
        await look(app, pilot)
        assert "pausing after this step" in screen_text(app)
        for key in ("h", "k"):
            await pilot.press(key)
            await pilot.pause()
            assert "run 32 is pausing already" in screen_text(app)


async def test_a_view_asks_for_nothing(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "3", readonly=True) as (app, pilot):
        for key in "hjk":
            await pilot.press(key)
            await pilot.pause()
            assert "read-only" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_a_resume_that_was_not_exact_is_told(home: Home, size: tuple[int, int]) -> None:
    with open_store(home.store) as store, store.write() as connection:
        words = "resume: not exact (threads 1→2)"
        events.append(connection, 32, [(NOW, 100, "resume", "warning", words, None)])
    async with opened(home, size, "3") as (app, _):
        told = [line for line in screen_text(app).splitlines() if "! resume: not exact (threads 1→2)" in line]
        assert len(told) == 1


async def test_who_leaves_waits_for_no_answer(trained: Home) -> None:
    run = queue.submit(trained, recipe("busy"))
    queue.stop(trained, run)
    (first,) = [folder for folder in trained.runs.iterdir() if locks.worker_pid(folder)]
    assert locks.signal_worker(first, signal.SIGKILL)
    queue.resume(trained, run)
    until(lambda: look_up(trained, run).step == 7)
    async with opened(trained, (80, 24)) as (app, pilot):
        app.open_place("live", run.id)
        await look(app, pilot)
        await pilot.press("k")
        await shown(app, pilot, "was asked to save a checkpoint")
        assert waits()
    until(lambda: not waits(), seconds=replies.SECONDS - 5)


def waits() -> bool:
    """Return whether a thread of this process waits for an answer."""
    frames = [frame for first in sys._current_frames().values() for frame, _ in traceback.walk_stack(first)]
    return any(frame.f_code is replies.wait_for.__code__ for frame in frames)
