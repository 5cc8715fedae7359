"""Retrieval and correlation: the numbers of sentence-transformers and SciPy."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from tests.making import tiny_backbone
from workbench.data.features import Example
from workbench.inference.scoring import answers_to
from workbench.tasks.answer import Answer
from workbench.tasks.embeddings import Embeddings
from workbench.tasks.retrieval import correlations

WORDS = ("good", "bad", "day", "film", "kind", "cold", "rude", "warm", "so", "all", "what", "this")
TASK = Embeddings(Embeddings.Options(), {"corpus": []})


def some_text(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(1, 6)))


def rows_of(seed: int) -> list[dict[str, Any]]:
    """Return pairs in which texts, pairs and negatives may stand several times, but no text also as a pair."""
    chance = random.Random(seed)
    texts = [f"{some_text(chance)} ?" for _ in range(chance.randint(1, 12))]
    pairs = [f"{some_text(chance)} !" for _ in range(chance.randint(2, 30))]
    return [
        {"text": chance.choice(texts), "pair": chance.choice(pairs)}
        | ({"negative": chance.choice(pairs)} if chance.random() < 0.3 else {})
        for _ in range(chance.randint(1, 40))
    ]


def by_definition(answers: list[Answer], examples: list[Example]) -> dict[str, float]:
    """Return the metrics, each as its definition says, with loops."""
    import numpy

    vectors: dict[str, Any] = {}
    queries: dict[str, set[str]] = {}
    corpus: list[str] = []
    for answer, example in zip(answers, examples, strict=True):
        texts = [example.fields["text"], example.fields["pair"], *([example.gold] if example.gold else [])]
        vectors |= dict(zip(texts, answer.extra, strict=True))
        queries.setdefault(texts[0], set()).add(texts[1])
        corpus += texts[1:]
    columns: dict[str, list[float]] = {"recall@1": [], "recall@10": [], "mrr": [], "ndcg": []}
    distinct = list(dict.fromkeys(corpus))
    for query, right in queries.items():
        near = {text: float(numpy.dot(vectors[query].astype(float), vectors[text].astype(float))) for text in distinct}
        order = sorted(distinct, key=lambda text: -near[text])
        columns["recall@1"].append(len(right & set(order[:1])) / len(right))
        columns["recall@10"].append(len(right & set(order[:10])) / len(right))
        columns["mrr"].append(next((1 / place for place, text in enumerate(order[:10], 1) if text in right), 0.0))
        gain = sum(1 / math.log2(place + 1) for place, text in enumerate(order[:10], 1) if text in right)
        best = sum(1 / math.log2(place + 1) for place in range(1, min(10, len(right)) + 1))
        columns["ndcg"].append(gain / best)
    return {name: sum(values) / len(values) for name, values in columns.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a saved model that both sides load."""
    from transformers import AutoConfig

    from workbench.training.model import load_tokenizer

    folder = tmp_path_factory.mktemp("model")
    backbone = tiny_backbone(folder / "backbone", initializer_range=1.0)
    config, tokenizer = AutoConfig.from_pretrained(backbone), load_tokenizer(backbone)
    TASK.configure(config, tokenizer)
    model, _ = TASK.load(backbone, config=config)
    TASK.encode(tokenizer, [], 32)
    (folder / "model").mkdir()
    TASK.save(model, tokenizer, folder / "model")
    return folder / "model"


def test_metrics_are_those_of_sentence_transformers(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    from workbench.training.model import load_tokenizer

    theirs = SentenceTransformer(str(folder), device="cpu")
    (model, _), tokenizer = TASK.load(folder), load_tokenizer(folder)
    seen = set()
    for seed in range(30):
        examples = [TASK.example(row) for row in rows_of(seed)]
        answers = answers_to(TASK, model, tokenizer, examples, TASK.questions(tokenizer, examples, 32), 32)
        found = TASK.metrics(answers, examples)
        loss = found.pop("loss")
        assert loss == pytest.approx(sum(1 - float(each.pred) for each in answers) / len(answers), abs=1e-4)
        assert found == pytest.approx(by_definition(answers, examples), abs=1e-9)
        queries = {each.fields["text"] for each in examples}
        evaluator = InformationRetrievalEvaluator(
            {text: text for text in queries},
            {text: text for each in examples for text in (each.fields["pair"], each.gold) if text},
            {text: {each.fields["pair"] for each in examples if each.fields["text"] == text} for text in queries},
            write_csv=False,
        )
        values = evaluator(theirs)
        names = {"mrr": "mrr@10", "ndcg": "ndcg@10", "recall@1": "recall@1", "recall@10": "recall@10"}
        assert found == pytest.approx({name: values[f"cosine_{other}"] for name, other in names.items()}, abs=1e-9)
        seen.add(round(found["mrr"], 3))
    assert len(seen) > 15


def metrics_of(rows: list[tuple[str, str, list[float], list[float]]]) -> dict[str, float]:
    """Return the metrics of (text, pair, vector of the text, vector of the pair)."""
    import numpy

    vectors = [[numpy.array(one, "float32"), numpy.array(other, "float32")] for _, _, one, other in rows]
    answers = [Answer("", 0.0, {}, 0.0, extra=extra) for extra in vectors]
    return TASK.metrics(answers, [Example({"text": text, "pair": pair}) for text, pair, *_ in rows])


def test_a_text_does_not_find_itself() -> None:
    """In a chain of paraphrases the text b is the pair of a, and as near to itself as can be."""
    b, c = [1.0, 0.0], [0.8, 0.6]
    assert metrics_of([("a", "b", [0.9, 0.1], b), ("b", "c", b, c)])["recall@1"] == 1
    assert metrics_of([("b", "b", b, b), ("b", "c", b, c)])["recall@10"] == 1


def test_vectors_that_are_all_the_same_find_nothing_by_it() -> None:
    rows = [(f"text {n}", f"pair {n}", [1.0, 0.0], [1.0, 0.0]) for n in range(100)]
    assert metrics_of(rows)["recall@10"] == pytest.approx(0.1)
    assert metrics_of(rows)["recall@1"] == pytest.approx(0.01)


def test_vectors_that_are_not_numbers_find_nothing() -> None:
    rows = [(f"text {n}", f"pair {n}", [math.nan, 0.0], [1.0, 0.0]) for n in range(100)]
    assert metrics_of(rows)["recall@10"] == pytest.approx(0.1)


@pytest.mark.parametrize("seed", range(25))
def test_correlations_are_those_of_scipy(seed: int) -> None:
    from scipy import stats

    chance = random.Random(seed)
    right = [chance.randint(0, 4) / 4 for _ in range(chance.randint(5, 80))]
    said = [round(chance.gauss(each, 0.5), chance.choice((1, 9))) for each in right]
    ranks = [stats.rankdata(values) for values in (said, right)]
    expected = {"spearman": stats.pearsonr(*ranks).statistic, "pearson": stats.linregress(said, right).rvalue}
    assert correlations(said, right) == pytest.approx(expected, abs=1e-9)


def test_what_has_no_order_has_no_correlation() -> None:
    assert correlations([0.5, 0.5], [0.0, 1.0]) == {"spearman": 0.0, "pearson": 0.0}
    assert correlations([0.1, 0.5], [1.0, 1.0]) == {"spearman": 0.0, "pearson": 0.0}
