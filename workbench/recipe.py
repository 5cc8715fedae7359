"""The recipe: everything that decides a run, validated, as TOML."""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from workbench.catalog import SIZES, STRATEGIES, TASKS
from workbench.errors import WorkbenchError

PRETRAINED_RATE = 5e-5
RANDOM_RATE = 5e-4
DEEPEST = 10
LONGEST_SHOWN = 80
WANTED = {
    "int_parsing": "a whole number, such as 300",
    "int_type": "a whole number, such as 300",
    "int_from_float": "a whole number, such as 300",
    "float_parsing": "a number, such as 0.5",
    "float_type": "a number, such as 0.5",
    "string_type": "a text",
    "model_type": "a table",
    "dict_type": "a table",
}
"""What a value should be, by pydantic's name of the problem, where its own words are a programmer's."""

ALIASES = {"lr": "learning_rate", "bs": "batch_size", "model": "backbone", "dataset": "data", "wd": "weight_decay"}


class Part(BaseModel):
    """A table of the recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, str_strip_whitespace=True)


class Named(Part):
    """A table whose first word may stand for it: `task = "sentiment"` is `[task] name = "sentiment"`."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Task(Named):
    name: Literal["text-classification", "sentiment"] = Field(description="What is learned")
    text: str | None = Field(None, description="Column of the text; found by itself where the name is usual")
    label: str | None = Field(None, description="Column of the label; found by itself where the name is usual")


class Data(Part):
    train: str = Field(min_length=1, description="A file, or starter:NAME for a set that ships with the workbench")
    validation: str | None = Field(None, description="A file to evaluate on; none takes a share of train")
    validation_share: float = Field(0.1, gt=0, lt=1, description="Share of train set aside where no file is given")
    rows: int | None = Field(None, ge=1, description="Train on this many random rows; none takes all")

    @model_validator(mode="before")
    @classmethod
    def _train_alone(cls, value: Any) -> Any:
        return {"train": value} if isinstance(value, str) else value


class Backbone(Named):
    name: str = Field(min_length=1, description="A folder, a Hub id, or size:NAME for an architecture without weights")
    revision: str | None = Field(None, description="Branch, tag or commit of a Hub id")


class Full(Part):
    """Every weight learns from the first step."""

    name: Literal["full"] = "full"


class Gradual(Part):
    """The head learns first; layer groups join from the top down (ULMFiT, Howard and Ruder 2018)."""

    name: Literal["gradual"] = "gradual"
    unfrozen_by: float = Field(0.5, gt=0, le=1, description="Share of training after which every group learns")
    rate_decay: float = Field(1.0, gt=0, le=1, description="Each group learns at this share of the rate above it")


class Scratch(Part):
    """The backbone's architecture with random weights: the task alone, no pretraining."""

    name: Literal["scratch"] = "scratch"


Strategy = Annotated[Full | Gradual | Scratch, Field(discriminator="name")]


class Training(Part):
    epochs: float = Field(3.0, gt=0, le=10_000, description="Passes over the training rows")
    batch_size: int = Field(16, ge=1, le=65_536, description="Examples a forward pass")
    accumulation: int = Field(1, ge=1, le=4096, description="Batches added up before each update")
    learning_rate: float = Field(
        PRETRAINED_RATE, gt=0, le=1, description="Peak rate; by default 5e-5, random weights 5e-4"
    )
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="How the rate falls after warm-up")
    warmup: float = Field(0.06, ge=0, lt=1, description="Share of the updates over which the rate rises")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Pulls weights to zero; not biases and norms")
    dropout: float | None = Field(None, ge=0, lt=1, description="Replaces the backbone's own dropout")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of certainty taken from the right label")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this norm")
    max_length: int = Field(128, ge=4, le=131_072, description="Longest text in tokens; what is beyond is cut")
    batches: Literal["by length", "random"] = Field("by length", description="Texts of like length together, or not")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="Arithmetic; auto is bf16 on a GPU")


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


class Recipe(Part):
    """Everything that decides a run. `name` is a label and decides nothing."""

    name: str | None = Field(
        None, max_length=200, description="A label; made from task, backbone and strategy if absent"
    )
    seed: int = Field(42, ge=0, lt=2**31, description="Decides order, dropout and fresh weights")
    task: Task
    data: Data
    backbone: Backbone
    strategy: Strategy
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    checkpoint: Checkpoint = Checkpoint()
    hardware: Hardware = Hardware()

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        filled = dict(value)
        if isinstance(filled.get("strategy"), str):
            filled["strategy"] = {"name": filled["strategy"]}
        training = filled.setdefault("training", {})
        if isinstance(training, Mapping) and "learning_rate" not in training and _starts_random(filled):
            filled["training"] = {**training, "learning_rate": RANDOM_RATE}
        return filled

    @model_validator(mode="after")
    def _check_names(self) -> Recipe:
        size = self.backbone.name.removeprefix("size:")
        if size != self.backbone.name and size not in SIZES:
            raise ValueError(f"backbone.name\x00no such size {size!r}; there are {', '.join(SIZES)}")
        metrics = TASKS[self.task.name].metrics
        if self.evaluation.metric is not None and self.evaluation.metric not in metrics:
            raise ValueError(f"evaluation.metric\x00{self.evaluation.metric!r} is not one of {', '.join(metrics)}")
        return self

    @property
    def starts_random(self) -> bool:
        """Whether no pretrained weights are used, by the strategy or because the backbone has none."""
        return self.strategy.name == "scratch" or self.backbone.name.startswith("size:")

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
        return _stem(self.data.train)

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
        plain = Recipe.model_validate({**required, "strategy": self.strategy.name})
        return set(self.diff(plain))

    def to_toml(self) -> str:
        """Write the whole recipe, defaults too, as TOML."""
        import tomli_w

        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


