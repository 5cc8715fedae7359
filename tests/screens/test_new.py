from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from screens import new as new_module
from screens import new_check
from screens.new import NewScreen
from screens.new_check import PlanPanel
from screens.new_fields import Fields
from screens.new_form import Draft, first_draft
from screens.new_options import given_up
from screens.widgets.form import Form
from screens.widgets.line import Line
from screens.widgets.picker import Picker
from store import runs
from store.connection import open_store, read_store
from tests.screens.opening import look, opened
from tests.screens.places import report
from tests.screens.seed import NOW, add_run
from tests.screens.support import HOSTILE, SIZES, golden, screen_text
from workbench.catalog import STRATEGIES, BackboneCard
from workbench.data.report import Report
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.recipe import Recipe, parse
from workbench.supervision import queue

CARDS = [
    BackboneCard("google-bert/bert-base-uncased", "bert-base-uncased", "bert", 109_482_240, 440_449_768, "cached"),
    BackboneCard("/models/old", "old", "bert", None, None, "folder", "only pickled weights: no *.safetensors file"),
    BackboneCard("size:tiny", "tiny, no weights", "bert", 1_420_000, None, "made here"),
]


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """Answer for the child that reads data and backbone, and list what it was asked."""
    asked: list[Recipe] = []

    def inspect(recipe: Recipe, cache: Path, **options: Any) -> Report:
        asked.append(recipe)
        return report()

    monkeypatch.setattr(new_check, "inspect", inspect)
    monkeypatch.setattr(new_check, "CHECK_SECONDS", 0.001)
    monkeypatch.setattr(new_module, "backbones", lambda home: CARDS)
    return asked


@pytest.fixture
def empty(tmp_path: Path) -> Home:
    """A home with nothing in it."""
    return Home(tmp_path / "home")


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """Queue runs without starting them, and list their recipes."""
    asked: list[Recipe] = []
    submit = queue.submit

    def note(home: Home, recipe: Recipe, **options: Any) -> runs.Run:
        asked.append(recipe)
        return submit(home, recipe, **options)

    monkeypatch.setattr(queue, "advance", lambda home: None)
    monkeypatch.setattr(queue, "submit", note)
    return asked


async def settle(app: Any, pilot: Any) -> None:
    """Let the debounced check begin and end."""
    await pilot.pause(0.05)
    await look(app, pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_looks_like_its_picture(inspected: list[Recipe], seeded: Home, size: tuple[int, int]) -> None:
    async with opened(seeded, size, "n") as (app, pilot):
        await settle(app, pilot)
        golden(f"new-{size[0]}x{size[1]}", screen_text(app))


@pytest.mark.parametrize("presses", range(1, 6))
async def test_each_step_looks_like_its_picture(inspected: list[Recipe], empty: Home, presses: int) -> None:
    async with opened(empty, (80, 24), "n", *["right_square_bracket"] * presses) as (app, pilot):
        await settle(app, pilot)
        golden(f"new-step-{presses + 1}-80x24", screen_text(app))


async def test_an_empty_home_starts_a_sensible_run(
    inspected: list[Recipe], submitted: list[Recipe], empty: Home
) -> None:
    async with opened(empty, (80, 24), "n") as (app, pilot):
        await settle(app, pilot)
        await pilot.press("ctrl+s")
        await look(app, pilot)
        assert app.place is not None
        assert app.place.PLACE == "live"
    (recipe,) = submitted
    assert (recipe.task.name, recipe.data.train, recipe.strategy.name) == ("sentiment", "starter:sentiment", "full")
    assert recipe.backbone.name == "google-bert/bert-base-uncased"
    with read_store(empty.store) as store:
        assert [run.state for run in runs.listing(store)] == ["queued"]


async def test_a_box_without_models_begins_with_the_one_that_ships(
    inspected: list[Recipe], empty: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_module, "backbones", lambda home: CARDS[1:])
    async with opened(empty, (80, 24), "n") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.recipe().backbone.name == "starter:tiny"


async def test_choosing_goes_on_to_the_next_field(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (80, 24), "n", "j", "enter") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.get("task.name") == "text-classification"
        assert app.screen.step == "backbone"
        assert isinstance(app.focused, Picker)


async def test_a_backbone_with_a_problem_is_refused_with_the_reason(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (120, 40), "n", "tab", "j", "enter") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.get("backbone.name") == "google-bert/bert-base-uncased"
        assert "only pickled weights" in screen_text(app)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("xyz", "'xyz' is not allowed; it should be a whole number, such as 300"),
        ("0", "it should be greater than or equal to 1"),
        ("4.5", "it should be a whole number, such as 300"),
        ("-3", "it should be greater than or equal to 1"),
        ("9" * 30, "is not allowed"),
    ],
)
async def test_a_wrong_value_is_refused_as_it_is_typed(
    inspected: list[Recipe], empty: Home, typed: str, said: str
) -> None:
    async with opened(empty, (120, 40), "n", *["tab"] * 4, "j", "enter", *typed) as (app, pilot):
        assert said in screen_text(app)
        await pilot.press("enter")
        await settle(app, pilot)
        assert said in screen_text(app)
        await pilot.press("escape")
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.get("training.batch_size") is None
        assert isinstance(app.focused, Form)


