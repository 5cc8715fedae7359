"""Named entities: a tag for each word, and the entities that the tags mark."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field

from workbench.data.augmentation import Unit
from workbench.data.features import IGNORED, Example, Feature, RowProblem
from workbench.errors import WorkbenchError
from workbench.parts import WORDWISE, Role, TaskCard, TaskOptions
from workbench.tasks.answer import Answer
from workbench.tasks.divergence import divergence_at_labels
from workbench.tasks.labels import ClassWeights, balanced, name_outputs
from workbench.tasks.tags import (
    OUTSIDE,
    Span,
    as_bio,
    bio_labels,
    entities_of,
    illegal_starts,
    marks_of,
    scheme_of,
    strict_bio,
    tags_of_spans,
)
from workbench.tasks.task import Reading, Row, Task, Watch
from workbench.tasks.texts import logits_of
from workbench.tasks.words import blank_words, cut_words, said_in, windows_of, words_of

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ROLES = {
    "tokens": Role(("tokens", "words", "text", "sentence")),
    "tags": Role(("ner_tags", "tags", "labels", "ner", "entities", "spans"), asked=False),
}
METRICS = ("f1", "precision", "recall", "macro_f1", "accuracy", "loss")
NONE = "none"
"""What the answer of no entity is called."""


class Options(TaskOptions):
    name: Literal["named-entities"] = "named-entities"
    tokens: str | None = Field(None, description="Column of the words, a list; or of the text that they are cut from")
    tags: str | None = Field(None, description="Column of the words' tags, or of the entities as spans of the text")
    stride: int = Field(32, ge=0, le=65_536, description="Tokens that the windows of a long text share, at most half")
    mode: Literal["default", "strict"] = Field(
        "default", description="How an I- after no B- counts: default starts an entity, strict is none (seqeval's)"
    )


class Judged(NamedTuple):
    """What metrics need of an answer: its tags, the sum of its words' losses, and how many words have one."""

    tags: list[str]
    loss: float
    words: int


