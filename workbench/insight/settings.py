"""The settings of several runs, and which of them tell the runs apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_NOT_DECIDING = ("name", "seed")
_NOT_DECIDING_TABLES = ("checkpoint.", "hardware.")
_FOLLOWS = {"strategy.": "strategy.name", "backbone.": "backbone.name", "task.": "task.name", "data.": "data.train"}
"""Settings below these tables go with the choice itself: with another strategy they mean nothing by themselves."""


@dataclass(frozen=True)
class Setting:
    """One setting over all runs; None where a run has it not or leaves it open."""

    path: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1

    @property
    def words(self) -> str:
        """How to call it in a sentence: `strategy`, `learning rate`, `data`."""
        table, _, key = self.path.partition(".")
        return table if key in ("name", "train") or not key else key.replace("_", " ")


def settings_of(table: Mapping[str, Mapping[int, str]], run_ids: Sequence[int]) -> tuple[Setting, ...]:
    """Return every setting but the name, of the flattened recipes `path → run → text`, deciding ones first."""
    rows = [
        Setting(path, tuple(given(texts.get(run_id)) for run_id in run_ids))
        for path, texts in table.items()
        if path != "name"
    ]
    return tuple(sorted(rows, key=lambda setting: (not decides(setting.path), rank(setting.path))))


def differing_in(settings: Sequence[Setting], one: int, other: int) -> list[Setting]:
    """Return the settings that decide the result and differ between the runs at two positions.

    Seed, checkpoints and hardware are left out; what belongs to another strategy, backbone, task or data counts
    once, as the choice itself.
    """
    apart = {row.path: row for row in settings if decides(row.path) and row.values[one] != row.values[other]}
    return [
        row
        for path, row in apart.items()
        if not any(path.startswith(table) and path != head and head in apart for table, head in _FOLLOWS.items())
    ]


def decides(path: str) -> bool:
    """Return whether a setting decides what is learned: not the name, seed, checkpoints and hardware."""
    return path not in _NOT_DECIDING and not path.startswith(_NOT_DECIDING_TABLES)


def rank(path: str) -> tuple[int, str]:
    tables = ("task", "data", "backbone", "strategy", "training", "evaluation", "seed", "checkpoint", "hardware")
    table = path.partition(".")[0]
    return (tables.index(table) if table in tables else len(tables), path)


def given(text: str | None) -> str | None:
    """Return a setting's text, or None where the recipe leaves it open."""
    return None if text is None or text == "null" else text
