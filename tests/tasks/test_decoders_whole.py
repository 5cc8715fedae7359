"""Both tasks of decoders from a recipe to an answer: trained by the command, asked by command and client."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from store import predictions, runs
from store.connection import read_store
from store.predictions import Prediction
from store.runs import Run
from tests.conftest import workbench
from tests.making import GOOD, write_jsonl
from tests.tasks.decoders import TALK, bare_tokenizer, decoder
from workbench.data.features import IGNORED
from workbench.inference.client import Client
from workbench.paths import Home
from workbench.recipe import parse

TEXTS = [f"{GOOD[number % len(GOOD)]} and number {number}" for number in range(40)]
DATA: dict[str, list[dict[str, Any]]] = {
    "instructions": [
        {"instruction": f"Say {text}", "input": "twice" if number % 3 else "", "output": f"{text} {text}"}
        for number, text in enumerate(TEXTS)
    ],
    "causal-pretraining": [{"text": f"{text}, {text}"} for text in TEXTS],
}


@dataclass(frozen=True)
class Trained:
    """A run of a task, the file it was evaluated on, and its stored predictions."""

    name: str
    home: Home
    run: Run
    file: Path
    stored: list[Prediction]
    client: Client

    @property
    def model(self) -> Path:
        (folder,) = (self.home.run_folder(self.run.uid) / "models").glob("step-*")
        return folder


def backbone(folder: Path) -> Path:
    decoder("llama").save_pretrained(folder)
    bare_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=DATA)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    rows = DATA[name]
    file = write_jsonl(folder / "validation.jsonl", rows[30:])
    packing = {"packing": True} if name == "instructions" else {}
    recipe = parse(
        {
            "task": {"name": name, "longest_output": 100, **packing},
            "data": {"train": str(write_jsonl(folder / "train.jsonl", rows[:30])), "validation": str(file)},
            "backbone": str(backbone(folder / "backbone")),
            "strategy": "full",
            "training": {"epochs": 4, "batch_size": 2, "learning_rate": 3e-3, "max_length": 120},
            "hardware": {"device": "cpu", "threads": 1},
            "evaluation": {"every": 15},
        }
    )
    (folder / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    said = workbench("train", folder / "recipe.toml", "--wait", home=folder / "home")
    assert said.returncode == 0, said.stderr
    home = Home(folder / "home")
    with read_store(home.store) as store:
        (run,) = runs.listing(store)
        stored = predictions.listing(store, run.id)
    client = Client(home)
    yield Trained(name, home, run, file, stored, client)
    client.close()


def test_it_learns_and_stores_an_answer_to_each_row(trained: Trained) -> None:
    (base, *_), (after, *_) = (
        trained.client.answer(trained.run, [row_of(trained, each) for each in trained.stored], base=base)
        for base in (True, False)
    )
    assert base.loss is not None
    assert after.loss is not None
    assert after.loss < base.loss
    assert len(trained.stored) == 10
    assert [each.output["written"] > 0 for each in trained.stored] == [trained.name == "instructions"] * 10


def row_of(trained: Trained, stored: Prediction) -> dict[str, Any]:
    return {**stored.input, **({"response": stored.gold} if stored.gold is not None else {})}


def test_predict_on_the_file_gives_the_stored_predictions(trained: Trained) -> None:
    said = workbench("predict", "1", "--file", trained.file, "--json", home=trained.home.root)
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert [(each["pred"], each["score"], each["loss"], each["correct"]) for each in told] == [
        (each.pred, each.score, each.loss, each.correct) for each in trained.stored
    ]
    assert [each["written"] for each in told] == [each.output["written"] for each in trained.stored]


def test_plain_transformers_has_the_same_logits_and_losses(trained: Trained) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workbench.inference.loaded import load

    model = AutoModelForCausalLM.from_pretrained(trained.model).eval()
    tokenizer = AutoTokenizer.from_pretrained(trained.model)
    ours = load(trained.home.run_folder(trained.run.uid))
    task = ours.task
    examples = [task.example(row_of(trained, each)) for each in trained.stored]
    for feature in task.questions(tokenizer, examples, ours.max_length):
        if feature.kind == "loss":
            with torch.inference_mode():
                logits, mine = (each(torch.tensor([feature.ids])).logits[0] for each in (model, ours.model))
            assert float((logits - mine).abs().max()) <= 1e-6
            places = [place for place, label in enumerate(feature.labels) if label != IGNORED]
            logs = torch.log_softmax(logits.double(), dim=-1)
            loss = -math.fsum(float(logs[place - 1, feature.labels[place]]) for place in places) / len(places)
            assert trained.stored[feature.example].loss == pytest.approx(loss, rel=1e-5)


def prompt_of(trained: Trained) -> dict[str, Any]:
    return {"instruction": "Say it"} if trained.name == "instructions" else {"prompt": "what a"}


def test_what_is_written_is_told_as_it_grows(trained: Trained) -> None:
    seen: list[str] = []
    (answer,) = trained.client.answer(trained.run, [prompt_of(trained)], written=seen.append)
    (again,) = trained.client.answer(trained.run, [prompt_of(trained)])
    assert answer.output == again.output
    assert 1 <= len(seen) - answer.output["written"] + 1 <= 2
    assert seen[-1].strip() == answer.output["text"].strip()
    assert (answer.loss, answer.correct) == (None, None)


def test_writing_can_be_stopped(trained: Trained) -> None:
    # Untrained it writes on and on: there is time to stop it.
    (whole,) = trained.client.answer(trained.run, [prompt_of(trained)], base=True)
    begun, stopped = threading.Event(), threading.Event()

    def stop() -> None:
        begun.wait()
        trained.client.stop()
        stopped.set()

    def written(text: str) -> None:
        begun.set()
        stopped.wait()

    threading.Thread(target=stop).start()
    (answer,) = trained.client.answer(trained.run, [prompt_of(trained)], base=True, written=written)
    assert whole.output["written"] == 100
    assert answer.output["written"] < 100
    assert whole.output["text"].startswith(answer.output["text"].rstrip("\ufffd"))


def test_a_conversation_is_answered_by_a_model_of_instructions(trained: Trained) -> None:
    if trained.name == "instructions":
        (answer,) = trained.client.answer(trained.run, [{"messages": TALK[:4]}])
        assert answer.output["written"] > 0
