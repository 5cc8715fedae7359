"""What the tests of training share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from workbench.recipe import Recipe, parse
from workbench.training.events import Event
from workbench.training.loop import Control, train

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Told:
    """A run: its recipe, its folder, and the events it told."""

    recipe: Recipe
    folder: Path
    events: list[Event]

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]


def recipe_of(backbone: Path, rows: Path, **tables: Any) -> Recipe:
    """Return a recipe that computes on one thread without dropout; `tables` are laid over it."""
    training = {"batch_size": 8, "max_length": 32, "dropout": 0.0} | tables.pop("training", {})
    plain = {"task": "sentiment", "data": str(rows), "backbone": str(backbone), "strategy": "full", "seed": 5}
    return parse({**plain, "hardware": {"device": "cpu", "threads": 1}, "training": training, **tables})


def run_of(recipe: Recipe, folder: Path, watch: Callable[[Event, Control], None] = lambda *_: None) -> Told:
    """Train to the end; `watch` sees each event as it happens and may stop the run."""
    control, told = Control(), []
    for event in train(recipe, folder, folder.parent / "cache", control):
        told.append(event)
        watch(event, control)
    return Told(recipe, folder, told)
