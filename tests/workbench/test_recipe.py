"""Recipes: what is written comes back, what decides is hashed, and what is wrong is named."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from workbench import recipe
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe, parse
from workbench.strategies.gradual import Gradual

PLAIN = {"task": "sentiment", "data": "starter:sentiment", "backbone": "size:tiny", "strategy": "full"}


def made(**tables: Any) -> Recipe:
    return parse(PLAIN | tables)


def refused(**tables: Any) -> str:
    with pytest.raises(WorkbenchError) as refusal:
        made(**tables)
    return refusal.value.what


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"name": '[CLS] [/red] \x1b]0;x\x07 "quoted" \\ 中', "seed": 7},
        {"strategy": {"name": "gradual", "unfrozen_by": 0.3, "rate_decay": 0.9}},
        {"task": {"name": "text-classification", "text": "a b", "label": "['"}, "data": {"train": "/x.csv", "rows": 5}},
        {"training": {"learning_rate": 1e-7, "dropout": 0.0, "schedule": "cosine"}, "evaluation": {"metric": "mcc"}},
    ],
)
def test_a_recipe_comes_back_from_its_toml(tables: dict[str, Any]) -> None:
    written = made(**tables).to_toml()
    assert recipe.loads(written) == made(**tables)
    assert recipe.loads(written).to_toml() == written


def test_the_hash_is_that_of_what_decides() -> None:
    same = [made(), made(name="another"), made(task={"name": "sentiment"}), made(training={"epochs": 3})]
    assert len({each.hash() for each in same}) == 1
    other = [made(seed=1), made(strategy="scratch"), made(training={"epochs": 3.5}), made(data="/sentiment.csv")]
    assert len({each.hash() for each in (same[0], *other)}) == 5


def test_a_difference_names_path_and_both_values() -> None:
    one, other = made(name="a"), made(name="b", seed=1, strategy={"name": "gradual", "rate_decay": 0.5})
    assert one.diff(other) == {
        "seed": (42, 1),
        "strategy.name": ("full", "gradual"),
        "strategy.by": (None, "share"),
        "strategy.every": (None, 1),
        "strategy.unfrozen_by": (None, 0.5),
        "strategy.rate_decay": (None, 0.5),
    }
    assert one.diff(one) == {}


def test_changed_are_the_settings_that_are_not_at_their_default() -> None:
    assert made().changed() == set()
    assert made(name="a label", strategy={"name": "gradual"}).changed() == set()
    assert made(training={"epochs": 3.0, "batch_size": 8}, seed=1).changed() == {"training.batch_size", "seed"}


def test_random_weights_learn_faster_unless_the_recipe_says_otherwise() -> None:
    assert made().training.learning_rate == 5e-4
    assert made(backbone="bert-base-uncased").training.learning_rate == 5e-5
    assert made(backbone="bert-base-uncased", strategy="scratch").training.learning_rate == 5e-4
    assert made(training={"learning_rate": 1e-3}).training.learning_rate == 1e-3


def test_settings_are_laid_over(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(made(training={"epochs": 9}).to_toml(), encoding="utf-8")
    settings = ["strategy=gradual", "strategy.rate_decay=0.5", "training.epochs=2", "name=two words", "data.rows=5"]
    laid = recipe.load(file, settings)
    assert laid.strategy == Gradual.Options(rate_decay=0.5)
    assert (laid.training.epochs, laid.name, laid.data.rows) == (2.0, "two words", 5)
    assert laid.data.train == "starter:sentiment"


@pytest.mark.parametrize("setting", ["epochs", "=5", ""])
def test_a_setting_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(WorkbenchError, match="key=value"):
        recipe.overlay(PLAIN, [setting])


def test_paths_are_anchored_where_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes" / "model").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "recipes" / "r.toml"
    file.write_text('task="sentiment"\nstrategy="full"\nbackbone="model"\ndata={train="../a.csv",validation="b.csv"}')
    monkeypatch.chdir(tmp_path / "elsewhere")
    loaded = recipe.load(file, ["data.validation=c.csv"])
    assert loaded.data.train == str(tmp_path / "a.csv")
    assert loaded.data.validation == str(tmp_path / "elsewhere" / "c.csv")
    assert loaded.backbone.name == str(tmp_path / "recipes" / "model")
    file.write_text(tomllib_text(PLAIN | {"backbone": "prajjwal1/bert-tiny"}))
    kept = recipe.load(file)
    assert (kept.data.train, kept.backbone.name) == ("starter:sentiment", "prajjwal1/bert-tiny")


def tomllib_text(values: dict[str, Any]) -> str:
    text = "\n".join(f"{key} = '{value}'" for key, value in values.items())
    assert tomllib.loads(text) == values
    return text


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"training": {"lr": 1}}, ["training.lr", 'did you mean "learning_rate"?']),
        ({"training": {"epoch": 1}}, ["training.epoch", 'did you mean "epochs"?']),
        ({"trainning": {}}, ["trainning", 'did you mean "training"?']),
        ({"model": "x"}, ["model", 'did you mean "backbone"?']),
        ({"strategy": {"name": "gradual", "zzz": 1}}, ["strategy.zzz", "known are", "unfrozen_by"]),
        ({"full": 1}, ["full: there is no such key"]),
        ({"training": {"gradual": 1}}, ["training.gradual: there is no such key"]),
        ({"strategy": {"name": "full", "full": 1}}, ["strategy.full: there is no such key"]),
        ({"training": {"epochs": -1}}, ["training.epochs", "-1", "greater than 0"]),
        ({"training": {"schedule": "steep"}}, ["training.schedule", "'steep'", "'linear', 'cosine', 'constant', "]),
        ({"training": 5}, ["training", "5"]),
        ({"strategy": "prompts"}, ["strategy.name", "'prompts'", "full, gradual, "]),
        ({"strategy": {}}, ["strategy.name", "full, gradual, "]),
        ({"strategy": 5}, ["strategy"]),
        ({"backbone": "size:huge"}, ["backbone.name", "'huge'", "tiny, mini, small"]),
        ({"evaluation": {"metric": "bleu"}}, ["evaluation.metric", "'bleu'", "accuracy", "mcc"]),
        ({"task": "poetry"}, ["task.name", "'poetry'", "sentiment, text-classification"]),
        ({"seed": 2**31}, ["seed", "2147483648", "less than"]),
        ({"data": ""}, ["data.train", "''"]),
        ({"name": "x" * 201}, ["name", "200"]),
    ],
)
def test_an_error_names_the_field_the_value_and_what_is_allowed(tables: dict[str, Any], words: list[str]) -> None:
    what = refused(**tables)
    assert [word for word in words if word not in what] == [], what


def test_every_wrong_field_is_named_at_once() -> None:
    what = refused(training={"epochs": 0, "lr": 1}, seed=-1, extra=1)
    assert len(what.splitlines()) == 4


def test_what_is_missing_is_named() -> None:
    with pytest.raises(WorkbenchError) as refusal:
        parse({})
    assert [line.split(":")[0] for line in refusal.value.what.splitlines()] == ["task", "data", "backbone", "strategy"]


def test_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    for content, words in ((b"a = ", "not valid TOML"), (b"\xff", "not UTF-8"), (b"seed = -1", "seed")):
        file.write_bytes(content)
        with pytest.raises(WorkbenchError, match=words) as refusal:
            recipe.load(file)
        assert refusal.value.where == str(file)
    with pytest.raises(WorkbenchError, match="No such file"):
        recipe.load(tmp_path / "none.toml")


def test_paths_in_sources_are_made_absolute(tmp_path: Path) -> None:
    (tmp_path / "a, b.en").write_text("x", encoding="utf-8")
    (tmp_path / "a, b.de").write_text("x", encoding="utf-8")
    for given, anchored in (
        ("train.csv", f"{tmp_path}/train.csv"),
        ("../set", f"{tmp_path.parent}/set"),
        ("starter:sentiment", "starter:sentiment"),
        ("hub:some/set@v1#plain", "hub:some/set@v1#plain"),
        ("sqlite:a.db#SELECT a FROM b", f"sqlite:{tmp_path}/a.db#SELECT a FROM b"),
        ("parallel:train.en, train.de", f"parallel:{tmp_path}/train.en,{tmp_path}/train.de"),
        ("parallel:a, b.en,a, b.de", f"parallel:{tmp_path}/a, b.en,{tmp_path}/a, b.de"),
        ("parallel:alone.en", f"parallel:{tmp_path}/alone.en,"),
    ):
        data = recipe.anchor({"data": {"train": given, "validation": given}}, tmp_path)["data"]
        assert data == {"train": anchored, "validation": anchored}
        assert recipe.anchor({"data": data}, Path("/elsewhere"))["data"] == data


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/reviews.csv.gz", "reviews"), ("/data/sst2/train.jsonl", "sst2"), ("/data/sst2", "sst2"),
        ("starter:sentiment", "sentiment"), ("hub:some/set@v1#plain", "set"), ("hub:some/set#plain", "set"),
        ("sqlite:/data/shop.db#SELECT a/b, 'x:y' FROM c", "shop"),
        ("parallel:/data/europarl/train.en,/x/train.de", "europarl"),
    ],
)  # fmt: skip
def test_a_source_has_a_short_name(source: str, name: str) -> None:
    assert made(data=source).dataset == name
