"""One way to ask a model, for evaluation, `predict` and prompts: an answer never depends on its company.

A batch always has the same number of rows, and its width depends on the row's own length alone, so the arithmetic
of a row is the same whoever its neighbours are: the shape decides which kernels run, and rows do not mix. Without
this, the last digits of a score change with the batch that a text happens to be in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from workbench.data.features import WIDTH_STEP, Example, Feature, Shape
from workbench.tasks.answer import Answer
from workbench.tasks.task import Task, Watch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROWS_ON_CPU = 8
ROWS_ON_GPU = 32


def answers_to(
    task: Task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    questions: Sequence[Feature],
    limit: int,
    watch: Watch | None = None,
) -> list[Answer]:
    """Return the answer to each example; `questions` are the features of all, `limit` the widest batch in tokens."""
    said: list[list[tuple[Feature, Any]]] = [[] for _ in examples]
    for feature, output in zip(questions, score(task, model, tokenizer, questions, limit, watch), strict=True):
        said[feature.example].append((feature, output))
    return [task.answer(example, outputs) for example, outputs in zip(examples, said, strict=True)]


def score(
    task: Task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    features: Sequence[Feature],
    limit: int,
    watch: Watch | None = None,
) -> list[Any]:
    """Return what the model says of each feature, in the order given.

    The model is put into evaluation mode and back; no random number is drawn.
    """
    import torch

    was_training = model.training
    model.eval()
    outputs: list[Any] = [None] * len(features)
    with torch.inference_mode():
        for shape, numbers in _batches(features, limit, ROWS_ON_CPU if model.device.type == "cpu" else ROWS_ON_GPU):
            batch = task.collate([features[number] for number in numbers], tokenizer, shape)
            batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
            for number, output in zip(numbers, task.outputs(model, batch, shape.kind, watch), strict=True):
                outputs[number] = output
    model.train(was_training)
    return outputs


def _batches(features: Sequence[Feature], limit: int, rows: int) -> Iterator[tuple[Shape, list[int]]]:
    """Yield (shape, feature numbers); a batch that is not full repeats its last feature.

    Rows that fill the width stand apart: where a batch has no filling at all, transformers drops its attention mask,
    and another kernel computes it.
    """
    by_shape: dict[tuple[str, int, int, bool], list[int]] = {}
    for number, feature in enumerate(features):
        labels, width = feature.labels, _rounded(len(feature.ids), limit)
        label_width = _rounded(len(labels), limit) if isinstance(labels, list) else 0
        by_shape.setdefault((feature.kind, width, label_width, len(feature.ids) == width), []).append(number)
    for kind, width, label_width, full in sorted(by_shape):
        numbers = by_shape[kind, width, label_width, full]
        for start in range(0, len(numbers), rows):
            batch = numbers[start : start + rows]
            yield Shape(kind, width, label_width), batch + [batch[-1]] * (rows - len(batch))


def _rounded(length: int, limit: int) -> int:
    return min(-(-length // WIDTH_STEP) * WIDTH_STEP, max(limit, length))
