"""What the tasks on whole texts share: a text, or two, to one row of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.data.encoding import Encoded, encode
from workbench.data.features import Example, Feature, RowProblem
from workbench.parts import Role

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEXT = Role(
    (
        *("text", "sentence", "review", "content", "comment", "title", "question", "input"),
        *("sentence1", "premise", "question1", "text1", "text_a"),
    ),
    kind="text",
)
PAIR = Role(("sentence2", "hypothesis", "question2", "text2", "text_b", "pair"), required=False)
TEXT_HELP = "Column of the text; found by itself where the name is usual"
PAIR_HELP = "Column of a second text to judge with the first; found by itself where the name is usual"


def text_of(row: dict[str, Any], role: str) -> str:
    """Return the text that a row has in a role; raise a RowProblem where it is none."""
    value = row.get(role)
    if not isinstance(value, str):
        raise RowProblem(f"holds {type(value).__name__}, not text", role)
    return value


def text_fields(row: dict[str, Any]) -> dict[str, str]:
    """Return the text of a row, and its pair where there is one that is not empty."""
    pair = row.get("pair")
    alone = pair is None or (isinstance(pair, str) and not pair.strip())
    return {"text": text_of(row, "text")} | ({} if alone else {"pair": text_of(row, "pair")})


def text_features(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], labels: Sequence[Any], max_length: int
) -> list[Feature]:
    """Return one feature for each example, of its text or of its text and pair; `info` says how long the whole is."""
    encoded: dict[int, Encoded] = {}
    for paired in (False, True):
        numbers = [number for number, example in enumerate(examples) if ("pair" in example.fields) == paired]
        texts = [examples[number].fields["text"] for number in numbers]
        pairs = [examples[number].fields["pair"] for number in numbers] if paired else None
        encoded |= zip(numbers, encode(tokenizer, texts, max_length, pairs), strict=True)
    return [
        Feature(number, encoded[number].ids, encoded[number].types, label, info={"of": encoded[number].whole})
        for number, label in enumerate(labels)
    ]


def logits_of(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the logits of a batch in 32-bit floats, and its labels, which the model does not see."""
    labels = batch.get("labels")
    inputs: dict[str, Any] = {name: tensor for name, tensor in batch.items() if name != "labels"}
    return model(**inputs).logits.float(), labels
