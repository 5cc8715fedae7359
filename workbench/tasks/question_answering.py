"""Extractive question answering: the part of a context that answers a question, or that it has no answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from workbench.data.augmentation import Unit, units_of, written
from workbench.data.features import Example, Feature, RowProblem, Shape
from workbench.errors import WorkbenchError
from workbench.parts import WORDWISE, Role, TaskCard, TaskOptions
from workbench.tasks.answer import Answer, mean_loss, softmax
from workbench.tasks.answer_spans import answers_of, named_answers
from workbench.tasks.divergence import divergence
from workbench.tasks.passages import Window, windows
from workbench.tasks.squad import exact_match, f1
from workbench.tasks.task import Task, Watch
from workbench.tasks.texts import text_of

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

NO_ANSWER = "no answer"
SPANS = 20
"""Spans of each window that are candidates: the `n_best_size` of BERT's own SQuAD script."""
CANDIDATES = 5
"""Candidates that an answer names."""
NEVER = -1e9
"""The logit of what has no probability at all."""

ROLES = {
    "question": Role(("question", "query")),
    "context": Role(("context", "passage", "paragraph", "document", "text")),
    "answers": Role(("answers", "answer"), asked=False),
    "answer_start": Role(("answer_start",), asked=False, required=False),
}


class Options(TaskOptions):
    name: Literal["question-answering"] = "question-answering"
    question: str | None = Field(None, description="Column of the question; found by itself where the name is usual")
    context: str | None = Field(None, description="Column of the text that answers it; found as the question is")
    answers: str | None = Field(None, description="Column of the answers: text and answer_start as in SQuAD, or a text")
    answer_start: str | None = Field(None, description="Column of the place (characters) of an answer that is a text")
    stride: int = Field(128, ge=0, description="Tokens that two windows of a long context share, half of one at most")
    longest_answer: int = Field(30, ge=1, description="Longest answer in tokens")
    threshold: float | None = Field(
        None, description='Lead in logits that "no answer" needs; none is 0, or never where all of training has answers'
    )


@dataclass(frozen=True)
class Read:
    """What a model says of one window: its best `spans` (score, first and last of its context's tokens), the score of
    its `null` span, and its loss in nats, None where the right answer is not known."""

    spans: list[tuple[float, int, int]]
    null: float
    loss: float | None


