"""Text embeddings and similarity: rows, batches, answers; and that training makes them better."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.making import TWO_SIDED, tiny_backbone, tiny_model, tiny_tokenizer, write_jsonl
from tests.training.support import recipe_of, run_of
from workbench.data.features import Example, Feature, RowProblem
from workbench.data.prepare import prepare
from workbench.errors import WorkbenchError
from workbench.inference.loaded import load
from workbench.inference.scoring import answers_to
from workbench.recipe import parse
from workbench.tasks import TASKS
from workbench.tasks.answer import Answer
from workbench.tasks.embeddings import CORPUS, CORPUS_LETTERS, Embeddings, corpus_of, cosines
from workbench.tasks.similarity import Similarity
from workbench.training.events import Evaluated, Staged

if TYPE_CHECKING:
    from transformers import PreTrainedModel

KINDS = ("bert", "mpnet", "modernbert", "roberta", "distilbert", "electra", "gpt2", "llama", "qwen2", "gemma")
COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "brown")
ANIMALS = ("fox", "whale", "frog", "crow", "swan", "pig", "wolf", "bear")
FILLERS = ("a day", "so good", "so bad", "all of us", "this film", "kind of")
LIMIT = 32


def embeddings(corpus: list[str] | None = None) -> Embeddings:
    return Embeddings(Embeddings.Options(), {"corpus": corpus or []})


def similarity(low: float = 0, high: float = 5) -> Similarity:
    return Similarity(Similarity.Options(), {"corpus": [], "low": low, "high": high})


def with_pooling(task: Embeddings, kind: str) -> PreTrainedModel:
    model = tiny_model(kind, auto="AutoModel")
    task.configure(model.config, tiny_tokenizer())
    return model


def answers_of(task: Embeddings, model: PreTrainedModel, rows: list[dict[str, Any]]) -> list[Answer]:
    """Return the answers to rows, as evaluation and prompts get them."""
    examples, tokenizer = [task.example(row) for row in rows], tiny_tokenizer()
    return answers_to(task, model, tokenizer, examples, task.questions(tokenizer, examples, LIMIT), LIMIT)


# rows


def test_a_row_is_a_text_with_its_pair_and_what_is_right() -> None:
    assert embeddings().example({"text": "a", "pair": "b"}) == Example({"text": "a", "pair": "b"})
    assert embeddings().example({"text": "a", "pair": "b", "negative": "c"}) == Example({"text": "a", "pair": "b"}, "c")
    assert embeddings().example({"text": "a", "pair": "b", "negative": None}).gold is None
    assert similarity().example({"text": "a", "pair": "b", "score": "4"}) == Example({"text": "a", "pair": "b"}, 0.8)
    assert similarity(1, 3).gold_words(similarity(1, 3).example({"text": "a", "score": 1.5})) == "0.2500"


def test_a_prompt_may_have_several_pairs_or_none() -> None:
    for row, fields in (
        ({"text": "a", "pair": ["b", "c"]}, {"text": "a", "pair": ["b", "c"]}),
        ({"text": "a"}, {"text": "a"}),
        ({"text": "a", "pair": " "}, {"text": "a"}),
        ({"text": "a", "pair": []}, {"text": "a"}),
        ({"text": "a", "pair": None}, {"text": "a"}),
    ):
        assert embeddings().example(row) == Example(fields)


@pytest.mark.parametrize(
    ("task", "row", "words"),
    [
        (embeddings(), {"text": 3, "pair": "b"}, "holds int, not text"),
        (embeddings(), {"text": "a", "pair": 3}, "holds int, not text"),
        (embeddings(), {"text": "a", "pair": ["b", 3]}, "holds list, not text"),
        (embeddings(), {"text": "a", "pair": "b", "negative": ["c"]}, "holds list, not text"),
        (similarity(), {"text": "a", "pair": "b", "score": "high"}, "holds 'high', not a number"),
        (similarity(), {"text": "a", "pair": "b", "score": "nan"}, "holds 'nan', not a number"),
        (similarity(), {"text": "a", "pair": "b", "score": [1]}, "holds .1., not a number"),
    ],
)
def test_a_row_that_cannot_be_learned_from_says_why(task: Embeddings, row: dict[str, Any], words: str) -> None:
    with pytest.raises(RowProblem, match=words):
        task.example(row)


def test_scores_are_learned_with_their_range() -> None:
    rows = [{"text": "a", "pair": "b", "score": score} for score in (2, "4.5", 3.0)]
    assert Similarity.learn(Similarity.Options(), rows, []).learned == {"corpus": ["b"], "low": 2.0, "high": 4.5}
    for scores, words in (([3, 3], "every row has the score 3"), ([None], "no scores")):
        with pytest.raises(WorkbenchError, match=words):
            Similarity.learn(Similarity.Options(), [{"text": "a", "pair": "b", "score": each} for each in scores], [])


def test_some_distinct_texts_are_kept_evenly() -> None:
    texts = [f"{number // 2}" for number in range(4000)]
    kept = corpus_of([*texts, None, " ", "x" * 1000])
    assert len(kept) == CORPUS
    assert kept[:3] == ["0", "4", "8"]
    assert corpus_of(["x" * 1000]) == ["x" * CORPUS_LETTERS]
    assert corpus_of([]) == []


def test_the_kept_texts_are_no_part_of_what_is_measured(tmp_path: Path) -> None:
    judged = str(write_jsonl(tmp_path / "validation.jsonl", judged_rows("embeddings")))
    files = [str(train_file(tmp_path / str(seed), "embeddings", seed)) for seed in (1, 2)]
    tables = [{"task": "embeddings", "data": {"train": file, "validation": judged}} for file in files]
    data = [prepare(recipe_of(tmp_path, tmp_path, **table), tmp_path) for table in tables]
    assert data[0].task.learned != data[1].task.learned
    assert data[0].eval_set == data[1].eval_set


# batches


@pytest.mark.parametrize("name", ["embeddings", "similarity"])
def test_a_training_batch_stacks_texts_pairs_and_negatives(name: str) -> None:
    task = embeddings() if name == "embeddings" else similarity()
    rows = [
        {"text": "a day", "pair": "so good", "negative": "so bad", "score": 1},
        {"text": "so good", "pair": "a day " * 3, "score": 2},
        {"text": "A DAY", "pair": "bad", "negative": "good", "score": 5},
    ]
    tokenizer = tiny_tokenizer()
    features = task.encode(tokenizer, [task.example(row) for row in rows], LIMIT)
    texts = [*("a day", "so good", "A DAY"), *("so good", "a day " * 3, "bad")]
    texts += ["so bad", "good"] if name == "embeddings" else []
    alone = [tokenizer(text)["input_ids"] for text in texts]
    assert [each.items for each in features] == [1, 1, 1]
    assert [len(each.ids) for each in features] == [
        max(len(ids) for ids in [*alone[n : n + 4 : 3], *alone[6:][n // 2 : n // 2 + (n != 1)]]) for n in range(3)
    ]
    batch = task.collate(features, tokenizer)
    assert batch["input_ids"].shape == (len(texts), max(map(len, alone)))
    for ids, row, mask in zip(alone, batch["input_ids"].tolist(), batch["attention_mask"].tolist(), strict=True):
        assert row == ids + [tokenizer.pad_token_id] * (len(row) - len(ids))
        assert mask == [1] * len(ids) + [0] * (len(row) - len(ids))
    assert batch["same"].tolist() == [0, 1, 0, 1, 2, 3, *([4, 5] if name == "embeddings" else [])]
    assert batch["labels"].tolist() == pytest.approx([0, 0, 0] if name == "embeddings" else [0.2, 0.4, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_learns_from_a_batch(kind: str) -> None:
    for task in (embeddings(), similarity()):
        model = with_pooling(task, kind)
        rows = [{"text": f"good {n}", "pair": f"so bad {n} day", "score": n} for n in range(4)]
        tokenizer = tiny_tokenizer(types=kind in TWO_SIDED)
        batch = task.collate(task.encode(tokenizer, [task.example(row) for row in rows], LIMIT), tokenizer)
        loss = task.loss(model.train(), batch, 0.0)
        loss.backward()
        assert loss.item() > 0
        assert sum(float(each.grad.abs().sum()) for each in model.parameters() if each.grad is not None) > 0


# answers


@pytest.mark.parametrize("kind", KINDS)
def test_alone_or_in_company_an_answer_is_the_same(kind: str) -> None:
    chance = random.Random(1)
    texts = [" ".join(chance.choices(COLOURS, k=chance.choice((1, 2, 5, 9, 30)))) for _ in range(12)]
    rows: list[dict[str, Any]] = [{"text": one, "pair": other} for one, other in itertools.pairwise(texts)]
    rows += [{"text": texts[0], "pair": texts[1:4]}, {"text": texts[1]}, {"text": texts[2]}]
    model = with_pooling(embeddings(), kind)
    alone = [answers_of(embeddings(texts), model, [row])[0] for row in rows]
    for _ in range(3):
        picked = [chance.randrange(len(rows)) for _ in range(chance.randint(1, 30))]
        company = answers_of(embeddings(texts), model, [rows[number] for number in picked])
        assert [short(each) for each in company] == [short(alone[number]) for number in picked]


def short(answer: Answer) -> tuple[Any, ...]:
    return answer.pred, answer.score, answer.output, answer.loss, answer.correct


def test_a_pair_is_answered_by_its_cosine() -> None:
    rows = [{"text": "a good day", "pair": "so bad", "score": 1}, {"text": "bad", "pair": "bad", "score": 5}]
    for task, losses in ((embeddings(), lambda c: [1 - c, 0]), (similarity(), lambda c: [(c - 0.2) ** 2, 0])):
        one, other = answers_of(task, with_pooling(task, "bert"), rows)
        near = one.output["similarity"]
        assert -1 < near < 1
        assert one.output == {
            "similarity": near, "texts": ["a good day", "so bad"], "matrix": [[1, near], [near, 1]], "neighbours": []
        }  # fmt: skip
        assert (one.pred, one.score, one.correct) == (f"{near:.4f}", near, None)
        assert other.output["similarity"] == 1
        assert [one.loss, other.loss] == pytest.approx(losses(near), abs=1e-12)
    assert answers_of(similarity(), with_pooling(similarity(), "bert"), [{"text": "a", "pair": "b"}])[0].loss is None


def test_several_texts_are_answered_by_the_nearest() -> None:
    task = embeddings()
    (answer,) = answers_of(task, with_pooling(task, "bert"), [{"text": "bad day", "pair": ["so good", "bad day", "x"]}])
    assert (answer.pred, answer.score, answer.loss) == ("bad day", 1, None)
    assert answer.output["similarity"] is None
    matrix = answer.output["matrix"]
    assert len(matrix) == 4
    assert all(matrix[i][j] == matrix[j][i] for i in range(4) for j in range(4))
    assert matrix[0][1:] == matrix[2][1:]


def test_a_text_alone_is_answered_by_its_neighbours_among_the_kept_texts() -> None:
    texts = [f"{colour} {animal}" for colour in COLOURS for animal in ANIMALS]
    task = embeddings(texts)
    model = with_pooling(task, "bert")
    first, second = answers_of(task, model, [{"text": texts[9]}, {"text": "so bad"}])
    again = answers_of(task, model, [{"text": "so bad"}])[0]
    assert (first.pred, first.score) == (texts[9], 1)
    assert second.output == again.output
    near = {text: answers_of(task, model, [{"text": "so bad", "pair": text}])[0].score for text in texts}
    best = sorted(texts, key=lambda text: -(near[text] or 0))[:5]
    assert second.output["neighbours"] == [{"text": text, "score": near[text]} for text in best]
    assert second.output["matrix"] == [[1]]
    assert answers_of(embeddings(), model, [{"text": "x"}])[0].pred == ""


def test_the_kept_texts_are_asked_about_once() -> None:
    task, tokenizer = embeddings(["red", "blue"]), tiny_tokenizer()
    model, example = with_pooling(task, "bert"), task.example({"text": "x"})
    assert [len(task.questions(tokenizer, [example, example], LIMIT)) for _ in range(2)] == [4, 4]
    answers_of(task, model, [{"text": "x"}])
    assert len(task.questions(tokenizer, [example, example], LIMIT)) == 2


def test_vectors_that_are_not_numbers_have_no_loss_that_is_one() -> None:
    import numpy

    vectors = [numpy.array([math.nan, 1.0], "float32"), numpy.array([0.0, 1.0], "float32")]
    answer = embeddings().answer(Example({"text": "a", "pair": "b"}), [(Feature(0, [1]), each) for each in vectors])
    assert answer.loss is not None
    assert math.isnan(answer.loss)
    assert cosines([numpy.zeros(2), numpy.ones(2)])[0][1] == 0


# runs


def train_file(folder: Path, name: str, seed: int = 0) -> Path:
    """Write training rows in which a colour belongs to an animal, as nobody could know; return their file."""
    chance = random.Random(seed)
    rows = []
    for colour, animal in itertools.product(range(len(COLOURS)), repeat=2):
        for _ in range(24 if colour == animal else 3):
            one, other = chance.choice(FILLERS), chance.choice(FILLERS)
            row = {"text": f"{one} {COLOURS[colour]}", "pair": f"{ANIMALS[animal]} {other}"}
            if name == "similarity":
                rows.append(row | {"score": 5.0 if colour == animal else chance.choice((0.0, 1.0))})
            elif colour == animal:
                rows.append(row)
    return write_jsonl(folder / "train.jsonl", rows)


def judged_rows(name: str) -> list[dict[str, Any]]:
    """Return evaluation rows of the same kind, of other texts."""
    each = list(zip(COLOURS, ANIMALS, strict=True))
    rows: list[dict[str, Any]] = [{"text": f"the {colour}", "pair": f"the {animal}"} for colour, animal in each]
    if name == "embeddings":
        return rows
    wrong = [{"text": f"the {one}", "pair": f"the {other}", "score": 0} for (one, _), (_, other) in pairs_of(each)]
    return [*({**row, "score": 5} for row in rows), *wrong]


def pairs_of(each: list[tuple[str, str]]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    return [*itertools.pairwise(each)]


def measured(run_folder: Path, file: Path, base: bool) -> dict[str, float]:
    """Return the metrics of a run's best model, or of its base, on the rows of a file."""
    loaded = load(run_folder, base=base)
    examples = [loaded.task.example(row) for row in loaded.read(str(file), run_folder.parent / "cache")]
    questions = loaded.task.questions(loaded.tokenizer, examples, loaded.max_length)
    answers = answers_to(loaded.task, loaded.model, loaded.tokenizer, examples, questions, loaded.max_length)
    return loaded.task.metrics(answers, examples)


