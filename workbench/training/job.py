"""Everything that a run needs before its first update, built from the recipe."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.data.batching import plan_rows, plan_windows, seen_rows
from workbench.data.features import Feature
from workbench.data.prepare import Prepared, digest, length_of, prepare
from workbench.errors import WorkbenchError
from workbench.models.parents import begun_with
from workbench.recipe import Recipe
from workbench.strategies import Moment, Strategy, make_strategy
from workbench.strategies.groups import Group, strategy_groups
from workbench.tasks.answer import Answer
from workbench.tasks.task import Task
from workbench.training.augmenting import Augmenter
from workbench.training.averaging import Average
from workbench.training.begun import choose_threads, digest_of_tokens, refuse_other_data, refuse_other_tokens
from workbench.training.checkpoints import Progress
from workbench.training.events import Noted
from workbench.training.model import (
    build_model,
    build_tokenizer,
    checkpoint_activations,
    load_tokenizer,
    longest_input,
    refuse_damaged_backbone,
    trains_tokenizer,
)
from workbench.training.optimiser import build_optimiser
from workbench.training.regularising import add_noise, refuse_equal_passes

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from workbench.training.lesson import Lesson
    from workbench.training.readings import Readings
    from workbench.training.room import Room

MANY_EPOCHS = 100
"""Epochs of which rows are counted at most, where a set's weight shows few of its rows in each."""


