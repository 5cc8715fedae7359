"""Pretrain, then fine-tune: the two recipes that one with the strategy `pretrain-first` stands for. Light."""

from __future__ import annotations

from store.runs import Run
from workbench.abilities import family_of
from workbench.catalog import TASKS, describe_backbone
from workbench.errors import WorkbenchError
from workbench.models.backbones import find_backbone
from workbench.models.handover import PREFIX
from workbench.models.parents import looked_up
from workbench.paths import Home
from workbench.recipe import Recipe, parse

PRETRAINING = {"encoder": "masked-pretraining", "decoder": "causal-pretraining"}
"""The task on raw texts for each family of architectures."""

MEMORY = {"batch_size", "accumulation", "precision", "activation_checkpointing"}
"""Settings of training that the first run shares: what fits into memory for one should for the other."""


def pretraining_of(recipe: Recipe, home: Home) -> Recipe:
    """Return the recipe of the first of the two runs: the backbone learns the raw texts.

    Seed, hardware and the settings `MEMORY` are the recipe's, the rest is at its defaults. The Hub is asked for a
    backbone that is not here yet. Raise a WorkbenchError where the backbone cannot be pretrained.
    """
    options: dict[str, object] = recipe.strategy.model_dump()
    training = recipe.training.model_dump(include=MEMORY)
    rate = {"learning_rate": options["rate"]} if options["rate"] is not None else {}
    return parse(
        {
            "name": f"{recipe.label[:180]}-pretraining",
            "seed": recipe.seed,
            "task": PRETRAINING[_family(recipe, home)],
            "data": {"train": options["texts"], "rows": options["rows"]},
            "backbone": recipe.backbone.model_dump(),
            "strategy": "full",
            "training": {"epochs": options["epochs"], **training, **rate},
            "hardware": recipe.hardware.model_dump(),
        },
        "strategy.texts",
    )


def fine_tuning_of(recipe: Recipe, first: Run) -> Recipe:
    """Return the recipe of the second of the two runs, which begins with the model of the first."""
    raw = recipe.model_dump(mode="json")
    raw["backbone"] = {"name": f"{PREFIX}{first.uid}"}
    raw["strategy"]["pretrained"] = first.uid
    return parse(raw)


def _family(recipe: Recipe, home: Home) -> str:
    begun = looked_up(recipe, home)
    if begun.backbone.name.startswith("size:"):
        return TASKS[recipe.task.name].family
    folder = find_backbone(begun)
    architecture = describe_backbone(folder, begun.backbone.name, folder.name, "").architecture
    family = family_of(architecture)
    if family not in PRETRAINING:
        raise WorkbenchError(
            f"{architecture} is an {family}, for which there is no pretraining on raw text here",
            where="strategy.name: pretrain-first",
            hint="Pick an encoder or a decoder, or another strategy.",
        )
    return family
