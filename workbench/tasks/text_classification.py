"""Text classification: one label of several for each text. Sentiment is the same under another name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from workbench.errors import WorkbenchError
from workbench.tasks.answer import Answer, softmax

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel


class TextClassification:
    """`labels` are the names, in the order of the model's outputs."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels)
        self._numbers = {label: number for number, label in enumerate(self.labels)}

    @classmethod
    def from_labels(cls, labels: Sequence[Any], names: Sequence[str] = ()) -> Self:
        """Learn the label set from the training rows: numbers in their order, words in the alphabet's.

        `names` (a labels.txt) gives the names of the labels 0, 1, 2, ...
        """
        found = sorted({label_text(label) for label in labels}, key=_label_order)
        if len(found) < 2:
            raise WorkbenchError(
                f"every row has the label {found[0]!r}" if found else "no labels",
                where="data.train",
                hint="Classification needs at least two labels.",
            )
        task = cls(found)
        if names and found == [str(number) for number in range(len(found))] and len(names) >= len(found):
            task.labels = list(names[: len(found)])
            task._numbers |= {name: number for number, name in enumerate(task.labels)}
        return task

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Self:
        """Rebuild the task from what `describe` returned."""
        return cls(description["labels"])

    def describe(self) -> dict[str, Any]:
        """Return what rebuilds this task beside a saved model."""
        return {"labels": self.labels}

    def configure(self, config: PretrainedConfig) -> None:
        """Name the outputs in a model's configuration; their number follows from that."""
        config.id2label = dict(enumerate(self.labels))
        config.label2id = {label: number for number, label in enumerate(self.labels)}

    def load(self, folder: str, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Return the model and transformers' loading report; the head is new where the folder has none that fits."""
        from transformers import AutoModelForSequenceClassification

        model, info = AutoModelForSequenceClassification.from_pretrained(
            folder, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
        return model, info

    def fresh(self, config: PretrainedConfig) -> PreTrainedModel:
        """Return the model with random weights."""
        from transformers import AutoModelForSequenceClassification

        model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
        return model

    def gold(self, labels: Sequence[Any], where: str) -> list[int]:
        """Return labels as numbers; name every label that training does not have, and its first row."""
        texts = [label_text(label) for label in labels]
        unseen: dict[str, int] = {}
        for row, text in enumerate(texts, 1):
            if text not in self._numbers:
                unseen.setdefault(text, row)
        if unseen:
            listed = ", ".join(f"{label!r} (first in row {row})" for label, row in list(unseen.items())[:5])
            raise WorkbenchError(
                f"labels that the training rows do not have: {listed}",
                where=where,
                hint=f"Training has: {', '.join(self.labels[:20])}.",
            )
        return [self._numbers[text] for text in texts]

    def loss(self, logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
        """Return the summed cross-entropy of a batch; logits (batch, labels), labels (batch)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing)

    def answer(self, logits: Sequence[float], gold: int | None = None) -> Answer:
        """Return the most likely label, its probability, and those of all labels."""
        scores = softmax(logits)
        best = max(range(len(scores)), key=lambda number: scores[number])
        output = {"label": self.labels[best], "scores": dict(zip(self.labels, scores, strict=True))}
        if gold is None:
            return Answer(self.labels[best], scores[best], output)
        loss = math.inf if scores[gold] == 0 else -math.log(scores[gold])
        return Answer(self.labels[best], scores[best], output, loss, best == gold)

    def metrics(self, answers: Sequence[Answer], gold: Sequence[int]) -> dict[str, float]:
        """Return accuracy, F1 (macro and weighted over the labels that occur), MCC and mean loss (scikit-learn's)."""
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

        right = [self.labels[number] for number in gold]
        said = [answer.pred for answer in answers]
        losses = [answer.loss for answer in answers if answer.loss is not None]
        return {
            "loss": math.fsum(losses) / len(losses),
            "accuracy": float(accuracy_score(right, said)),
            "macro_f1": float(f1_score(right, said, average="macro", zero_division=0)),
            "weighted_f1": float(f1_score(right, said, average="weighted", zero_division=0)),
            "mcc": float(matthews_corrcoef(right, said)),
        }


def label_text(label: Any) -> str:
    """Return a label as the text it is known by: 1 and "1" are the same label, and so is 1.0."""
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label)


def _label_order(label: str) -> tuple[int, int, str]:
    return (0, int(label), "") if label.isascii() and label.isdigit() else (1, 0, label)
