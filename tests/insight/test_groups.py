"""The table of a group: what it is spread over, means and deviations over seeds, how they are told."""

from __future__ import annotations

import csv
import io
import json
import statistics
from typing import Any

import pytest

from store.connection import Store
from tests.conftest import HOSTILE
from tests.insight.adding import add_run
from workbench.errors import WorkbenchError
from workbench.insight import group_words
from workbench.insight.groups import learning_curve, read_group, read_groups


def add(store: Store, accuracy: float | None, *, name: str = "sst2", **settings: Any) -> int:
    """Add a run of a group, finished where it has a result."""
    columns: dict[str, Any] = {"grp": name, "seed": settings.get("seed", 42)}
    if accuracy is None:
        columns["state"] = "queued"
    return add_run(store, [] if accuracy is None else [accuracy], settings=settings, **columns)


def test_the_runs_of_a_combination_are_one_row(store: Store) -> None:
    values = {"full": (0.8, 0.9, 0.85), "gradual": (0.7, 0.75, 0.95)}
    numbers = {
        name: [add(store, value, strategy=name, seed=seed) for seed, value in enumerate(scores)]
        for name, scores in values.items()
    }
    group = read_group(store, "sst2")
    # Options of a strategy, and what its defaults change, go with the strategy.
    assert group.keys == ("strategy.name",)
    assert [(row.values, row.run_ids, row.seeds) for row in group.rows] == [
        ((name,), tuple(ids), 3) for name, ids in numbers.items()
    ]
    for row, scores in zip(group.rows, values.values(), strict=True):
        assert row.mean == pytest.approx(sum(scores) / 3)
        assert row.deviation == pytest.approx(statistics.stdev(scores))
        assert (row.seconds, row.trainable_share, row.states) == (60.0, 0.25, {"finished": 3})
    assert group.best == group.rows[0]
    assert (group.runs, group.done, group.goal_key) == (6, 6, "eval/accuracy")
    heads, rows, _ = group_words.cells(group)
    assert heads == ["strategy", "seeds", "accuracy", "time", "trainable", "memory"]
    assert rows[0] == ["full", "3", "0.850 ±0.050", "1:00", "25%", "—"]


def test_one_seed_has_no_deviation_and_open_runs_do_not_count(store: Store) -> None:
    add(store, 0.8, seed=1)
    add(store, None, seed=2)
    (row,) = read_group(store, "sst2").rows
    assert (row.values, row.seeds, row.mean, row.deviation) == ((), 1, 0.8, None)
    assert dict(row.states) == {"finished": 1, "queued": 1}
    heads, rows, _ = group_words.cells(read_group(store, "sst2"))
    assert rows == [["1 of 2", "0.800", "1:00", "25%", "—", "1 queued"]]
    assert heads[-1] == "state"


def test_of_two_runs_with_a_seed_the_newer_counts(store: Store) -> None:
    add(store, 0.8, seed=1)
    add(store, 0.9, seed=1)
    (row,) = read_group(store, "sst2").rows
    assert (row.seeds, row.mean) == (1, 0.9)


def test_every_setting_that_was_spread_is_a_key(store: Store) -> None:
    for strategy in ("full", "gradual"):
        for epochs in (1, 2):
            for rows in (None, 9):
                data = {"train": "starter:sentiment", "rows": rows}
                add(store, 0.5, strategy=strategy, training={"epochs": epochs}, data=data)
    group = read_group(store, "sst2")
    assert group.keys == ("strategy.name", "data.rows", "training.epochs")
    assert group.rows[0].values == ("full", None, "1.0")
    assert len(group.rows) == 8


def test_the_pretraining_of_a_run_is_no_row_but_its_time_counts(store: Store) -> None:
    pretraining = {"task": "masked-pretraining", "data": "starter:stories"}
    for seed in (1, 2):
        add_run(
            store, [0.1], settings={**pretraining, "seed": seed}, grp="sst2", seed=seed, uid=f"P{seed}", seconds=100.0
        )
        strategy = {"name": "pretrain-first", "texts": "starter:stories", "pretrained": f"P{seed}"}
        add(store, 0.9, strategy=strategy, backbone=f"run:P{seed}", seed=seed)
        add(store, 0.8, seed=seed)
    group = read_group(store, "sst2")
    assert (group.keys, len(group.pretraining), group.runs) == (("strategy.name",), 2, 4)
    assert [(row.values, row.seconds) for row in group.rows] == [(("pretrain-first",), 160.0), (("full",), 60.0)]
    assert "2 runs pretrain for them" in group_words.summary(group)


def test_a_smaller_loss_is_better(store: Store) -> None:
    for strategy, value in (("full", 2.0), ("gradual", 1.0)):
        add_run(store, [value], settings={"strategy": strategy}, grp="g", goal_key="eval/loss")
    best = read_group(store, "g").best
    assert best is not None
    assert best.values == ("gradual",)


def test_a_learning_curve_has_a_line_for_each_other_combination(store: Store) -> None:
    for strategy in ("full", "gradual"):
        for rows, value in ((900, 0.9), (100, 0.7), (300, 0.8)):
            for seed in (1, 2):
                data = {"train": "starter:sentiment", "rows": rows}
                add(store, value + seed / 100, strategy=strategy, data=data, seed=seed)
    add(store, None, data={"train": "starter:sentiment", "rows": 2700})
    curve = learning_curve(read_group(store, "sst2"))
    assert curve is not None
    assert (curve.key, list(curve.lines)) == ("data.rows", [("full",), ("gradual",)])
    assert [(x, round(y, 3)) for x, y, _ in curve.lines["full",]] == [(100, 0.715), (300, 0.815), (900, 0.915)]
    add(store, 0.5, name="other")
    assert learning_curve(read_group(store, "other")) is None


def test_groups_are_listed_the_newest_first(store: Store) -> None:
    add(store, 0.8, name="old")
    add(store, 0.9, name="new")
    add(store, None, name="new", seed=2)
    assert [(group.name, group.runs, group.done) for group in read_groups(store)] == [("new", 2, 1), ("old", 1, 1)]
    listed = group_words.list_text(read_groups(store)).splitlines()
    assert listed[1].split() == ["new", "2", "1", "accuracy", "0.900"]
    with pytest.raises(WorkbenchError, match="no group 'gone'"):
        read_group(store, "gone")
    assert "No groups yet" in group_words.list_text([])


def test_a_group_goes_to_a_spreadsheet_and_to_json(store: Store) -> None:
    for seed in (1, 2):
        for backbone in ("=cmd()", f"/models/{HOSTILE}"):
            add(store, 0.1 + seed / 3, backbone=backbone, seed=seed)
    group = read_group(store, "sst2")
    rows = list(csv.DictReader(io.StringIO(group_words.as_csv(group))))
    assert rows[0]["backbone.name"] == "'=cmd()"
    assert float(rows[0]["eval/accuracy mean"]) == group.rows[0].mean
    assert rows[0]["runs"] == "1 3"
    made = json.loads(json.dumps(group.to_json()))
    assert made["rows"][0]["values"] == {"backbone.name": "=cmd()"}
    assert "\x1b" not in group_words.as_text(group) + group_words.as_csv(group)
