"""The best model of a run as the backbone of another: `run:UID` in a recipe, a folder of links in the run. Light."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from store import runs
from store.connection import Store, StoreError, read_store
from store.runs import Run
from workbench.catalog import newest_model
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.recipe import Recipe
from workbench.recipe.augment import MODELS as AUGMENT_MODELS
from workbench.training.publish import verify

PREFIX = "run:"
HELPERS = (("strategy", "teacher"), *(("augment", key) for key in AUGMENT_MODELS))
"""The settings that name a model beside the backbone."""

KEPT = "backbone"
"""The folder of a run that holds the model it began with."""

ATTEMPTS = 3
"""A model that is taken may just then be replaced by a better one; not so often in a row."""


def pin(home: Home, store: Store, recipe: Recipe) -> tuple[Recipe, Run | None]:
    """Return the recipe with the uid where it names a run as its backbone, and that run.

    A run is named by number, uid or name: `run:3`, `run:stories`. Raise a WorkbenchError where there is no such run,
    or none with a model.
    """
    name = recipe.backbone.name
    if not name.startswith(PREFIX):
        return recipe, None
    run = runs.find(store, name.removeprefix(PREFIX))
    if run is None:
        raise WorkbenchError("there is no such run", where=f"backbone.name: {name}", hint="See them with: workbench ls")
    best_model(home, run)
    return _named(recipe, f"{PREFIX}{run.uid}"), run


def best_model(home: Home, run: Run) -> Path:
    """Return the folder of a run's best model; raise a WorkbenchError where it has none."""
    folder = newest_model(home.run_folder(run.uid))
    if folder is None:
        raise WorkbenchError(
            "it has no model yet: the first is saved at the first evaluation",
            where=f"backbone.name: run #{run.id} {run.name}",
            hint="Wait for it, or pick another backbone.",
        )
    return folder


def keep(home: Home, parent: Run, folder: Path) -> None:
    """Give the run in `folder` the best model of its parent for itself, whatever becomes of the parent.

    Published files never change, so that links do: they take no room.
    """
    kept = folder / KEPT
    for _ in range(ATTEMPTS):
        model = best_model(home, parent)
        try:
            shutil.copytree(model, kept, copy_function=_link)
        except (shutil.Error, FileNotFoundError):
            pass
        else:
            if verify(kept):
                return
        shutil.rmtree(kept, ignore_errors=True)
    raise WorkbenchError(
        "its model is damaged: the files are not those of its manifest",
        where=f"backbone.name: run #{parent.id} {parent.name}",
        hint="Put the files back from a copy, or train its recipe again.",
    )


def begun_with(recipe: Recipe, folder: Path) -> Recipe:
    """Return the recipe of the run in `folder` with the model that it keeps in the place of `run:UID`."""
    return _named(recipe, str(folder / KEPT)) if recipe.backbone.name.startswith(PREFIX) else recipe


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
    shutil.copytree(model, beside, copy_function=_link)
    beside.rename(kept)
    return kept


def looked_up(recipe: Recipe, home: Home) -> Recipe:
    """Return a recipe that has no run yet with the folder of the model in the place of `run:…`."""
    if not recipe.backbone.name.startswith(PREFIX):
        return recipe
    try:
        with read_store(home.store) as store:
            _, run = pin(home, store, recipe)
    except StoreError as error:
        raise WorkbenchError(str(error), where=f"backbone.name: {recipe.backbone.name}") from error
    assert run is not None
    return _named(recipe, str(best_model(home, run)))


def _named(recipe: Recipe, name: str) -> Recipe:
    return recipe.model_copy(update={"backbone": recipe.backbone.model_copy(update={"name": name})})


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, target)