async def test_a_changed_setting_is_starred_and_goes_back(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (120, 40), "n", *["tab"] * 4, "j", "enter", "3", "2", "enter") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.recipe().training.batch_size == 32
        line = next(line for line in screen_text(app).splitlines() if "batch size" in line)
        assert "32" in line
        assert "*" in line
        await pilot.press("backspace")
        await settle(app, pilot)
        assert app.screen.draft.recipe().training.batch_size == 16


async def test_choices_are_stepped_through(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (120, 40), "n", *["tab"] * 4, *["j"] * 4) as (app, pilot):
        assert isinstance(app.screen, NewScreen)
        found = []
        for key in ("space", "right", "enter", "left"):
            await pilot.press(key)
            await settle(app, pilot)
            found.append(app.screen.draft.recipe().training.schedule)
        assert found == ["cosine", "constant", "inverse-sqrt", "constant"]


async def test_a_burst_of_keys_is_typed_in_its_order(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (120, 40), "n", *["tab"] * 4, "j", "enter", *"xyz") as (app, pilot):
        for key in ("enter", "ctrl+u", "3", "4", "backspace", "2", "enter"):
            app.simulate_key(key)
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.get("training.batch_size") == 32


async def test_a_path_is_completed_and_must_be_a_data_file(
    inspected: list[Recipe], empty: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sets"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "train.csv").write_text("text,label\na,b\n", encoding="utf-8")
    (folder / "notes.md").write_text("no data", encoding="utf-8")
    async with opened(empty, (120, 40), "n", *["tab"] * 3, "enter") as (app, pilot):
        assert isinstance(app.screen, NewScreen)
        await pilot.press("ctrl+u", "t")
        await pilot.press("tab")
        await pilot.pause()
        assert "train.csv" in screen_text(app)
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen.draft.recipe().data.train == str(folder / "train.csv")
        await pilot.press("enter", "ctrl+u", *"notes.md", "enter")
        await settle(app, pilot)
        assert "cannot tell the format" in screen_text(app)
        await pilot.press("ctrl+u", *"none.csv", "enter")
        await settle(app, pilot)
        assert "there is no such file" in screen_text(app)
        assert app.screen.draft.recipe().data.train == str(folder / "train.csv")


@pytest.mark.parametrize(
    ("typed", "said"), [("/no/such/folder", "there is no such folder"), ("a b c", "neither a folder nor a Hub id")]
)
async def test_a_typed_backbone_that_cannot_be_is_refused(
    inspected: list[Recipe], empty: Home, typed: str, said: str
) -> None:
    async with opened(empty, (120, 40), "n", "tab", "G", "enter", *typed, "enter") as (app, pilot):
        await settle(app, pilot)
        assert said in screen_text(app)


async def test_a_typed_hub_id_is_taken(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (120, 40), "n", "tab", "G", "enter", *"prajjwal1/bert-mini", "enter") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.recipe().backbone.name == "prajjwal1/bert-mini"
        assert app.screen.query_one("#backbone", Picker).picked == "prajjwal1/bert-mini"


async def test_the_plan_says_what_is_wrong_and_refuses_to_start(
    submitted: list[Recipe], empty: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inspect(recipe: Recipe, cache: Path, **options: Any) -> Report:
        raise WorkbenchError(f"row 7 {HOSTILE}", where="/data/x.csv", hint="Mend the row.")

    monkeypatch.setattr(new_check, "inspect", inspect)
    monkeypatch.setattr(new_check, "CHECK_SECONDS", 0.001)
    async with opened(empty, (120, 40), "n") as (app, pilot):
        await settle(app, pilot)
        shown = screen_text(app)
        assert "✗ /data/x.csv: row 7 [CLS] [/red]" in shown
        assert "Mend the row." in shown
        assert "\x1b" not in shown
        await pilot.press("ctrl+s")
        await settle(app, pilot)
        assert submitted == []
        assert app.place is not None
        assert app.place.PLACE == "new"


async def test_a_check_is_ended_by_a_newer_draft_and_by_hand(empty: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), []
    words = "fetching some/bert from host: 1 MiB of 2 MiB"

    def inspect(
        recipe: Recipe, cache: Path, *, cancelled: Callable[[], bool], told: Callable[[str], None], **options: Any
    ) -> Report:
        begun.wait()
        told(words)
        while not cancelled():
            pass
        ended.append(recipe.training.batch_size)
        raise WorkbenchError("cancelled")

    monkeypatch.setattr(new_check, "inspect", inspect)
    monkeypatch.setattr(new_check, "CHECK_SECONDS", 0.001)
    async with opened(empty) as (app, pilot):
        await pilot.press("n")
        while "reading data and backbone" not in screen_text(app):
            await pilot.pause(0.01)
        begun.set()
        while words not in screen_text(app):
            await pilot.pause(0.01)
        await pilot.press("ctrl+x")
        await look(app, pilot)
        assert ended == [16]
        assert "cancelled" in screen_text(app)
        assert app.screen.why_not("start") is None  # type: ignore[attr-defined]


async def test_the_plan_says_what_is_new_against_the_nearest_run(inspected: list[Recipe], seeded: Home) -> None:
    async with opened(seeded, (120, 40), "n", "ctrl+o", "slash", *"sst2-full-28", "enter") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.recipe().seed == 45
        assert "the same as #28 sst2-full-28" in " ".join(screen_text(app).split())
        await pilot.press(*["tab"] * 4, *["j"] * 4, "space")
        await settle(app, pilot)
        plan = app.screen.query_one(PlanPanel).plan
        assert plan.nearest is not None
        assert [row.path for row in plan.nearest.differences] == ["training.schedule"]


async def test_one_reading_serves_all_drafts_that_read_the_same(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (120, 40), "n") as (app, pilot):
        await settle(app, pilot)
        read = len(inspected)
        await pilot.press(*["tab"] * 4, *["j"] * 4, "space")
        await settle(app, pilot)
        assert len(inspected) == read
        await pilot.press("k", "k", "k", "enter", "8", "enter")
        await settle(app, pilot)
        assert len(inspected) == read + 1


async def test_defaults_put_back_every_setting(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (120, 40), "n", *["tab"] * 4, *["j"] * 4, "space", "ctrl+r") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.recipe().changed() == set()


async def test_more_sets_are_counted_and_changed_in_toml(
    inspected: list[Recipe], empty: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    async with opened(empty, (120, 40), "n", *["tab"] * 3, *["j"] * 8) as (app, pilot):
        assert isinstance(app.screen, NewScreen)
        assert "^e changes it, in TOML" in screen_text(app)
        await pilot.press("enter")
        await settle(app, pilot)
        assert "also: a list of tables, changed in TOML: press ^e" in screen_text(app)
        text = app.screen.draft.toml() + '\n[[data.also]]\ntrain = "starter:emotions"\nweight = 0.5\n'
        await pilot.press("ctrl+e")
        await pilot.pause()
        area: Any = app.screen.query_one("#toml")
        area.text = text
        await pilot.press("ctrl+s")
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert [also.weight for also in app.screen.draft.recipe().data.also] == [0.5]
        assert "1 more set" in screen_text(app)


async def test_toml_without_an_editor_is_written_on_a_sheet(
    inspected: list[Recipe], empty: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    async with opened(empty, (80, 24), "n", "ctrl+e", *"sed = 1", "enter", "ctrl+s") as (app, pilot):
        await pilot.pause()
        assert 'did you mean "seed"' in screen_text(app)
        area: Any = app.screen.query_one("#toml")
        area.text = (
            'seed = 7\ntask = "sentiment"\ndata = "starter:sentiment"\nbackbone = "size:tiny"\nstrategy = "full"'
        )
        await pilot.press("ctrl+s")
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        assert app.screen.draft.recipe().seed == 7


async def test_an_editor_gets_the_file_as_an_argument(tmp_path: Path) -> None:
    from screens.new_dialogs import edit_in

    script = tmp_path / "my editor"
    script.write_text('#!/bin/sh\nsed -i "s/42/7/" "$2"\n', encoding="utf-8")
    script.chmod(0o700)
    assert edit_in([str(script), "-w"], "seed = 42\n") == "seed = 7\n"
    with pytest.raises(WorkbenchError, match="editor failed"):
        edit_in([str(tmp_path / "none")], "")
    with pytest.raises(WorkbenchError, match="exit code 1"):
        edit_in(["false"], "")


async def test_a_start_that_fails_is_shown_in_place(
    inspected: list[Recipe], empty: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(home: Home, recipe: Recipe) -> None:
        raise WorkbenchError(f"no slot {HOSTILE}", hint="Wait.")

    monkeypatch.setattr(queue, "submit", submit)
    async with opened(empty, (80, 24), "n") as (app, pilot):
        await settle(app, pilot)
        await pilot.press("ctrl+s")
        await look(app, pilot)
        shown = screen_text(app)
        assert "no slot [CLS]" in shown
        assert "\x1b" not in shown
        assert isinstance(app.screen, NewScreen)
        assert app.screen.why_not("start") is None


async def test_read_only_starts_nothing(inspected: list[Recipe], submitted: list[Recipe], seeded: Home) -> None:
    async with opened(seeded, (80, 24), "n", "ctrl+s", readonly=True) as (app, pilot):
        await settle(app, pilot)
        assert "opened read-only" in screen_text(app)
        assert submitted == []


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_are_shown_as_typed(inspected: list[Recipe], home: Home, size: tuple[int, int]) -> None:
    with open_store(home.store) as store, store.write() as connection:
        connection.execute("UPDATE run SET name=?, dataset=?", (HOSTILE, HOSTILE))
    async with opened(home, size, "n", "ctrl+o") as (app, pilot):
        await settle(app, pilot)
        assert "[CLS] [/red] ␛]0;x␇" in screen_text(app)
        await pilot.press("enter")
        await settle(app, pilot)
        assert "\x1b" not in screen_text(app)


async def test_any_size_is_borne(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (120, 40), "n", "tab", "tab") as (app, pilot):
        for size in ((60, 15), (200, 60), (20, 5), (110, 33), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "[Strategy]" in screen_text(app)
        assert app.screen.query_one(Fields).long


async def test_a_fresh_form_takes_over_the_whole_recipe_of_the_newest_run(inspected: list[Recipe], home: Home) -> None:
    newest = parse(
        {"name": "short", "task": "sentiment", "strategy": "full", "backbone": "size:tiny", "seed": 7}
        | {"data": {"train": "starter:sentiment", "rows": 60}, "training": {"epochs": 0.5}}
    )
    with open_store(home.store) as store:
        add_run(store, home, 33, "queued", recipe=newest.to_toml(), created=NOW)
    async with opened(home, (80, 24), "n") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        recipe = app.screen.draft.recipe()
        assert (recipe.data.rows, recipe.training.epochs, recipe.seed, recipe.name) == (60, 0.5, 7, None)


async def test_the_plan_finds_the_run_that_was_started_meanwhile(
    inspected: list[Recipe], submitted: list[Recipe], empty: Home
) -> None:
    async with opened(empty, (120, 40), "n") as (app, pilot):
        await settle(app, pilot)
        await pilot.press("ctrl+s")
        await look(app, pilot)
        await pilot.press("2")
        await settle(app, pilot)
        assert "the same as #1" in screen_text(app)
        assert "(seed too)" in screen_text(app)


async def test_typing_replaces_a_path_that_was_given_or_refused(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (80, 24), "n") as (app, pilot):
        await settle(app, pilot)
        await pilot.press(*["right_square_bracket"] * 3, "enter")
        await pilot.pause()
        line = app.screen.query_one(Line)
        await pilot.press(*"/no", "enter", *"/nor")
        await pilot.pause()
        assert line.value == "/nor"


def test_another_task_brings_its_starter_set_and_leaves_own_data_alone() -> None:
    draft = first_draft(None, [])
    assert draft.get("data.train") == "starter:sentiment"
    assert draft.choose("task.name", "named-entities").get("data.train") == "starter:entities"
    own = draft.choose("data.train", "/data/own.csv").choose("task.name", "named-entities")
    assert own.get("data.train") == "/data/own.csv"


@pytest.mark.parametrize(
    ("path", "value", "strategy"),
    [("backbone.name", "size:mini", "head"), ("task.name", "causal-pretraining", "head"), ("task.name", "ner", "")],
)
def test_a_strategy_that_became_senseless_gives_way_to_full(path: str, value: str, strategy: str) -> None:
    names = {"task.name": "sentiment", "backbone.name": "/models/some", "data.train": "starter:sentiment"}
    before = Draft({**names, "strategy.name": "head"})
    after = before.choose(path, value)
    assert after.get("strategy.name") == ("full" if strategy else "head")
    assert given_up(before, after).startswith(f"strategy {strategy} → full: " if strategy else "")
    assert given_up(after, after) == ""


async def test_a_strategy_that_gives_way_says_why(inspected: list[Recipe], empty: Home) -> None:
    async with opened(empty, (80, 24), "n") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        app.screen.set_draft(app.screen.draft.choose("strategy.name", "head"))
        app.screen.set_draft(app.screen.draft.choose("backbone.name", "size:tiny"))
        await settle(app, pilot)
        assert app.screen.draft.get("strategy.name") == "full"
        shown = " ".join(screen_text(app).replace("▌", " ").split())
        assert "strategy head → full: most of size:tiny would stay frozen" in shown


@pytest.mark.parametrize("size", SIZES)
async def test_every_strategy_can_be_reached_and_says_why_it_cannot_be_had(
    inspected: list[Recipe], empty: Home, size: tuple[int, int]
) -> None:
    async with opened(empty, size, "n") as (app, pilot):
        await settle(app, pilot)
        assert isinstance(app.screen, NewScreen)
        app.screen.set_draft(app.screen.draft.choose("backbone.name", "size:tiny"))
        await pilot.press("right_square_bracket", "right_square_bracket")
        await pilot.pause()
        for name, card in STRATEGIES.items():
            assert card.title in screen_text(app)
            if card.partial:
                assert "most of size:tiny would stay frozen at random" in screen_text(app).splitlines()[-2], name
            await pilot.press("down")
            await pilot.pause()
