"""Comparisons of runs in a real store, with values worked out by hand."""

import json

import pytest

from store.connection import Store
from tests.insight.adding import add_run
from workbench.errors import WorkbenchError
from workbench.insight.compare import Comparison, compare


def codes(comparison: Comparison) -> list[str]:
    return [notice.code for notice in comparison.notices]


def test_metrics_are_those_of_the_saved_model_and_judged_by_their_goal(store: Store) -> None:
    one = add_run(store, [0.7, 0.9, 0.8], losses=[0.5, 0.4, 0.45])
    two = add_run(store, [0.7, 0.85, 0.95], losses=[0.6, 0.5, 0.41])
    comparison = compare(store, [one, two])
    assert [row.name for row in comparison.metrics] == ["eval/accuracy", "eval/loss", "train/loss"]
    accuracy, loss, _ = comparison.metrics
    base, other = accuracy.cells
    assert base is not None
    assert other is not None
    assert (base.best, base.best_step, base.delta) == (0.9, 200, None)
    assert (other.best, other.best_step, other.verdict) == (0.95, 300, "better")
    assert other.delta == pytest.approx(0.05)
    assert loss.goal == "min"
    assert loss.cells[1] is not None
    assert (loss.cells[1].best, loss.cells[1].best_step, loss.cells[1].verdict) == (0.41, 300, "worse")


def test_the_baseline_can_be_any_of_them(store: Store) -> None:
    one, two = add_run(store, [0.9]), add_run(store, [0.8])
    comparison = compare(store, [one, two], baseline=two)
    assert comparison.baseline == 1
    cell = comparison.metrics[0].cells[0]
    assert cell is not None
    assert cell.verdict == "better"


def test_settings_that_differ_come_first_and_the_name_never(store: Store) -> None:
    one = add_run(store, [0.9], settings={"name": "mine"})
    two = add_run(store, [0.9], settings={"name": "other", "training": {"weight_decay": 0.2, "dropout": 0.3}})
    comparison = compare(store, [one, two])
    differing = {row.path: row.values for row in comparison.differing()}
    assert differing == {"training.dropout": (None, "0.3"), "training.weight_decay": ("0.01", "0.2")}
    assert "name" not in {row.path for row in comparison.settings}
    assert len(comparison.settings) > 20


def test_one_differing_setting_is_no_confound_and_two_are(store: Store) -> None:
    base = add_run(store, [0.9])
    decay = add_run(store, [0.9], settings={"training": {"weight_decay": 0.2}})
    both = add_run(store, [0.9], settings={"training": {"weight_decay": 0.2, "epochs": 1.0}})
    assert "confounded" not in codes(compare(store, [base, decay]))
    confound = next(notice for notice in compare(store, [base, both]).notices if notice.code == "confounded")
    assert (
        confound.text == f"#{both} and #{base} differ in epochs and weight decay: the gain cannot be put on one of them"
    )
    assert confound.run_ids == (both, base)


def test_what_belongs_to_another_strategy_counts_as_one_difference(store: Store) -> None:
    base = add_run(store, [0.9])
    gradual = add_run(store, [0.9], settings={"strategy": "gradual"})
    elsewhere = add_run(store, [0.9], settings={"checkpoint": {"keep": 9}, "hardware": {"threads": 1}, "seed": 1})
    assert "confounded" not in codes(compare(store, [base, gradual]))
    assert "confounded" not in codes(compare(store, [base, elsewhere]))
    assert "same_recipe" not in codes(compare(store, [base, elsewhere]))


def test_the_same_recipe_twice_is_said(store: Store) -> None:
    assert "same_recipe" in codes(compare(store, [add_run(store, [0.9]), add_run(store, [0.9])]))


def test_other_evaluation_data_are_not_compared(store: Store) -> None:
    one, two = add_run(store, [0.9], answers="11"), add_run(store, [0.8], eval_set="e2")
    comparison = compare(store, [one, two])
    assert comparison.notices[0].code == "not_comparable"
    assert not comparison.columns[1].comparable
    cell = comparison.metrics[0].cells[1]
    assert cell is not None
    assert (cell.best, cell.delta, cell.verdict) == (0.8, None, "")
    assert comparison.paired == (None, None)


def test_the_paired_test_counts_the_examples_that_tell_two_runs_apart(store: Store) -> None:
    one = add_run(store, [0.5], answers="00000000111")
    two = add_run(store, [0.9], answers="11111111110")
    test = compare(store, [one, two]).paired[1]
    assert test is not None
    assert (test.examples, test.better, test.worse) == (11, 8, 1)
    assert test.p == pytest.approx(20 / 512)
    assert test.significant


def test_seeds_give_mean_and_spread(store: Store) -> None:
    one = add_run(store, [0.90])
    add_run(store, [0.92], settings={"seed": 1})
    add_run(store, [0.94], settings={"seed": 2})
    add_run(store, [0.10], settings={"seed": 3}, state="failed")
    add_run(store, [0.10], settings={"seed": 4, "training": {"epochs": 9.0}})
    other = add_run(store, [0.5], settings={"strategy": "gradual"})
    comparison = compare(store, [one, other])
    assert comparison.columns[0].seeds == 3
    assert comparison.columns[0].mean == pytest.approx(0.92)
    assert comparison.columns[0].spread == pytest.approx(0.02)
    assert (comparison.columns[1].seeds, comparison.columns[1].spread) == (1, None)
    assert [notice.run_ids for notice in comparison.notices if notice.code == "one_seed"] == [(other,)]


def test_unfinished_and_overfitting_runs_are_named(store: Store) -> None:
    one = add_run(store, [0.9] * 4, losses=[0.4, 0.5, 0.6, 0.7])
    two = add_run(store, [0.9] * 2, state="running")
    three = add_run(store, [], state="queued", eval_set=None)
    comparison = compare(store, [one, two, three])
    assert comparison.columns[0].overfits_from == 100
    assert {"overfitting", "unfinished", "no_results"} <= set(codes(comparison))
    assert comparison.columns[0].trainable_share == 0.25
    assert comparison.metrics[0].cells[2] is None


def test_a_comparison_is_json(store: Store) -> None:
    one, two = add_run(store, [0.9], answers="10"), add_run(store, [0.8], answers="11")
    table = json.loads(json.dumps(compare(store, [one, two]).to_json(), allow_nan=False))
    assert table["columns"][0]["trainable_share"] == 0.25
    assert table["paired"][1]["discordant"] == 1
    assert table["metrics"][0]["cells"][1]["verdict"] == "worse"


@pytest.mark.parametrize("run_ids", [[], [1], [1, 1], [1, 99]])
def test_fewer_than_two_runs_that_exist_are_refused(store: Store, run_ids: list[int]) -> None:
    add_run(store, [0.9])
    with pytest.raises(WorkbenchError):
        compare(store, run_ids)


def test_a_baseline_outside_is_refused(store: Store) -> None:
    one, two, three = add_run(store, [0.9]), add_run(store, [0.9]), add_run(store, [0.9])
    with pytest.raises(WorkbenchError, match="not among"):
        compare(store, [one, two], baseline=three)
