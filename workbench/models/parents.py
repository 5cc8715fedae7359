"""The best model of a run as the backbone, teacher or writer of another: `run:UID` in a recipe. Light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from store import runs
from store.connection import Store, StoreError, read_store
from store.runs import Run
from workbench import recipe as recipes
from workbench.errors import WorkbenchError
from workbench.models.handover import AWAITED, BACKBONE, GIVEN, PREFIX, best_model, newest_model
from workbench.paths import Home
from workbench.recipe import Recipe


def pin(store: Store, recipe: Recipe) -> tuple[Recipe, dict[str, Run]]:
    """Return the recipe with uids where it names runs as models (`handover.GIVEN`), and those runs by their setting.

    A run is named by number, uid or name: `run:3`, `run:stories`. Raise a WorkbenchError where there is no such run.
    """
    found: dict[str, Run] = {}
    for setting in GIVEN:
        table, key = setting.split(".")
        part: Any = getattr(recipe, table)
        name = getattr(part, key, None) or ""
        if not name.startswith(PREFIX):
            continue
        run = runs.find(store, name.removeprefix(PREFIX))
        if run is None:
            hint = "See them with: workbench ls"
            raise WorkbenchError("there is no such run", where=f"{setting}: {name}", hint=hint)
        found[setting] = run
        recipe = recipe.model_copy(update={table: part.model_copy(update={key: f"{PREFIX}{run.uid}"})})
    return recipe, found


def begun_with(recipe: Recipe, folder: Path) -> Recipe:
    """Return the recipe of the run in `folder` with the model that it keeps in the place of `run:UID`."""
    return named(recipe, str(folder / GIVEN[BACKBONE])) if recipe.backbone.name.startswith(PREFIX) else recipe


def kept_model(folder: Path, setting: str, name: str) -> Path:
    """Return where the run in `folder` keeps the best model of the run `name`, which a recipe's `setting` names."""
    kept = folder / GIVEN[setting]
    if not kept.is_dir():
        hint = "Start its recipe again as a new run."
        raise WorkbenchError("its model was not handed over", where=f"{setting}: {name}", hint=hint)
    return kept


def looked_up(recipe: Recipe, home: Home) -> Recipe:
    """Return a recipe that has no run yet with the folder of the model in the place of `run:…`.

    Where that run is still to make its model, what it begins with itself stands for it: of the same architecture.
    """
    if not recipe.backbone.name.startswith(PREFIX):
        return recipe
    try:
        with read_store(home.store) as store:
            run = pin(store, recipe)[1][BACKBONE]
    except StoreError as error:
        raise WorkbenchError(str(error), where=f"backbone.name: {recipe.backbone.name}") from error
    folder = home.run_folder(run.uid)
    if run.state in AWAITED and newest_model(folder) is None:
        begins = recipes.loads(run.recipe)
        if (folder / GIVEN[BACKBONE]).is_dir():
            begins = begun_with(begins, folder)
        return looked_up(recipe.model_copy(update={"backbone": begins.backbone}), home)
    return named(recipe, str(best_model(home, run)))


def named(recipe: Recipe, name: str) -> Recipe:
    """Return the recipe with another backbone."""
    return recipe.model_copy(update={"backbone": recipe.backbone.model_copy(update={"name": name})})