class NamedEntities(Task):
    """Learns `labels`, the tags in BIO in the order of the model's outputs, and the `scheme` that the rows have.

    `names` are those of the tags 0, 1, 2, … where the rows have numbers.
    """

    card = TaskCard(
        "named entities",
        "names of people, places and the like in a text: a tag for each word",
        ROLES,
        METRICS,
        "f1",
        starter="entities",
        remedies=("rdrop", "class_weights"),
        labelled=True,
        augmented=WORDWISE,
        unaugmented="the words of a translation have no tags",
    )
    Options: ClassVar[type[TaskOptions]] = Options
    auto = "AutoModelForTokenClassification"
    cased = True

    def __init__(self, options: Any, learned: dict[str, Any]) -> None:
        super().__init__(options, learned)
        self.labels: list[str] = learned["labels"]
        self._numbers = {label: number for number, label in enumerate(self.labels)}
        self._weights: ClassWeights | None = None

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Learn the types of entities, and the scheme of the tags: that of the rows, `spans`, or none."""
        told, marks = [], []
        for row in rows:
            told.append(row.get("tokens"))
            marks.append(marks_of(row))
        sequences = [each for each in marks if isinstance(each, list)]
        spans = [span for each in marks if isinstance(each, tuple) for span in each]
        found = {tag for tags in sequences for tag in tags}
        learned: dict[str, Any] = {}
        if found and all(tag.isascii() and tag.isdigit() for tag in found):
            if max(map(int, found)) >= len(names):
                raise WorkbenchError(
                    "the tags are numbers, and no labels.txt beside the data names them all",
                    where="data.train",
                    hint="Write the names into it, one a line in the numbers' order: O, B-person, I-person, …",
                )
            learned["names"] = list(names)
        named = [_named(tags, learned) for tags in sequences]
        scheme = scheme_of(named) if sequences else "spans"
        kinds = {tag[2:] for tags in named for tag in as_bio(tags, scheme) if tag != OUTSIDE}
        kinds |= {span.kind for span in spans}
        if not kinds:
            raise WorkbenchError(
                "no row has an entity", where="data.train", hint="Is it the right column?", code="single-class"
            )
        if any(isinstance(each, list) and isinstance(said, str) for each, said in zip(marks, told, strict=True)):
            # What is asked later is cut into words as the tagged texts are.
            learned["words"] = "blanks"
        return cls(options, {"labels": bio_labels(kinds), "scheme": scheme, **learned})

    @classmethod
    def reading(cls, options: Any, rows: Iterable[Row], names: Sequence[str], labels: Mapping[str, str]) -> Reading:
        """Return how a set's rows are read: tags by name and in BIO, spans as they are, types as `labels` says."""
        learned = cls.learn(options, rows, names).learned

        def called(tag: str) -> str:
            return tag if tag == OUTSIDE else f"{tag[:2]}{labels.get(tag[2:], tag[2:])}"

        def read(row: Row) -> Row:
            marks = marks_of(row)
            if isinstance(marks, tuple):
                spans = [[span.start, span.end, labels.get(span.kind, span.kind)] for span in marks]
                return row | {"tags": spans}
            if marks is None:
                return row
            return row | {"tags": [called(tag) for tag in as_bio(_named(marks, learned), learned["scheme"])]}

        return read

    def example(self, row: dict[str, Any]) -> Example:
        """Return the words of a row, or the text that they are cut from, and the numbers of the words' tags."""
        marks, said = marks_of(row), said_in(row)
        if isinstance(said, str) and (isinstance(marks, list) or self.learned.get("words") == "blanks"):
            said = said.split()
        fields = {"tokens": said}
        if marks is None:
            return Example(fields)
        return Example(fields, self._gold(said, marks), mended=self._mended(marks))

    def gold_words(self, example: Example) -> str | None:
        """Return the right entities, in the form of `Answer.pred`."""
        if example.gold is None:
            return None
        return entity_words(_entities(example.fields["tokens"], self._tags(example.gold)))

    def count_golds(self, examples: Iterable[Example]) -> dict[str, int]:
        """Return how many entities of each type there are, in the order of the types."""
        counts = Counter(entity.kind for example in examples for entity in entities_of(self._tags(example.gold or ())))
        return {label[2:]: counts[label[2:]] for label in self.labels if label.startswith("B-")}

    def texts(self, example: Example) -> list[str]:
        """Return the words with blanks between, as the tokenizer will see them."""
        return [" ".join(words_of(example.fields["tokens"]))]

    def passages(self, example: Example) -> dict[str, list[Unit]]:
        """Return the words of an example, those of an entity in a group of their own."""
        words = words_of(example.fields["tokens"])
        groups = [0] * len(words)
        for number, entity in enumerate(entities_of(self._tags(example.gold or ())), 1):
            groups[entity.start : entity.end] = [number] * (entity.end - entity.start)
        return {"tokens": [Unit(word, " ", place, groups[place]) for place, word in enumerate(words)]}

    def rewritten(self, example: Example, passages: Mapping[str, Sequence[Unit]]) -> Example:
        """Return the example with other words, each with its tag; what is left of an entity is one."""
        units = passages["tokens"]
        fields = example.fields | {"tokens": [unit.text for unit in units]}
        if example.gold is None:
            return replace(example, fields=fields)
        kinds = [self.labels[example.gold[unit.start]][2:] for unit in units]
        before = [0, *(unit.group for unit in units)]
        tags = [
            f"{'I' if group == unit.group else 'B'}-{kind}" if unit.group else OUTSIDE
            for group, unit, kind in zip(before, units, kinds, strict=False)
        ]
        return replace(example, fields=fields, gold=[self._numbers[tag] for tag in tags])

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Name the outputs in a model's configuration; have the tokenizer write the blanks between words."""
        super().configure(config, tokenizer)
        name_outputs(config, self.labels)
        blank_words(tokenizer)

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return the windows of the texts; a word's tag is the label of its first piece, in one window alone.

        So each word is trained on once, in the window that answers for it, with what overlaps as its context.
        """
        features = self._features(tokenizer, examples, max_length, [example.gold for example in examples])
        return [feature for feature in features if feature.items]

    def questions(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int
    ) -> list[Feature]:
        """Return the windows of the texts; their labels only mark the pieces that answer for a word."""
        return self._features(tokenizer, examples, max_length, [None] * len(examples))

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the summed cross-entropy of a batch's words; logits (batch, tokens, tags), labels (batch, tokens)."""
        from torch.nn.functional import cross_entropy

        logits, labels = logits_of(model, batch)
        assert labels is not None
        weights = self._weights.beside(logits) if self._weights else None
        rules: dict[str, Any] = {"ignore_index": IGNORED, "reduction": "sum", "label_smoothing": smoothing}
        return cross_entropy(logits.flatten(0, 1), labels.flatten(), weights, **rules)

    def divergence(self, output: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the summed divergence of the words' tags."""
        return divergence_at_labels(output.logits, batch["labels"])

    def weigh(self, features: Sequence[Feature]) -> None:
        """Weigh each tag by how rare it is among the words."""
        tags = (tag for feature in features for tag in feature.labels if tag != IGNORED)
        self._weights = ClassWeights(balanced(tags, len(self.labels)))

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return for each window the logits of the words that it answers for, in their order: (words, tags)."""
        logits, labels = logits_of(model, batch)
        assert labels is not None
        rows = zip(logits.cpu(), labels.cpu() != IGNORED, strict=True)
        return [row[asked].tolist() for row, asked in rows]

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return each word's most likely tag, and the entities that they mark, an odd I- read as the mode says.

        An entity's score is the mean probability of its words' tags, the answer's that of all words. A word without
        pieces is O; it has no loss.
        """
        words = words_of(example.fields["tokens"])
        logs: dict[int, list[float]] = {}
        for feature, rows in said:
            logs |= zip(feature.info["words"], map(_log_softmax, rows), strict=True)
        best = {word: max(range(len(row)), key=row.__getitem__) for word, row in logs.items()}
        sure = {word: math.exp(logs[word][number]) for word, number in best.items()}
        raw = [self.labels[best[word]] if word in best else OUTSIDE for word in range(len(words))]
        tags = strict_bio(raw) if self.options.mode == "strict" else as_bio(raw, "IOB2")
        entities = _entities(example.fields["tokens"], tags)
        for entity in entities:
            entity["score"] = _mean([sure[word] for word in range(entity["start"], entity["end"]) if word in sure])
        pred, score = entity_words(entities), _mean(list(sure.values())) if sure else None
        output = {"tokens": words, "tags": tags, "entities": entities}
        if example.gold is None:
            return Answer(pred, score, output)
        losses = [-row[example.gold[word]] for word, row in logs.items()]
        judged = Judged(tags, math.fsum(losses), len(losses))
        return Answer(pred, score, output, _mean(losses), tags == self._tags(example.gold), judged)

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return F1, precision and recall of the entities, the mean F1 of the types, the words' accuracy (seqeval's),
        and the mean loss of a word."""
        from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
        from seqeval.scheme import IOB2

        right = [self._tags(example.gold) for example in examples]
        told: list[Judged] = [answer.extra for answer in answers]
        said = [each.tags for each in told]
        mode: dict[str, Any] = {"mode": "strict", "scheme": IOB2} if self.options.mode == "strict" else {}
        micro = {
            name: float(score(right, said, zero_division=0, **mode))
            for name, score in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score))
        }
        some = any(tag != OUTSIDE for tags in (*right, *said) for tag in tags)
        words = sum(each.words for each in told)
        return {
            "loss": math.fsum(each.loss for each in told) / words if words else math.nan,
            **micro,
            "macro_f1": float(f1_score(right, said, average="macro", zero_division=0, **mode)) if some else 0.0,
            "accuracy": float(accuracy_score(right, said)) if any(right) else 0.0,
        }

    def _gold(self, said: str | list[str], marks: list[str] | tuple[Span, ...]) -> list[int]:
        if isinstance(marks, tuple) and isinstance(said, str):
            tags = tags_of_spans(marks, said, cut_words(said))
        elif isinstance(marks, tuple):
            raise RowProblem("has spans of a text, and the tokens are words", "tags", "Name the column of the text.")
        elif len(marks) != len(said):
            raise RowProblem(f"has {len(said)} tokens and {len(marks)} tags", "tags", code="unequal-tags")
        else:
            tags = as_bio(_named(marks, self.learned), self.learned["scheme"])
        known = ", ".join(label[2:] for label in self.labels if label.startswith("B-"))
        for number, tag in enumerate(tags, 1):
            if tag not in self._numbers:
                what = f"has {tag[2:]!r} at word {number}, a type that no training row has"
                raise RowProblem(what, "tags", f"Training has: {known}.", code="unseen-label")
        return [self._numbers[tag] for tag in tags]

    def _mended(self, marks: list[str] | tuple[Span, ...]) -> str:
        if isinstance(marks, tuple) or self.learned["scheme"] != "IOB2":
            return ""
        odd = illegal_starts(_named(marks, self.learned))
        return "an I- tag that goes on with nothing, read as the start of an entity" if odd else ""

    def _tags(self, numbers: Iterable[int]) -> list[str]:
        return [self.labels[number] for number in numbers]

    def _features(
        self,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[Example],
        max_length: int,
        golds: Sequence[list[int] | None],
    ) -> list[Feature]:
        rows = [words_of(example.fields["tokens"]) for example in examples]
        features = []
        for number, windows in enumerate(windows_of(tokenizer, rows, max_length, self.options.stride)):
            gold = golds[number]
            for window in windows:
                labels = [IGNORED] * len(window.ids)
                for word, place in window.places.items():
                    labels[place] = 0 if gold is None else gold[word]
                info = {"words": list(window.places)}
                features.append(Feature(number, window.ids, labels=labels, items=len(window.places), info=info))
        return features


def entity_words(entities: Iterable[dict[str, Any]]) -> str:
    """Return entities in words: `Berlin (location), Ann (person)`, or `none`."""
    return ", ".join(f"{entity['text']} ({entity['type']})" for entity in entities) or NONE


def _entities(said: str | list[str], tags: Sequence[str]) -> list[dict[str, Any]]:
    """Return the entities that tags mark, as an answer has them; in a text, with their characters, `from` to `to`."""
    cut = cut_words(said) if isinstance(said, str) else []
    told: list[dict[str, Any]] = []
    for kind, start, end in entities_of(tags):
        entity: dict[str, Any] = {"type": kind, "start": start, "end": end}
        if isinstance(said, str):
            first, last = cut[start][0], cut[end - 1][1]
            told.append({**entity, "text": said[first:last], "from": first, "to": last})
        else:
            told.append({**entity, "text": " ".join(said[start:end])})
    return told


def _named(tags: Sequence[str], learned: dict[str, Any]) -> list[str]:
    names = learned.get("names", [])
    return [names[int(tag)] if tag.isascii() and tag.isdigit() and int(tag) < len(names) else tag for tag in tags]


def _log_softmax(logits: Sequence[float]) -> list[float]:
    """Return log-probabilities, computed one word at a time so that neighbours cannot change the last digit."""
    top = max(logits)
    total = top + math.log(math.fsum(math.exp(value - top) for value in logits))
    return [value - total for value in logits]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
