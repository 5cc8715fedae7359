"""A group on the screens: spread in New, told apart in Runs, its table and its learning curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from screens import new as new_module
from screens import new_check
from screens.group import GroupSheet
from screens.new_form import first_draft
from screens.new_spread import SpreadOver, word_offers
from screens.widgets.line import Line
from screens.widgets.table import Table
from store import runs
from store.connection import open_store, read_store
from tests.screens.opening import look, opened
from tests.screens.places import report
from tests.screens.seed import NOW
from tests.screens.support import HOSTILE, SIZES, golden, screen_text
from workbench.catalog import BackboneCard
from workbench.data.report import Report
from workbench.paths import Home
from workbench.recipe import Recipe, parse

SCORES = {"full": (0.71, 0.80, 0.86), "gradual": (0.76, 0.82, 0.85), "layer-decay": (0.74, 0.83, 0.88)}
AMOUNTS = (200, 2000, 20000)


def add_group(home: Home, *, seeds: int = 3, amounts: tuple[int, ...] = AMOUNTS, name: str = "sst2") -> None:
    """Add a group of finished runs, the last of them still queued."""
    with open_store(home.store) as store:
        for strategy, scores in SCORES.items():
            for rows, score in zip(amounts, scores, strict=False):
                for seed in range(1, seeds + 1):
                    add(home, store, name, strategy, rows, seed, score + (seed - 2) * 0.004)
        with store.write() as connection:
            connection.execute("UPDATE run SET state='queued', best_value=NULL WHERE id=(SELECT max(id) FROM run)")


def add(home: Home, store: Any, name: str, strategy: str, rows: int, seed: int, score: float) -> None:
    recipe = parse(
        {
            "name": f"{name}-{strategy}-seed{seed}-rows{rows}", "task": "sentiment", "backbone": "size:tiny",
            "data": {"train": "starter:sentiment", "rows": rows}, "strategy": strategy, "seed": seed,
        }
    )  # fmt: skip
    uid = f"{strategy.replace('-', '')}{rows}seed{seed}{len(name)}"
    home.run_folder(uid).mkdir(parents=True, exist_ok=True)
    runs.create(
        store, recipe.flat(), uid=uid, name=recipe.label, task="sentiment", backbone="size:tiny", strategy=strategy,
        dataset="sentiment", state="finished", seed=seed, created=NOW - 900, started=NOW - 800, ended=NOW - 700,
        grp=name, recipe_hash=recipe.hash(), recipe=recipe.to_toml(), goal_key="eval/accuracy", best_value=score,
        best_step=100, step=100, max_steps=100, seconds=rows / 50, trainable=4_400_000, parameters=4_400_000,
        peak_bytes=300 << 20, attempt=1,
    )  # fmt: skip


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> None:
    def inspect(recipe: Recipe, cache: Path, **options: Any) -> Report:
        return report()

    card = BackboneCard("size:tiny", "tiny, no weights", "bert", 1_420_000, None, "made here")
    monkeypatch.setattr(new_check, "inspect", inspect)
    monkeypatch.setattr(new_check, "CHECK_SECONDS", 0.001)
    monkeypatch.setattr(new_module, "backbones", lambda home: [card])


@pytest.mark.parametrize("size", SIZES)
async def test_a_group_looks_like_its_picture(home: Home, size: tuple[int, int]) -> None:
    add_group(home)
    async with opened(home, size, "p") as (app, pilot):
        assert isinstance(app.screen, GroupSheet)
        await look(app, pilot)
        golden(f"group-{size[0]}x{size[1]}", screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_runs_with_a_group_look_like_their_picture(home: Home, size: tuple[int, int]) -> None:
    add_group(home)
    async with opened(home, size) as (app, _):
        golden(f"runs-group-{size[0]}x{size[1]}", screen_text(app))


async def test_a_row_opens_its_runs_side_by_side(home: Home) -> None:
    add_group(home, amounts=(200,))
    async with opened(home, (80, 24), "p") as (app, pilot):
        await look(app, pilot)
        assert not app.screen.has_class("-curve")
        table = app.screen.query_one(Table)
        assert table.rows_count == 3
        await pilot.press("down", "enter")
        await look(app, pilot)
        assert app.current_mode == "compare"
        assert app.screen.run_ids == (37, 38, 39)  # type: ignore[attr-defined]


async def test_a_group_is_told_anew_while_it_is_open(home: Home) -> None:
    add_group(home, amounts=(200,))
    async with opened(home, (80, 24), "p") as (app, pilot):
        await look(app, pilot)
        assert "1 queued" in screen_text(app)
        with open_store(home.store) as store, store.write() as connection:
            connection.execute("UPDATE run SET state='finished', best_value=0.7 WHERE state='queued' AND grp='sst2'")
        app.screen.read()  # type: ignore[attr-defined]
        await look(app, pilot)
        assert "9 runs, 9 done" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert app.current_mode == "runs"


async def test_a_run_of_no_group_says_so(seeded: Home) -> None:
    async with opened(seeded, (80, 24), "p") as (app, pilot):
        await pilot.pause()
        assert "is of no group" in screen_text(app)


async def test_a_hostile_group_is_shown_as_typed(home: Home) -> None:
    add_group(home, amounts=(200,), name=HOSTILE)
    async with opened(home, (120, 40), "p") as (app, pilot):
        await look(app, pilot)
        assert "[CLS] [/red] ␛]0;x␇" in screen_text(app)
        assert "\x1b" not in screen_text(app)


async def test_the_table_goes_to_a_file(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    add_group(home)
    async with opened(home, (80, 24), "p") as (app, pilot):
        await look(app, pilot)
        await pilot.press("e")
        await pilot.pause()
    written = (tmp_path / "group.csv").read_text(encoding="utf-8")
    assert written.startswith("strategy.name,data.rows,seeds")
    assert len(written.splitlines()) == 10


async def test_a_run_that_waits_says_for_which(home: Home) -> None:
    add_group(home, amounts=(200,))
    with open_store(home.store) as store, store.write() as connection:
        connection.execute("UPDATE run SET reason='backbone', parent_id=5 WHERE state='queued' AND grp='sst2'")
    async with opened(home, (80, 24)) as (app, pilot):
        assert "‖ for #5" in screen_text(app)
        assert "queued, waits for #5" in screen_text(app)
        await pilot.press("enter")
        await look(app, pilot)
        assert app.current_mode == "live"
        assert "waits for #5" in screen_text(app)


async def test_pretraining_is_planned_as_two_runs(
    seeded: Home, inspected: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inspect(recipe: Recipe, cache: Path, **options: Any) -> Report:
        return report(first=report(rows=50, updates=4) if recipe.pretrains else None)

    monkeypatch.setattr(new_check, "inspect", inspect)
    async with opened(seeded, (120, 40), "2") as (app, pilot):
        await look(app, pilot)
        draft = app.screen.draft.choose("strategy.name", "pretrain-first")  # type: ignore[attr-defined]
        app.screen.set_draft(draft)  # type: ignore[attr-defined]
        await look(app, pilot)
        assert "strategy.texts: missing" in screen_text(app)
        app.screen.set_draft(draft.type("strategy.texts", "starter:stories"))  # type: ignore[attr-defined]
        await look(app, pilot)
        assert "first a run that pretrains: 4 updates" in screen_text(app)
        await pilot.press("ctrl+r")
        await look(app, pilot)
        assert app.screen.draft.get("strategy.texts") == "starter:stories"  # type: ignore[attr-defined]


async def typed(app: Any, pilot: Any, text: str) -> None:
    await pilot.press("p")
    await pilot.pause()
    app.screen.query_one(Line).value = text
    await look(app, pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_spreading_looks_like_its_picture(seeded: Home, inspected: None, size: tuple[int, int]) -> None:
    async with opened(seeded, size, "2") as (app, pilot):
        await look(app, pilot)
        await typed(app, pilot, "strategy=full,gradual seed=1,2,3 training.e")
        golden(f"new-spread-typing-{size[0]}x{size[1]}", screen_text(app))
        app.screen.query_one(Line).value = "strategy=full,gradual seed=1,2,3"
        await look(app, pilot)
        golden(f"new-spread-{size[0]}x{size[1]}", screen_text(app))


async def test_enter_queues_the_group(home: Home, inspected: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    async with opened(home, (80, 24), "2") as (app, pilot):
        await look(app, pilot)
        await typed(app, pilot, "seed=1,2,3 data.rows=20,40")
        await pilot.press("enter")
        await look(app, pilot)
        assert app.current_mode == "runs"
        assert "6 runs queued; p shows its table" in screen_text(app)
    with read_store(home.store) as store:
        newest = runs.listing(store, limit=6)
    assert len({run.grp for run in newest}) == 1
    assert {(run.seed, run.state) for run in newest} == {(seed, "queued") for seed in (1, 2, 3)}


async def test_what_makes_no_group_is_said_and_not_queued(home: Home, inspected: None) -> None:
    async with opened(home, (80, 24), "2") as (app, pilot):
        await look(app, pilot)
        await typed(app, pilot, "seed=1,x")
        assert "seed=x: seed:" in screen_text(app)
        await pilot.press("enter")
        await look(app, pilot)
        assert isinstance(app.screen, SpreadOver)
        await pilot.press("escape")
        await pilot.pause()
        assert app.current_mode == "new"
    with read_store(home.store) as store:
        assert runs.groups(store) == []


async def test_tab_completes_settings_and_values(home: Home, inspected: None) -> None:
    async with opened(home, (80, 24), "2") as (app, pilot):
        await look(app, pilot)
        await typed(app, pilot, "seed=1,2 stra")
        line = app.screen.query_one(Line)
        await pilot.press("tab")
        assert line.value == "seed=1,2 strategy"
        await pilot.press("equals_sign", *"gradual,sc", "tab")
        assert line.value == "seed=1,2 strategy=gradual,scratch"


def test_only_values_that_make_sense_are_offered() -> None:
    draft = first_draft(None, []).choose("backbone.name", "size:tiny")
    assert "strategy=" in word_offers(draft, "")
    assert word_offers(draft, "strategy=full,g") == ["strategy=full,gradual"]
    offered = word_offers(draft, "seed=1 strategy=full,")
    assert "strategy=full,head" not in offered
    assert "strategy=full,full" not in offered
    assert word_offers(draft, "nonsense=") == []
    assert word_offers(draft, "training.schedule=c") == ["training.schedule=cosine", "training.schedule=constant"]


async def test_a_read_only_view_spreads_nothing(seeded: Home, inspected: None) -> None:
    async with opened(seeded, (80, 24), "2", readonly=True) as (app, pilot):
        await look(app, pilot)
        await pilot.press("p")
        await pilot.pause()
        assert not isinstance(app.screen, SpreadOver)
