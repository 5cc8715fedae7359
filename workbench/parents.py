"""The best model of a run as the backbone of another: `run:UID` in a recipe. Light."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from store import runs
from store.connection import Store, StoreError, read_store
from store.runs import Run
from workbench import recipe as recipes
from workbench.errors import WorkbenchError
from workbench.handover import AWAITED, KEPT, PREFIX, best_model, link, newest_model
from workbench.paths import Home
from workbench.recipe import Recipe
from workbench.recipe.augment import MODELS as AUGMENT_MODELS

HELPERS = (("strategy", "teacher"), *(("augment", key) for key in AUGMENT_MODELS))
"""The settings that name a model beside the backbone."""


def pin(store: Store, recipe: Recipe) -> tuple[Recipe, Run | None]:
    """Return the recipe with the uid where it names a run as its backbone, and that run.

    A run is named by number, uid or name: `run:3`, `run:stories`. Raise a WorkbenchError where there is no such run.
    """
    name = recipe.backbone.name
    if not name.startswith(PREFIX):
        return recipe, None
    run = runs.find(store, name.removeprefix(PREFIX))
    if run is None:
        raise WorkbenchError("there is no such run", where=f"backbone.name: {name}", hint="See them with: workbench ls")
    return named(recipe, f"{PREFIX}{run.uid}"), run


def begun_with(recipe: Recipe, folder: Path) -> Recipe:
    """Return the recipe of the run in `folder` with the model that it keeps in the place of `run:UID`."""
    return named(recipe, str(folder / KEPT)) if recipe.backbone.name.startswith(PREFIX) else recipe


def pin_helpers(store: Store, recipe: Recipe) -> Recipe:
    """Return the recipe with the uids where it names runs as models beside its backbone: a teacher, translators, …

    Raise a WorkbenchError where there is no such run.
    """
    for table, key in HELPERS:
        part: Any = getattr(recipe, table)
        name = getattr(part, key, None) or ""
        if not name.startswith(PREFIX):
            continue
        run = runs.find(store, name.removeprefix(PREFIX))
        if run is None:
            where = f"{table}.{key}: {name}"
            raise WorkbenchError("there is no such run", where=where, hint="See them with: workbench ls")
        recipe = recipe.model_copy(update={table: part.model_copy(update={key: f"{PREFIX}{run.uid}"})})
    return recipe


def kept_model(folder: Path, setting: str, name: str) -> Path:
    """Return the best model of the run `name`, which a recipe's `setting` names, kept in the run `folder` for good."""
    key = setting.rpartition(".")[2]
    kept = folder / key
    if kept.is_dir():
        return kept
    model = newest_model(folder.parent / name.removeprefix(PREFIX))
    if model is None:
        raise WorkbenchError("it has no model", where=f"{setting}: {name}", hint="Wait for its first evaluation.")
    beside = folder / f".{key}"
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(model, beside, copy_function=link)
    beside.rename(kept)
    return kept


def looked_up(recipe: Recipe, home: Home) -> Recipe:
    """Return a recipe that has no run yet with the folder of the model in the place of `run:…`.

    Where that run is still to make its model, what it begins with itself stands for it: of the same architecture.
    """
    if not recipe.backbone.name.startswith(PREFIX):
        return recipe
    try:
        with read_store(home.store) as store:
            _, run = pin(store, recipe)
    except StoreError as error:
        raise WorkbenchError(str(error), where=f"backbone.name: {recipe.backbone.name}") from error
    assert run is not None
    folder = home.run_folder(run.uid)
    if run.state in AWAITED and newest_model(folder) is None:
        begins = recipes.loads(run.recipe)
        if (folder / KEPT).is_dir():
            begins = begun_with(begins, folder)
        return looked_up(recipe.model_copy(update={"backbone": begins.backbone}), home)
    return named(recipe, str(best_model(home, run)))


def named(recipe: Recipe, name: str) -> Recipe:
    """Return the recipe with another backbone."""
    return recipe.model_copy(update={"backbone": recipe.backbone.model_copy(update={"name": name})})