def parse(raw: Mapping[str, Any], where: str = "recipe") -> Recipe:
    """Validate a recipe; raise a WorkbenchError that names every wrong field, its value and what is allowed."""
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        problems = [_explain(dict(detail)) for detail in error.errors()]
        raise WorkbenchError("\n".join(problems), where=where, hint="Mend the recipe and try again.") from None


def loads(text: str, where: str = "recipe") -> Recipe:
    """Read a recipe from TOML text whose paths are absolute."""
    return parse(_read_toml(text, where), where)


def load(path: Path, settings: Iterable[str] = ()) -> Recipe:
    """Read a recipe from a TOML file, with `key=value` settings laid over it.

    Paths in the file are relative to its folder; paths in `settings` to the current folder.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise WorkbenchError(f"cannot read the recipe: {reason}", where=str(path)) from error
    raw = anchor(_read_toml(text, str(path)), path.resolve().parent)
    return parse(overlay(raw, settings), str(path))


def overlay(raw: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return the raw recipe with `table.key=value` settings laid over it; values are TOML, else plain words."""
    laid = copy.deepcopy(dict(raw))
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path:
            raise WorkbenchError(
                f"{setting!r} is not key=value", where="--set", hint="Example: --set training.epochs=2"
            )
        *tables, key = path.strip().split(".")
        change: Any = {key: _value(text)}
        for table in reversed(tables):
            change = {table: change}
        _merge(laid, anchor(change, Path.cwd()))
    return laid


def anchor(raw: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return the raw recipe with its relative paths made absolute from `base`."""
    anchored = {key: dict(value) if isinstance(value, Mapping) else value for key, value in raw.items()}
    if isinstance(anchored.get("data"), str):
        anchored["data"] = {"train": anchored["data"]}
    if isinstance(anchored.get("backbone"), str):
        anchored["backbone"] = {"name": anchored["backbone"]}
    data, backbone = anchored.get("data"), anchored.get("backbone")
    if isinstance(data, dict):
        for key in ("train", "validation"):
            if isinstance(data.get(key), str) and ":" not in data[key]:
                data[key] = _absolute(data[key], base, f"data.{key}")
    if isinstance(backbone, dict) and isinstance(backbone.get("name"), str):
        name = backbone["name"]
        if name.startswith((".", "/", "~")) or (":" not in name and os.path.isdir(base / name)):
            backbone["name"] = _absolute(name, base, "backbone.name")
    return anchored


def _absolute(path: str, base: Path, where: str) -> str:
    try:
        return str((base / Path(path).expanduser()).resolve())
    except (RuntimeError, ValueError, OSError) as error:
        raise WorkbenchError(f"{path!r} cannot be a path: {error}", where=where) from error


def _starts_random(raw: Mapping[str, Any]) -> bool:
    strategy, backbone = raw.get("strategy"), raw.get("backbone")
    strategy_name = strategy.get("name") if isinstance(strategy, Mapping) else strategy
    backbone_name = backbone.get("name") if isinstance(backbone, Mapping) else backbone
    return strategy_name == "scratch" or (isinstance(backbone_name, str) and backbone_name.startswith("size:"))


def _read_toml(text: str, where: str) -> dict[str, Any]:
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise WorkbenchError(f"not valid TOML: {error}", where=where) from error
    if _depth(raw) > DEEPEST:
        raise WorkbenchError("tables in tables in tables: no recipe is that deep", where=where)
    return raw


def _depth(value: Any) -> int:
    """Return how many tables or lists stand in each other, no further than a recipe could go."""
    layer, depth = [value], 0
    while layer and depth <= DEEPEST:
        depth += 1
        tables = (each.values() if isinstance(each, dict) else each for each in layer if isinstance(each, (dict, list)))
        layer = [entry for table in tables for entry in table]
    return depth


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _merge(into: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(into.get(key), str) and isinstance(value, Mapping) and key in ("task", "strategy"):
            into[key] = {"name": into[key], **value}
        else:
            into[key] = value


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }


def _stem(source: str) -> str:
    path = Path(source.rpartition(":")[2])
    stem = path.name.split(".")[0]
    return path.parent.name if stem in ("train", "data") and path.parent.name else stem


def _explain(detail: dict[str, Any]) -> str:
    """Say one validation problem in words: the field, the value, what is allowed."""
    location = [str(part) for part in detail["loc"]]
    if location[:1] == ["strategy"] and location[1:] and location[1] in STRATEGIES:
        del location[1]
    path = ".".join(location)
    kind, value, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    if kind == "extra_forbidden":
        keys = _keys(location[:-1])
        near = difflib.get_close_matches(ALIASES.get(location[-1], location[-1]), keys, n=1, cutoff=0.5)
        known = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(keys)}"
        return f"{path}: there is no such key; {known}"
    if kind == "missing":
        return f"{path}: missing; it must be given"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        named = value.get("name") if isinstance(value, Mapping) else value
        return f"{path}.name: {named!r} is not one of {', '.join(STRATEGIES)}"
    if kind == "value_error":
        path, _, message = str(context["error"]).partition("\x00")
        return f"{path}: {message}"
    allowed = WANTED.get(kind) or detail["msg"].removeprefix("Input should be ").removeprefix("String should have ")
    return f"{path}: {_shown(value)} is not allowed; it should be {allowed}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _keys(tables: list[str]) -> list[str]:
    """Return the keys that a table of the recipe may hold."""
    model: Any = Recipe
    for table in tables:
        if table == "strategy":
            return sorted({key for part in (Full, Gradual, Scratch) for key in part.model_fields})
        model = model.model_fields[table].annotation
    return list(model.model_fields)
