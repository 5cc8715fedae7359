"""The child of `report.check`: a recipe on stdin, findings and a report, or an error, as JSON on stdout."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.answers import asked
from workbench.catalog import SIZES, describe_backbone
from workbench.data.doctor import examine
from workbench.data.prepare import Prepared, length_of, rows_seen
from workbench.errors import WorkbenchError
from workbench.models.backbones import find_backbone
from workbench.models.parents import looked_up
from workbench.paths import Home
from workbench.pipelines import pretraining_of
from workbench.recipe import Recipe, parse
from workbench.redaction import redact

PREVIEW_ROWS = 5


def answer(recipe: Recipe, cache: Path) -> dict[str, Any]:
    """Read everything a run will read, and the run on raw texts before it if there is one, and examine it."""
    home = Home(cache.parent)
    told = _answer_one(looked_up(recipe, home), cache)
    if not recipe.pretrains:
        return told
    first = _answer_one(looked_up(pretraining_of(recipe, home), home), cache)
    whole = None if None in (told["report"], first["report"]) else told["report"] | {"first": first["report"]}
    return {"findings": [*first["findings"], *told["findings"]], "report": whole}


def _answer_one(recipe: Recipe, cache: Path) -> dict[str, Any]:
    parameters = _parameters(recipe)
    diagnosis = examine(recipe, cache)
    report = None if diagnosis.data is None else _report(recipe, diagnosis.data, parameters)
    return {"findings": [asdict(finding) for finding in diagnosis.findings], "report": report}


def _report(recipe: Recipe, data: Prepared, parameters: int | None) -> dict[str, Any]:
    """Return the fields of a Report, the findings left out."""
    length = length_of(recipe, rows_seen(data), len(data.validation))
    return {
        "rows": len(data.train),
        "validation_rows": len(data.validation),
        "columns": data.columns,
        "types": data.types,
        "encoding": data.encoding,
        "chosen": data.chosen,
        "labels": data.task.count_golds(data.train),
        "preview": [(asked(each.fields)[:500], data.task.gold_words(each) or "") for each in data.train[:PREVIEW_ROWS]],
        "updates": length.updates,
        "evaluation_every": length.evaluate_every,
        "parameters": parameters,
        "notes": data.notes,
    }


def _parameters(recipe: Recipe) -> int | None:
    if recipe.backbone.name.startswith("size:"):
        return SIZES[recipe.backbone.name.removeprefix("size:")].parameters
    folder = find_backbone(recipe)
    return describe_backbone(folder, recipe.backbone.name, folder.name, "").parameters


def main() -> None:
    """Answer one recipe."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.redirect_stdout(sys.stderr):
        try:
            cache = Path(sys.argv[1])
            told = answer(parse(json.load(sys.stdin)), cache)
        except WorkbenchError as error:
            told = {"error": {"what": error.what, "where": error.where, "hint": error.hint}}
        except Exception as error:
            told = {
                "error": {
                    "what": redact(f"{type(error).__name__}: {error}"),
                    "where": "reading data and backbone",
                    "hint": "",
                }
            }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
