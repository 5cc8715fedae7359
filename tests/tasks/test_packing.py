"""Packed rows are computed as if each stood alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.tasks.decoders import KINDS, ROWS, bare_tokenizer, decoder, instructions
from workbench.data.features import IGNORED, Feature
from workbench.errors import WorkbenchError
from workbench.tasks.packing import collate_packed, pack, refuse_leaks

LIMIT = 120


@pytest.mark.parametrize("kind", KINDS)
def test_packed_logits_and_loss_are_those_of_each_row_alone(kind: str) -> None:
    import torch

    model, tokenizer = decoder(kind), bare_tokenizer()
    examples = [instructions().example(row) for row in ROWS]
    alone = instructions().encode(tokenizer, examples, LIMIT)
    task = instructions(packing=True)
    packed = task.encode(tokenizer, examples, LIMIT)
    assert len(packed) < len(alone)
    batch = task.collate(packed, tokenizer)
    width = max(len(row.ids) for row in packed)
    assert batch["attention_mask"].shape == (len(packed), 1, width, width)
    found = {}
    with torch.inference_mode():
        logits = model(**{name: tensor for name, tensor in batch.items() if name != "labels"}).logits
        for row, feature in zip(logits, packed, strict=True):
            start = 0
            for length in feature.info["segments"]:
                found[tuple(feature.ids[start : start + length])] = row[start : start + length]
                start += length
        for feature in alone:
            plain = model(input_ids=torch.tensor([feature.ids])).logits[0]
            assert float((plain - found[tuple(feature.ids)]).abs().max()) <= 2e-6 * max(1, float(plain.abs().max()))
        losses = [float(task.loss(model, task.collate([feature], tokenizer), 0.0)) for feature in alone]
        together = float(task.loss(model, batch, 0.0))
    assert math.isclose(together, math.fsum(losses), rel_tol=1e-6)
    assert sum(feature.items for feature in packed) == sum(feature.items for feature in alone)


@given(some.lists(some.integers(2, 20), min_size=1, max_size=60))
def test_every_row_stands_whole_in_one_row_that_is_not_too_long(lengths: list[int]) -> None:
    features = [
        Feature(number, [number] * length, labels=[IGNORED] + [number] * (length - 1), items=length - 1)
        for number, length in enumerate(lengths)
    ]
    rows = pack(features, 20)
    assert all(len(row.ids) == len(row.labels) == sum(row.info["segments"]) <= 20 for row in rows)
    tokens = sorted(token for row in rows for token in row.ids)
    assert tokens == [token for each in features for token in each.ids]
    assert sum(row.items for row in rows) == sum(each.items for each in features)
    # Best fit decreasing never leaves two rows that would go into one.
    sizes = sorted(len(row.ids) for row in rows)
    assert len(sizes) < 2 or sizes[0] + sizes[1] > 20
    assert rows == pack(features, 20)


def test_no_token_is_told_by_another_row() -> None:
    features = [Feature(number, [5, 6, 7], labels=[5, 6, 7], items=2) for number in range(2)]
    batch = collate_packed([*pack(features, 6), *pack(features[:1], 6)], 0)
    assert batch["labels"].tolist() == [[IGNORED, 6, 7, IGNORED, 6, 7], [IGNORED, 6, 7, *[IGNORED] * 3]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 0, 0]]
    first, second = batch["attention_mask"].int().tolist()
    assert first[0] == [
        [1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1],
    ]  # fmt: skip
    assert second[0][3:] == [[0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_keeps_rows_apart_is_taken(kind: str) -> None:
    refuse_leaks(decoder(kind))


def test_a_model_that_cannot_keep_rows_apart_is_refused() -> None:
    from transformers import AutoModelForCausalLM, MambaConfig

    config = MambaConfig(vocab_size=300, hidden_size=16, num_hidden_layers=2, state_size=4, pad_token_id=0)
    with pytest.raises(WorkbenchError, match="mamba cannot keep packed rows apart"):
        instructions(packing=True).fresh(config)
    AutoModelForCausalLM.from_config(config)
    eager = decoder("llama")
    eager.set_attn_implementation("eager")
    with pytest.raises(WorkbenchError, match="llama cannot keep packed rows apart"):
        refuse_leaks(eager)
