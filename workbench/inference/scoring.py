"""One way to ask a model, for evaluation, `predict` and prompts: the answer to a text never depends on its company.

A batch always has the same number of rows, and its width depends on the text's own length alone, so the arithmetic
of a row is the same whoever its neighbours are: the shape decides which kernels run, and rows do not mix. Without
this, the last digits of a score change with the batch that a text happens to be in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from workbench.data.encoding import pad

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROWS_ON_CPU = 8
ROWS_ON_GPU = 32
WIDTH_STEP = 8


def score(model: PreTrainedModel, encoded: Sequence[Sequence[int]], pad_id: int, limit: int) -> list[list[float]]:
    """Return the logits of each encoded text, in the order given. `limit` is the widest batch the model takes.

    The model is put into evaluation mode and back; no random number is drawn.
    """
    import torch

    was_training = model.training
    model.eval()
    logits: list[list[float]] = [[] for _ in encoded]
    with torch.inference_mode():
        for width, numbers in _shapes(encoded, limit, ROWS_ON_CPU if model.device.type == "cpu" else ROWS_ON_GPU):
            rows = [encoded[number] for number in numbers]
            batch: dict[str, Any] = {name: value.to(model.device) for name, value in pad(rows, pad_id, width).items()}
            for number, row in zip(numbers, model(**batch).logits.float().tolist(), strict=True):
                logits[number] = row
    model.train(was_training)
    return logits


def _shapes(encoded: Sequence[Sequence[int]], limit: int, rows: int) -> Iterator[tuple[int, list[int]]]:
    """Yield (width, example numbers); a batch that is not full repeats its last example."""
    by_width: dict[int, list[int]] = {}
    for number, ids in enumerate(encoded):
        width = min(-(-len(ids) // WIDTH_STEP) * WIDTH_STEP, max(limit, len(ids)))
        by_width.setdefault(width, []).append(number)
    for width in sorted(by_width):
        numbers = by_width[width]
        for start in range(0, len(numbers), rows):
            batch = numbers[start : start + rows]
            yield width, batch + [batch[-1]] * (rows - len(batch))
