"""Continued pretraining of a decoder: it learns to write texts on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from workbench.data.encoding import collate
from workbench.data.features import IGNORED, Example, Feature, Shape
from workbench.errors import WorkbenchError
from workbench.parts import Role, TaskCard, TaskOptions
from workbench.tasks import causal
from workbench.tasks.answer import Answer
from workbench.tasks.causal import LOSS, WRITE, Judged
from workbench.tasks.task import Task, Watch
from workbench.tasks.texts import text_of
from workbench.text import number as in_words

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ROLES = {
    "text": Role(("text", "content", "document", "story", "article", "sentence"), unless="prompt"),
    "prompt": Role(("prompt",), required=False, unless="text"),
}

ROOM = 4
"""One token of this many is kept for the continuation where a prompt is long."""


class Options(TaskOptions):
    name: Literal["causal-pretraining"] = "causal-pretraining"
    text: str | None = Field(None, description="Column of the texts; found by itself where the name is usual")
    prompt: str | None = Field(None, description="Column of beginnings to write on, in a file that is asked about")
    longest_output: int = Field(128, ge=1, le=32_768, description="Longest continuation written, in tokens")


class CausalPretraining(Task):
    """Learns from running text; asked with `text` it is judged, asked with `prompt` it writes on.

    For training the rows follow each other, an end token between, cut into blocks of `max_length` tokens. A block
    begins with the last token of the one before, so that each token is told once; what stands before a block is not
    seen. Evaluation judges each row by itself, from its first token to its end token: its answer is the perplexity,
    which is the same whatever stands beside it in the file. A text longer than `max_length` is judged in such blocks.
    A row with `prompt` in the place of `text` has no loss: its answer is the likeliest continuation.
    """

    card = TaskCard(
        "causal pretraining",
        "a decoder learns to write texts on, from raw text",
        ROLES,
        causal.METRICS,
        "loss",
        family="decoder",
        max_length=256,
        starter="stories",
        head=False,
        pretraining=True,
        unaugmented="a language is learned of text as it is written",
        able_untrained=True,
        per_token=True,
    )
    Options: ClassVar[type[TaskOptions]] = Options
    auto = "AutoModelForCausalLM"
    cased = True

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Learn nothing; raise a WorkbenchError where there are beginnings to write on but no texts."""
        if "text" not in next(iter(rows), {"text": ""}):
            raise WorkbenchError(
                "no column of texts to learn from",
                where="data.train",
                hint='Name it in the recipe: [task] text = "...".',
            )
        return cls(options, {})

    # rows

    def example(self, row: dict[str, Any]) -> Example:
        """Return the text of a row that is judged, or of one that is written on."""
        role = "text" if "text" in row else "prompt"
        return Example({role: text_of(row, role)})

    def gold_words(self, example: Example) -> str | None:
        """Return None: a text is its own right answer."""
        return None

    # model

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Set the padding token in a model's configuration."""
        causal.set_padding(config, tokenizer)

    # numbers

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return the blocks of all texts, one after the other; a block counts as the example's that it begins in."""
        stream, owner = [], []
        for number, (before, tokens) in enumerate(self._tokens(tokenizer, examples)):
            # The end token of one text stands before the next already.
            row = [*(before if number == 0 or before != [tokens[-1]] else []), *tokens]
            stream += row
            owner += [number] * len(row)
        return [block_feature(owner[start], ids) for start, ids in blocks(stream, max_length)]

    def questions(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int
    ) -> list[Feature]:
        """Return the blocks of each text by itself, or what is to be written on, cut at its beginning.

        One token shorter than the limit: there is always room for padding beside (`causal.with_padding`).
        """
        limit = max_length - 1
        features = []
        for number, (before, tokens) in enumerate(self._tokens(tokenizer, examples)):
            if "prompt" in examples[number].fields:
                info = {"of": len(before) + len(tokens) - 1, "tokenizer": tokenizer}
                ids = [*before, *tokens[:-1][-max(1, limit - limit // ROOM - len(before)) :]]
                features.append(Feature(number, ids, kind=WRITE, info=info))
            else:
                features += [block_feature(number, ids) for _, ids in blocks([*before, *tokens], limit)]
        return features

    def _tokens(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]
    ) -> list[tuple[list[int], list[int]]]:
        """Return what stands before each text, and its tokens with the end token.

        Where the tokenizer has no beginning token the end token stands before a text, as it does in running text.
        """
        end = causal.end_of(tokenizer)
        before = causal.start_of(tokenizer) or [end]
        texts = [next(iter(example.fields.values())) for example in examples]
        return [(before, [*tokens, end]) for tokens in causal.tokens_of(tokenizer, texts)]

    def collate(
        self, features: Sequence[Feature], tokenizer: PreTrainedTokenizerBase, shape: Shape | None = None
    ) -> dict[str, torch.Tensor]:
        """Return a batch; of what is written on filled up on the left and with `ends`, the tokens that end a text."""
        import torch

        if features[0].kind != WRITE:
            return collate(features, tokenizer, shape)
        ends = torch.tensor([causal.end_of(tokenizer)])
        return collate(features, tokenizer, shape, left=True) | {"ends": ends}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the summed cross-entropy of all tokens but the first of each block."""
        return causal.next_token_loss(model, batch, smoothing)

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return the tokens written after each row, or what the model makes of those in it."""
        if kind == WRITE:
            return causal.write(model, batch, self.options.longest_output, watch)
        return causal.judge(model, batch)

    # answers

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return the perplexity of a text, or the continuation of a prompt."""
        if "prompt" in example.fields:
            feature, written = said[0]
            text = continuation(feature.info["tokenizer"], feature.ids, written)
            return Answer(text, None, {"text": text, "written": len(written)})
        found = Judged.together([output for _, output in said])
        told = causal.perplexity(found.mean)
        output = {"text": "", "written": 0, "perplexity": told, "judged": len(found.losses)}
        return Answer(f"perplexity {in_words(told)}", None, output, found.mean, extra=found)

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return loss, perplexity and accuracy over all tokens of the texts, each judged once."""
        return causal.corpus_metrics(answers)


def continuation(tokenizer: PreTrainedTokenizerBase, asked: list[int], written: list[int]) -> str:
    """Return what is written as it follows what is asked: with the space before it, which many tokenizers take away."""
    before, whole = (str(tokenizer.decode(ids, skip_special_tokens=True)) for ids in (asked, [*asked, *written]))
    return whole.removeprefix(before)


def blocks(stream: Sequence[int], max_length: int) -> list[tuple[int, list[int]]]:
    """Return (place, tokens) of blocks of at most `max_length`; each begins with the last token of the one before."""
    step = max_length - 1
    return [(start, list(stream[start : start + max_length])) for start in range(0, max(1, len(stream) - 1), step)]


def block_feature(number: int, ids: list[int]) -> Feature:
    """Return the feature of a block, labelled on all tokens but the first."""
    return Feature(number, ids, labels=[IGNORED, *ids[1:]], items=len(ids) - 1, kind=LOSS)
