"""What every task is: the same few methods, each from a row of a file to an answer."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from workbench.data.augmentation import Unit, units_of, written
from workbench.data.features import Example, Feature, Shape
from workbench.data.findings import Finding
from workbench.parts import TaskCard, TaskOptions
from workbench.tasks.answer import Answer

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

Watch = Callable[[list[int]], bool]
"""Told the tokens of the first row at each step of a generation; returns whether to stop."""

Row = dict[str, Any]
"""Role → value."""

Reading = Callable[[Row], Row]
"""Returns a row of one set as all the sets that are merged would have it."""


class Task(ABC):
    """A task as a recipe's table has it (`options`), and what it learned of the training rows (`learned`, JSON)."""

    card: ClassVar[TaskCard]
    Options: ClassVar[type[TaskOptions]]
    auto: ClassVar[str]
    """The class of transformers that loads the model with its head."""

    cased: ClassVar[bool] = False
    """Whether a tokenizer trained on the rows tells capital letters from small ones."""

    def __init__(self, options: Any, learned: dict[str, Any]) -> None:
        self.options = options
        self.learned = learned

    # rows

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Return the task after a look at the training rows (role → value).

        `names` are those of the labels 0, 1, 2, … where a labels.txt beside the data gives them.
        """
        return cls(options, {})

    @classmethod
    def reading(cls, options: Any, rows: Iterable[Row], names: Sequence[str], labels: Mapping[str, str]) -> Reading:
        """Return how the rows of one of several merged sets are read: its labels by name, called as `labels` says.

        `rows` and `names` are those of the set, as `learn` has them; `labels` maps the names of the set's labels to
        those of all. Raise a RowProblem where a row cannot be read.
        """
        return lambda row: row

    def describe(self) -> dict[str, Any]:
        """Return what `from_description` rebuilds this task from, as JSON has it."""
        return {"task": self.options.model_dump(mode="json"), "learned": self.learned}

    def yardstick(self) -> dict[str, Any]:
        """Return what of the learned decides how an example is judged: evaluations by another cannot be compared."""
        return self.learned

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Self:
        """Rebuild the task from what `describe` returned."""
        return cls(cls.Options.model_validate(description["task"]), description["learned"])

    @abstractmethod
    def example(self, row: dict[str, Any]) -> Example:
        """Return the example that a row (role → value) holds; its gold is None where the row has no answer.

        Raise a RowProblem that says what is wrong.
        """

    @abstractmethod
    def gold_words(self, example: Example) -> str | None:
        """Return the right answer as it is shown beside `Answer.pred`, or None."""

    def count_golds(self, examples: Iterable[Example]) -> dict[str, int]:
        """Return how often each right answer occurs, where they are few kinds, such as labels."""
        return {}

    def texts(self, example: Example) -> list[str]:
        """Return the texts that a tokenizer made for the rows is trained on."""
        return [value for value in example.fields.values() if isinstance(value, str)]

    def passages(self, example: Example) -> dict[str, list[Unit]]:
        """Return the words of each text of an example that augmentation may change, role → words."""
        return {role: units_of(value) for role, value in example.fields.items() if isinstance(value, str)}

    def rewritten(self, example: Example, passages: Mapping[str, Sequence[Unit]]) -> Example:
        """Return an example of training with some of its passages changed, what is right of it moved along."""
        return replace(
            example, fields=example.fields | {role: written(units).strip() for role, units in passages.items()}
        )

    def notes(self) -> list[str]:
        """Return what a person should know of how this task measures: told once, before the training."""
        return []

    def doubts(self, examples: Sequence[Example]) -> Iterator[Finding]:
        """Yield what is doubtful about examples that can be used all the same; rows are counted from 1."""
        yield from ()

    def lost(self, example: Example, features: Sequence[Feature]) -> str:
        """Return what the length limit takes from an example, such as its answer, or nothing."""
        return "end" if any(each.info.get("of", 0) > len(each.ids) for each in features) else ""

    # model

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Set what the head needs in a model's configuration."""
        if config.pad_token_id is None:
            config.pad_token_id = tokenizer.pad_token_id

    def load(self, folder: Path, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Return the model with its head and transformers' loading report; what the folder lacks is new."""
        import transformers

        model, info = getattr(transformers, self.auto).from_pretrained(
            folder, output_loading_info=True, ignore_mismatched_sizes=True, trust_remote_code=False, **options
        )
        return model, info

    def fresh(self, config: PretrainedConfig) -> PreTrainedModel:
        """Return the model with its head, with random weights."""
        import transformers

        model: PreTrainedModel = getattr(transformers, self.auto).from_config(config)
        return model

    def begin(self, model: PreTrainedModel) -> None:  # noqa: B027
        """Prepare the head of a model that is about to learn the task; most need nothing."""

    def save(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
        """Write a folder that the libraries of the field load as it is."""
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    # numbers

    @abstractmethod
    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return what is trained on: the features of the examples, labels included, in the examples' order."""

    def questions(
        self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int
    ) -> list[Feature]:
        """Return what the model is asked for its answers; examples without gold have features without labels."""
        return self.encode(tokenizer, examples, max_length)

    def vary(self, feature: Feature, draw: random.Random) -> Feature:
        """Return the feature as one epoch sees it, as `draw` decides."""
        return feature

    def collate(
        self, features: Sequence[Feature], tokenizer: PreTrainedTokenizerBase, shape: Shape | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the batch of some features: tensors (rows, tokens), filled up to the longest or to `shape`."""
        from workbench.data.encoding import collate

        return collate(features, tokenizer, shape)

    @abstractmethod
    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the sum of the losses of a batch's items, in nats."""

    def divergence(self, output: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the sum over a batch's items of how far apart two passes are, in the unit of the loss.

        `output` is the model's, of twice as many rows as the batch: those of a pass, then those of another. For tasks
        that have `rdrop` among their remedies.
        """
        raise NotImplementedError

    def weigh(self, features: Sequence[Feature]) -> None:
        """Let the loss count rare classes of the features more. For tasks with `class_weights` among their remedies.

        The mean weight of what the features have a label for is 1, so that losses keep their size.
        """
        raise NotImplementedError

    @abstractmethod
    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return what the model says of each row of a batch, on the CPU."""

    # answers

    @abstractmethod
    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return the answer that the outputs of one example's features stand for."""

    @abstractmethod
    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return the metrics of an evaluation; `loss` is among them."""
