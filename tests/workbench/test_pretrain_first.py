"""Pretrain, then fine-tune: one recipe becomes two runs, of which the second begins with the model of the first."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from store import runs
from store.connection import open_store, read_store
from store.runs import Run
from tests.conftest import workbench
from tests.making import tiny_backbone, toy_rows, write_jsonl
from workbench.catalog import TASKS
from workbench.data.report import inspect
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.recipe import PRETRAINED_RATE, Recipe, anchor, loads, parse
from workbench.strategies import STRATEGIES, make_strategy
from workbench.strategies.pretrain_first import Options
from workbench.supervision import queue

THEN = get_args(Options.model_fields["then"].annotation)


def plan(strategy: dict[str, Any] | None = None, **tables: Any) -> Recipe:
    return parse(
        {
            "name": "moods",
            "task": "sentiment",
            "data": "starter:sentiment",
            "backbone": "size:tiny",
            "strategy": {"name": "pretrain-first", "texts": "starter:stories", **(strategy or {})},
            **tables,
        }
    )


def lineage(home: Home, run: Run) -> tuple[Run, Recipe]:
    """Return the run that a run follows from, and its recipe."""
    with open_store(home.store) as store:
        first = runs.get(store, run.parent_id or 0)
    assert first is not None
    return first, loads(first.recipe)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no cache"))
    return Home(tmp_path / "home")


def test_every_strategy_that_needs_no_setting_may_follow() -> None:
    plain = [
        name
        for name, strategy in STRATEGIES.items()
        if strategy.card.pretrained and not any(info.is_required() for info in strategy.Options.model_fields.values())
    ]
    assert list(THEN) == plain


def test_one_recipe_becomes_two_linked_runs(home: Home) -> None:
    tables = {"seed": 7, "training": {"batch_size": 4, "epochs": 5}, "hardware": {"device": "cpu"}}
    run = queue.submit(home, plan({"epochs": 2, "rate": 1e-4, "rows": 50, "then": "gradual"}, **tables))
    first, pretraining = lineage(home, run)
    assert (first.name, run.name) == ("moods-pretraining", "moods")
    assert (first.task, first.strategy, first.backbone, first.waits) == (
        "masked-pretraining", "full", "size:tiny", False,
    )  # fmt: skip
    assert pretraining.changed() == {
        "seed", "data.rows", "training.epochs", "training.batch_size", "training.learning_rate", "hardware.device",
    }  # fmt: skip
    assert (pretraining.data.train, pretraining.data.rows, pretraining.seed) == ("starter:stories", 50, 7)
    assert (pretraining.training.epochs, pretraining.training.learning_rate) == (2, 1e-4)
    assert (run.task, run.strategy, run.waits) == ("sentiment", "pretrain-first", True)
    again = loads(run.recipe)
    assert again.backbone.name == f"run:{first.uid}"
    assert again.strategy.model_dump()["pretrained"] == first.uid
    assert again.training.epochs == 5
    assert not again.pretrains
    assert queue.submit(home, again).parent_id == first.id


def test_the_labelled_data_are_learned_at_the_rate_of_pretrained_weights() -> None:
    assert plan().training.learning_rate == PRETRAINED_RATE
    assert plan({"then": "head"}).training.learning_rate == STRATEGIES["head"].card.rate


@pytest.mark.parametrize(("kind", "task"), [("bert", "masked-pretraining"), ("gpt2", "causal-pretraining")])
def test_the_architecture_decides_how_it_is_pretrained(home: Home, tmp_path: Path, kind: str, task: str) -> None:
    backbone = tiny_backbone(tmp_path / kind, kind)
    first, _ = lineage(home, queue.submit(home, plan(backbone=str(backbone))))
    assert first.task == task
    following = queue.submit(home, plan(backbone=f"run:{first.id}"))
    assert lineage(home, following)[0].parent_id == first.id
    written = queue.submit(home, plan(task="instructions", data="starter:instructions"))
    assert lineage(home, written)[0].task == "causal-pretraining"


def test_what_has_no_pretraining_is_refused(home: Home, tmp_path: Path) -> None:
    for task, card in TASKS.items():
        if not card.pretraining and card.family != "encoder-decoder":
            continue
        with pytest.raises(WorkbenchError, match=r"strategy.name: 'pretrain-first': .*pretraining"):
            plan(task=task, data=f"starter:{card.starter or 'stories'}")
    with pytest.raises(WorkbenchError, match="bart is an encoder-decoder"):
        queue.submit(home, plan(backbone=str(tiny_backbone(tmp_path / "bart", "bart"))))
    with pytest.raises(WorkbenchError, match=r"strategy.then: 'head'"):
        plan({"then": "head"}, task="instructions", data="starter:instructions")
    with pytest.raises(WorkbenchError, match=r"strategy.texts: missing"):
        parse({**plan().model_dump(), "strategy": {"name": "pretrain-first"}})
    with pytest.raises(WorkbenchError, match=r"strategy.pretrained: the backbone is not run:X"):
        plan({"pretrained": "X"})
    assert not home.store.exists()


def test_raw_texts_are_looked_for_beside_the_recipe(tmp_path: Path) -> None:
    raw = {"strategy": {"name": "pretrain-first", "texts": "raw.txt"}}
    assert anchor(raw, tmp_path)["strategy"]["texts"] == str(tmp_path / "raw.txt")


def test_runs_of_a_group_that_want_the_same_pretraining_share_it(home: Home) -> None:
    def first_of(grp: str | None, **tables: Any) -> int:
        return lineage(home, queue.submit(home, plan(**tables), grp=grp))[0].id

    shared = first_of("a")
    assert first_of("a", data={"train": "starter:sentiment", "rows": 9}) == shared
    assert first_of("a", strategy={"name": "pretrain-first", "texts": "starter:stories", "then": "bias"}) == shared
    others = [first_of("a", seed=1), first_of("b"), first_of(None), first_of(None)]
    assert len({shared, *others}) == 5
    with open_store(home.store) as store:
        first = runs.get(store, shared)
        assert first is not None
        queue.stop(home, first)
    assert first_of("a") not in (shared, *others)


@pytest.mark.parametrize("then", THEN)
def test_the_second_run_learns_as_the_strategy_that_follows_does(then: str) -> None:
    whole = make_strategy(Options(texts="x", then=then))
    alone = make_strategy(STRATEGIES[then].Options(name=then))
    assert (type(whole), whole.options) == (type(alone), alone.options)


def test_a_report_is_of_both_runs(home: Home, tmp_path: Path) -> None:
    report = inspect(plan({"rows": 50}), home.create().cache)
    assert report.first is not None
    assert (report.first.rows, report.rows > 50) == (50, True)
    with pytest.raises(WorkbenchError, match=r"gone\.txt"):
        inspect(plan({"texts": str(tmp_path / "gone.txt")}), home.cache)


def test_two_runs_are_trained_one_after_the_other(tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(f"{row['text']}\n" for row in toy_rows(60)), encoding="utf-8")
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(60))
    strategy = {"texts": str(texts), "then": "head"}
    made = plan(strategy, data=str(rows), training={"epochs": 1, "max_length": 32})
    (tmp_path / "recipe.toml").write_text(made.to_toml(), encoding="utf-8")
    checked = workbench("train", tmp_path / "recipe.toml", "--check", home=tmp_path / "home")
    assert "first run   pretraining on 54 texts of" in checked.stdout
    assert "second run  head on the labelled rows" in checked.stdout
    said = workbench("train", tmp_path / "recipe.toml", "--wait", home=tmp_path / "home")
    assert said.returncode == 0, said.stderr
    home = Home(tmp_path / "home")
    with read_store(home.store) as store:
        second, first = runs.listing(store)
    assert (first.state, second.state, second.parent_id) == ("finished", "finished", first.id)
    assert (second.trainable or 0) < (second.parameters or 0) / 10
    kept = home.run_folder(second.uid) / "backbone" / "tokenizer.json"
    made_first = next((home.run_folder(first.uid) / "models").glob("step-*")) / "tokenizer.json"
    assert kept.samefile(made_first)
