"""Text similarity: a vector for each text, learned from pairs of texts with a score of how alike they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from workbench.data.features import Example, RowProblem
from workbench.errors import WorkbenchError
from workbench.parts import AUGMENTED, Role, TaskCard, TaskOptions
from workbench.tasks.answer import Answer, mean_loss
from workbench.tasks.contrast import cosent_loss
from workbench.tasks.embeddings import PAIR, POOLING_HELP, TEXT, Embeddings, corpus_of, inputs_of
from workbench.tasks.pooling import Pooling, vectors_of
from workbench.tasks.retrieval import correlations
from workbench.tasks.texts import TEXT_HELP

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SCORE = Role(("score", "similarity", "similarity_score", "label", "labels"), asked=False)


class Options(TaskOptions):
    name: Literal["similarity"] = "similarity"
    text: str | None = Field(None, description=TEXT_HELP)
    pair: str | None = Field(None, description="Column of the text it is compared with")
    score: str | None = Field(None, description="Column of the score: the higher, the more alike")
    pooling: Pooling | None = Field(None, description=POOLING_HELP)


class Similarity(Embeddings):
    """Learns `low` and `high`, the scores of training that a cosine of 0 and of 1 stand for, beside the corpus.

    Trained on the order of the scores in each batch. An example's loss is the squared difference of cosine and score.
    """

    card = TaskCard(
        "text similarity",
        "a vector for each text, as near to another as a score says",
        {"text": TEXT, "pair": PAIR, "score": SCORE},
        ("spearman", "pearson", "loss"),
        "spearman",
        starter="similarity",
        head=False,
        augmented=AUGMENTED,
        able_untrained=True,
    )
    Options = Options

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Learn the range of the scores, and keep some of the pairs' texts."""
        pairs = [(row.get("pair"), score_of(row)) for row in rows]
        scores = [score for _, score in pairs if score is not None]
        if not scores or min(scores) == max(scores):
            raise WorkbenchError(
                f"every row has the score {scores[0]:g}" if scores else "no scores",
                where="data.train",
                hint='Scores must differ to be learned from; pairs without scores are for task "embeddings".',
            )
        return cls(options, {"corpus": corpus_of(pair for pair, _ in pairs), "low": min(scores), "high": max(scores)})

    def gold_of(self, row: dict[str, Any]) -> Any:
        """Return the score of a row, 0 for the lowest of training and 1 for the highest."""
        score = score_of(row)
        low, high = self.learned["low"], self.learned["high"]
        return None if score is None else (score - low) / (high - low)

    def gold_words(self, example: Example) -> str | None:
        """Return the score, on the scale of the cosine."""
        return None if example.gold is None else f"{example.gold:.4f}"

    def label_of(self, example: Example) -> float:
        """Return the score of a row."""
        return float(example.gold)

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the loss of a batch's order times its rows; scores know no smoothing."""
        vectors, scores = vectors_of(model, inputs_of(batch)), batch["labels"]
        n = len(scores)
        return n * cosent_loss((vectors[:n] * vectors[n:]).sum(-1), scores)

    def loss_of(self, example: Example, cosine: float) -> float | None:
        """Return the squared difference of the cosine and the score, where it is known."""
        return None if example.gold is None else (cosine - example.gold) ** 2

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return the correlations of cosine and score, by rank and linear, and the mean loss."""
        said = [math.nan if answer.score is None else answer.score for answer in answers]
        return {"loss": mean_loss(answers), **correlations(said, [example.gold for example in examples])}


def score_of(row: dict[str, Any]) -> float | None:
    """Return the score of a row, None where it has none; raise a RowProblem where it is not a number."""
    score = row.get("score")
    if score is None or (isinstance(score, str) and not score.strip()):
        return None
    try:
        number = float(score)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise RowProblem(f"holds {score!r}, not a number", "score", code="not-a-number")
    return number
