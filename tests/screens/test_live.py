from __future__ import annotations

import math

import pytest

from screens.curves import View, x_range_of
from screens.live import LiveScreen
from screens.log_view import LogLines
from screens.widgets.chart import Chart
from store import events, runs
from store.connection import open_store
from tests.screens.opening import look, opened
from tests.screens.seed import NOW, add_run, log_step
from tests.screens.support import HOSTILE_SHOWN, SIZES, golden, screen_text
from tests.workbench.supervision.support import standing_still
from workbench.insight.diagnosis import Diagnosis
from workbench.paths import Home
from workbench.recipe import loads
from workbench.supervision import progress, queue


@pytest.mark.parametrize("size", SIZES)
async def test_a_training_run_looks_like_its_picture(seeded: Home, size: tuple[int, int]) -> None:
    async with opened(seeded, size, "3") as (app, _):
        golden(f"live-{size[0]}x{size[1]}", screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_a_failed_run_shows_cause_next_step_and_last_lines(seeded: Home, size: tuple[int, int]) -> None:
    async with opened(seeded, size, "down", "down", "enter") as (app, _):
        shown = screen_text(app)
        assert f"row 812 has no label: {HOSTILE_SHOWN}" in shown
        assert "next: mend the data, then start a new run" in shown
        assert "step 120" in shown
        golden(f"live-failed-{size[0]}x{size[1]}", shown)


async def test_a_queued_run_says_what_it_waits_for(seeded: Home) -> None:
    async with opened(seeded, (120, 40), "enter") as (app, _):
        shown = screen_text(app)
        assert "queued: starts when a slot is free" in shown
        assert "no points yet" in shown


async def test_a_stalled_run_is_named_so_until_it_goes_on(home: Home) -> None:
    async with opened(home, (80, 24), "3") as (app, pilot):
        with standing_still(home, app.feed.runs[32], 44):
            await look(app, pilot)
            assert "stalled" in screen_text(app)
            assert "alive, but nothing new for 44 s: its log may say why; s stops it" in screen_text(app)
            await pilot.press("1")
            assert "! stalled" in screen_text(app)
            await pilot.press("3")
            progress.Progress(home.run_folder(app.feed.runs[32].uid), 1).close()
            await look(app, pilot)
            assert "stalled" not in screen_text(app)


async def test_every_point_is_shown_from_the_first_on(home: Home) -> None:
    async with opened(home, (80, 24), "3") as (app, pilot):
        with open_store(home.store) as store:
            for step in range(254, 300, 2):
                log_step(store, 32, step, math.nan if step == 260 else 0.3)
                if step % 10 == 0:
                    await look(app, pilot)
        await look(app, pilot)
        (train, _) = app.screen.query_one(Chart)._series
        assert list(train.steps) == list(range(2, 300, 2))
        assert train.values[129] is None
        assert "298/600" in screen_text(app)


async def test_keys_change_the_chart(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "3", "l") as (app, pilot):
        assert "loss · log y · smooth 0.6" in screen_text(app)
        await pilot.press("l", "m", "x")
        assert "loss · over time · smooth 0.9" in screen_text(app)
        titles = []
        for _ in range(5):
            await pilot.press("w")
            titles.append(app.screen.query_one(Chart)._title.split(" · ")[0])
        assert titles == ["score", "learning rate", "grad norm", "examples a second", "loss"]


async def test_brackets_go_through_the_runs_that_are_open(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "3") as (app, pilot):
        seen = []
        for _ in range(3):
            assert isinstance(app.screen, LiveScreen)
            assert app.screen.run is not None
            seen.append(app.screen.run.id)
            await pilot.press("right_square_bracket")
        assert seen == [32, 33, 32]


async def test_stopping_asks_first(home: Home) -> None:
    async with opened(home, (80, 24), "3", "s") as (app, pilot):
        assert "Stop run 32 reviews-gradual-32?" in screen_text(app)
        await pilot.press("escape")
        await look(app, pilot)
        assert app.feed.runs[32].state == "running"


async def test_enter_opens_the_whole_log_and_follows_it(home: Home) -> None:
    async with opened(home, (80, 24), "3", "enter") as (app, pilot):
        app.screen.follow()  # type: ignore[attr-defined]
        await look(app, pilot)
        shown = screen_text(app)
        assert "log of run 32 · 17 lines" in shown
        assert "600 updates, 67 M weights" in shown
        assert shown.index("checkpoint →") < shown.index("── what the worker wrote") < shown.index("reading")
        assert HOSTILE_SHOWN in screen_text(app)
        with (home.run_folder("0032seedrunning") / "log.txt").open("a") as file:
            file.write("1%\r50%\r100%\n" + "".join(f"line {n}\n" for n in range(100)))
        app.screen.follow()
        await look(app, pilot)
        shown = screen_text(app)
        assert "118 lines" in shown
        assert "line 99" in shown
        await pilot.press("g")
        await pilot.pause()
        assert "100%" in screen_text(app)
        assert "50%" not in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert not app.screen.query(LogLines)


async def test_a_hostile_event_is_shown_as_typed(home: Home) -> None:
    with open_store(home.store) as store, store.write() as connection:
        events.append(connection, 32, [(NOW, 252, "warning", "warning", HOSTILE_SHOWN.replace("␛", "\x1b"), None)])
    async with opened(home, (80, 24), "3") as (app, _):
        assert HOSTILE_SHOWN.replace("␇", "␇") in screen_text(app)
        assert "\x1b" not in screen_text(app)


async def test_an_empty_home_says_what_to_do(tmp_path) -> None:
    async with opened(Home(tmp_path), (80, 24), "3", "l") as (app, _):
        assert "Nothing to watch yet: press n to start a run" in screen_text(app)
        assert "there is no run to watch yet" in screen_text(app)


async def test_a_deleted_run_gives_way_to_another(home: Home) -> None:
    async with opened(home, (80, 24), "down", "down", "enter") as (app, pilot):
        with open_store(home.store) as store:
            runs.delete(store, 31)
        await look(app, pilot)
        await look(app, pilot)
        assert "32 reviews-gradual-32" in screen_text(app)


async def test_the_axis_of_a_training_run_grows_by_doubling(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "3") as (app, _):
        run, trace = app.feed.runs[32], app.feed.traces[32]
        assert x_range_of(run, "step", trace) == (0.0, 300.0)
        assert x_range_of(run, "time", trace) is None
        (line,) = View(metrics="grad norm", smoothing=0.0).series(run, trace)
        assert list(line.values) == trace.curves["train/grad_norm"].values


async def test_a_run_handed_over_before_the_feed_has_read_it_is_waited_for(home: Home) -> None:
    async with opened(home, (80, 24), "3") as (app, pilot):
        with open_store(home.store) as store:
            number = add_run(store, home, 33, "running")
        app.open_place("live", number)
        await pilot.pause()
        app.screen.show_runs()  # type: ignore[attr-defined]
        await pilot.pause()
        assert f"run {number} is on its way" in screen_text(app)
        await look(app, pilot)
        assert f"{number} mood-full-34" in screen_text(app)


async def test_live_goes_from_a_run_that_has_ended_to_one_that_trains(home: Home) -> None:
    async with opened(home, (80, 24), "down", "down", "enter") as (app, pilot):
        assert isinstance(app.screen, LiveScreen)
        assert app.screen.chosen == 31
        await pilot.press("1", "3")
        await look(app, pilot)
        assert app.screen.chosen == 32
        await pilot.press("1", "enter")
        await look(app, pilot)
        assert app.screen.chosen == 31


async def test_a_new_event_comes_to_the_open_log(home: Home) -> None:
    (home.run_folder("0032seedrunning") / "log.txt").unlink()
    async with opened(home, (80, 24), "3", "enter") as (app, pilot):
        with open_store(home.store) as store, store.write() as connection:
            events.append(connection, 32, [(NOW, 252, "warning", "warning", "the disk is nearly full", None)])
        await look(app, pilot)
        app.screen.follow()  # type: ignore[attr-defined]
        await look(app, pilot)
        assert "the disk is nearly full" in screen_text(app)
        assert "what the worker wrote" not in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_no_key_is_offered_that_cannot_work(home: Home, size: tuple[int, int]) -> None:
    async with opened(home, size, "down", "down", "down", "enter") as (app, _):
        last = screen_text(app).splitlines()[-1]
        assert "stop…" not in last
        assert "resume" not in last


async def test_what_ails_a_run_is_one_line_with_the_key_that_mends_it(seeded: Home) -> None:
    for size in SIZES:
        async with opened(seeded, size) as (app, pilot):
            app.open_place("live", 30)
            await look(app, pilot)
            told = [line for line in screen_text(app).splitlines() if "overfitting since step 450" in line]
            assert len(told) == 1
            assert told[0].endswith("f mends it" if size[0] == 80 else "f: early stopping, dropout, weight dec…")
            assert "eval loss 0.403 → 0.454" in told[0]


@pytest.mark.parametrize("key", ["enter", "y"])
async def test_the_remedied_recipe_is_shown_and_queued_as_a_run_that_follows(
    home: Home, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "advance", lambda home: None)  # it is queued, and no process starts
    async with opened(home, (80, 24)) as (app, pilot):
        app.open_place("live", 30)
        await look(app, pilot)
        await pilot.press("f")
        await pilot.pause()
        shown = screen_text(app)
        assert "Start run 30 sst2-scratch-30 again, changed?" in shown
        assert "training.weight_decay  0.01 → 0.1" in shown
        assert "training.dropout       — → 0.2" in shown
        assert "The new run follows from run 30." in shown
        await pilot.press(key)
        await look(app, pilot)
        await look(app, pilot)
        new = app.feed.runs[34]
        assert (new.parent_id, new.state) == (30, "queued")
        assert loads(app.feed.runs[30].recipe).diff(loads(new.recipe)) == {
            "training.weight_decay": (0.01, 0.1),
            "training.dropout": (None, 0.2),
            "evaluation.patience": (None, 3),
        }
        assert isinstance(app.screen, LiveScreen)
        assert app.screen.chosen == 34
        await pilot.resize_terminal(120, 40)
        await look(app, pilot)
        assert "follows from 30" in screen_text(app)


async def test_escape_starts_nothing(home: Home) -> None:
    async with opened(home, (80, 24)) as (app, pilot):
        app.open_place("live", 30)
        await look(app, pilot)
        await pilot.press("f", "escape")
        await look(app, pilot)
        assert max(app.feed.runs) == 33


async def test_the_key_says_why_it_cannot_mend(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "3", "f") as (app, _):
        assert "nothing is known to ail run 32" in screen_text(app)
    async with opened(seeded, (80, 24), readonly=True) as (app, pilot):
        app.open_place("live", 30)
        await look(app, pilot)
        await pilot.press("f")
        await pilot.pause()
        assert "read-only" in screen_text(app)


async def test_a_diagnosis_without_settings_has_no_key(home: Home) -> None:
    async with opened(home, (80, 24), "3") as (app, pilot):
        trace = app.feed.traces[32]
        trace.diagnoses = (Diagnosis("noisy", 100, "noisy evaluation", "a larger evaluation set", {}),)
        app.screen.show_trace(32)  # type: ignore[attr-defined]
        await pilot.press("f")
        await pilot.pause()
        assert "! noisy evaluation · try a larger evaluation set" in screen_text(app)
        assert "what helps no setting does: a larger evaluation set" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_out_of_memory_starts_again_in_smaller_batches_by_one_key(
    home: Home, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "advance", lambda home: {})
    said = "out of GPU memory: 2.50 GiB needed, 1.25 GiB of 7.79 GiB free"
    with open_store(home.store) as store:
        assert runs.move(store, 31, "failed", since=("failed",), reason="gpu_oom", error=said)
    async with opened(home, size) as (app, pilot):
        app.open_place("live", 31)
        await look(app, pilot)
        shown = screen_text(app)
        assert said in shown
        assert "next: f on Live: batch 16 → 8, added up 1 → 2 times: the same updates" in shown
        await pilot.press("f", "enter")
        await look(app, pilot)
        await look(app, pilot)
        new = app.feed.runs[34]
        assert (new.parent_id, new.state) == (31, "queued")
        assert loads(app.feed.runs[31].recipe).diff(loads(new.recipe)) == {
            "training.batch_size": (16, 8),
            "training.accumulation": (1, 2),
        }
        assert "starts run #31" in screen_text(app)


async def test_divergence_is_told_while_it_trains(home: Home) -> None:
    with open_store(home.store) as store:
        for step in range(254, 360, 2):
            log_step(store, 32, step, 2.5)
    async with opened(home, (80, 24), "3") as (app, _):
        assert "diverging since step" in screen_text(app)
