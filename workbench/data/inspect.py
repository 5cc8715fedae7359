"""The child of `report.inspect`: a recipe on stdin, a report or an error as JSON on stdout."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from workbench.backbones import find_backbone
from workbench.catalog import SIZES, describe_backbone
from workbench.data.prepare import length_of, prepare
from workbench.data.report import Report
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe, parse

PREVIEW_ROWS = 5


def report(recipe: Recipe, cache: Path) -> Report:
    """Read everything a run will read, up to the weights."""
    parameters = _parameters(recipe)
    data = prepare(recipe, cache)
    length = length_of(recipe, data)
    names = data.task.describe()["labels"]
    counts = Counter(data.train.gold)
    return Report(
        rows=len(data.train.texts),
        validation_rows=len(data.validation.texts),
        columns=data.columns,
        text=data.chosen["text"],
        label=data.chosen["label"],
        labels={names[number]: counts[number] for number in range(len(names))},
        preview=[
            (text[:500], names[gold])
            for text, gold in zip(data.train.texts[:PREVIEW_ROWS], data.train.gold[:PREVIEW_ROWS], strict=True)
        ],
        updates=length.updates,
        evaluation_every=length.evaluate_every,
        parameters=parameters,
        notes=data.notes,
    )


def _parameters(recipe: Recipe) -> int | None:
    if recipe.backbone.name.startswith("size:"):
        return SIZES[recipe.backbone.name.removeprefix("size:")].parameters
    folder = find_backbone(recipe)
    return describe_backbone(folder, recipe.backbone.name, folder.name, "").parameters


def main() -> None:
    """Answer one recipe."""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = asdict(report(parse(json.load(sys.stdin)), Path(sys.argv[1])))
        except WorkbenchError as error:
            answer = {"error": {"what": error.what, "where": error.where, "hint": error.hint}}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