@dataclass
class Job:
    """A run, built: data as token numbers, model, optimiser, strategy, and how long it is in updates.

    `sets` are the numbers of the rows of `train` of each set of the data.
    """

    recipe: Recipe
    folder: Path
    data: Prepared
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    optimiser: torch.optim.AdamW
    accelerator: Accelerator
    strategy: Strategy
    groups: list[Group]
    average: Average
    train: list[Feature]
    sets: list[list[int]]
    questions: list[Feature]
    updates: int
    updates_per_epoch: int
    evaluate_every: int
    save_every: int
    max_length: int
    notes: list[str]
    augmenter: Augmenter | None = None
    lesson: Lesson | None = None
    readings: Readings | None = None
    room: Room | None = None

    @property
    def eval_set(self) -> str:
        """The name of what is evaluated: of the rows, and of their tokens where the metrics are means over these."""
        if not self.data.task.card.per_token:
            return self.data.eval_set
        return digest([self.data.eval_set, digest_of_tokens(self.questions)])

    @property
    def main(self) -> bool:
        """Whether this is the process that writes, of those that train together."""
        return bool(self.accelerator.is_main_process)

    @property
    def varies(self) -> bool:
        """Whether a row is another one in each epoch."""
        return self.augmenter is not None or type(self.data.task).vary is not Task.vary

    @property
    def ranges(self) -> bool:
        """Whether the run is a range test: it ends where the loss diverges, and nothing is judged or published."""
        return self.recipe.training.schedule == "range-test"

    def moment(self, progress: Progress) -> Moment:
        """Return where the run is, as its strategy sees it."""
        return Moment(progress.step, self.updates, self.updates_per_epoch, progress.stalls)

    def windows(self, epoch: int) -> list[list[list[int]]]:
        """Return the batches of an epoch, in windows of one update each.

        They are lists of rows: the numbers of rows of training, a row seen again having its number plus their count.
        """
        training, count = self.recipe.training, len(self.train)
        rows = self._rows(epoch)
        lengths = [self.train[row % count].length for row in rows]
        by_length = training.batches == "by length"
        windows = plan_windows(lengths, training.batch_size, training.accumulation, self.recipe.seed, epoch, by_length)
        return [[[rows[place] for place in batch] for batch in window] for window in windows]

    def varied(self, rows: Sequence[int], epoch: int) -> list[tuple[Feature, int]]:
        """Return rows as an epoch sees them, each with its number in training: a function of seed, epoch and row."""
        features = self._augmented(rows, epoch) if self.augmenter else [(self._feature(row), row) for row in rows]
        key, vary = f"vary {self.recipe.seed} {epoch}", self.data.task.vary
        return [(vary(feature, random.Random(f"{key} {row}")), row % len(self.train)) for feature, row in features]

    def written_for(self, progress: Progress, stop: Callable[[], bool] = lambda: False) -> Iterator[Noted]:
        """Let the models of the augmentation, where there are any, write what the epoch needs; say how far they are.

        Ends early where `stop` says so.
        """
        if self.augmenter and self.augmenter.writes:
            rows = map(self._text, self._rows(progress.epoch))
            yield from self.augmenter.prepare(rows, progress.epoch, progress.step, stop)

    def _rows(self, epoch: int) -> list[int]:
        """Return the rows that an epoch sees, each set's as often as its weight says."""
        return plan_rows(self.sets, [each.weight for each in self.data.sets], self.recipe.seed, epoch)

    def _feature(self, row: int) -> Feature:
        return self.train[row % len(self.train)]

    def _text(self, row: int) -> tuple[int, int]:
        """Return the number of a row's example, and how often the epoch saw it before."""
        return self._feature(row).example, row // len(self.train)

    def _augmented(self, rows: Sequence[int], epoch: int) -> list[tuple[Feature, int]]:
        """Return the features of rows whose examples are changed and made tokens anew, in one call for all.

        A text in several windows has each of its new ones in the place of an old one; where there are more of them, the
        last old one has the rest, and where there are fewer, the last ones have none.
        """
        assert self.augmenter is not None
        texts = list(dict.fromkeys(map(self._text, rows)))
        examples = [self.augmenter.example(number, copy, epoch) for number, copy in texts]
        found: dict[tuple[int, int], list[Feature]] = {text: [] for text in texts}
        for feature in self.data.task.encode(self.tokenizer, examples, self.max_length):
            found[texts[feature.example]].append(replace(feature, example=texts[feature.example][0]))
        features: list[tuple[Feature, int]] = []
        for row in rows:
            place, last = self._window(row % len(self.train))
            own = found[self._text(row)][place : None if last else place + 1]
            features += [(feature, row) for feature in own]
        return features

    def _window(self, number: int) -> tuple[int, bool]:
        """Return which of the windows of its text a feature is, from 0, and whether it is the last."""
        example, first, end = self.train[number].example, number, number + 1
        while first and self.train[first - 1].example == example:
            first -= 1
        return number - first, end == len(self.train) or self.train[end].example != example

    def evaluate(self) -> tuple[list[Answer], dict[str, dict[str, float]]]:
        """Return the answer to every evaluation example, and their metrics: of all (""), and of each source by name."""
        from workbench.inference.scoring import answers_to

        task, examples = self.data.task, self.data.validation
        answers = answers_to(task, self.model, self.tokenizer, examples, self.questions, self.max_length)
        metrics = {"": task.metrics(answers, examples)}
        sources = [example.source for example in examples]
        for source in sorted(set(sources)) if len(set(sources)) > 1 else ():
            own = [number for number, each in enumerate(sources) if each == source]
            metrics[source] = task.metrics([answers[number] for number in own], [examples[number] for number in own])
        return answers, metrics


