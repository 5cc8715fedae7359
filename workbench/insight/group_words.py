"""The table of a group in words: cells for a screen, plain text for a terminal, CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from workbench.insight.groups import Combination, Group
from workbench.insight.settings import Setting
from workbench.insight.words import exact, harmless, metric_words
from workbench.text import ABSENT, Align, count, duration, number, plain, plural, size, table

OPEN_WORDS = ("running", "starting", "stopping", "queued", "paused", "stopped", "failed", "crashed", "lost")
"""The states that are worth a word, in this order."""


def mean_words(row: Combination) -> str:
    """Return mean and deviation over seeds: 0.912 ±0.004; no deviation below two."""
    if row.deviation is None:
        return number(row.mean)
    return f"{number(row.mean)} ±{number(row.deviation)}"


def state_words(states: Mapping[str, int]) -> str:
    """Return how many runs are not done, by state: 1 running, 2 queued; nothing where all are."""
    return ", ".join(f"{count(states[state])} {state}" for state in OPEN_WORDS if states.get(state))


def key_words(keys: Sequence[str]) -> list[str]:
    """Return how settings are called at the head of a column: strategy, rows; with the table where two are alike."""
    words = [Setting(key, ()).words for key in keys]
    return [key if words.count(word) > 1 else word for key, word in zip(keys, words, strict=True)]


def value_words(value: str | None) -> str:
    """Return a value of a setting, of a path its last part."""
    if value is None:
        return ABSENT
    return plain(PurePath(value).name if value.startswith("/") else value, 40)


def cells(group: Group) -> tuple[list[str], list[list[str]], list[Align]]:
    """Return the heads, the rows and how the columns stand; one of states only while some run is not done."""
    heads = [
        *key_words(group.keys),
        "seeds",
        metric_words(group.goal_key or "eval/score"),
        "time",
        "trainable",
        "memory",
    ]
    keys: list[Align] = ["left"] * len(group.keys)
    sides: list[Align] = [*keys, "right", "left", "right", "right", "right"]
    rows = [
        [
            *(value_words(value) for value in row.values),
            count(row.seeds) if row.seeds == len(row.run_ids) else f"{row.seeds} of {len(row.run_ids)}",
            mean_words(row),
            duration(row.seconds),
            ABSENT if row.trainable_share is None else f"{100 * row.trainable_share:.3g}%",
            size(row.peak_bytes),
            state_words(row.states),
        ]
        for row in group.rows
    ]  # fmt: skip
    if any(row[-1] for row in rows):
        return [*heads, "state"], rows, [*sides, "left"]
    return heads, [row[:-1] for row in rows], sides


def summary(group: Group) -> str:
    """Return a group in a line: 36 runs, 12 done, 1 running, 23 queued; 3 runs pretrain."""
    parts = [plural(group.runs, "run"), f"{count(group.done)} done"]
    parts += [state_words(group.states)] if state_words(group.states) else []
    pretraining = plural(len(group.pretraining), "run pretrains", "runs pretrain")
    return ", ".join(parts) + (f"; {pretraining} for them" if group.pretraining else "")


def as_text(group: Group) -> str:
    """Return a group as aligned plain text."""
    heads, rows, sides = cells(group)
    return "\n".join([f"{plain(group.name)}: {summary(group)}", "", *table(rows, heads, sides)]) + "\n"


def best_words(group: Group) -> str:
    """Return the best mean of a group with what it was made by: accuracy 0.912 ±0.004 (gradual, 2000)."""
    best = group.best
    if best is None:
        return ABSENT
    made_by = ", ".join(value_words(value) for value in best.values)
    return f"{metric_words(group.goal_key or '')} {mean_words(best)}" + (f" ({made_by})" if made_by else "")


def list_text(groups: Sequence[Group]) -> str:
    """Return groups as aligned plain text, a line each."""
    if not groups:
        return "No groups yet. Start one: workbench train FILE --over seed=1,2,3\n"
    rows = [[plain(each.name, 40), count(each.runs), count(each.done), best_words(each)] for each in groups]
    return "\n".join(table(rows, ["group", "runs", "done", "best"], ["left", "right", "right", "left"])) + "\n"


def as_csv(group: Group) -> str:
    """Return a group as CSV, a line a combination; full precision, text that no spreadsheet runs."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    numbers = ["seeds", f"{group.goal_key or 'score'} mean", "deviation", "seconds", "trainable share", "peak bytes"]
    writer.writerow([*group.keys, *numbers, "not done", "runs"])
    for row in group.rows:
        measured = (row.seeds, row.mean, row.deviation, row.seconds, row.trainable_share, row.peak_bytes)
        writer.writerow(
            [
                *("" if value is None else harmless(plain(value)) for value in row.values),
                *(exact(value) for value in measured),
                state_words(row.states),
                " ".join(map(str, row.run_ids)),
            ]
        )
    return out.getvalue()
