"""What to change in a recipe against what ails its run: in words, and as settings by their path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from store.connection import Store
from store.runs import Run
from workbench import recipe as recipes
from workbench.catalog import STRATEGIES, TASKS
from workbench.errors import WorkbenchError
from workbench.insight.course import Course, finite, longest_stall, read_course
from workbench.insight.diagnosis import Diagnosis, findings
from workbench.recipe import Recipe
from workbench.shortage import EVALUATING, smaller

Remedy = tuple[str, dict[str, Any]]
"""What helps, in words, and the settings to change by path."""

FAR = 3.0
"""How often the usual rate a rate may be: the best of a grid seldom lies further off."""

SMALL = 500
"""Evaluation rows below which one row is worth 0.2 points or more, and an accuracy of 0.8 is known to ± 0.018."""

DROPOUT = 0.2
DECAY = 0.1
WARMUP = 0.1
LARGEST_SHARE = 0.3
CHECKPOINTING = "training.activation_checkpointing"


def diagnose(course: Course, recipe: Recipe) -> tuple[Diagnosis, ...]:
    """Return what ails a run of this recipe and what helps, the weightiest first; nothing where it is well.

    A range test is meant to go wrong at its end.
    """
    if recipe.training.schedule == "range-test":
        return ()
    found = findings(course, fresh=recipe.starts_random or TASKS[recipe.task.name].head)
    remedies = [(each, *_REMEDIES[each.code](each.step, course, recipe)) for each in found]
    return tuple(Diagnosis(each.code, each.step, each.words, words, changes) for each, words, changes in remedies)


def diagnoses_of(store: Store, run: Run) -> tuple[Diagnosis, ...]:
    """Return what ails a run as the store has it; nothing where this version cannot read its recipe."""
    try:
        recipe = recipes.loads(run.recipe)
    except WorkbenchError:
        return ()
    return diagnose(read_course(store, run), recipe)


def remedied(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return the recipe with its settings changed; raise a WorkbenchError where it then is none."""
    raw = recipe.model_dump(mode="json")
    for path, value in changes.items():
        *tables, key = path.split(".")
        table = raw
        for name in tables:
            table = table[name]
        table[key] = value
    return recipes.parse(raw)


def usual_rate(recipe: Recipe) -> float:
    """Return the learning rate that a recipe of this task, strategy and backbone has where it names none."""
    raw = recipe.model_dump(mode="json", include={"task", "data", "backbone", "strategy"})
    return recipes.parse(raw).training.learning_rate


def _against_shortage(step: int, course: Course, recipe: Recipe) -> Remedy:
    if EVALUATING in course.shortage:
        return "a shorter training.max_length: an evaluation takes as many rows at once whatever the batch is", {}
    if changes := smaller(recipe):
        return f"{_words_of(recipe, changes)}: the same updates{_but(recipe)}", changes
    if not recipe.training.activation_checkpointing:
        return "computing layers twice, to hold less in memory: the batch is 1", {CHECKPOINTING: True}
    return "a shorter training.max_length, or a strategy by which less learns: the batch is 1", {}


def _words_of(recipe: Recipe, changes: Mapping[str, int]) -> str:
    before = recipe.training
    batch, batches = changes["training.batch_size"], changes["training.accumulation"]
    return f"batch {before.batch_size} → {batch}, added up {before.accumulation} → {batches} times"


def _but(recipe: Recipe) -> str:
    """Return what smaller batches change nevertheless."""
    if recipe.task.name == "embeddings":
        return ", but each pair is held to fewer others"
    return ", but rows are mixed with fewer others" if recipe.training.mixup else ""


def _against_divergence(step: int, course: Course, recipe: Recipe) -> Remedy:
    training, usual = recipe.training, usual_rate(recipe)
    far = training.learning_rate > 5 * FAR * usual
    lower = usual if far else training.learning_rate / 5
    words, changes = ["a lower learning rate"], {"training.learning_rate": _rounded(lower)}
    if training.warmup < WARMUP:
        words.append("more warm-up")
        changes["training.warmup"] = WARMUP
    if training.max_grad_norm > 1:
        words.append("gradients scaled down further")
        changes["training.max_grad_norm"] = 1.0
    return ", ".join(words), changes


