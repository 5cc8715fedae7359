"""A run on questions through the whole workbench: it learns, and answers afterwards as it was evaluated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store import predictions, runs
from store.connection import read_store
from store.predictions import Prediction
from tests.commands.support import call
from tests.conftest import Finished, workbench
from tests.making import write_jsonl
from workbench.inference.loaded import load
from workbench.paths import Home
from workbench.recipe import parse

PLACES = {"Anna": "Rome", "Ben": "Oslo", "Cleo": "Lima", "Dan": "Cairo"}
MAX_LENGTH, STRIDE = 20, 4


def toy_questions() -> list[dict[str, Any]]:
    """Return questions on contexts of several windows; who is not in the context has no answer there."""
    made = []
    for number, left_out in enumerate(PLACES):
        told = [f"{name} lives in {place}." for name, place in PLACES.items() if name != left_out]
        context = " ".join(told if number % 2 else told[::-1])
        for name, place in PLACES.items():
            gold = [] if name == left_out else [place]
            answers = {"text": gold, "answer_start": [context.index(place) for place in gold]}
            made.append({"question": f"Where does {name} live?", "context": context, "answers": answers})
    return made


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("questions")
    rows = str(write_jsonl(folder / "questions.jsonl", toy_questions()))
    recipe = parse(
        {
            "task": {"name": "question-answering", "stride": STRIDE},
            "data": {"train": rows, "validation": rows},
            "backbone": "size:tiny",
            "strategy": "scratch",
            "hardware": {"device": "cpu", "threads": 1},
            "training": {"epochs": 40, "batch_size": 8, "learning_rate": 1e-3, "max_length": MAX_LENGTH, "dropout": 0},
            "evaluation": {"every": 40},
        }
    )
    (folder / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    said = workbench("train", folder / "recipe.toml", "--wait", home=folder / "home")
    assert said.returncode == 0, said.stderr
    home = Home(folder / "home")
    with read_store(home.store) as store:
        (run,) = runs.listing(store)
    return Finished(home, run, folder, said.stdout, said.stderr)


@pytest.fixture(scope="module")
def stored(learned: Finished) -> list[Prediction]:
    with read_store(learned.home.store) as store:
        return predictions.listing(store, learned.run.id)


def test_a_toy_set_is_learned_by_heart(learned: Finished, stored: list[Prediction]) -> None:
    golds = [" | ".join(row["answers"]["text"]) or "no answer" for row in toy_questions()]
    assert {"no answer", "Oslo"} < set(golds)
    assert [each.gold for each in stored] == golds
    assert [each.pred for each in stored] == golds
    assert all(each.correct for each in stored)
    shown = json.loads(call("show", 1, "--json", home=learned.home.root).stdout)
    assert {name: shown["metrics"][f"eval/{name}"]["max"] for name in ("exact_match", "f1")} == {
        "exact_match": 100, "f1": 100
    }  # fmt: skip
    assert shown["metrics"]["eval/loss"]["min"] < 0.1


def test_predict_gives_the_stored_answers_of_a_file(learned: Finished, stored: list[Prediction]) -> None:
    told = call("predict", 1, "--file", learned.folder / "questions.jsonl", "--json", home=learned.home.root)
    answers = json.loads(told.stdout)
    assert len(answers) == len(stored) == 16
    for answer, row, each in zip(answers, toy_questions(), stored, strict=True):
        assert {role: answer[role] for role in row} == row
        found = [answer[key] for key in ("pred", "score", "loss", "correct")]
        assert found == [each.pred, each.score, each.loss, each.correct]
        assert {key: answer[key] for key in each.output} == each.output


def test_predict_asks_a_question_about_a_context(learned: Finished, stored: list[Prediction]) -> None:
    first = stored[0]
    told = call("predict", 1, first.input["question"], first.input["context"], "--json", home=learned.home.root)
    (answer,) = json.loads(told.stdout)
    assert {key: answer[key] for key in first.output} == first.output
    assert answer["tokens"] == answer["of"] <= MAX_LENGTH
    shown = call("predict", 1, first.input["question"], first.input["context"], home=learned.home.root).stdout
    assert shown.startswith(first.pred)
    refused = call("predict", 1, "Where does Ben live?", home=learned.home.root)
    assert "question-answering is asked with question and context" in refused.stderr


def test_plain_transformers_gives_the_same_logits(learned: Finished) -> None:
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    loaded = load(learned.home.run_folder(learned.run.uid))
    folder = newest(learned.home.run_folder(learned.run.uid))
    model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    answers = loaded.answer(toy_questions())
    for row, answer in zip(toy_questions(), answers, strict=True):
        encoded = tokenizer(
            row["question"], row["context"], truncation="only_second", max_length=MAX_LENGTH, stride=STRIDE,
            return_overflowing_tokens=True, return_offsets_mapping=True,
        )  # fmt: skip
        found = {}
        for number, ids in enumerate(encoded["input_ids"]):
            types = torch.tensor([encoded["token_type_ids"][number]])
            with torch.inference_mode():
                said = model(input_ids=torch.tensor([ids]), token_type_ids=types)
                ours = loaded.model(input_ids=torch.tensor([ids]), token_type_ids=types)
            assert float((said.start_logits - ours.start_logits).abs().max()) < 1e-6
            assert float((said.end_logits - ours.end_logits).abs().max()) < 1e-6
            sides, offsets = encoded.sequence_ids(number), encoded["offset_mapping"][number]
            for place, side in enumerate(sides):
                for end in range(place, len(sides)):
                    if side == sides[end] == 1:
                        text = row["context"][offsets[place][0] : offsets[end][1]].strip()
                        score = float(said.start_logits[0, place] + said.end_logits[0, end])
                        found[text] = max(score, found.get(text, score))
        assert answer["output"]["candidates"][0]["text"] == max(found, key=lambda text: found[text])


def newest(folder: Path) -> Path:
    return max((folder / "models").glob("step-*"))
