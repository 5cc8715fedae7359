"""Multi-label classification: any number of labels, or none, for each text or pair of texts."""

from __future__ import annotations

import ast
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from workbench.data.features import Example, Feature, RowProblem
from workbench.errors import WorkbenchError
from workbench.parts import AUGMENTED, Role, TaskCard, TaskOptions
from workbench.tasks.answer import Answer, mean_loss
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

NONE = "none"
"""What the answer of no label is called."""

AVERAGES = ("micro", "macro", "weighted")
"""The ways in which the F1 of the labels is made one number."""


class Options(TaskOptions):
    name: Literal["multi-label"] = "multi-label"
    text: str | None = Field(None, description=TEXT_HELP)
    pair: str | None = Field(None, description=PAIR_HELP)
    labels: str | None = Field(None, description="Column of the labels: a list, or a text such as joy,fear")
    separator: str = Field(",", min_length=1, description="What stands between labels that are one text")
    threshold: float = Field(0.5, gt=0, lt=1, description="A label is given from this probability on")


class MultiLabel(Task):
    """Learns `labels`, the names in the order of the model's outputs."""

    card = TaskCard(
        "multi-label",
        "any number of labels for each text, such as the emotions in it",
        {
            "text": TEXT,
            "pair": PAIR,
            "labels": Role(
                ("labels", "label", "emotions", "tags", "categories", "classes", "genres", "topics"),
                asked=False,
                blank=True,
            ),
        },
        ("micro_f1", "macro_f1", "weighted_f1", "accuracy", "loss"),
        "micro_f1",
        per_text=True,
        labelled=True,
        augmented=AUGMENTED,
        starter="emotions",
        remedies=("rdrop", "mixup", "class_weights"),
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
        found = sorted({label for row in rows for label in labels_of(row, options.separator) or ()}, key=label_order)
        if not found:
            raise WorkbenchError(
                "no row has a label", where="data.train", hint="Is it the right column?", code="broken-labels"
            )
        return cls(options, named_labels(found, names))

    @classmethod
    def reading(cls, options: Any, rows: Iterable[Row], names: Sequence[str], labels: Mapping[str, str]) -> Reading:
        """Return how a set's rows are read: labels by name, where numbers have names, then as `labels` says."""
        found = {label for row in rows for label in labels_of(row, options.separator) or ()}
        called = names_of_numbers(found, names)

        def read(row: Row) -> Row:
            told = labels_of(row, options.separator)
            named = [called.get(label, label) for label in told or ()]
            return row if told is None else row | {"labels": [labels.get(label, label) for label in named]}

        return read

    def example(self, row: dict[str, Any]) -> Example:
        """Return the texts of a row, and the numbers of its labels in ascending order."""
        fields, labels = text_fields(row), labels_of(row, self.options.separator)
        if labels is None:
            return Example(fields)
        return Example(fields, sorted({number_of(self._numbers, label, "labels") for label in labels}))

    def gold_words(self, example: Example) -> str | None:
        """Return the right labels, or `none`."""
        return None if example.gold is None else self._words(example.gold)

    def count_golds(self, examples: Iterable[Example]) -> dict[str, int]:
        """Return how many examples have each label, in the order of the labels."""
        counts = Counter(number for example in examples for number in example.gold or ())
        return {label: counts[number] for number, label in enumerate(self.labels)}

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Name the outputs in a model's configuration, each a question of its own."""
        super().configure(config, tokenizer)
        name_outputs(config, self.labels)
        config.problem_type = "multi_label_classification"

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return one feature for each example; its labels are a 1.0 or a 0.0 for each label."""
        hot = [None if each.gold is None else self._hot(each.gold) for each in examples]
        return text_features(tokenizer, examples, hot, max_length)

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the summed binary cross-entropies of a batch, each the mean over the labels.

        Logits and labels are (batch, labels); labels may be shares, smoothing draws them towards one half.
        """
        from torch.nn.functional import binary_cross_entropy_with_logits

        logits, labels = logits_of(model, batch)
        assert labels is not None
        wanted = labels * (1 - smoothing) + smoothing / 2
        if not self._weights:
            return binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / len(self.labels)
        absent, present = self._weights.beside(logits).T
        # torch multiplies both: a label's presence is weighed with absent · (present / absent).
        rules: dict[str, Any] = {"weight": absent, "pos_weight": present / absent, "reduction": "sum"}
        return binary_cross_entropy_with_logits(logits, wanted, **rules) / len(self.labels)

    def divergence(self, output: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the summed divergences of each label's presence, the mean over the labels."""
        import torch

        absent = torch.zeros_like(output.logits)
        return divergence(torch.stack([absent, output.logits], dim=-1)).sum() / len(self.labels)

    def weigh(self, features: Sequence[Feature]) -> None:
        """Weigh the absence and the presence of each label by how rare they are."""
        columns = zip(*(feature.labels for feature in features), strict=True)
        self._weights = ClassWeights([balanced(map(int, column), 2) for column in columns])

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return the logits of each text."""
        rows: list[Any] = logits_of(model, batch)[0].tolist()
        return rows

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return the labels from the threshold on, with the probability of just this set were they independent."""
        logits: list[float] = said[0][1]
        scores = [_sigmoid(logit) for logit in logits]
        given = [number for number, score in enumerate(scores) if score >= self.options.threshold]
        pred, hot = self._words(given), self._hot(given)
        score = math.prod(each if wanted else 1 - each for each, wanted in zip(scores, hot, strict=True))
        output = {
            "labels": [self.labels[number] for number in given],
            "scores": dict(zip(self.labels, scores, strict=True)),
            "threshold": self.options.threshold,
        }
        if example.gold is None:
            return Answer(pred, score, output)
        signs = [-1 if right else 1 for right in self._hot(example.gold)]
        losses = [_softplus(sign * logit) for sign, logit in zip(signs, logits, strict=True)]
        loss = math.fsum(losses) / len(losses)
        return Answer(pred, score, output, loss, given == example.gold, extra=given)

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return F1 (micro, macro, weighted), the share of wholly right sets, and mean loss (scikit-learn's)."""
        from sklearn.metrics import accuracy_score, f1_score

        right = [[int(value) for value in self._hot(example.gold)] for example in examples]
        said = [[int(value) for value in self._hot(answer.extra)] for answer in answers]
        if len(self.labels) == 1:
            # To scikit-learn one column of marks is a question of two answers.
            right, said = [[*row, 0] for row in right], [[*row, 0] for row in said]
        columns = list(range(len(self.labels)))
        f1 = {name: f1_score(right, said, average=name, labels=columns, zero_division=0) for name in AVERAGES}
        return {
            "loss": mean_loss(answers),
            **{f"{name}_f1": float(value) for name, value in f1.items()},
            "accuracy": float(accuracy_score(right, said)),
        }

    def _hot(self, numbers: Sequence[int]) -> list[float]:
        return [float(number in numbers) for number in range(len(self.labels))]

    def _words(self, numbers: Sequence[int]) -> str:
        return ", ".join(self.labels[number] for number in numbers) or NONE


def labels_of(row: dict[str, Any], separator: str) -> list[str] | None:
    """Return the labels of a row as texts, None where it has no such column; raise a RowProblem where they are none.

    A list has them one by one, also one written as JSON; any other text has them between separators.
    """
    value = row.get("labels")
    if "labels" not in row:
        return None
    if isinstance(value, str) and value.strip().startswith("["):
        value = _listed(value)
    if isinstance(value, str):
        value = value.split(separator)
    elif not isinstance(value, list):
        value = [] if value is None else [value]
    if any(isinstance(each, (list, dict)) for each in value):
        raise RowProblem("holds lists in a list, not labels", "labels", code="broken-labels")
    texts = [label_text(each).strip() for each in value if each is not None]
    return list(dict.fromkeys(text for text in texts if text))


def _listed(text: str) -> Any:
    """Return the list that a text writes, as JSON has it or as Python prints it."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    raise RowProblem("begins a list that is not closed, or not one", "labels", code="broken-labels")


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


def _softplus(value: float) -> float:
    """Return log(1 + exp(value)) without overflow: the loss of a label whose logit is -value."""
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