@pytest.mark.parametrize(
    ("name", "strategy"), [("embeddings", "full"), ("similarity", "full"), ("embeddings", "gradual")]
)
def test_training_makes_it_better(name: str, strategy: str, tmp_path: Path) -> None:
    train = train_file(tmp_path, name)
    validation = write_jsonl(tmp_path / "validation.jsonl", judged_rows(name))
    recipe = recipe_of(
        tiny_backbone(tmp_path / "backbone"),
        train,
        task=name,
        strategy=strategy,
        data={"train": str(train), "validation": str(validation)},
        training={"epochs": 12 if name == "embeddings" else 6, "batch_size": 16, "learning_rate": 1e-2},
        evaluation={"every": 24},
        checkpoint={"every": 1000},
    )
    folder = tmp_path / "run"
    folder.mkdir()
    told = run_of(recipe, folder)
    series = [event.values for event in told.all(Evaluated)]
    assert recipe.goal == {"embeddings": "mrr", "similarity": "spearman"}[name]
    assert set(series[0]) == {f"eval/{metric}" for metric in TASKS[name].card.metrics}
    (folder / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    before, after = (measured(folder, validation, base)[recipe.goal] for base in (True, False))
    assert after == max(values[f"eval/{recipe.goal}"] for values in series)
    assert before < 0.6 < 0.8 < after
    groups = {row["name"] for event in told.all(Staged) for row in event.groups}
    assert "head" not in groups


def test_data_without_a_pair_are_refused(tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "train.jsonl", [{"text": "a", "other": "b"}] * 20)
    for name in ("embeddings", "similarity"):
        recipe = parse({"task": name, "data": str(rows), "backbone": "size:tiny", "strategy": "full"})
        with pytest.raises(WorkbenchError, match="cannot tell which column is the pair"):
            prepare(recipe, tmp_path)
    holed = write_jsonl(tmp_path / "holed.jsonl", [{"anchor": "a", "positive": "b"}, {"anchor": "a", "positive": ""}])
    recipe = parse({"task": "embeddings", "data": str(holed), "backbone": "size:tiny", "strategy": "full"})
    with pytest.raises(WorkbenchError, match="row 2: column 'positive' is empty"):
        prepare(recipe, tmp_path)
