"""The answer to a text does not depend on its company, to the last bit."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.making import tiny_model, tiny_tokenizer
from workbench.data.encoding import encode
from workbench.data.features import Feature
from workbench.inference.scoring import score
from workbench.tasks.text_classification import TextClassification

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LIMIT = 64
TASK = TextClassification(TextClassification.Options(), {"labels": ["bad", "good"]})
KINDS = ("bert", "gpt2")
ENCODED = [[2, *range(5, 5 + length), 3] for length in (0, 1, 5, 6, 7, 14, 15, 30, 62, 1, 5, 6, 13, 21)]


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return tiny_model(request.param)


def logits_of(model: PreTrainedModel, texts: list[list[int]]) -> list[list[float]]:
    features = [Feature(number, ids) for number, ids in enumerate(texts)]
    return score(TASK, model, tiny_tokenizer(), features, LIMIT)


def test_alone_or_in_company_a_text_has_the_same_logits(model: PreTrainedModel) -> None:
    alone = [logits_of(model, [text])[0] for text in ENCODED]
    assert logits_of(model, ENCODED) == alone
    chance = random.Random(1)
    for _ in range(10):
        picked = [chance.randrange(len(ENCODED)) for _ in range(chance.randint(1, 40))]
        assert logits_of(model, [ENCODED[number] for number in picked]) == [alone[number] for number in picked]


def test_asking_leaves_model_and_chance_as_they_were(model: PreTrainedModel) -> None:
    import torch

    model.train()
    before = torch.get_rng_state()
    logits_of(model, ENCODED[:3])
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    model.eval()
    logits_of(model, ENCODED[:3])
    assert not model.training


def test_padding_changes_no_answer(model: PreTrainedModel) -> None:
    import torch

    model.eval()
    for text, row in zip(ENCODED, logits_of(model, ENCODED), strict=True):
        with torch.inference_mode():
            plain = model(input_ids=torch.tensor([text])).logits[0].tolist()
        assert plain == pytest.approx(row, abs=1e-5)


def test_nothing_to_ask_gives_nothing(model: PreTrainedModel) -> None:
    assert logits_of(model, []) == []


def test_a_text_without_tokens_can_be_asked_about(model: PreTrainedModel) -> None:
    from tokenizers.processors import TemplateProcessing

    bare = tiny_tokenizer()
    bare.backend_tokenizer.post_processor = TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])
    encoded = [each.ids for each in encode(bare, ["", "good", "\ud800"], LIMIT)]
    assert [len(ids) > 0 for ids in encoded] == [True, True, True]
    assert encoded[0] == [bare.pad_token_id]
    assert len(logits_of(model, encoded)) == 3


def test_a_text_is_cut_at_the_longest_input() -> None:
    tokenizer = tiny_tokenizer()
    long = encode(tokenizer, ["good " * 500, "x"], 12)
    assert [len(each.ids) for each in long] == [12, len(encode(tokenizer, ["x"], 12)[0].ids)]
    assert [each.whole for each in long] == [len(encode(tokenizer, ["good " * 500], None)[0].ids), len(long[1].ids)]
    assert long[0].ids[-1] == tokenizer.sep_token_id
