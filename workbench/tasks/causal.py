"""What the tasks of decoder language models share: the loss of the next token, what it comes to, and writing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from store.texts import HALF_A_PAIR
from workbench.data.features import IGNORED, WIDTH_STEP
from workbench.errors import WorkbenchError
from workbench.tasks.answer import Answer
from workbench.tasks.task import Watch

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

METRICS = ("loss", "perplexity", "token_accuracy")
LOSS = "loss"
WRITE = "write"
"""The kinds of features: rows whose tokens are judged, and rows that are written on."""


@dataclass(frozen=True)
class Judged:
    """What a model makes of the labelled tokens of a row: the loss of each in nats, and how many it has right."""

    losses: list[float]
    right: int

    @staticmethod
    def together(parts: Sequence[Judged]) -> Judged:
        """Return several as one."""
        return Judged([loss for part in parts for loss in part.losses], sum(part.right for part in parts))

    @property
    def mean(self) -> float:
        """The mean loss of a token in nats; not a number where no token was judged."""
        return math.fsum(self.losses) / len(self.losses) if self.losses else math.nan


# tokens


def tokens_of(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Return the tokens of each text without those that the tokenizer adds; half a surrogate pair is U+FFFD."""
    if not texts:
        return []
    clean = [HALF_A_PAIR.sub("\ufffd", text) for text in texts]
    rows: list[list[int]] = tokenizer(clean, add_special_tokens=False)["input_ids"]
    return rows


def start_of(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return what the tokenizer puts before a text: one beginning token for some, nothing for others."""
    whole: list[int] = tokenizer("x")["input_ids"]
    (bare,) = tokens_of(tokenizer, ["x"])
    places = [place for place in range(len(whole)) if whole[place : place + len(bare)] == bare]
    return whole[: places[0]] if places else []


def end_of(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that ends a text; raise a WorkbenchError where the tokenizer has none."""
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    if not isinstance(end, int):
        raise WorkbenchError("its tokenizer has no end token", where="backbone", hint="Pick another backbone.")
    return end


def set_padding(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Set the padding token of a configuration, unless it is the end token: the embedding of padding never learns."""
    if config.pad_token_id is None and tokenizer.pad_token_id != end_of(tokenizer):
        config.pad_token_id = tokenizer.pad_token_id


# the next token


def logits_of(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return logits (rows, tokens, vocabulary); the model sees no labels and keeps nothing for writing on."""
    inputs: dict[str, Any] = {name: tensor for name, tensor in batch.items() if name != "labels"}
    logits: torch.Tensor = model(**inputs, use_cache=False).logits
    return logits


def next_token_loss(model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
    """Return the summed cross-entropy of the labelled tokens, each told by those before it; labels (rows, tokens)."""
    from torch.nn.functional import cross_entropy

    logits = logits_of(model, batch)[:, :-1].flatten(0, 1).float()
    labels = batch["labels"][:, 1:].flatten()
    return cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum", label_smoothing=smoothing)


def judge(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> list[Judged]:
    """Return what the model makes of the labelled tokens of each row, in 64-bit floats."""
    logits = logits_of(model, with_padding(model, batch))
    return [judge_row(row, labels) for row, labels in zip(logits, batch["labels"], strict=True)]


def judge_row(logits: torch.Tensor, labels: torch.Tensor) -> Judged:
    """Return what logits (tokens, vocabulary) make of labels (tokens or fewer), each told one place before it."""
    import torch

    # The first token has none before it.
    places = (labels[1:] != IGNORED).nonzero()[:, 0]
    wanted, told = labels[1:][places], logits[places].double()
    losses = torch.logsumexp(told, dim=-1) - told.gather(-1, wanted[:, None])[:, 0]
    return Judged(losses.tolist(), int((told.argmax(dim=-1) == wanted).sum()))


def with_padding(model: PreTrainedModel, batch: dict[str, torch.Tensor], left: bool = False) -> dict[str, torch.Tensor]:
    """Return the inputs of a batch with padding up to the next multiple of WIDTH_STEP, where the model has room for it.

    Without any padding in a batch transformers takes other kernels, and the last digits of a row would depend on
    whether its neighbours are shorter; at other widths they depend on where in the batch the row stands, if several
    threads compute it. A row as long as the model allows must not be asked about.
    """
    from torch.nn.functional import pad

    width = batch["input_ids"].shape[1]
    more = min(WIDTH_STEP - width % WIDTH_STEP, longest(model) - width)
    if more <= 0:
        return batch
    sides = (more, 0) if left else (0, more)
    widened = {name: pad(batch[name], sides) for name in ("input_ids", "attention_mask")}
    return {**batch, **widened}


def longest(model: PreTrainedModel) -> int:
    """Return how many tokens a model can take."""
    return getattr(model.config, "max_position_embeddings", None) or 10**6


def corpus_metrics(answers: Sequence[Answer]) -> dict[str, float]:
    """Return METRICS over all judged tokens of the answers; `extra` is what was judged, or None."""
    judged = Judged.together([answer.extra for answer in answers if answer.extra is not None])
    if not judged.losses:
        return dict.fromkeys(METRICS, math.nan)
    return {
        "loss": judged.mean,
        "perplexity": perplexity(judged.mean),
        "token_accuracy": judged.right / len(judged.losses),
    }


def perplexity(loss: float) -> float:
    """Return e to the power of a mean loss in nats."""
    return math.inf if loss > math.log(1e300) else math.exp(loss)


# writing


def write(
    model: PreTrainedModel, batch: dict[str, torch.Tensor], longest_output: int, watch: Watch | None
) -> list[list[int]]:
    """Return the tokens that the model writes after each row, the likeliest at each step, without the end token.

    Rows are filled up on the left; `ends` (tokens) are the tokens that end a text. At most `longest_output` tokens,
    and no more than the model has positions for.
    """
    import torch
    from transformers import GenerationConfig, StoppingCriteriaList

    inputs = with_padding(model, batch, left=True)
    ends: list[int] = batch["ends"].tolist()
    width = inputs["input_ids"].shape[1]
    room = max(1, min(longest_output, longest(model) - width))
    settings = GenerationConfig(
        max_new_tokens=room, do_sample=False, num_beams=1, eos_token_id=ends, pad_token_id=ends[0], use_cache=True
    )

    def watched(tokens: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        over = watch is not None and watch(until(tokens[0, width:].tolist(), ends))
        return torch.full((len(tokens),), over, device=tokens.device)

    # What a model brings along, such as sampling and penalties, would write other texts than the likeliest.
    brought, model.generation_config = model.generation_config, settings
    generate: Any = model.generate
    try:
        whole = generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            generation_config=settings,
            stopping_criteria=StoppingCriteriaList([watched]),
        )
    finally:
        model.generation_config = brought
    return [until(row, ends) for row in whole[:, width:].tolist()]


def until(tokens: Sequence[int], ends: Sequence[int]) -> list[int]:
    """Return the tokens before the first that ends a text."""
    over = next((place for place, token in enumerate(tokens) if token in ends), len(tokens))
    return list(tokens[:over])
