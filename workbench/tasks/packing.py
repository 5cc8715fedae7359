"""Packing: several short rows of training in one, without one seeing the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.data.encoding import fill
from workbench.data.features import IGNORED, Feature
from workbench.errors import WorkbenchError
from workbench.tasks.causal import logits_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

PACKED = "packed"
"""The kind of a feature that holds several rows; its `info` has their lengths, `segments`."""

LEAK = 1e-3
"""Logits that differ by more of the largest are not those of the same row; rounding changes a hundredth of that."""


def pack(features: Sequence[Feature], max_length: int) -> list[Feature]:
    """Return rows of at most `max_length` tokens that hold all features, each whole.

    The longest first, each into the row where it leaves the least room (best fit decreasing); equal features, equal
    rows. A row counts as an example's whose feature is its first.
    """
    rows: list[list[Feature]] = []
    by_room: dict[int, list[int]] = {}
    for number in sorted(range(len(features)), key=lambda number: (-len(features[number].ids), number)):
        length = len(features[number].ids)
        room = next((room for room in range(length, max_length + 1) if by_room.get(room)), None)
        if room is None:
            row, room = len(rows), max_length
            rows.append([])
        else:
            row = by_room[room].pop()
        rows[row].append(features[number])
        by_room.setdefault(room - length, []).append(row)
    return [joined(row) for row in rows]


def joined(features: Sequence[Feature]) -> Feature:
    """Return several features, whose labels are of their tokens, as one; no token is told by another feature's."""
    return Feature(
        features[0].example,
        [token for each in features for token in each.ids],
        labels=[label for each in features for label in [IGNORED, *each.labels[1:]]],
        items=sum(each.items for each in features),
        kind=PACKED,
        info={"segments": [len(each.ids) for each in features]},
    )


def collate_packed(features: Sequence[Feature], pad: int) -> dict[str, torch.Tensor]:
    """Return `input_ids`, `position_ids` and `labels` (rows, tokens), and `attention_mask` (rows, 1, tokens, tokens).

    Positions begin anew with each segment. The mask is true where a token sees another: itself and those before it
    in its segment. Each token that fills a row up, `pad`, is a segment of its own.
    """
    import torch

    width = max(len(each.ids) for each in features)
    segments = torch.tensor([_numbers(each.info["segments"], width) for each in features])
    same = segments[:, None, :, None] == segments[:, None, None, :]
    return {
        "input_ids": torch.tensor([fill(each.ids, width, pad) for each in features]),
        "position_ids": torch.tensor([_positions(each.info["segments"], width) for each in features]),
        "attention_mask": same & torch.ones(width, width, dtype=torch.bool).tril(),
        "labels": torch.tensor([fill(each.labels, width, IGNORED) for each in features]),
    }


def refuse_leaks(model: PreTrainedModel) -> None:
    """Raise a WorkbenchError where a model lets a row see another that it is packed with: it is tried on two."""
    import torch

    tokens = [number % int(model.config.vocab_size) for number in range(3, 19)]
    first, second = (Feature(0, part, labels=part) for part in (tokens[:9], tokens[9:]))
    packed = collate_packed([joined([first, second])], 0)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            alone = model(input_ids=torch.tensor([second.ids]), use_cache=False).logits[0]
            together = logits_of(model, packed)[0, len(first.ids) :]
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        raise _unable(model) from error
    finally:
        model.train(was_training)
    if not (alone - together).abs().max() < LEAK * alone.abs().max():
        raise _unable(model)


def _unable(model: PreTrainedModel) -> WorkbenchError:
    return WorkbenchError(
        f"{model.config.model_type} cannot keep packed rows apart", where="task.packing", hint="Set it to false."
    )


def _numbers(segments: Sequence[int], width: int) -> list[int]:
    """Return the number of each token's segment; what fills up is numbered on."""
    numbers = [number for number, length in enumerate(segments) for _ in range(length)]
    return [*numbers, *range(len(segments), len(segments) + width - len(numbers))]


def _positions(segments: Sequence[int], width: int) -> list[int]:
    positions = [place for length in segments for place in range(length)]
    return fill(positions, width, 0)