class QuestionAnswering(Task):
    """Learns `unanswerable`, whether training has questions that their context does not answer."""

    card = TaskCard(
        "question answering",
        "the part of a context that answers a question, or that there is none",
        ROLES,
        ("exact_match", "f1", "loss"),
        "f1",
        max_length=384,
        starter="questions",
        remedies=("rdrop",),
        augmented=WORDWISE,
        unaugmented="a translation has no place for the answer",
    )
    Options: ClassVar[type[TaskOptions]] = Options
    auto = "AutoModelForQuestionAnswering"

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Learn whether there are questions without an answer; one with an answer must be there."""
        kinds: set[bool] = set()
        for row in rows:
            # A row that cannot be used is named with its number later.
            with suppress(RowProblem):
                answers = named_answers(row)
                kinds |= set() if answers is None else {bool(answers)}
        if True not in kinds:
            raise WorkbenchError(
                "no question has an answer", "data.train", "Is `answers` the column of the answers?", code="no-answers"
            )
        return cls(options, {"unanswerable": False in kinds})

    @property
    def threshold(self) -> float | None:
        """The lead in logits at which "no answer" is said, None where it never is."""
        if self.options.threshold is not None:
            return float(self.options.threshold)
        return 0.0 if self.learned["unanswerable"] else None

    def example(self, row: dict[str, Any]) -> Example:
        """Return the question and the context of a row, and its right answers with their places."""
        fields = {role: text_of(row, role) for role in ("question", "context")}
        return Example(fields, answers_of({**row, **fields}))

    def gold_words(self, example: Example) -> str | None:
        """Return the right answers, equal ones once."""
        return None if example.gold is None else " | ".join(dict.fromkeys(example.gold["text"])) or NO_ANSWER

    def passages(self, example: Example) -> dict[str, list[Unit]]:
        """Return the words of the question, and of the context, of which those of the answers are kept.

        A context whose answer begins with the blanks before its first word is left as it is.
        """
        question, context = (units_of(example.fields[role]) for role in ("question", "context"))
        spans = _answer_spans(example)
        if any(not context or start < context[0].start for start, _ in spans):
            return {"question": question}
        kept = [any(start < unit.end and end > unit.start for start, end in spans) for unit in context]
        return {
            "question": question,
            "context": [replace(unit, kept=each) for unit, each in zip(context, kept, strict=True)],
        }

    def rewritten(self, example: Example, passages: Mapping[str, Sequence[Unit]]) -> Example:
        """Return the example with other words around its answers, which have their new places."""
        fields = example.fields | {role: written(units) for role, units in passages.items()}
        if not example.gold or "context" not in passages:
            return replace(example, fields=fields)
        moved: dict[int, int] = {}
        place = 0
        for unit in passages["context"]:
            moved |= {old: place + old - unit.start for old in range(unit.start, unit.end)} if unit.kept else {}
            place += len(unit.text) + len(unit.blank)
        starts = [moved[start] for start in example.gold["answer_start"]]
        return replace(example, fields=fields, gold=example.gold | {"answer_start": starts})

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Set the two outputs of a token: whether an answer starts there, and whether it ends there."""
        super().configure(config, tokenizer)
        config.num_labels = 2

    def load(self, folder: Path, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Return the model with its head and the loading report.

        transformers calls the body "transformer" under this head and "model" under the one that writes text, for Llama
        and its kin; without the other name nothing of such a folder would be loaded.
        """
        from transformers import AutoModel

        model, info = super().load(folder, **options)
        body = f"{model.base_model_prefix}."
        lost = {key for key in info["missing_keys"] if key.startswith(body)}
        if lost and any(key.startswith("model.") for key in info["unexpected_keys"]):
            # Names mapped while loading would be mapped back in what is saved, which then could not be loaded as it is.
            loaded = AutoModel.from_pretrained(folder, trust_remote_code=False, **options)
            model.base_model.load_state_dict(loaded.state_dict())
            info["missing_keys"] = set(info["missing_keys"]) - lost
        return model, info

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return a feature for each window; its labels are the first and last token of the first right answer.

        A window that does not hold it whole has its null token in their place.
        """
        questions, contexts = ([each.fields[role] for each in examples] for role in ("question", "context"))
        found = windows(tokenizer, questions, contexts, max_length, self.options.stride)
        return [
            Feature(number, window.ids, window.types, _labels(example, window), info=_info(window))
            for number, (example, parts) in enumerate(zip(examples, found, strict=True))
            for window in parts
        ]

    def lost(self, example: Example, features: Sequence[Feature]) -> str:
        """Return `answer` where no window holds the right one, `question` where its end is cut."""
        nulls = [[feature.info["window"].null] * 2 for feature in features]
        if example.gold and example.gold["text"] and [feature.labels for feature in features] == nulls:
            return "answer"
        return "end of the question" if any(feature.info["window"].cut for feature in features) else ""

    def collate(
        self, features: Sequence[Feature], tokenizer: PreTrainedTokenizerBase, shape: Shape | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the batch, and in `places` (rows, 3) each row's first token of the context, their number, and null."""
        import torch

        seen: list[Window] = [feature.info["window"] for feature in features]
        places = torch.tensor([[window.first, len(window.starts), window.null] for window in seen])
        return {**super().collate(features, tokenizer, shape), "places": places}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the sum over windows of the mean cross-entropy of start and end, over the tokens that are no filling.

        labels (rows, 2). Without smoothing it is transformers' own loss; smoothing spreads over the same tokens.
        """
        labels, real = batch["labels"], batch["attention_mask"].bool()
        losses = []
        for side, logits in enumerate(_span_logits(model, batch)):
            logs = logits.masked_fill(~real, -math.inf).log_softmax(dim=1)
            right = logs.gather(1, labels[:, side : side + 1]).sum()
            even = (logs.masked_fill(~real, 0.0).sum(dim=1) / real.sum(dim=1)).sum()
            losses.append((smoothing - 1) * right - smoothing * even)
        return (losses[0] + losses[1]) / 2

    def divergence(self, output: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the summed divergences of where an answer starts and ends, the mean of both, filling left out."""
        filling = ~batch["attention_mask"].bool().repeat(2, 1)
        sides = (output.start_logits, output.end_logits)
        # Not minus infinity: its difference to itself is no number.
        starts, ends = (divergence(logits.float().masked_fill(filling, NEVER)).sum() for logits in sides)
        return (starts + ends) / 2

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return a Read of each window: the few numbers of it that the answer needs."""
        starts, ends = (logits.tolist() for logits in _span_logits(model, batch))
        lengths = batch["attention_mask"].sum(dim=1).tolist()
        golds = batch["labels"].tolist() if "labels" in batch else [None] * len(lengths)
        return [
            _read(start[:length], end[:length], places, gold, self.options.longest_answer)
            for start, end, length, places, gold in zip(
                starts, ends, lengths, batch["places"].tolist(), golds, strict=True
            )
        ]

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return the best span of all windows, or "no answer" where its score leads by more than the threshold.

        A score is the sum of the logits of start and end, that of "no answer" the least of all windows, as in BERT's
        SQuAD script (Devlin et al. 2019); probabilities are over the candidates of different texts, and "no answer"
        where it may be said. The loss is the mean of the windows' losses, each the one that training has.
        """
        context = example.fields["context"]
        spans = _distinct(context, said)
        null = min(read.null for _, read in said)
        may_refuse = self.threshold is not None or not spans
        shares = softmax([*(score for score, _, _ in spans), *([null] if may_refuse else [])])
        refused = not spans or (self.threshold is not None and null - spans[0][0] > self.threshold)
        candidates = [
            {"text": context[start:end], "start": start, "end": end, "score": share}
            for (_, start, end), share in zip(spans, shares, strict=False)
        ][:CANDIDATES]
        start, end = (0, 0) if refused else spans[0][1:]
        text, absent = context[start:end], shares[-1] if may_refuse else 0.0
        output = {"answer": text, "start": start, "end": end, "no_answer": absent, "candidates": candidates}
        pred, score = (NO_ANSWER, absent) if refused else (text, shares[0])
        if example.gold is None:
            return Answer(pred, score, output)
        loss = math.fsum(read.loss for _, read in said) / len(said)
        return Answer(pred, score, output, loss, exact_match(text, example.gold["text"]) == 1)

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return exact match and F1 as SQuAD's script has them, 0 to 100, and the mean loss in nats."""
        said = [
            (answer.output["answer"], example.gold["text"]) for answer, example in zip(answers, examples, strict=True)
        ]
        return {
            "loss": mean_loss(answers),
            "exact_match": 100 * math.fsum(exact_match(*each) for each in said) / len(said),
            "f1": 100 * math.fsum(f1(*each) for each in said) / len(said),
        }


def _info(window: Window) -> dict[str, Any]:
    """Return what an answer needs of a window; nothing of a context is cut, so that only a question's rest is `of`."""
    return {"of": len(window.ids) + window.cut, "window": window}


def _answer_spans(example: Example) -> list[tuple[int, int]]:
    """Return where the right answers of an example begin and end in its context, in characters."""
    gold = example.gold or {"text": [], "answer_start": []}
    return [(start, start + len(text)) for text, start in zip(gold["text"], gold["answer_start"], strict=True)]


def _labels(example: Example, window: Window) -> list[int] | None:
    if example.gold is None:
        return None
    if not example.gold["text"]:
        return [window.null, window.null]
    text, start = example.gold["text"][0], example.gold["answer_start"][0]
    return list(window.find(*_trimmed(example.fields["context"], start, start + len(text))))


def _span_logits(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of start and end (rows, tokens) in 32-bit floats."""
    inputs: dict[str, Any] = {name: tensor for name, tensor in batch.items() if name not in ("labels", "places")}
    said = model(**inputs)
    return said.start_logits.float(), said.end_logits.float()


def _read(
    starts: Sequence[float], ends: Sequence[float], places: Sequence[int], gold: Sequence[int] | None, longest: int
) -> Read:
    """Return what a window's answer and loss need of the logits of its tokens, filling left out."""
    first, count, null = places
    spans = best_spans(starts[first : first + count], ends[first : first + count], longest)
    loss = None if gold is None else (_cross_entropy(starts, gold[0]) + _cross_entropy(ends, gold[1])) / 2
    return Read(spans, starts[null] + ends[null], loss)


def best_spans(starts: Sequence[float], ends: Sequence[float], longest: int) -> list[tuple[float, int, int]]:
    """Return the spans of at most `longest` tokens with the highest sum of logits as (sum, first, last), best first.

    SPANS of them, or all where there are fewer; of equal sums the earlier span comes first.
    """
    import numpy

    if not starts:
        return []
    width = min(longest, len(starts))
    filled = numpy.array([*ends, *[-math.inf] * (width - 1)])
    # Logits that are not numbers have scores that are none, without a word on stderr.
    with numpy.errstate(invalid="ignore"):
        scores = (numpy.array(starts)[:, None] + numpy.lib.stride_tricks.sliding_window_view(filled, width)).ravel()
    enough = numpy.partition(scores, -SPANS)[-SPANS] if len(scores) > SPANS else -math.inf
    likely = numpy.flatnonzero(~(scores < enough))
    kept = likely[numpy.argsort(-scores[likely], kind="stable")][:SPANS]
    spans = [(float(scores[each]), int(each // width), int(each // width + each % width)) for each in kept]
    return [span for span in spans if span[2] < len(starts)]


def _cross_entropy(logits: Sequence[float], right: int) -> float:
    top = max(logits)
    return math.log(math.fsum(math.exp(value - top) for value in logits)) + top - logits[right]


def _distinct(context: str, said: Sequence[tuple[Feature, Read]]) -> list[tuple[float, int, int]]:
    """Return the best span of each text as (score, first character, end), best first."""
    spans: set[tuple[float, int, int]] = set()
    for feature, read in said:
        window: Window = feature.info["window"]
        for score, first, last in read.spans:
            spans.add((score, *_trimmed(context, window.starts[first], window.ends[last])))
    best: dict[str, tuple[float, int, int]] = {}
    for span in sorted(spans, key=lambda span: (-span[0], span[1], span[2])):
        if span[1] < span[2]:
            best.setdefault(context[span[1] : span[2]], span)
    return list(best.values())


def _trimmed(context: str, start: int, end: int) -> tuple[int, int]:
    """Return the characters `start` to `end` without blanks at both ends."""
    text = context[start:end]
    return start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