def _against_overfitting(step: int, course: Course, recipe: Recipe) -> Remedy:
    training, words, changes = recipe.training, list[str](), dict[str, Any]()
    if recipe.evaluation.patience is None:
        # It must outlast the stalls after which a gain still came.
        scores = [value for at, value in finite(course.score) if at <= step]
        words.append("early stopping")
        changes["evaluation.patience"] = max(3, longest_stall(scores, course.goal) + 2)
    if training.dropout is None or training.dropout < DROPOUT:
        words.append("dropout")
        changes["training.dropout"] = DROPOUT
    if training.weight_decay < DECAY:
        words.append("weight decay")
        changes["training.weight_decay"] = DECAY
    # Twice as long as it was well, for dropout slows learning; the rate then has fallen by the time it would turn.
    well = training.epochs * step / course.updates if course.updates else training.epochs
    if 2 * well < training.epochs and training.epochs > 1:
        words.append("fewer epochs")
        changes["training.epochs"] = _rounded(max(1.0, 2 * well))
    return f"{', '.join(words)}; or more data" if words else "more data", changes


def _against_underfitting(step: int, course: Course, recipe: Recipe) -> Remedy:
    training, usual = recipe.training, usual_rate(recipe)
    if training.learning_rate > FAR * usual:
        return "a lower learning rate: this one is far above the usual", {"training.learning_rate": usual}
    words, changes = ["more epochs"], {"training.epochs": min(10_000.0, 3 * training.epochs)}
    if training.learning_rate < usual:
        words.append("a higher learning rate")
        changes["training.learning_rate"] = usual
    if training.dropout is not None and training.dropout > DROPOUT:
        words.append("less dropout")
        changes["training.dropout"] = DROPOUT
    if recipe.evaluation.patience is not None:
        words.append("more patience")
        changes["evaluation.patience"] = 3 * recipe.evaluation.patience
    larger = "a strategy by which more learns" if STRATEGIES[recipe.learns_by].partial else "a larger backbone"
    return f"{', '.join(words)}; or {larger}", changes


def _against_plateau(step: int, course: Course, recipe: Recipe) -> Remedy:
    changes: dict[str, Any] = {"training.learning_rate": _rounded(recipe.training.learning_rate / 3)}
    if recipe.training.schedule == "constant":
        changes["training.schedule"] = "cosine"
    return "a lower learning rate that falls in time", changes


def _against_noise(step: int, course: Course, recipe: Recipe) -> Remedy:
    share, few = recipe.data.validation_share, course.rows is None or course.rows < SMALL
    if few and recipe.data.validation is None and share < LARGEST_SHARE:
        words = "a larger evaluation set; earlier runs are then no longer comparable"
        return words, {"data.validation_share": _rounded(min(LARGEST_SHARE, 3 * share))}
    metrics = TASKS[recipe.task.name].metrics
    if recipe.goal != "loss" and "loss" in metrics:
        words = "the loss as the metric that picks the best model: it jumps less"
        return (f"a larger evaluation set, or {words}" if few else words), {"evaluation.metric": "loss"}
    lower = {"training.learning_rate": _rounded(recipe.training.learning_rate / 3)}
    return ("a larger evaluation set", {}) if few else ("a lower learning rate", lower)


_REMEDIES = {
    "memory": _against_shortage,
    "diverging": _against_divergence,
    "overfitting": _against_overfitting,
    "underfitting": _against_underfitting,
    "plateau": _against_plateau,
    "noisy": _against_noise,
}


def _rounded(value: float) -> float:
    """Return a number as a person would set it: two digits that count."""
    return float(f"{value:.2g}")
