"""Runs of the tasks that make vectors, by the command: every way of asking gives what evaluation stored."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from store import predictions, runs
from store.connection import read_store
from store.predictions import Prediction
from tests.conftest import Finished, workbench
from tests.making import BAD, GOOD, tiny_backbone, write_jsonl
from workbench.commands.predict import required
from workbench.inference.client import Client
from workbench.paths import Home
from workbench.recipe import parse
from workbench.training.events import Evaluated
from workbench.training.journal import Journal

ROWS = [
    {
        "question": f"{one} {n}",
        "passage": f"{other} {n}",
        "negative": BAD[n % 5] if n % 3 else None,
        "similarity": n / 9,
    }
    for n, (one, other) in enumerate(zip(GOOD * 4, BAD * 4, strict=True))
]
LONG = [{"question": GOOD[1] * n, "passage": BAD[1] * n, "negative": None, "similarity": 2} for n in range(1, 6)]


@pytest.fixture(scope="module", params=["embeddings", "similarity"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp(request.param)
    recipe = parse(
        {
            "task": request.param,
            "data": {
                "train": str(write_jsonl(folder / "train.jsonl", ROWS)),
                "validation": str(write_jsonl(folder / "validation.jsonl", [*ROWS[:9], *LONG])),
            },
            "backbone": str(tiny_backbone(folder / "backbone")),
            "strategy": {"name": "gradual"},
            "training": {"epochs": 2, "batch_size": 8, "learning_rate": 5e-3, "max_length": 32},
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
def stored(run: Finished) -> list[Prediction]:
    with read_store(run.home.store) as store:
        return predictions.listing(store, run.run.id)


@pytest.fixture(scope="module")
def client(run: Finished) -> Iterator[Client]:
    client = Client(run.home)
    yield client
    client.close()


def test_a_file_is_answered_as_evaluation_answered_it(run: Finished, stored: list[Prediction]) -> None:
    said = workbench("predict", run.run.id, "--file", run.folder / "validation.jsonl", "--json", home=run.home.root)
    assert said.returncode == 0, said.stderr
    answers = json.loads(said.stdout)
    assert len(answers) == len(stored) == 14
    for answer, each in zip(answers, stored, strict=True):
        assert [answer[key] for key in ("text", "pair")] == list(each.input.values())
        assert (answer["pred"], answer["score"], answer["loss"]) == (each.pred, each.score, each.loss)
        assert (answer["correct"], each.correct) == (None, None)
        assert {key: answer[key] for key in each.output} == each.output
        assert each.output["similarity"] == each.score


def test_alone_each_pair_has_the_same_answer(run: Finished, client: Client, stored: list[Prediction]) -> None:
    for each in stored:
        (answer,) = client.answer(run.run, [each.input])
        assert (answer.pred, answer.score) == (each.pred, each.score)


def test_among_several_each_text_is_as_near_as_in_evaluation(
    run: Finished, client: Client, stored: list[Prediction]
) -> None:
    text, pairs = stored[0].input["text"], [each.input["pair"] for each in stored]
    (answer,) = client.answer(run.run, [{"text": text, "pair": pairs}])
    alone = [client.answer(run.run, [{"text": text, "pair": pair}])[0].score for pair in pairs]
    assert answer.output["matrix"][0][1:] == alone
    assert answer.score == max(alone)
    assert answer.output["tokens"] == len(answer.output["pieces"]) > 2


def test_a_text_alone_has_neighbours_among_those_of_training(run: Finished, client: Client) -> None:
    row = {"text": ROWS[3]["passage"]}
    assert required(run.run.task) == list(row)
    (answer,), (base,) = client.answer(run.run, [row]), client.answer(run.run, [row], base=True)
    for each in (answer, base):
        assert each.output["neighbours"][0] == {"text": each.pred, "score": 1} == {"text": row["text"], "score": 1}
        assert (each.score, each.output["similarity"], len(each.output["neighbours"])) == (1, None, 5)
    assert base.step == 0
    assert (base.output["neighbours"] == answer.output["neighbours"]) == (answer.step == 0)


def test_sentence_transformers_finds_the_pairs_as_near(run: Finished, stored: list[Prediction]) -> None:
    from sentence_transformers import SentenceTransformer

    (folder,) = (run.home.run_folder(run.run.uid) / "models").glob("step-*")
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    assert model.max_seq_length == 32
    columns = [model.encode([each.input[role] for each in stored]) for role in ("text", "pair")]
    assert (columns[0] * columns[1]).sum(1).tolist() == pytest.approx([each.score for each in stored], abs=1e-6)
    assert model.similarity_pairwise(*columns).tolist() == pytest.approx([each.score for each in stored], abs=1e-6)


def test_what_is_right_is_shown_on_the_scale_of_the_cosine(run: Finished, stored: list[Prediction]) -> None:
    high = max(row["similarity"] for row in ROWS)
    right = [f"{row['similarity'] / high:.4f}" for row in (*ROWS[:9], *LONG)]
    assert [each.gold for each in stored] == (right if run.run.task == "similarity" else [None] * len(stored))


def test_the_journal_can_be_read_again(run: Finished, stored: list[Prediction]) -> None:
    journal = Journal(run.home.run_folder(run.run.uid))
    told = [entry.event for entry in journal.after(0) if isinstance(entry.event, Evaluated) and entry.event.best]
    journal.close()
    assert [(each.pred, each.score) for each in told[-1].answers] == [(each.pred, each.score) for each in stored]
