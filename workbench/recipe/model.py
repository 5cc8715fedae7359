"""The recipe: everything that decides a run, validated, as TOML."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from workbench.catalog import SIZES, STRATEGIES, TASKS, why_senseless
from workbench.parts import Part, StrategyOptions, TaskOptions
from workbench.recipe.augment import Augment
from workbench.recipe.augment import why_not as why_not_augment
from workbench.recipe.remedies import why_no_remedy
from workbench.strategies import STRATEGIES as STRATEGY_CLASSES
from workbench.tasks import TASKS as TASK_CLASSES

PRETRAINED_RATE = 5e-5
RANDOM_RATE = 5e-4
MOST_BATCHES = 4096
"""Batches that may be added up before an update."""

Schedule = Literal["linear", "cosine", "constant", "inverse-sqrt", "wsd", "slanted-triangular", "range-test"]

if TYPE_CHECKING:
    TaskTable = TaskOptions
    StrategyTable = StrategyOptions
else:
    TaskTable = Annotated[reduce(or_, (each.Options for each in TASK_CLASSES.values())), Field(discriminator="name")]
    StrategyTable = Annotated[
        reduce(or_, (each.Options for each in STRATEGY_CLASSES.values())), Field(discriminator="name")
    ]


class Also(Part):
    train: str = Field(min_length=1, description="Another set: a file, folder, starter:NAME, hub:ID, sqlite:… …")
    weight: float = Field(1.0, gt=0, le=1000, description="How often each of its rows is seen in an epoch")
    columns: dict[str, str] = Field({}, description="Its own names of columns: role → column")
    labels: dict[str, str] = Field({}, description="Its own names of labels: its label → that of all sets")


class Data(Part):
    train: str = Field(min_length=1, description="A file, folder, starter:NAME, hub:ID, sqlite:… or parallel:…")
    validation: str | None = Field(None, description="What to evaluate on, as train; none takes its own or a share")
    validation_share: float = Field(0.1, gt=0, lt=1, description="Share of train set aside where no file is given")
    rows: int | None = Field(None, ge=1, description="Train on this many random rows; none takes all")
    per_class: int | None = Field(None, ge=1, description="Train on this many random rows of each label")
    weight: float = Field(1.0, gt=0, le=1000, description="How often each row of train is seen in an epoch")
    also: tuple[Also, ...] = Field((), description="More sets to train on with it, each a table: train, weight, …")


class Backbone(Part):
    name: str = Field(min_length=1, description="A folder, a Hub id, run:RUN, starter:tiny, or size:NAME")
    revision: str | None = Field(None, description="Branch, tag or commit of a Hub id")


class Training(Part):
    epochs: float = Field(3.0, gt=0, le=10_000, description="Passes over the training rows")
    batch_size: int = Field(16, ge=1, le=65_536, description="Examples a forward pass")
    accumulation: int = Field(1, ge=1, le=MOST_BATCHES, description="Batches added up before each update")
    learning_rate: float = Field(
        PRETRAINED_RATE,
        gt=0,
        le=1,
        description="Peak rate; by default 5e-5, random weights 5e-4, few weights up to 3e-3",
    )
    schedule: Schedule = Field("linear", description="How the rate moves; range-test looks for a good one")
    warmup: float = Field(0.06, ge=0, lt=1, description="Share of the updates over which the rate rises")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Pulls weights to zero; not biases and norms")
    dropout: float | None = Field(None, ge=0, lt=1, description="Replaces the backbone's own dropout")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of certainty taken from the right label")
    rdrop: float = Field(0.0, ge=0, le=100, description="Weight of how far two passes with dropout differ; 0 is off")
    mixup: float = Field(0.0, ge=0, le=100, description="Alpha of the shares in which rows are mixed; 0 is off")
    noise: float = Field(0.0, ge=0, le=1000, description="Alpha of the noise on embeddings (NEFTune); 0 is off")
    average: float = Field(0.0, ge=0, lt=1, description="Decay of the moving average of the weights; 0 is off")
    class_weights: Literal["none", "balanced"] = Field("none", description="Balanced lets rare classes count more")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this norm")
    max_length: int = Field(
        128, ge=4, le=131_072, description="Longest text in tokens; what is beyond is cut, or the next window"
    )
    batches: Literal["by length", "random"] = Field("by length", description="Texts of like length together, or not")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="Arithmetic; auto is bf16 on a GPU")
    activation_checkpointing: bool = Field(False, description="Computes layers twice, to hold less in memory")


class Evaluation(Part):
    every: int | None = Field(None, ge=1, description="Updates between evaluations; none is up to four times an epoch")
    metric: str | None = Field(None, description="Decides which model is best; none takes the task's own")
    patience: int | None = Field(None, ge=1, description="Stop after this many evaluations without a gain")


class Checkpoint(Part):
    every: int | None = Field(None, ge=1, description="Updates between checkpoints; none is at every evaluation")
    keep: int = Field(2, ge=1, le=1000, description="How many checkpoints stay on disk")


class Hardware(Part):
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Where to train; auto takes a GPU if there is one"
    )
    threads: int | None = Field(None, ge=1, le=1024, description="Processor threads; none takes the free cores")
    retry_oom: bool = Field(False, description="Out of memory: starts again by itself, half the batch at a time")


FIRST_WORDS = {"task": "name", "data": "train", "backbone": "name", "strategy": "name"}
"""The setting that a word alone stands for: `task = "sentiment"` is `[task] name = "sentiment"`."""


class Recipe(Part):
    """Everything that decides a run. `name` is a label and decides nothing."""

    name: str | None = Field(
        None, max_length=200, description="A label; made from task, backbone and strategy if absent"
    )
    seed: int = Field(42, ge=0, lt=2**31, description="Decides order, dropout and fresh weights")
    task: TaskTable
    data: Data
    backbone: Backbone
    strategy: StrategyTable
    training: Training = Training()
    augment: Augment = Augment()
    evaluation: Evaluation = Evaluation()
    checkpoint: Checkpoint = Checkpoint()
    hardware: Hardware = Hardware()

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        filled = {
            **value,
            **{
                table: {key: value[table]}
                for table, key in FIRST_WORDS.items()
                if table in value and isinstance(value[table], str)
            },
        }
        training = filled.setdefault("training", {})
        if isinstance(training, Mapping):
            filled["training"] = {**_training_defaults(filled), **training}
        return filled

    @model_validator(mode="after")
    def _check_names(self) -> Recipe:
        size = self.backbone.name.removeprefix("size:")
        if size != self.backbone.name and size not in SIZES:
            raise ValueError(f"backbone.name\x00no such size {size!r}; there are {', '.join(SIZES)}")
        reason = why_senseless(self.task.name, self.strategy.name, self.backbone.name)
        if reason:
            raise ValueError(f"strategy.name\x00{self.strategy.name!r}: {reason}")
        setting, reason = why_no_remedy(self.task.name, self.learns_by, self.training)
        if reason:
            raise ValueError(f"training.{setting}\x00{getattr(self.training, setting)!r}: {reason}")
        if getattr(self.strategy, "quantized", False) and self.hardware.device == "cpu":
            raise ValueError("strategy.quantized\x00weights in 4 bits need a GPU, and hardware.device is cpu")
        self._check_second_step()
        metrics = TASKS[self.task.name].metrics
        if self.evaluation.metric is not None and self.evaluation.metric not in metrics:
            raise ValueError(f"evaluation.metric\x00{self.evaluation.metric!r} is not one of {', '.join(metrics)}")
        taught = STRATEGY_CLASSES[self.strategy.name].taught
        setting, reason = why_not_augment(self.augment, TASKS[self.task.name], self.backbone.name, taught)
        if setting:
            raise ValueError(f"augment.{setting}\x00{reason}")
        return self

    @model_validator(mode="after")
    def _check_sets(self) -> Recipe:
        data, card = self.data, TASKS[self.task.name]
        if data.per_class is not None and not card.labelled:
            raise ValueError(f"data.per_class\x00{card.title} has no labels to count rows of: take data.rows")
        if data.per_class is not None and data.rows is not None:
            raise ValueError("data.per_class\x00data.rows already says how many rows: take one of the two")
        for number, also in enumerate(data.also):
            unknown = next((role for role in also.columns if role not in card.roles), None)
            if unknown is not None:
                roles = ", ".join(card.roles)
                raise ValueError(f"data.also.{number}.columns\x00{unknown!r} is not one of {roles}")
            if also.labels and not card.labelled:
                raise ValueError(f"data.also.{number}.labels\x00{card.title} has no labels to rename")
        return self

    def _check_second_step(self) -> None:
        if not STRATEGIES[self.strategy.name].pretrains:
            return
        options: Any = self.strategy
        then, pretrained = options.then, options.pretrained
        reason = why_senseless(self.task.name, then, "")
        if reason:
            raise ValueError(f"strategy.then\x00{then!r}: {reason}")
        if pretrained is not None and self.backbone.name != f"run:{pretrained}":
            wanted = f"the backbone is not run:{pretrained}; leave it out to pretrain anew"
            raise ValueError(f"strategy.pretrained\x00{wanted}")

    @property
    def pretrains(self) -> bool:
        """Whether it stands for two runs, of which the first pretrains the backbone on raw texts."""
        options: Any = self.strategy
        return STRATEGIES[options.name].pretrains and options.pretrained is None

    @property
    def learns_by(self) -> str:
        """The name of the strategy by which the labelled data are learned."""
        return getattr(self.strategy, "then", self.strategy.name)

    @property
    def starts_random(self) -> bool:
        """Whether no pretrained weights are used, by the strategy or because the backbone has none."""
        return not STRATEGIES[self.strategy.name].pretrained or self.backbone.name.startswith("size:")

    @property
    def goal(self) -> str:
        """The metric that decides which model is best."""
        return self.evaluation.metric or TASKS[self.task.name].goal

    @property
    def label(self) -> str:
        """The name, or one made from what the recipe is about."""
        return self.name or f"{self.dataset}-{self.strategy.name}"

    @property
    def dataset(self) -> str:
        """A short name of the training data, without its folder."""
        return short_name(self.data.train)

    def flat(self) -> dict[str, Any]:
        """Return every setting as `table.key` → value, the name left out."""
        return _flatten(self.model_dump(mode="json", exclude={"name"}))

    def hash(self) -> str:
        """Return 16 hex digits that are equal for recipes that decide the same."""
        return hashlib.sha256(json.dumps(self.flat(), sort_keys=True).encode()).hexdigest()[:16]

    def diff(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """Return the settings in which `other` differs, as path → (mine, theirs)."""
        mine, theirs = self.flat(), other.flat()
        paths = [*mine, *(path for path in theirs if path not in mine)]
        return {path: (mine.get(path), theirs.get(path)) for path in paths if mine.get(path) != theirs.get(path)}

    def changed(self) -> set[str]:
        """Return the paths of settings that are not at their default for this strategy and backbone."""
        required = {"task": self.task.name, "data": self.data.train, "backbone": self.backbone.name}
        needed = {key for key, info in type(self.strategy).model_fields.items() if info.is_required()}
        strategy = self.strategy.model_dump(include={"name", *needed})
        plain = Recipe.model_validate({**required, "strategy": strategy})
        return set(self.diff(plain))

    def to_toml(self) -> str:
        """Write the whole recipe, defaults too, as TOML."""
        import tomli_w

        tables = _without_none(self.model_dump(mode="json"))
        if not self.data.also:
            # A first [[data.also]] can then be written below.
            del tables["data"]["also"]
        return tomli_w.dumps(tables)


def _training_defaults(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of training whose default depends on the task or on where the weights come from."""
    task, backbone, strategy = (_name(raw.get(table)) for table in ("task", "backbone", "strategy"))
    card = TASKS.get(task)
    known = STRATEGIES.get(strategy)
    if known is not None and known.pretrains:
        # Whatever the backbone is, it has been pretrained when the task's own data are learned.
        backbone, known = "", STRATEGIES.get(str(raw["strategy"].get("then")))
    random = backbone.startswith("size:") or (known is not None and not known.pretrained)
    rate = RANDOM_RATE if random else known.rate if known is not None else None
    return ({"max_length": card.max_length} if card else {}) | ({"learning_rate": rate} if rate else {})


def _name(table: Any) -> str:
    name = table.get("name") if isinstance(table, Mapping) else None
    return name if isinstance(name, str) else ""


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables without what is left open: TOML has no word for it."""
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }


def short_name(source: str) -> str:
    """Return what to call a source of data: the name of its file, or of the folder that has it."""
    scheme, _, rest = source.partition(":")
    path = Path(re.split("[#,@]", rest)[0] if scheme in ("sqlite", "parallel", "hub") else source.rpartition(":")[2])
    stem = path.name.split(".")[0]
    return path.parent.name if stem in ("train", "data") and path.parent.name else stem
