"""What ails a run is told from curves of each kind; healthy ones have no finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.insight.courses import add, course, recipe_of
from workbench.insight.course import Course, jitter, longest_stall
from workbench.insight.diagnosis import findings
from workbench.insight.remedies import diagnose, remedied
from workbench.shortage import EVALUATING, words_of
from workbench.training.failpoints import OUT_OF_MEMORY

KINDS = {
    "diverging": "diverging",
    "overfitting": "overfitting",
    "underfitting": "underfitting",
    "cut short": "underfitting",
}


def codes(one: Course) -> list[str]:
    return [finding.code for finding in findings(one)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("kind", "code"), KINDS.items())
def test_each_kind_is_found(kind: str, code: str, seed: int) -> None:
    assert codes(course(kind, seed, evaluations=20)) == [code]


@pytest.mark.parametrize("seed", range(5))
def test_a_plateau_is_found_while_the_rate_is_high(seed: int) -> None:
    assert codes(course("plateau", seed, constant=True, until=0.7)) == ["plateau"]
    assert codes(course("plateau", seed)) == []  # its rate has fallen by itself


def test_a_noisy_evaluation_is_found_more_often_than_not() -> None:
    found = [codes(course("noisy", seed, evaluations=20)) for seed in range(20)]
    assert found.count(["noisy"]) >= 12
    assert all(each in ([], ["noisy"]) for each in found)


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("updates", [12, 40, 150, 1000])
@pytest.mark.parametrize("until", [0.05, 0.3, 0.6, 0.9, 1.0])
def test_a_healthy_run_has_no_finding_at_any_time(until: float, updates: int, noise: float) -> None:
    for seed in range(10):
        assert codes(course("healthy", seed, updates=updates, until=until, noise=noise)) == [], seed


@pytest.mark.parametrize("evaluations", [1, 3, 5])
def test_few_evaluations_are_no_reason_for_a_finding(evaluations: int) -> None:
    for seed in range(10):
        assert codes(course("healthy", seed, evaluations=evaluations)) == []
        assert codes(course("noisy", seed, evaluations=evaluations)) == []


def test_divergence_is_found_soon_and_says_since_when() -> None:
    (found,) = findings(course("diverging", until=0.5))
    assert found.code == "diverging"
    assert 70 <= found.step <= 110
    assert "gradient norm 2" in found.words or "gradient norm 3" in found.words
    assert codes(course("diverging", until=0.25)) == []


def test_a_spike_that_is_overcome_is_no_divergence() -> None:
    one = course("healthy")
    values = [9.0 if 100 < step <= 108 else value for step, value in zip(*one.training, strict=True)]
    assert codes(replace(one, training=(one.training[0], values))) == []


@pytest.mark.parametrize("bad", [None, float("inf")])
def test_a_loss_that_is_no_number_is_divergence_from_the_second_update_on(bad: float | None) -> None:
    one = course("healthy", until=0.5)
    add(one.training, 151, bad)  # type: ignore[arg-type]
    assert codes(one) == []
    add(one.training, 152, bad)  # type: ignore[arg-type]
    (found,) = findings(one)
    assert (found.step, found.words) == (151, "diverging: the loss is not a number since step 151")


def test_pretrained_weights_without_a_fresh_head_may_start_near_their_floor() -> None:
    flat = course("underfitting")
    told = recipe_of(task="instructions", data="/data/x.jsonl", backbone="/models/some")
    assert diagnose(flat, told) == ()
    assert [each.code for each in diagnose(flat, recipe_of(task="instructions", data="/data/x.jsonl"))] == [
        "underfitting"
    ]


def test_noise_names_the_size_of_a_small_evaluation_set() -> None:
    (found,) = diagnose(course("noisy", 1, rows=40, evaluations=20), recipe_of())
    assert found.words.endswith("on 40 rows")
    assert found.changes == {"data.validation_share": 0.3}
    (found,) = diagnose(
        course("noisy", 1, rows=40, evaluations=20),
        recipe_of(data={"train": "/data/a.csv", "validation": "/data/b.csv"}),
    )
    assert found.changes == {"evaluation.metric": "loss"}
    metric = recipe_of(data={"train": "/data/a.csv", "validation": "/data/b.csv"}, evaluation={"metric": "loss"})
    (found,) = diagnose(course("noisy", 1, rows=40, evaluations=20), metric)
    assert (found.remedy, found.changes) == ("a larger evaluation set", {})


def test_the_remedy_of_overfitting_names_only_what_is_not_done_yet() -> None:
    (found,) = diagnose(course("overfitting"), recipe_of(training={"epochs": 10}))
    assert found.remedy == "early stopping, dropout, weight decay, fewer epochs; or more data"
    assert found.changes["training.dropout"] == 0.2
    assert 5 <= found.changes["training.epochs"] < 10
    done = remedied(recipe_of(training={"epochs": 10}), found.changes)
    (again,) = diagnose(replace(course("overfitting"), updates=0), done)
    assert (again.remedy, again.changes) == ("more data", {})


def test_patience_outlasts_the_stalls_that_were_overcome() -> None:
    one = course("overfitting")
    steps, scores = one.score
    stalled = [0.9 if step == 125 else 0.5 for step in steps]
    (found,) = diagnose(replace(one, score=(steps, stalled)), recipe_of())
    assert found.changes["evaluation.patience"] == 5  # three evaluations without a gain, then one with
    assert len(scores) == 12


@pytest.mark.parametrize(("rate", "new"), [(1e-3, 2e-4), (0.1, 5e-4), (5e-4, 1e-4)])
def test_divergence_lowers_the_rate_and_one_far_off_to_the_usual(rate: float, new: float) -> None:
    (found,) = diagnose(course("diverging"), recipe_of(training={"learning_rate": rate}))
    assert found.changes == {"training.learning_rate": new, "training.warmup": 0.1}


def test_what_learns_nothing_at_a_rate_far_above_the_usual_gets_the_usual() -> None:
    (found,) = diagnose(course("underfitting"), recipe_of(training={"learning_rate": 0.01}))
    assert found.changes == {"training.learning_rate": 5e-4}
    (found,) = diagnose(course("underfitting"), recipe_of(training={"learning_rate": 1e-5}))
    assert found.changes == {"training.epochs": 9.0, "training.learning_rate": 5e-4}


@pytest.mark.parametrize(
    ("batch", "batches", "smaller"),
    [
        (8, 1, (4, 2)),
        (8, 3, (4, 6)),
        (6, 1, (3, 2)),
        (7, 1, (1, 7)),
        (10, 3, (5, 6)),
        (5, 2, (2, 5)),
        (2, 2048, (1, 4096)),
    ],
)
def test_a_run_short_of_memory_makes_the_same_updates_in_smaller_batches(
    batch: int, batches: int, smaller: tuple[int, int]
) -> None:
    short = replace(course("healthy", until=0.3), shortage="out of GPU memory: 2.50 GiB needed")
    (found,) = diagnose(short, recipe_of(training={"batch_size": batch, "accumulation": batches}))
    assert (found.code, found.step, found.words) == ("memory", 90, "out of GPU memory: 2.50 GiB needed")
    assert (found.changes["training.batch_size"], found.changes["training.accumulation"]) == smaller
    assert smaller[0] * smaller[1] == batch * batches
    assert found.remedy == f"batch {batch} → {smaller[0]}, added up {batches} → {smaller[1]} times: the same updates"


@pytest.mark.parametrize(("batch", "batches"), [(1, 1), (1, 7), (2, 4096)])
def test_where_batches_cannot_be_smaller_layers_are_computed_twice_then_only_words_help(
    batch: int, batches: int
) -> None:
    short = Course(shortage="out of GPU memory")
    plain = {"batch_size": batch, "accumulation": batches}
    (found,) = diagnose(short, recipe_of(training=plain))
    assert found.changes == {"training.activation_checkpointing": True}
    (found,) = diagnose(short, recipe_of(training={**plain, "activation_checkpointing": True}))
    assert (found.step, found.changes) == (0, {})


def test_an_evaluation_that_runs_out_of_memory_needs_shorter_texts() -> None:
    (found,) = diagnose(Course(shortage=words_of("gpu_oom", _in_evaluation())), recipe_of())
    assert found.words == "out of GPU memory in an evaluation: boom"
    assert (found.changes, found.remedy.partition(":")[0]) == ({}, "a shorter training.max_length")


def _in_evaluation() -> Exception:
    problem = RuntimeError("boom")
    problem.add_note(EVALUATING)
    return problem


def test_it_is_said_where_smaller_batches_are_not_quite_the_same() -> None:
    short = Course(shortage="out of GPU memory")
    (found,) = diagnose(short, recipe_of(training={"mixup": 0.4}))
    assert found.remedy.endswith("the same updates, but rows are mixed with fewer others")
    (found,) = diagnose(short, recipe_of(task="embeddings", data="/data/x.jsonl"))
    assert found.remedy.endswith("the same updates, but each pair is held to fewer others")


@pytest.mark.parametrize(
    ("reason", "said", "words"),
    [
        ("gpu_oom", OUT_OF_MEMORY, "out of GPU memory: 2.50 GiB needed, 1.25 GiB of 7.79 GiB free"),
        (
            "host_oom",
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 8000000000 bytes. Error code 12 (Cannot allocate memory)",
            "out of host memory: 7629.4 MiB needed",
        ),
        ("host_oom", "", "out of host memory"),
        ("gpu_oom", "CUDA error: out of memory", "out of GPU memory: CUDA error: out of memory"),
    ],
)
def test_it_is_said_how_much_was_needed_and_free(reason: str, said: str, words: str) -> None:
    assert words_of(reason, RuntimeError(said)) == words


@pytest.mark.parametrize("kind", [*KINDS, "plateau", "noisy"])
def test_every_remedied_recipe_is_one(kind: str) -> None:
    recipe = recipe_of(training={"epochs": 10_000, "schedule": "constant", "max_grad_norm": 5.0})
    one = course(kind, constant=kind == "plateau", until=0.7 if kind == "plateau" else 1.0)
    for each in diagnose(one, recipe):
        changed = remedied(recipe, each.changes)
        assert set(recipe.diff(changed)) <= set(each.changes)


def test_a_straight_course_has_no_jitter() -> None:
    assert jitter([1.0, 2.0, 3.0, 4.0, 5.0]) == 0.0
    assert jitter([]) == jitter([1.0, 2.0]) == 0.0
    assert jitter([0.0, 1.0] * 10) == pytest.approx(2 / (0.6745 * 6**0.5))


@pytest.mark.parametrize(("values", "stall"), [([1.0, 2.0, 2.0, 2.0, 3.0, 3.0], 2), ([3.0, 2.0, 1.0], 0), ([], 0)])
def test_the_longest_stall_is_one_that_ended(values: list[float], stall: int) -> None:
    assert longest_stall(values, "max") == stall
