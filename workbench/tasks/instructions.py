"""Instructions: a decoder learns to answer what it is told, in one turn or in the turns of a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from workbench.data.encoding import collate, pad_of
from workbench.data.features import IGNORED, Example, Feature, RowProblem, Shape
from workbench.errors import WorkbenchError
from workbench.parts import Role, TaskCard, TaskOptions
from workbench.tasks import causal
from workbench.tasks.answer import Answer
from workbench.tasks.causal import LOSS, WRITE, Judged
from workbench.tasks.conversation import ASSISTANT, Row, Turn, ends_of, rows_of, turns_of
from workbench.tasks.divergence import divergence_at_labels
from workbench.tasks.packing import PACKED, collate_packed, pack, refuse_leaks
from workbench.tasks.task import Task, Watch
from workbench.tasks.texts import text_of

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ROLES = {
    "messages": Role(("messages", "conversations", "conversation"), required=False, unless="instruction"),
    "instruction": Role(("instruction", "prompt", "question", "query"), unless="messages"),
    "input": Role(("input", "context"), required=False, unless="messages"),
    "response": Role(
        ("response", "output", "answer", "completion", "chosen"), asked=False, unless="messages"
    ),
}  # fmt: skip


class Options(TaskOptions):
    name: Literal["instructions"] = "instructions"
    messages: str | None = Field(None, description="Column of whole conversations, lists of turns; or instruction")
    instruction: str | None = Field(None, description="Column of what is asked; found by itself where usual")
    input: str | None = Field(None, description="Column of what the instruction is about; may be empty in a row")
    response: str | None = Field(None, description="Column of the right answer; found by itself where usual")
    template: Literal["auto", "plain"] = Field(
        "auto", description="How turns become one text; auto takes the tokenizer's chat template if it has one"
    )
    packing: bool = Field(False, description="Train on several short rows in one; they do not see each other")
    longest_output: int = Field(128, ge=1, le=32_768, description="Longest answer written, in tokens")


class Instructions(Task):
    """Asked an instruction, or the turns of a conversation; the answer is written, the likeliest token at each step.

    Only the tokens of answers are learned and judged, in a conversation those of all its answers. In evaluation each
    example is asked in two ways: to judge the right answer (`loss`, `perplexity`, `token_accuracy`), and to write one.
    """

    card = TaskCard(
        "instructions",
        "answers to instructions, or to the last turn of a conversation",
        ROLES,
        causal.METRICS,
        "loss",
        family="decoder",
        max_length=512,
        starter="instructions",
        head=False,
        able_untrained=True,
        per_token=True,
        remedies=("rdrop",),
        unaugmented="an answer is to the very words that are asked",
    )
    Options: ClassVar[type[TaskOptions]] = Options
    auto = "AutoModelForCausalLM"
    cased = True

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Learn nothing; raise a WorkbenchError where a conversation has no answer to learn from."""
        for number, row in enumerate(rows, 1):
            if "messages" in row and not _has_answer(row["messages"]):
                raise WorkbenchError(
                    f"row {number}: no turn of the assistant to learn from",
                    where="data.train",
                    hint="Mend or remove such rows.",
                    code="broken-turns",
                )
        return cls(options, {})

    # rows

    def example(self, row: dict[str, Any]) -> Example:
        """Return what is asked, and the right answer where there is one: of a conversation its last turn."""
        if "messages" in row:
            turns = turns_of(row["messages"], "messages")
            if turns[-1]["role"] != ASSISTANT:
                return Example({"messages": turns})
            if len(turns) == 1:
                raise RowProblem("has an answer but nothing that is asked", "messages", code="broken-turns")
            return Example({"messages": turns[:-1]}, turns[-1]["content"])
        fields = {"instruction": text_of(row, "instruction")}
        if "input" in row:
            fields["input"] = "" if row["input"] is None else text_of(row, "input")
        return Example(fields, None if row.get("response") is None else text_of(row, "response"))

    def gold_words(self, example: Example) -> str | None:
        """Return the right answer."""
        return None if example.gold is None else str(example.gold)

    def texts(self, example: Example) -> list[str]:
        """Return the texts of all turns."""
        return [turn["content"] for turn in conversation_of(example)]

    # model

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Set the padding token in a model's configuration."""
        causal.set_padding(config, tokenizer)

    def load(self, folder: Any, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Return the model; raise a WorkbenchError where rows are to be packed and it cannot keep them apart."""
        model, info = super().load(folder, **options)
        return self._checked(model), info

    def fresh(self, config: PretrainedConfig) -> PreTrainedModel:
        """Return the model with random weights; raise a WorkbenchError as `load` does."""
        return self._checked(super().fresh(config))

    def _checked(self, model: PreTrainedModel) -> PreTrainedModel:
        if self.options.packing:
            refuse_leaks(model)
        return model

    def lost(self, example: Example, features: Sequence[Feature]) -> str:
        """Return `answer` where nothing of it is left to learn from, else what other tasks lose."""
        return "answer" if any(not each.items for each in features) else super().lost(example, features)

    # numbers

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return one feature for each example, labelled on its answers; with `packing` several in one."""
        learned = [_up_to_the_last_answer(conversation_of(example)) for example in examples]
        numbers = [number for number, turns in enumerate(learned) if turns]
        rows = rows_of(tokenizer, [learned[number] for number in numbers], self._chat(tokenizer))
        features = [judged(number, row, max_length) for number, row in zip(numbers, rows, strict=True)]
        return pack(features, max_length) if self.options.packing else features

    def questions(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int
    ) -> list[Feature]:
        """Return for each example what is to be written on, and with its right answer what is to be judged.

        One token shorter than the limit: there is always room for padding beside (`causal.with_padding`).
        """
        limit, chat = max_length - 1, self._chat(tokenizer)
        asked = rows_of(tokenizer, [asked_of(example) for example in examples], chat)
        known = [number for number, example in enumerate(examples) if example.gold is not None]
        whole = rows_of(tokenizer, [conversation_of(examples[number]) for number in known], chat)
        return [
            *(_asked(number, row, limit, tokenizer) for number, row in enumerate(asked)),
            *(judged(number, row, limit) for number, row in zip(known, whole, strict=True)),
        ]

    def collate(
        self, features: Sequence[Feature], tokenizer: PreTrainedTokenizerBase, shape: Shape | None = None
    ) -> dict[str, torch.Tensor]:
        """Return a batch; of what is written on filled up on the left, and `ends`, what ends an answer."""
        import torch

        kind = features[0].kind
        if kind == PACKED:
            return collate_packed(features, pad_of(tokenizer))
        if kind != WRITE:
            return collate(features, tokenizer, shape)
        ends = torch.tensor(ends_of(tokenizer, self._chat(tokenizer)))
        return collate(features, tokenizer, shape, left=True) | {"ends": ends}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the summed cross-entropy of the tokens of answers."""
        return causal.next_token_loss(model, batch, smoothing)

    def divergence(self, output: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the summed divergence of the tokens of answers, each told by those before it."""
        return divergence_at_labels(output.logits[:, :-1], batch["labels"][:, 1:])

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return the tokens written after each row, or what the model makes of the answers in it."""
        if kind == WRITE:
            return causal.write(model, batch, self.options.longest_output, watch)
        return causal.judge(model, batch)

    def _chat(self, tokenizer: PreTrainedTokenizerBase) -> bool:
        return self.options.template == "auto" and bool(tokenizer.chat_template)

    # answers

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return the written text; the loss is the right answer's, per token, and correct one that is equal to it."""
        by_kind = {feature.kind: (feature, output) for feature, output in said}
        feature, written = by_kind[WRITE]
        text = feature.info["tokenizer"].decode(written, skip_special_tokens=True).strip()
        output = {"text": text, "written": len(written)}
        if LOSS not in by_kind:
            return Answer(text, None, output)
        found: Judged = by_kind[LOSS][1]
        return Answer(text, None, output, found.mean, text == str(example.gold).strip(), extra=found)

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return loss, perplexity and accuracy over all tokens of the right answers."""
        return causal.corpus_metrics(answers)


def conversation_of(example: Example) -> list[Turn]:
    """Return all turns of an example, the right answer last where it is known."""
    answer = [] if example.gold is None else [{"role": ASSISTANT, "content": str(example.gold)}]
    return [*asked_of(example), *answer]


def asked_of(example: Example) -> list[Turn]:
    """Return the turns that an example asks with."""
    fields = example.fields
    if "messages" in fields:
        turns: list[Turn] = fields["messages"]
        return turns
    parts = [fields["instruction"], fields.get("input", "")]
    return [{"role": "user", "content": "\n\n".join(part for part in parts if part.strip())}]


def judged(number: int, row: Row, max_length: int) -> Feature:
    """Return the feature of a conversation whose answers are learned or judged."""
    cut = row.fitted(max_length)
    # The first token has none before it that could tell it.
    labels = [IGNORED, *cut.labels[1:]]
    items = sum(label != IGNORED for label in labels)
    return Feature(number, cut.ids, labels=labels, items=items, kind=LOSS, info={"of": len(row.ids)})


def _asked(number: int, row: Row, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Feature:
    ids = row.fitted(max_length).ids
    return Feature(number, ids, kind=WRITE, info={"of": len(row.ids), "tokenizer": tokenizer})


def _up_to_the_last_answer(turns: Sequence[Turn]) -> list[Turn]:
    last = max((number for number, turn in enumerate(turns) if turn["role"] == ASSISTANT), default=-1)
    return list(turns[: last + 1])


def _has_answer(value: Any) -> bool:
    """Whether a conversation has an answer; what is none at all is told with its row later."""
    try:
        return any(turn["role"] == ASSISTANT for turn in turns_of(value, "messages"))
    except RowProblem:
        return True
