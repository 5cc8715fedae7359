"""Pretraining by the command, then fine-tuning from its model: what is stored, predicted, inherited and resumed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from store import predictions, runs
from store.connection import read_store
from store.runs import Run
from tests.conftest import workbench
from tests.making import toy_rows, write_jsonl
from tests.training.support import Told, run_of
from workbench.paths import Home
from workbench.recipe import Recipe, parse
from workbench.training.events import Evaluated, Event, Logged
from workbench.training.loop import Control

SUBJECTS = ("the old dog", "a young cat", "my good teacher", "the tall farmer", "a small robin")
VERBS = ("looked at", "walked to", "waited for", "wrote about", "dreamed of")
PLACES = ("the school garden", "a river in the woods", "the market square", "an empty house by the sea")


def stories(count: int) -> list[dict[str, str]]:
    """Return lines that a small model can learn to guess; no two are the same."""
    chance = random.Random(3)
    return [
        {"text": f"{chance.choice(SUBJECTS)} {chance.choice(VERBS)} {chance.choice(PLACES)} on day {number}."}
        for number in range(count)
    ]


def recipe_of(folder: Path, **training: object) -> Recipe:
    rows = stories(330)
    return parse(
        {
            "name": "stories",
            "task": "masked-pretraining",
            "data": {
                "train": str(write_jsonl(folder / "train.jsonl", rows[:300])),
                "validation": str(write_jsonl(folder / "validation.jsonl", rows[300:])),
            },
            "backbone": "size:tiny",
            "strategy": "full",
            "training": {"epochs": 8, "batch_size": 8, "learning_rate": 2e-3, "max_length": 64, **training},
            "evaluation": {"every": 50},
            "hardware": {"device": "cpu", "threads": 1},
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Path]:
    """Return a home in which #1 is pretrained and #2 is fine-tuned from it."""
    folder = tmp_path_factory.mktemp("pretrained")
    home = Home(folder / "home")
    (folder / "stories.toml").write_text(recipe_of(folder).to_toml(), encoding="utf-8")
    said = workbench("train", folder / "stories.toml", "--wait", home=home.root)
    assert said.returncode == 0, said.stderr
    rows = write_jsonl(folder / "feelings.jsonl", toy_rows(60))
    second = folder / "feelings.toml"
    second.write_text(
        f'name = "feelings"\ntask = "sentiment"\ndata = "{rows}"\nbackbone = "run:stories"\nstrategy = "gradual"\n'
        '[training]\nepochs = 2\nmax_length = 32\nlearning_rate = 2e-3\n[hardware]\ndevice = "cpu"\nthreads = 1\n',
        encoding="utf-8",
    )
    check = workbench("train", second, "--check", home=home.root)
    assert check.returncode == 0, check.stderr
    assert "backbone    run:stories" in check.stdout
    said = workbench("train", second, "--wait", home=home.root)
    assert said.returncode == 0, said.stderr
    return home, folder


def run_number(home: Home, number: int) -> Run:
    with read_store(home.store) as store:
        run = runs.get(store, number)
    assert run is not None
    return run


def test_it_learns_to_guess(made: tuple[Home, Path]) -> None:
    home, _ = made
    run = run_number(home, 1)
    assert (run.state, run.goal_key) == ("finished", "eval/perplexity")
    assert run.best_value is not None
    # By chance it would be the size of the vocabulary, some 370.
    assert 1 < run.best_value < 100


def test_predict_says_what_evaluation_said(made: tuple[Home, Path]) -> None:
    home, folder = made
    said = workbench("predict", 1, "--file", folder / "validation.jsonl", "--json", home=home.root)
    told = json.loads(said.stdout)
    with read_store(home.store) as store:
        stored = predictions.listing(store, 1)
    assert len(told) == len(stored) == 30
    for mine, theirs in zip(told, stored, strict=True):
        assert (mine["pred"], mine["score"]) == (theirs.pred, theirs.score)
        assert (mine["loss"], mine["correct"]) == (theirs.loss, theirs.correct)
        assert {key: mine[key] for key in theirs.output} == theirs.output
        assert mine["loss"] is not None


def test_a_prompt_is_filled(made: tuple[Home, Path]) -> None:
    home, _ = made
    said = workbench("predict", 1, "the old dog looked at the school [MASK] on day 3.", "--json", home=home.root)
    (answer,) = json.loads(said.stdout)
    (filling,) = answer["fillings"]
    words = [each["text"] for each in filling["tokens"]]
    assert len(set(words)) == 5
    assert answer["pred"] == words[0]
    assert answer["filled"].replace(" ", "") == f"theolddoglookedattheschool{words[0]}onday3."
    assert answer["pieces"][filling["place"]] == "[MASK]"
    assert "loss" not in answer


def test_a_run_from_a_run_begins_with_its_weights_and_says_so(made: tuple[Home, Path]) -> None:
    import torch
    from transformers import AutoModel

    from workbench.inference.loaded import load

    home, _ = made
    first, second = run_number(home, 1), run_number(home, 2)
    assert (second.state, second.parent_id, second.backbone) == ("finished", 1, "#1 stories")
    shown = workbench("show", 2, home=home.root).stdout
    assert "run #1 stories" in shown
    assert f'name = "run:{first.uid}"' in shown
    (model,) = (home.run_folder(first.uid) / "models").glob("step-*")
    source = AutoModel.from_pretrained(model).state_dict()
    base = load(home.run_folder(second.uid), base=True).model.base_model.state_dict()
    assert all(torch.equal(base[name], source[name]) for name in source if "pooler" not in name)
    assert len([name for name in source if name in base]) > 30


def test_a_child_needs_its_parent_no_more(made: tuple[Home, Path]) -> None:
    from workbench.inference.loaded import load

    home, folder = made
    child = home.run_folder(run_number(home, 2).uid)
    before = load(child, base=True).answer([{"text": "a good day"}])
    gone = workbench("rm", 1, "--yes", home=home.root)
    assert gone.returncode == 0, gone.stderr
    assert load(child, base=True).answer([{"text": "a good day"}]) == before
    again = workbench("train", folder / "feelings.toml", home=home.root)
    assert again.returncode == 2
    assert "there is no such run" in again.stderr


def test_a_resumed_run_hides_the_same_tokens(tmp_path: Path) -> None:
    for name in ("whole", "halved"):
        (tmp_path / name).mkdir()
    plan = recipe_of(tmp_path, epochs=3)

    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 17:
            control.stop.set()

    whole = run_of(plan, tmp_path / "whole")
    begun = run_of(plan, tmp_path / "halved", stop)
    rest = run_of(plan, tmp_path / "halved")

    def numbers(*parts: Told) -> list[object]:
        logged = [event for part in parts for event in part.all(Logged)]
        losses = {event.step: (event.values["train/loss"], event.values["train/grad_norm"]) for event in logged}
        return [losses, [event.values for event in parts[-1].all(Evaluated)][-1]]

    assert numbers(begun, rest) == numbers(whole)
    assert rest.all(Logged)[0].step == 18