def build(recipe: Recipe, folder: Path, cache: Path) -> Job:
    """Build a run from its recipe. Needs some seconds; raises a WorkbenchError where data or backbone are wrong."""
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    recipe = begun_with(recipe, folder)
    accelerator = _accelerator(recipe)
    with accelerator.main_process_first():
        torch.set_num_threads(choose_threads(recipe, folder))
        refuse_damaged_backbone(recipe)
        data = prepare(recipe, cache)
        refuse_other_data(recipe, folder, data)
        tokenizer = _tokenizer(recipe, folder, data)
    built, strategy = build_model(recipe, data.task, tokenizer), make_strategy(recipe.strategy, data.task.card.head)
    model, training = built.model, recipe.training
    strategy.adapt(model)
    refuse_equal_passes(training.rdrop, training.noise, model)
    if training.noise:
        add_noise(model, training.noise)
    if training.activation_checkpointing:
        checkpoint_activations(model)
    groups = strategy_groups(model, strategy, built.fresh)
    model.to(accelerator.device).train()
    optimiser = build_optimiser(model, groups, strategy, training)
    max_length = min(training.max_length, longest_input(model, tokenizer))
    train = _features(data, tokenizer, max_length)
    if not train:
        raise WorkbenchError("no row is left to train on once the texts are tokens", where=recipe.data.train)
    with accelerator.main_process_first():
        refuse_other_tokens(recipe, folder, train)
    sets = _by_set(data, train)
    if training.class_weights == "balanced":
        data.task.weigh([train[row] for row in _seen(sets, [each.weight for each in data.sets], recipe.seed)])
    questions = data.task.questions(tokenizer, data.validation, max_length)
    rows = sum(seen_rows(len(numbers), each.weight) for numbers, each in zip(sets, data.sets, strict=True))
    length = length_of(recipe, rows, len(data.validation))
    augmenter = Augmenter(recipe, folder / "augment", data, accelerator) if recipe.augment.kinds else None
    torch.manual_seed(recipe.seed + 1)
    return Job(
        recipe=recipe,
        folder=folder,
        data=data,
        tokenizer=tokenizer,
        model=model,
        optimiser=optimiser,
        accelerator=accelerator,
        strategy=strategy,
        groups=groups,
        average=Average(model, training.average),
        train=train,
        questions=questions,
        sets=sets,
        updates=length.updates,
        updates_per_epoch=length.per_epoch,
        evaluate_every=length.evaluate_every,
        save_every=recipe.checkpoint.every or length.evaluate_every,
        max_length=max_length,
        notes=[*data.notes, *built.notes, *unused_gpus(accelerator)],
        augmenter=augmenter,
    )


def _features(data: Prepared, tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Feature]:
    """Return what is trained on; where there are several sets, none of it is of two."""
    if len(data.sets) == 1:
        return data.task.encode(tokenizer, data.train, max_length)
    features = []
    for each in data.sets:
        own = [number for number, example in enumerate(data.train) if example.source == each.name]
        found = data.task.encode(tokenizer, [data.train[number] for number in own], max_length) if own else []
        features += [replace(feature, example=own[feature.example]) for feature in found]
    return features


def _by_set(data: Prepared, train: Sequence[Feature]) -> list[list[int]]:
    """Return the numbers of the rows of each set."""
    if len(data.sets) == 1:
        return [list(range(len(train)))]
    numbers: dict[str, list[int]] = {each.name: [] for each in data.sets}
    for number, feature in enumerate(train):
        numbers[data.train[feature.example].source].append(number)
    return list(numbers.values())


def _seen(sets: Sequence[Sequence[int]], weights: Sequence[float], seed: int) -> Iterator[int]:
    """Yield the numbers of rows as often as training sees them, in as many epochs as show each row."""
    total = sum(map(len, sets))
    for epoch in range(min(MANY_EPOCHS, math.ceil(1 / min(weights)))):
        yield from (row % total for row in plan_rows(sets, weights, seed, epoch))


def _accelerator(recipe: Recipe) -> Accelerator:
    import torch
    from accelerate import Accelerator

    on_cpu = recipe.hardware.device == "cpu" or not torch.cuda.is_available()
    if recipe.hardware.device == "gpu" and on_cpu:
        raise WorkbenchError("no GPU that torch can use", where="hardware.device", hint="Set it to auto or cpu.")
    precision = recipe.training.precision
    if precision == "auto":
        precision = "bf16" if not on_cpu and torch.cuda.is_bf16_supported() else "fp32"
    return Accelerator(cpu=on_cpu, mixed_precision="bf16" if precision == "bf16" else "no")


def unused_gpus(accelerator: Accelerator) -> list[str]:
    """Say so where more GPUs are visible than processes train."""
    import torch

    seen = torch.cuda.device_count() if accelerator.device.type == "cuda" else 0
    if seen <= accelerator.num_processes:
        return []
    return [f"{seen} GPUs are visible; the run trains on {accelerator.num_processes} of them"]


def _tokenizer(recipe: Recipe, folder: Path, data: Prepared) -> PreTrainedTokenizerBase:
    """Return the tokenizer; one trained on the texts is kept in the run folder, so that resuming has the same."""
    if not trains_tokenizer(recipe):
        return build_tokenizer(recipe, data.task, data.train)
    kept = folder / "tokenizer"
    if not (kept / "done").exists():
        build_tokenizer(recipe, data.task, data.train).save_pretrained(kept)
        (kept / "done").touch()
    return load_tokenizer(kept)
