"""Masked language modelling: a model learns the language of raw text by guessing tokens that are hidden from it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from workbench.data.encoding import Encoded, encode
from workbench.data.features import IGNORED, Example, Feature
from workbench.parts import Role, TaskCard, TaskOptions
from workbench.tasks.answer import Answer
from workbench.tasks.masking import SHARE, Vocabulary, blocks, mask, masked_count, vocabulary_of
from workbench.tasks.task import Task, Watch
from workbench.tasks.texts import TEXT_HELP, text_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEXT = Role(("text", "content", "document", "sentence", "paragraph", "line", "body", "article", "story"))
MASKS = ("[MASK]", "<mask>")
"""What stands for a hidden word in a prompt, whatever the tokenizer calls it."""

CANDIDATES = 5
"""How many tokens are told for each mask of a prompt."""


class Options(TaskOptions):
    name: Literal["masked-pretraining"] = "masked-pretraining"
    text: str | None = Field(None, description=TEXT_HELP)
    share: float = Field(SHARE, gt=0, lt=1, description="Share of the tokens that are hidden in training")
    whole_words: bool = Field(False, description="Hide all tokens of a word, or none")
    joined: bool = Field(True, description="Join texts to full rows; else each text begins a row of its own")


@dataclass(frozen=True)
class Guess:
    """What a model says of one place: `logs` are log-probabilities, of the `tokens` it finds likeliest and of the
    token that stands there (`right`)."""

    place: int
    tokens: list[int]
    logs: list[float]
    right: int
    right_log: float


class MaskedPretraining(Task):
    """Trains on rows of joined texts, and is judged on each text by itself."""

    card = TaskCard(
        "masked pretraining",
        "learns the language of raw text by guessing hidden words, to fine-tune from",
        {"text": TEXT},
        ("loss", "perplexity", "token_accuracy"),
        "perplexity",
        starter="stories",
        head=False,
        pretraining=True,
        unaugmented="a language is learned of text as it is written",
        able_untrained=True,
        per_token=True,
    )
    Options: ClassVar[type[TaskOptions]] = Options
    auto = "AutoModelForMaskedLM"

    def __init__(self, options: Any, learned: dict[str, Any]) -> None:
        super().__init__(options, learned)
        self._carried: dict[str, torch.Tensor] = {}

    def example(self, row: dict[str, Any]) -> Example:
        """Return the text of a row; what is right stands in the text itself."""
        return Example({"text": text_of(row, "text")})

    def gold_words(self, example: Example) -> str | None:
        """Return None: which words are hidden is the tokenizer's matter."""
        return None

    def load(self, folder: Path, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Return the model and the loading report; weights of the backbone that it has no place for are carried on."""
        model, info = super().load(folder, **options)
        self._carried = _left_out(folder, model)
        return model, info

    def save(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
        """Write a folder that loads with the masked head, and without it as the backbone did, pooler and all."""
        model.save_pretrained(folder, state_dict={**model.state_dict(), **self._carried})
        tokenizer.save_pretrained(folder)

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return the texts, joined or each by itself, cut to rows of `max_length` tokens, nothing hidden yet."""
        texts = [example.fields["text"] for example in examples]
        return blocks(tokenizer, texts, max_length, self.options.whole_words, self.options.joined)

    def vary(self, feature: Feature, draw: random.Random) -> Feature:
        """Return the row with tokens hidden as `draw` decides."""
        ids, labels = mask(
            feature.ids, feature.info["words"], feature.info["vocabulary"], self.options.share, draw
        )  # fmt: skip
        return replace(feature, ids=ids, labels=labels, items=sum(label != IGNORED for label in labels))

    def questions(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int
    ) -> list[Feature]:
        """Return one row for each text: a prompt where it has a mask, else one whose hidden tokens it decides itself.

        Its own tokens are the seed, so that every run with this tokenizer and limit is asked for the same ones.
        """
        vocabulary, hidden = vocabulary_of(tokenizer), str(tokenizer.mask_token)
        texts = [_marked(example.fields["text"], hidden) for example in examples]
        encoded = encode(tokenizer, texts, max_length)
        return [
            (_prompt if hidden in text else _question)(number, each, vocabulary, tokenizer)
            for number, (text, each) in enumerate(zip(texts, encoded, strict=True))
        ]

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the summed cross-entropy of the hidden tokens; labels (rows, tokens)."""
        from torch.nn.functional import cross_entropy

        asked = batch["labels"] != IGNORED
        logits = _logits_at(model, batch, lambda hidden: hidden[asked][None])[0]
        return cross_entropy(logits, batch["labels"][asked], reduction="sum", label_smoothing=smoothing)

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return the guesses for each row: as many places are computed as its width or kind says, whoever is beside."""
        labels = batch.get("labels")
        if labels is None:
            return [[] for _ in batch["input_ids"]]
        asked = labels != IGNORED
        count = int(kind) if kind else masked_count(labels.shape[1], SHARE)
        places = asked.int().argsort(dim=1, descending=True, stable=True)[:, :count]
        logits = _logits_at(model, batch, lambda hidden: hidden.take_along_dim(places[..., None], 1))
        logs = logits.double().log_softmax(-1)
        right = labels.take_along_dim(places, 1)
        likely = logs.topk(min(CANDIDATES if kind else 1, logs.shape[-1]))
        known = logs.take_along_dim(right.clamp(min=0)[..., None], -1)[..., 0]
        columns = (places, likely.indices, likely.values, right, known)
        rows = zip(asked.sum(1).tolist(), *(column.tolist() for column in columns), strict=True)
        return [[Guess(*each) for each in zip(*row, strict=True)][:wanted] for wanted, *row in rows]

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return the likeliest tokens for each mask; of a text without masks also how well it was guessed.

        `place` is the number of the token in the row, `score` the mean probability of the best guesses.
        """
        feature, guesses = said[0]
        tokenizer, judged = feature.info["tokenizer"], feature.info["judged"]
        fillings = [_filling(guess, tokenizer, judged) for guess in guesses]
        filled = list(feature.ids)
        for guess in guesses:
            filled[guess.place] = guess.tokens[0]
        output: dict[str, Any] = {
            "fillings": fillings,
            "filled": tokenizer.decode(filled, skip_special_tokens=True).strip(),
        }
        pred = " ".join(filling["tokens"][0]["text"] for filling in fillings)
        best = [math.exp(guess.logs[0]) for guess in guesses]
        score = math.fsum(best) / len(best) if best else None
        if not guesses or not judged:
            return Answer(pred, score, output)
        losses = [-guess.right_log for guess in guesses]
        hits = [guess.tokens[0] == guess.right for guess in guesses]
        loss = math.fsum(losses) / len(losses)
        return Answer(pred, score, output | {"perplexity": perplexity(loss)}, loss, all(hits), (losses, hits))

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return the mean loss of all hidden tokens, its exponential, and the share of them guessed rightly."""
        judged = [answer.extra for answer in answers if answer.extra is not None]
        losses = [loss for each, _ in judged for loss in each]
        hits = [hit for _, each in judged for hit in each]
        loss = math.fsum(losses) / len(losses) if losses else math.nan
        accuracy = sum(hits) / len(hits) if hits else math.nan
        return {"loss": loss, "perplexity": perplexity(loss), "token_accuracy": accuracy}


def perplexity(loss: float) -> float:
    """Return the exponential of a mean loss in nats; infinite where no number is large enough."""
    return math.exp(loss) if not loss > 700 else math.inf


def _marked(text: str, mask: str) -> str:
    """Return a text whose masks are called as the tokenizer calls its own."""
    for each in MASKS:
        text = text.replace(each, mask)
    return text


def _question(number: int, each: Encoded, vocabulary: Vocabulary, tokenizer: PreTrainedTokenizerBase) -> Feature:
    ids, labels = mask(each.ids, None, vocabulary, SHARE, random.Random(f"mask {each.ids}"))
    asked = any(label != IGNORED for label in labels)
    info = {"of": each.whole, "tokenizer": tokenizer, "judged": True}
    return Feature(number, ids, None, labels if asked else None, info=info)


def _prompt(number: int, each: Encoded, vocabulary: Vocabulary, tokenizer: PreTrainedTokenizerBase) -> Feature:
    """Return a row of `kind` 1, 2, 4, …: the places that are computed for it, as many as it has masks or more."""
    labels = [token if token == vocabulary.mask else IGNORED for token in each.ids]
    masks = labels.count(vocabulary.mask)
    info = {"of": each.whole, "tokenizer": tokenizer, "judged": False}
    kind = str(1 << (masks - 1).bit_length()) if masks else ""
    return Feature(number, each.ids, None, labels if masks else None, kind=kind, info=info)


def _filling(guess: Guess, tokenizer: PreTrainedTokenizerBase, judged: bool) -> dict[str, Any]:
    tokens = [
        {"text": _word(tokenizer, token), "score": math.exp(log)}
        for token, log in zip(guess.tokens, guess.logs, strict=True)
    ]
    filling = {"place": guess.place, "tokens": tokens}
    return filling | {"right": _word(tokenizer, guess.right)} if judged else filling


def _word(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """Return a token as a reader writes it, or as the tokenizer does where it is a blank."""
    text = str(tokenizer.decode([token])).strip()
    return text or str(tokenizer.convert_ids_to_tokens(token))


def _logits_at(
    model: PreTrainedModel, batch: dict[str, torch.Tensor], pick: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Return the logits of the places that `pick` takes of the hidden states, in 32-bit floats.

    The head, which costs as much as the layers where the vocabulary is large, is not computed anywhere else.
    """

    def narrow(_module: Any, _inputs: Any, output: Any) -> Any:
        output["last_hidden_state"] = pick(output["last_hidden_state"])
        return output

    inputs: dict[str, Any] = {name: tensor for name, tensor in batch.items() if name != "labels"}
    with model.base_model.register_forward_hook(narrow):
        return model(**inputs).logits.float()


def _left_out(folder: Path, model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return the weights in a folder that the bare model has and the one with the masked head has not: the pooler."""
    import torch
    from safetensors import safe_open
    from transformers import AutoModel

    with torch.device("meta"):
        whole = AutoModel.from_config(model.config).state_dict()
    wanted, prefix = whole.keys() - model.base_model.state_dict().keys(), f"{model.base_model_prefix}."
    found = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            for key in weights.keys():  # noqa: SIM118
                name = key.removeprefix(prefix)
                if name in wanted:
                    found[prefix + name] = weights.get_tensor(key).to(model.dtype)
    return found
