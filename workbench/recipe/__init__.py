"""The recipe: everything that decides a run, validated, as TOML."""

from workbench.recipe.model import PRETRAINED_RATE, RANDOM_RATE, Recipe, Training
from workbench.recipe.reading import anchor, load, loads, overlay, parse, read_raw

__all__ = [
    "PRETRAINED_RATE",
    "RANDOM_RATE",
    "Recipe",
    "Training",
    "anchor",
    "load",
    "loads",
    "overlay",
    "parse",
    "read_raw",
]
