"""Whether a run repeats another, said by its numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store import points, runs
from store.connection import Store, open_store, prepare
from tests.store.support import add_run
from workbench.insight.repeats import Repeat, repeat_of

LOSSES = [0.5, math.nan, 0.25]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    prepare(tmp_path / "workbench.db")
    with open_store(tmp_path / "workbench.db") as store:
        add(store, "first", LOSSES)
        yield store


def add(store: Store, name: str, losses: list[float], speed: float = 1.0, **columns: Any) -> int:
    versions = json.dumps({"threads": columns.pop("threads", 1)})
    plain = {"recipe_hash": "0", "state": "finished", "versions": versions, "uid": name}
    run_id = add_run(store, name, **plain | columns)
    rows = [("train/loss", step, 1.0, value) for step, value in enumerate(losses, 1)]
    rows += [("eval/accuracy", 3, 1.0, 0.75), ("train/examples_per_second", 1, 1.0, speed)]
    with store.write() as connection:
        points.append(connection, run_id, rows, {})
    return run_id


def found(store: Store, *values: Any, **columns: Any) -> Repeat | None:
    run = runs.get(store, add(store, "again", *values, **{"parent_id": 1, **columns}))
    assert run is not None
    return repeat_of(store, run)


def told(store: Store, *values: Any, **columns: Any) -> Repeat:
    repeat = found(store, *values, **columns)
    assert repeat is not None
    return repeat


def test_equal_numbers_are_a_repeat_whatever_the_speed(store: Store) -> None:
    repeat = told(store, LOSSES, 9.0)
    assert (repeat.same, repeat.compared, repeat.last) == (True, 4, 3)
    assert repeat.words == "repeats run #1 first to the bit: 4 logged numbers up to update 3 are the same"


def test_a_run_that_is_under_way_repeats_it_so_far(store: Store) -> None:
    assert told(store, LOSSES[:2], state="running").words.startswith("repeats run #1 first to the bit so far: ")
    with store.write() as connection:
        connection.execute("DELETE FROM point WHERE run_id=1")
    assert not told(store, LOSSES, uid="third").same


def test_the_first_number_that_differs_is_named_with_the_size_and_the_conditions(store: Store) -> None:
    repeat = told(store, [0.5, math.nan, 0.25 + 2**-20], threads=2)
    assert (repeat.same, repeat.step, repeat.metric, repeat.apart) == (False, 3, "train/loss", 2**-20)
    assert repeat.words == (
        "does not repeat run #1 first: from update 3 on train loss is up to 9.5e-07 apart"
        " (other than there: threads 1→2)"
    )


def test_a_number_beside_none_differs(store: Store) -> None:
    assert (told(store, [0.5, 0.4, 0.25]).step, told(store, [math.nan], uid="x").apart) == (2, None)


@pytest.mark.parametrize("columns", [{"parent_id": None}, {"recipe_hash": "1"}])
def test_another_run_repeats_none(store: Store, columns: dict[str, Any]) -> None:
    assert found(store, LOSSES, **columns) is None
