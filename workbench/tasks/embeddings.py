"""Text embeddings: a vector for each text, learned from pairs of texts that belong together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from workbench.data.encoding import encode
from workbench.data.features import Example, Feature, Shape
from workbench.parts import AUGMENTED, Role, TaskCard, TaskOptions
from workbench.tasks.answer import Answer, mean_loss
from workbench.tasks.contrast import in_batch_loss
from workbench.tasks.pooling import Pooling, choose_pooling, set_pooler_aside, vectors_of, whole_state, write_modules
from workbench.tasks.retrieval import retrieval
from workbench.tasks.task import Task, Watch
from workbench.tasks.texts import TEXT_HELP, text_of

if TYPE_CHECKING:
    import numpy
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

TEXT = Role(
    (
        *("text", "anchor", "query", "question", "sentence1", "sentence", "premise", "question1", "text1", "text_a"),
        *("source", "title"),
    )
)
PAIR = Role(
    (
        *("pair", "positive", "pos", "passage", "document", "context", "answer", "sentence2", "hypothesis"),
        *("question2", "text2", "text_b", "target", "paraphrase"),
    ),
    in_prompts=False,
)
NEGATIVE = Role(("negative", "hard_negative", "neg"), asked=False, required=False)
PAIR_HELP = "Column of the text that belongs to it; found by itself where the name is usual"
POOLING_HELP = "How tokens become one vector; none takes the backbone's own way"
RETRIEVAL = ("mrr", "ndcg", "recall@1", "recall@10", "loss")

CORPUS = 500
CORPUS_LETTERS = 300
"""How many texts of training, and how much of each, a model keeps to tell the neighbours of a text from."""

NEIGHBOURS = 5


class Options(TaskOptions):
    name: Literal["embeddings"] = "embeddings"
    text: str | None = Field(None, description=TEXT_HELP)
    pair: str | None = Field(None, description=PAIR_HELP)
    negative: str | None = Field(None, description="Column of a text that does not belong to it, where there is one")
    pooling: Pooling | None = Field(None, description=POOLING_HELP)


class Embeddings(Task):
    """Learns `corpus`, some of the pairs' texts, to tell the neighbours of a text from.

    Trained on the pairs of each batch, with the pairs of the others and the negatives as what does not belong. An
    example's loss is 1 - cosine: it must not depend on its company. Evaluation lets each text find its pair among
    all the set's.
    """

    card = TaskCard(
        "text embeddings",
        "a vector for each text, near its pair's and far from the others'",
        {"text": TEXT, "pair": PAIR, "negative": NEGATIVE},
        RETRIEVAL,
        "mrr",
        starter="paraphrases",
        head=False,
        augmented=AUGMENTED,
        able_untrained=True,
    )
    Options: ClassVar[type[TaskOptions]] = Options
    auto = "AutoModel"

    def __init__(self, options: Any, learned: dict[str, Any]) -> None:
        super().__init__(options, learned)
        self.max_length: int | None = None
        self._corpus: list[numpy.ndarray] = []

    # rows

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Keep some of the pairs' texts."""
        return cls(options, {"corpus": corpus_of(row.get("pair") for row in rows)})

    def yardstick(self) -> dict[str, Any]:
        """Return what of the learned an evaluation depends on: the kept texts are none of it."""
        return {key: value for key, value in self.learned.items() if key != "corpus"}

    def example(self, row: dict[str, Any]) -> Example:
        """Return the text of a row and its pair, or in a prompt several or none; what is right to know of them."""
        fields: dict[str, Any] = {"text": text_of(row, "text")}
        pair = row.get("pair")
        if isinstance(pair, list) and all(isinstance(each, str) for each in pair):
            fields |= {"pair": pair} if pair else {}
        elif pair is not None and text_of(row, "pair").strip():
            fields["pair"] = pair
        return Example(fields, self.gold_of(row))

    def gold_of(self, row: dict[str, Any]) -> Any:
        """Return the negative of a row, where it has one."""
        negative = None if row.get("negative") is None else text_of(row, "negative")
        return negative or None

    def gold_words(self, example: Example) -> str | None:
        """Return nothing: the right answer, near the pair, is no word of its own."""
        return None

    # model

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Set how tokens become one vector."""
        super().configure(config, tokenizer)
        config.sentence_pooling = choose_pooling(self.options.pooling, config)
        config.use_cache = False

    def load(self, folder: Path, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Return the model without its pooler, and what is new of the rest."""
        model, info = super().load(folder, **options)
        new = [key for key in info["missing_keys"] if not key.startswith("pooler.")]
        return set_pooler_aside(model), info | {"missing_keys": new}

    def fresh(self, config: PretrainedConfig) -> PreTrainedModel:
        """Return the model with random weights, without its pooler."""
        return set_pooler_aside(super().fresh(config))

    def save(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
        """Write a folder for plain AutoModel that sentence-transformers loads too, and gives the same vectors of."""
        model.save_pretrained(folder, state_dict=whole_state(model))
        tokenizer.padding_side = "right"
        tokenizer.save_pretrained(folder)
        write_modules(folder, model.config, self.max_length)

    # numbers

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return one feature for each example: `info` has the tokens of all its texts, `ids` are the longest."""
        self.max_length = max_length
        texts = [[*texts_of(example), *_negatives(example)] for example in examples]
        encoded = iter(encode(tokenizer, [text for row in texts for text in row], max_length))
        features = []
        for number, row in enumerate([next(encoded) for _ in row] for row in texts):
            longest = max(row, key=lambda each: each.whole)
            info = {"texts": [each.ids for each in row], "of": longest.whole}
            features.append(Feature(number, longest.ids, labels=self.label_of(examples[number]), info=info))
        return features

    def label_of(self, example: Example) -> float:
        """Return the number that a row is trained on: none is needed here."""
        return 0.0

    def questions(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int
    ) -> list[Feature]:
        """Return a feature for each text of each example, in the order text, pair or pairs, negative.

        The first text without a pair has the kept texts with it, until their vectors are known.
        """
        texts = [[*texts_of(example), *_negatives(example)] for example in examples]
        alone = next((number for number, example in enumerate(examples) if "pair" not in example.fields), None)
        if alone is not None and not self._corpus:
            texts[alone] += self.learned["corpus"]
        numbers = [number for number, row in enumerate(texts) for _ in row]
        encoded = encode(tokenizer, [text for row in texts for text in row], max_length)
        return [
            Feature(number, each.ids, info={"of": each.whole}) for number, each in zip(numbers, encoded, strict=True)
        ]

    def collate(
        self, features: Sequence[Feature], tokenizer: PreTrainedTokenizerBase, shape: Shape | None = None
    ) -> dict[str, torch.Tensor]:
        """Return a batch of texts; of training: n texts, then their n pairs, then what negatives there are.

        Beside the tokens, `labels` (n), and `same` (texts), in which texts of equal tokens have equal numbers.
        """
        import torch

        if "texts" not in features[0].info:
            return super().collate(features, tokenizer, shape)
        texts = [ids for place in range(3) for each in features for ids in each.info["texts"][place : place + 1]]
        numbers: dict[tuple[int, ...], int] = {}
        same = [numbers.setdefault(tuple(ids), len(numbers)) for ids in texts]
        batch = super().collate([Feature(0, ids) for ids in texts], tokenizer, shape)
        return batch | {"labels": torch.tensor([each.labels for each in features]), "same": torch.tensor(same)}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the summed loss of a batch's rows: of finding the pair among all pairs and negatives of the batch."""
        vectors, n = vectors_of(model, inputs_of(batch)), len(batch["labels"])
        return in_batch_loss(vectors[:n], vectors[n:], batch["same"], smoothing)

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return the vector of each text: arrays of 32-bit floats, of length 1."""
        return list(vectors_of(model, batch).cpu().numpy())

    # answers

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return how near the text is to its pair, or to several; without one its neighbours among the kept texts.

        `pred` is the cosine of the two, or the nearest of the several or the kept, and `score` its cosine.
        `extra` has the vectors of the text, its pair, and its negative where there is one.
        """
        vectors, texts = [vector for _, vector in said], texts_of(example)
        rest = len(texts) + len(_negatives(example))
        if vectors[rest:]:
            self._corpus = vectors[rest:]
        matrix = cosines(vectors[: len(texts)])
        output: dict[str, Any] = {"similarity": None, "texts": texts, "matrix": matrix, "neighbours": []}
        if isinstance(example.fields.get("pair"), str):
            near = matrix[0][1]
            output["similarity"] = near
            return Answer(f"{near:.4f}", near, output, self.loss_of(example, near), extra=vectors[:rest])
        if len(texts) == 1:
            output["neighbours"] = self._neighbours(vectors[0])
            score, pred = next(((each["score"], each["text"]) for each in output["neighbours"]), (None, ""))
        else:
            score, pred = max(zip(matrix[0][1:], texts[1:], strict=True), key=lambda each: each[0])
        return Answer(pred, score, output)

    def _neighbours(self, vector: numpy.ndarray) -> list[dict[str, Any]]:
        near = [cosines([vector, other])[0][1] for other in self._corpus]
        order = sorted(range(len(near)), key=lambda number: -near[number])[:NEIGHBOURS]
        return [{"text": self.learned["corpus"][number], "score": near[number]} for number in order]

    def loss_of(self, example: Example, cosine: float) -> float | None:
        """Return how far a text is from its pair, 0 to 2."""
        return 1 - cosine

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return how well each distinct text finds its pairs among all distinct pairs and negatives; the mean loss."""
        import numpy

        queries: dict[str, numpy.ndarray] = {}
        corpus: dict[str, numpy.ndarray] = {}
        wanted: dict[str, set[str]] = {}
        for answer, example in zip(answers, examples, strict=True):
            text, pair, *_ = texts_of(example)
            queries.setdefault(text, answer.extra[0])
            for other, vector in zip([pair, *_negatives(example)], answer.extra[1:], strict=True):
                corpus.setdefault(other, vector)
            wanted.setdefault(text, set()).add(pair)
        number = {text: place for place, text in enumerate(corpus)}
        found = retrieval(
            numpy.stack(list(queries.values())),
            numpy.stack(list(corpus.values())),
            [sorted(number[pair] for pair in wanted[text]) for text in queries],
            [number.get(text) for text in queries],
        )
        return {"loss": mean_loss(answers), **found}


def texts_of(example: Example) -> list[str]:
    """Return the text of an example, then its pair, or the several of a prompt."""
    pair = example.fields.get("pair", [])
    return [example.fields["text"], *([pair] if isinstance(pair, str) else pair)]


def corpus_of(texts: Iterable[Any]) -> list[str]:
    """Return at most 500 of the distinct texts, evenly taken, and at most 300 letters of each."""
    found = list(dict.fromkeys(text[:CORPUS_LETTERS] for text in texts if isinstance(text, str) and text.strip()))
    kept = min(CORPUS, len(found))
    return [found[number * len(found) // kept] for number in range(kept)]


def cosines(vectors: Sequence[numpy.ndarray]) -> list[list[float]]:
    """Return the cosine of each vector with each: sums without rounding, the same in any company."""
    wide = [vector.astype("float64") for vector in vectors]
    squares = [_dot(vector, vector) for vector in wide]
    half = [
        [_dot(wide[i], wide[j]) / (math.sqrt(squares[i] * squares[j]) or 1.0) for j in range(i + 1)]
        for i in range(len(wide))
    ]
    return [[half[max(i, j)][min(i, j)] for j in range(len(wide))] for i in range(len(wide))]


def _dot(one: numpy.ndarray, other: numpy.ndarray) -> float:
    return math.fsum((one * other).tolist())


def _negatives(example: Example) -> list[str]:
    return [example.gold] if isinstance(example.gold, str) else []


def inputs_of(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return what the model sees of a batch of training."""
    return {name: tensor for name, tensor in batch.items() if name not in ("labels", "same")}
