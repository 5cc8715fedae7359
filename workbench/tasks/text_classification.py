"""Text classification: one label of several for each text or pair of texts; sentiment is another name of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from workbench.data.features import Example, Feature, RowProblem
from workbench.errors import WorkbenchError
from workbench.parts import AUGMENTED, Role, TaskCard, TaskOptions
from workbench.tasks.answer import Answer, mean_loss, softmax
from workbench.tasks.divergence import divergence
from workbench.tasks.labels import (
    ClassWeights,
    balanced,
    label_order,
    label_text,
    name_outputs,
    named_labels,
    names_of_numbers,
    number_of,
    numbers_of,
)
from workbench.tasks.task import Reading, Row, Task, Watch
from workbench.tasks.texts import PAIR, PAIR_HELP, TEXT, TEXT_HELP, logits_of, text_features, text_fields

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ROLES = {
    "text": TEXT,
    "pair": PAIR,
    "label": Role(("label", "labels", "coarse_label", "category", "class", "sentiment", "target"), asked=False),
}
METRICS = ("accuracy", "macro_f1", "weighted_f1", "mcc", "loss")
REMEDIES = ("rdrop", "mixup", "class_weights")


class Options(TaskOptions):
    name: Literal["text-classification"] = "text-classification"
    text: str | None = Field(None, description=TEXT_HELP)
    pair: str | None = Field(None, description=PAIR_HELP)
    label: str | None = Field(None, description="Column of the label; found by itself where the name is usual")


class SentimentOptions(Options):
    name: Literal["sentiment"] = "sentiment"  # type: ignore[assignment]


class TextClassification(Task):
    """Learns `labels`, the names in the order of the model's outputs."""

    card = TaskCard(
        "text classification",
        "one label of several for each text, or pair of texts",
        ROLES,
        METRICS,
        "accuracy",
        per_text=True,
        labelled=True,
        augmented=AUGMENTED,
        starter="sentiment",
        remedies=REMEDIES,
    )
    Options: ClassVar[type[TaskOptions]] = Options
    auto = "AutoModelForSequenceClassification"

    def __init__(self, options: Any, learned: dict[str, Any]) -> None:
        super().__init__(options, learned)
        self.labels: list[str] = learned["labels"]
        self._numbers = numbers_of(learned)
        self._weights: ClassWeights | None = None

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Learn the label set: numbers in their order, words in the alphabet's."""
        labels = {label_of(row) for row in rows}
        found = sorted((label for label in labels if label is not None), key=label_order)
        if len(found) < 2:
            raise WorkbenchError(
                f"every row has the label {found[0]!r}" if found else "no labels",
                where="data.train",
                hint="Classification needs at least two labels.",
                code="single-class",
            )
        return cls(options, named_labels(found, names))

    @classmethod
    def reading(cls, options: Any, rows: Iterable[Row], names: Sequence[str], labels: Mapping[str, str]) -> Reading:
        """Return how a set's rows are read: the label by its name, where numbers have names, then as `labels` says."""
        called = names_of_numbers({label for row in rows if (label := label_of(row)) is not None}, names)

        def read(row: Row) -> Row:
            label = label_of(row)
            named = None if label is None else called.get(label, label)
            return row if named is None else row | {"label": labels.get(named, named)}

        return read

    def example(self, row: dict[str, Any]) -> Example:
        """Return the texts of a row, and the number of its label."""
        fields = text_fields(row)
        label = label_of(row)
        if label is None:
            return Example(fields)
        return Example(fields, number_of(self._numbers, label, "label"))

    def gold_words(self, example: Example) -> str | None:
        """Return the right label."""
        return None if example.gold is None else self.labels[example.gold]

    def count_golds(self, examples: Iterable[Example]) -> dict[str, int]:
        """Return how often each label occurs, in the order of the labels."""
        counts = Counter(example.gold for example in examples)
        return {label: counts[number] for number, label in enumerate(self.labels)}

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Name the outputs in a model's configuration; their number follows from that."""
        super().configure(config, tokenizer)
        name_outputs(config, self.labels)
        config.problem_type = "single_label_classification"

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return one feature for each example."""
        return text_features(tokenizer, examples, [example.gold for example in examples], max_length)

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the summed cross-entropy of a batch; logits (batch, labels), labels (batch) or shares like logits."""
        from torch.nn.functional import cross_entropy

        logits, labels = logits_of(model, batch)
        assert labels is not None
        weights = self._weights.beside(logits) if self._weights else None
        return cross_entropy(logits, labels, weights, reduction="sum", label_smoothing=smoothing)

    def divergence(self, output: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the summed divergence of the labels' probabilities."""
        return divergence(output.logits).sum()

    def weigh(self, features: Sequence[Feature]) -> None:
        """Weigh each label by how rare it is."""
        self._weights = ClassWeights(balanced((feature.labels for feature in features), len(self.labels)))

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return the logits of each text."""
        rows: list[Any] = logits_of(model, batch)[0].tolist()
        return rows

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return the most likely label, its probability, and those of all labels."""
        scores = softmax(said[0][1])
        best = max(range(len(scores)), key=lambda number: scores[number])
        output = {"label": self.labels[best], "scores": dict(zip(self.labels, scores, strict=True))}
        if example.gold is None:
            return Answer(self.labels[best], scores[best], output)
        loss = math.inf if scores[example.gold] == 0 else -math.log(scores[example.gold])
        return Answer(self.labels[best], scores[best], output, loss, best == example.gold)

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return accuracy, F1 (macro and weighted over the labels that occur), MCC and mean loss (scikit-learn's)."""
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

        right = [self.labels[example.gold] for example in examples]
        said = [answer.pred for answer in answers]
        return {
            "loss": mean_loss(answers),
            "accuracy": float(accuracy_score(right, said)),
            "macro_f1": float(f1_score(right, said, average="macro", zero_division=0)),
            "weighted_f1": float(f1_score(right, said, average="weighted", zero_division=0)),
            "mcc": float(matthews_corrcoef(right, said)),
        }


class Sentiment(TextClassification):
    """How a text feels, by the same means."""

    card = TaskCard(
        "sentiment",
        "how a text feels: one of a few labels, such as negative and positive",
        ROLES,
        METRICS,
        "accuracy",
        per_text=True,
        labelled=True,
        augmented=AUGMENTED,
        starter="sentiment",
        remedies=REMEDIES,
    )
    Options = SentimentOptions


def label_of(row: dict[str, Any]) -> str | None:
    """Return the label of a row as a text, None where it has none; raise a RowProblem where it has several."""
    label = row.get("label")
    if isinstance(label, (list, dict)):
        raise RowProblem(
            f"holds {type(label).__name__}, not one label",
            "label",
            'Take task "multi-label", or another column.',
            code="several-labels",
        )
    return None if label is None or not str(label).strip() else label_text(label)
