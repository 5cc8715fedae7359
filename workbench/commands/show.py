"""workbench show"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from store import checkpoints, events, points, predictions, runs
from store.connection import Store
from store.predictions import Prediction
from store.runs import Run
from workbench.commands.common import find_run, json_option, pass_home, print_json, reading, run_json, state_words
from workbench.insight.labels import confusion, label_rows, mistakes
from workbench.insight.remedies import diagnoses_of
from workbench.insight.repeats import repeat_of
from workbench.insight.resumes import KIND, resumes_of
from workbench.insight.words import learning_words
from workbench.paths import Home
from workbench.text import ago, count, duration, number, plain, quantity, size, spelled, table


@click.command(epilog="Example: workbench show 3 --recipe > again.toml")
@click.argument("run", metavar="RUN")
@click.option("--recipe", "only_recipe", is_flag=True, help="Print the recipe as TOML, and nothing else.")
@json_option
@pass_home
def command(home: Home, run: str, only_recipe: bool, as_json: bool) -> None:
    """Show one run: state, results, files, recipe."""
    with reading(home) as store:
        found = find_run(store, run)
        if only_recipe:
            click.echo(spelled(found.recipe, _toml_escape), nl=False)
        elif as_json:
            print_json(_as_json(store, home, found))
        else:
            for line in _as_text(store, home, found):
                click.echo(line)


def _toml_escape(char: str) -> str:
    return f"\\U{ord(char):08x}"


def _as_json(store: Store, home: Home, run: Run) -> dict[str, object]:
    told = predictions.listing(store, run.id)
    return {
        **run_json(run),
        "trainable_share": run.trainable / run.parameters if run.trainable is not None and run.parameters else None,
        "folder": str(home.run_folder(run.uid)),
        "untrained": _untrained(store, run),
        "metrics": {name: vars(summary) for name, summary in points.summaries(store, [run.id])[run.id].items()},
        "resumes": asdict(resumes_of(events.listing(store, run.id, kind=KIND))),
        "repeat": repeat.to_json() if (repeat := repeat_of(store, run)) else None,
        "checkpoints": [vars(each) for each in checkpoints.listing(store, run.id)],
        "diagnoses": [asdict(each) for each in diagnoses_of(store, run)],
        "predictions": len(told),
        "labels": [vars(row) for row in label_rows(told)],
        "confusion": confusion(told),
    }


def _as_text(store: Store, home: Home, run: Run) -> list[str]:
    before = _untrained(store, run)
    parent = runs.get(store, run.parent_id) if run.parent_id is not None else None
    resumed = resumes_of(events.listing(store, run.id, kind=KIND)).words
    repeat = repeat_of(store, run)
    facts = [
        ("run", f"#{run.id} {plain(run.name)}"),
        *([("from", f"run #{parent.id} {plain(parent.name)}")] if parent else []),
        ("state", state_words(run) + (f" — {plain(run.error, 400)}" if run.error else "")),
        *([("resumed", resumed)] if resumed else []),
        *([("repeat", repeat.words)] if repeat else []),
        ("task", plain(f"{run.task} on {run.dataset}")),
        ("backbone", plain(run.backbone)),
        ("strategy", plain(run.strategy)),
        ("progress", f"{count(run.step)} of {count(run.max_steps)} updates" if run.max_steps else "not begun"),
        ("best", _best(run)),
        *([("untrained", f"{plain(run.goal_key)} {number(before, 4)}")] if before is not None else []),
        ("time", duration(run.seconds) if run.seconds else "—"),
        ("weights", quantity(run.parameters)),
        ("trainable", learning_words(run.trainable, run.parameters)),
        ("memory", f"{size(run.peak_bytes)} at most"),
        ("started", _moment(run.started)),
        ("seed", str(run.seed)),
        ("folder", plain(home.run_folder(run.uid))),
    ]
    lines = [*table([list(fact) for fact in facts]), *_diagnosis_lines(store, run)]
    summaries = points.summaries(store, [run.id])[run.id]
    if summaries:
        rows = [
            [name, number(each.last), number(each.min), number(each.max), str(each.last_step), str(each.n)]
            for name, each in sorted(summaries.items())
        ]
        heads = ["metric", "last", "lowest", "highest", "at step", "points"]
        lines += ["", *table(rows, heads, ["left", "right", "right", "right", "right", "right"])]
    lines += _label_lines(predictions.listing(store, run.id))
    saved = checkpoints.listing(store, run.id)
    if saved:
        rows = [[each.kind, str(each.step), plain(each.path), size(each.bytes)] for each in saved]
        lines += ["", *table(rows, ["saved", "step", "path", "size"], ["left", "right"])]
    return [*lines, "", "recipe", *(f"  {plain(line)}" for line in run.recipe.splitlines() if line)]


def _diagnosis_lines(store: Store, run: Run) -> list[str]:
    """Return what ails the run, each with what helps and the command that starts its recipe so changed."""
    lines = []
    for each in diagnoses_of(store, run):
        lines += ["", f"! {each.words}", f"  remedy: {each.remedy}"]
        if each.changes:
            settings = " ".join(f"--set {path}={_setting(value)}" for path, value in each.changes.items())
            again = f"workbench show {run.id} --recipe > again.toml && workbench train again.toml {settings}"
            lines.append(f"  try: {again}")
    return lines


def _setting(value: Any) -> str:
    """Return a value as `--set` reads it: TOML, or a plain word."""
    return value if isinstance(value, str) else repr(value)


def _label_lines(told: list[Prediction]) -> list[str]:
    """Return how well each label is told on the evaluation set, and the commonest mistakes."""
    found = label_rows(told)
    if not found:
        return []
    rows = [
        [plain(row.label, 40), *(number(v) for v in (row.precision, row.recall, row.f1)), count(row.rows)]
        for row in found
    ]
    heads = ["label", "precision", "recall", "f1", "rows"]
    lines = ["", *table(rows, heads, ["left", "right", "right", "right", "right"])]
    common = mistakes(confusion(told))
    wrong = [f"{plain(right, 40)} taken for {plain(said, 40)} {count(times)}" for right, said, times in common]
    return [*lines, f"mistakes: {', '.join(wrong)}"] if wrong else lines


def _untrained(store: Store, run: Run) -> float | None:
    """Return the goal's value before the first update, where the task was measured then."""
    steps, values = points.curve(store, run.id, run.goal_key or "")
    return values[0] if steps and steps[0] == 0 else None


def _best(run: Run) -> str:
    if run.best_value is None:
        return "—"
    return f"{plain(run.goal_key)} {number(run.best_value, 4)} at step {run.best_step}"


def _moment(when: float | None) -> str:
    if when is None:
        return "—"
    return f"{datetime.fromtimestamp(when).astimezone().isoformat(timespec='seconds')} ({ago(when, time.time())})"
