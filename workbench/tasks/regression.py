"""Regression: a score for each text or pair of texts, such as stars or how alike two sentences are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from workbench.data.features import Example, Feature, RowProblem
from workbench.errors import WorkbenchError
from workbench.parts import AUGMENTED, Role, TaskCard, TaskOptions
from workbench.tasks.answer import Answer, mean_loss
from workbench.tasks.task import Task, Watch
from workbench.tasks.texts import PAIR, PAIR_HELP, TEXT, TEXT_HELP, logits_of, text_features, text_fields
from workbench.text import number

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

WIDE = 10.0
"""Standard deviation of the scores from which on it is said."""

DIGITS = 3
"""Digits of an answer in its short form."""


class Options(TaskOptions):
    name: Literal["regression"] = "regression"
    text: str | None = Field(None, description=TEXT_HELP)
    pair: str | None = Field(None, description=PAIR_HELP)
    score: str | None = Field(None, description="Column of the score; found by itself where the name is usual")


class Regression(Task):
    """Learns `mean` and `deviation` of the training scores.

    The model's one output is the score itself, in the file's unit; the loss is counted in squared standard
    deviations, so that its size does not depend on the unit.
    """

    card = TaskCard(
        "regression",
        "a score for each text, or for how two texts relate: stars, likeness",
        {
            "text": TEXT,
            "pair": PAIR,
            "score": Role(("score", "label", "rating", "stars", "similarity", "value", "target"), asked=False),
        },
        ("spearman", "pearson", "mae", "loss"),
        "spearman",
        per_text=True,
        augmented=AUGMENTED,
        starter="similarity",
        remedies=("rdrop", "mixup"),
    )
    Options: ClassVar[type[TaskOptions]] = Options
    auto = "AutoModelForSequenceClassification"

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Learn how the scores lie."""
        scores = [score for row in rows if (score := score_of(row)) is not None]
        if len(set(scores)) < 2:
            raise WorkbenchError(
                "every row has the same score" if scores else "no scores",
                where="data.train",
                hint="Regression needs scores that differ.",
                code="single-score",
            )
        mean = math.fsum(scores) / len(scores)
        deviation = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / len(scores))
        return cls(options, {"mean": mean, "deviation": deviation})

    def example(self, row: dict[str, Any]) -> Example:
        """Return the texts of a row, and its score."""
        return Example(text_fields(row), score_of(row))

    def gold_words(self, example: Example) -> str | None:
        """Return the right score."""
        return None if example.gold is None else number(example.gold, DIGITS)

    def notes(self) -> list[str]:
        """Return that scores far apart are learned slowly, where they are."""
        if self.learned["deviation"] <= WIDE:
            return []
        spread = number(self.learned["deviation"], DIGITS)
        return [
            f"the scores spread by {spread}: a head reaches them slowly; divide them, so that they spread by 1 or so"
        ]

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Give the model one output."""
        super().configure(config, tokenizer)
        config.num_labels = 1
        config.problem_type = "regression"

    def begin(self, model: PreTrainedModel) -> None:
        """Let the last layer begin at the mean of the training scores, where it has a bias."""
        import torch

        biases = [(name, each) for name, each in model.named_parameters() if each.shape == (1,)]
        if biases and biases[-1][0].endswith(".bias"):
            with torch.no_grad():
                biases[-1][1].fill_(self.learned["mean"])

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return one feature for each example."""
        return text_features(tokenizer, examples, [example.gold for example in examples], max_length)

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the summed squared errors of a batch, in squared standard deviations; there is nothing to smooth."""
        logits, labels = logits_of(model, batch)
        assert labels is not None
        return (((logits[:, 0] - labels) / self.learned["deviation"]) ** 2).sum()

    def divergence(self, output: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the summed squared differences, in squared standard deviations."""
        one, other = output.logits.float()[:, 0].chunk(2)
        return (((one - other) / self.learned["deviation"]) ** 2).sum()

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return the score of each text."""
        rows: list[Any] = logits_of(model, batch)[0][:, 0].tolist()
        return rows

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return the score; where the right one is known, `loss` is the squared error."""
        value: float = said[0][1]
        pred, output = number(value, DIGITS), {"value": value}
        if example.gold is None:
            return Answer(pred, None, output)
        return Answer(pred, None, output, ((value - example.gold) / self.learned["deviation"]) ** 2)

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return Spearman's and Pearson's correlation (scipy's), mean absolute error and mean loss.

        Where either side does not vary there is no correlation to speak of, and it is 0.
        """
        from scipy.stats import pearsonr, spearmanr

        right = [example.gold for example in examples]
        said = [answer.output["value"] for answer in answers]
        vary = len(set(right)) > 1 and len(set(said)) > 1
        return {
            "loss": mean_loss(answers),
            "spearman": float(spearmanr(right, said).statistic) if vary else 0.0,
            "pearson": float(pearsonr(right, said).statistic) if vary else 0.0,
            "mae": math.fsum(abs(one - other) for one, other in zip(right, said, strict=True)) / len(right),
        }


def score_of(row: dict[str, Any]) -> float | None:
    """Return the score of a row, None where it has none; raise a RowProblem where it is no number."""
    value = row.get("score")
    if value is None:
        return None
    try:
        score = float(value)
    except (TypeError, ValueError):
        raise RowProblem(
            f"holds {value!r:.40}, not a number",
            "score",
            "Is it a label? Then take text-classification.",
            code="not-a-number",
        ) from None
    if not math.isfinite(score):
        raise RowProblem(f"holds {value!r:.40}, which is not finite", "score", code="not-a-number")
    return score
