"""Run by torchrun with a folder: trains on rows that a masked model changes, and writes the losses that it saw."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.training.support import recipe_of, run_of
from workbench.training.events import Logged


def losses_of(folder: Path, place: Path) -> list[float]:
    """Return the losses of a run on the rows and with the models in `folder`."""
    augment = {"noise": 0.1, "masked": 0.3, "masked_model": str(folder / "masked")}
    recipe = recipe_of(folder / "bert", folder / "rows.jsonl", augment=augment, training={"epochs": 2})
    place.mkdir(exist_ok=True)
    return [event.values["train/loss"] for event in run_of(recipe, place).all(Logged)]


if __name__ == "__main__":
    found = losses_of(Path(sys.argv[1]), Path(sys.argv[1]) / "together")
    (Path(sys.argv[1]) / f"losses-{os.environ['RANK']}.json").write_text(json.dumps(found), encoding="utf-8")
