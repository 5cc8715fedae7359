"""Find a backbone: its folder on this box. What is not here yet is fetched while a recipe is checked; see `hub`."""

from __future__ import annotations

from pathlib import Path

from workbench.catalog import (
    STARTER,
    STARTER_FOLDER,
    BackboneCard,
    cached_snapshot,
    describe_backbone,
    hub_cache,
    why_unusable,
)
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe


def find_backbone(recipe: Recipe) -> Path:
    """Return the folder of a recipe's backbone; raise a WorkbenchError where it is missing or cannot be used.

    A name that is no folder is a Hub id, found in the cache.
    """
    name = recipe.backbone.name
    folder = find_model(name, recipe.backbone.revision, "backbone.name")
    card = describe_backbone(folder, name, folder.name, "")
    problem = why_unusable(card, recipe.task.name, recipe.strategy.name)
    if problem:
        raise WorkbenchError(problem, where=f"backbone.name: {name}", hint=_hint(card, problem, recipe))
    return folder


def find_model(name: str, revision: str | None, setting: str) -> Path:
    """Return the folder of a model that `setting` names: a folder, or a Hub id.

    Raise a WorkbenchError where it is missing.
    """
    if name.startswith(STARTER):
        folder: Path | None = STARTER_FOLDER / Path(name.removeprefix(STARTER)).name
    else:
        folder = Path(name) if name.startswith("/") else cached_snapshot(name, revision)
    if folder is None:
        raise WorkbenchError(
            f"not in the cache in {hub_cache()}",
            where=f"{setting}: {name}",
            hint="Check the recipe where the Hub can be reached: workbench train FILE --check. "
            "Or copy the model to a folder on this box and name the folder, or pick a size: (architecture alone).",
        )
    if not folder.is_dir():
        raise WorkbenchError("there is no such folder", where=f"{setting}: {name}")
    return folder


def _hint(card: BackboneCard, problem: str, recipe: Recipe) -> str:
    if card.architecture == "?":
        return "Name a model folder or a Hub id."
    if problem == card.problem:
        return (
            "Whole weights are needed as safetensors: save them so with the library that made them (save_pretrained), "
            "or copy them again. Strategy scratch needs only the configuration."
        )
    return f"Pick another backbone for {recipe.task.name}: the New screen shows which can do it."
