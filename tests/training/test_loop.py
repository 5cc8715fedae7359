"""The loop: what an update computes, what may change in it, and how a run ends."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.making import GOOD, tiny_backbone, toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of
from workbench.data.features import IGNORED, Feature
from workbench.recipe import Recipe
from workbench.tasks import instructions
from workbench.training.checkpoints import save
from workbench.training.events import Evaluated, Event, Logged, Noted, Saved, Staged, Started
from workbench.training.job import build
from workbench.training.loop import NOT_FINITE_LIMIT, Control, NotFinite, Progress, update
from workbench.training.publish import step_of, verify
from workbench.training.worker import reason_of

SLOW = {"warmup": 0.0, "schedule": "constant"}


def first_update(recipe: Recipe, folder: Path) -> tuple[float, float]:
    folder.mkdir()
    job = build(recipe, folder, folder.parent / "cache")
    done = update(job, job.windows(0)[0], Progress())
    return float(done.loss), float(done.norm)


@pytest.mark.parametrize(("accumulation", "batch_size"), [(3, 4), (6, 2), (12, 1)])
def test_accumulated_batches_are_one_large_batch(
    backbone: Path, rows: Path, tmp_path: Path, accumulation: int, batch_size: int
) -> None:
    plain = {"batches": "random", "max_grad_norm": 1e9}
    whole = recipe_of(backbone, rows, training={**plain, "batch_size": 12})
    parts = recipe_of(backbone, rows, training={**plain, "batch_size": batch_size, "accumulation": accumulation})
    one, other = first_update(whole, tmp_path / "whole"), first_update(parts, tmp_path / "parts")
    assert other == pytest.approx(one, rel=1e-6)


def test_batches_of_unlike_size_count_by_their_examples(backbone: Path, rows: Path, tmp_path: Path) -> None:
    plain = {"max_grad_norm": 1e9, "batch_size": 5, "accumulation": 3}
    found = []
    for name in ("parts", "whole"):
        (tmp_path / name).mkdir()
        job = build(recipe_of(backbone, rows, training=plain), tmp_path / name, tmp_path / "cache")
        window = next(window for window in job.windows(0) if len({len(batch) for batch in window}) > 1)
        done = update(
            job, window if name == "parts" else [[number for batch in window for number in batch]], Progress()
        )
        found.append((float(done.loss), float(done.norm)))
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_an_update_changes_the_groups_that_learn_and_no_others(backbone: Path, rows: Path, tmp_path: Path) -> None:
    strategy = {"name": "gradual", "unfrozen_by": 0.7}
    keeping = {"every": 1, "keep": 100}
    made = recipe_of(backbone, rows, strategy=strategy, checkpoint=keeping, training={"epochs": 1.4, **SLOW})
    fresh = build(made, tmp_path / "run", tmp_path / "cache") if (tmp_path / "run").mkdir() is None else None
    assert fresh is not None
    save(tmp_path / "run" / "checkpoints", fresh.model, fresh.optimiser, Progress())
    told = run_of(made, tmp_path / "run")
    members = {group.name: set(group.parameters) for group in fresh.groups}
    stages = told.all(Staged)
    assert [len([row for row in stage.groups if row["trainable"]]) for stage in stages] == [1, 2, 3, 4]
    steps = [load_file(path / "model.safetensors") for path in sorted((tmp_path / "run/checkpoints").glob("step-*"))]
    assert len(steps) == 1 + made_updates(told)
    for number, (before, after) in enumerate(pairwise(steps)):
        stage = [stage for stage in stages if stage.step <= number][-1]
        learning = set().union(*(members[row["name"]] for row in stage.groups if row["trainable"]))
        assert {name for name in before if not torch.equal(before[name], after[name])} == learning


def made_updates(told: Told) -> int:
    return told.all(Started)[0].updates


def test_a_learnable_set_is_learned(learned: Told) -> None:
    losses = [event.values["train/loss"] for event in learned.all(Logged)]
    assert sum(losses[-10:]) < sum(losses[:10]) / 4
    assert learned.all(Evaluated)[-1].values["eval/accuracy"] == 1.0


def test_every_update_is_told_once_and_in_order(learned: Told) -> None:
    logged = learned.all(Logged)
    assert [event.step for event in logged] == list(range(1, made_updates(learned) + 1))
    assert all(before.seconds <= after.seconds for before, after in pairwise(logged))
    assert logged[-1].epoch == 12
    assert [event.step for event in learned.all(Evaluated)] == [27, 54, 81, 108]


def test_the_best_evaluation_alone_is_best_and_has_answers(learned: Told) -> None:
    best = math.inf
    for event in learned.all(Evaluated):
        assert event.best is (event.values["eval/loss"] < best)
        assert bool(event.answers) is event.best
        best = min(best, event.values["eval/loss"])
    models = [event.step for event in learned.all(Saved) if event.kind == "model"]
    assert models == [event.step for event in learned.all(Evaluated) if event.best]


def with_rate(recipe: Recipe, rate: float) -> Recipe:
    """Return the recipe with a learning rate that no recipe may have."""
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"learning_rate": rate})})


def test_a_run_that_is_not_finite_is_given_up_and_never_best(backbone: Path, rows: Path, tmp_path: Path) -> None:
    made = with_rate(recipe_of(backbone, rows, training={"epochs": 9, **SLOW}, evaluation={"every": 1}), 1e30)
    told: list[Event] = []
    (tmp_path / "run").mkdir()
    with pytest.raises(NotFinite) as end:
        run_of(made, tmp_path / "run", lambda event, _: told.append(event))
    assert reason_of(end.value) == "nan"
    broken = [event for event in told if isinstance(event, Evaluated) and math.isnan(event.values["eval/loss"])]
    assert broken
    assert not any(event.best for event in broken)
    assert len([event for event in told if isinstance(event, Logged)]) < made.training.epochs * 9


def test_the_last_checkpoint_of_finite_numbers_is_kept(backbone: Path, rows: Path, tmp_path: Path) -> None:
    tables = {"training": {"epochs": 9, **SLOW}, "evaluation": {"every": 99}, "checkpoint": {"every": 1, "keep": 1}}
    told: list[Event] = []
    (tmp_path / "run").mkdir()
    with pytest.raises(NotFinite):
        run_of(with_rate(recipe_of(backbone, rows, **tables), 1e30), tmp_path / "run", lambda e, _: told.append(e))
    losses = [event.values["train/loss"] for event in told if isinstance(event, Logged)]
    assert [math.isnan(loss) for loss in losses[-NOT_FINITE_LIMIT:]] == [True] * NOT_FINITE_LIMIT
    bad = [event.step for event in told if isinstance(event, Noted) and event.kind == "warning"]
    (kept,) = (tmp_path / "run" / "checkpoints").glob("step-*")
    assert verify(kept)
    assert step_of(kept) == len(losses) - NOT_FINITE_LIMIT
    assert bad == list(range(step_of(kept) + 1, len(losses)))


def test_labels_that_are_all_ignored_are_no_number_and_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ignored(*given: Any) -> Feature:
        feature = judged(*given)
        return replace(feature, labels=[IGNORED] * len(feature.ids), items=0)

    judged = instructions.judged
    monkeypatch.setattr(instructions, "judged", ignored)
    data = write_jsonl(tmp_path / "rows.jsonl", [{"instruction": text, "output": "yes"} for text in GOOD * 8])
    tables = {"task": "instructions", "training": {"epochs": 9}, "evaluation": {"every": 1}}
    made = recipe_of(tiny_backbone(tmp_path / "llama", "llama"), data, **tables)
    told: list[Event] = []
    (tmp_path / "run").mkdir()
    with pytest.raises(NotFinite) as end:
        run_of(made, tmp_path / "run", lambda event, _: told.append(event))
    assert reason_of(end.value) == "nan"
    losses = [event.values["train/loss"] for event in told if isinstance(event, Logged)]
    assert [math.isnan(loss) for loss in losses] == [True] * NOT_FINITE_LIMIT
    assert not any(event.best for event in told if isinstance(event, Evaluated))
    assert [event for event in told if isinstance(event, Saved)] == []


def test_patience_ends_a_run_and_leaves_its_best_model(backbone: Path, rows: Path, tmp_path: Path) -> None:
    made = with_rate(recipe_of(backbone, rows, evaluation={"every": 2, "patience": 2}, checkpoint={"every": 50}), 1e-30)
    (tmp_path / "run").mkdir()
    told = run_of(made, tmp_path / "run")
    assert [event.best for event in told.all(Evaluated)] == [True, False, False]
    assert (told.events[-1].step, told.all(Noted)[-1].kind) == (6, "early_stop")
    assert [event.step for event in told.all(Saved) if event.kind == "model"] == [2]


def test_a_stop_leaves_a_checkpoint_and_a_model(backbone: Path, rows: Path, tmp_path: Path) -> None:
    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 4:
            control.stop.set()

    (tmp_path / "run").mkdir()
    told = run_of(recipe_of(backbone, rows, evaluation={"every": 20}), tmp_path / "run", stop)
    assert (told.events[-1].step, told.all(Noted)[-1].kind) == (4, "stop")
    assert [path.name for path in sorted((tmp_path / "run").glob("*/step-*"))] == ["step-00000004"] * 2


def test_a_stop_before_the_first_evaluation_changes_nothing_of_what_follows(
    backbone: Path, rows: Path, tmp_path: Path
) -> None:
    evaluation = {"every": 2, "patience": 2}
    made = with_rate(recipe_of(backbone, rows, evaluation=evaluation, checkpoint={"every": 50}), 1e-30)

    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 1:
            control.stop.set()

    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
    straight = run_of(made, tmp_path / "straight")
    assert [event.step for event in run_of(made, tmp_path / "broken", stop).all(Evaluated)] == [1]
    second = run_of(made, tmp_path / "broken")
    assert [(event.step, event.best) for event in second.all(Evaluated)] == [
        (event.step, event.best) for event in straight.all(Evaluated)
    ]
    assert second.events[-1] == straight.events[-1]


@pytest.mark.parametrize(
    "strategy",
    [
        "full",
        {"name": "gradual", "unfrozen_by": 0.5},
        {"name": "lora", "dropout": 0.2},
        {"name": "lora", "variant": "dora"},
        {"name": "lora", "variant": "pissa"},
        "ia3",
    ],
)
def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    backbone: Path, tmp_path: Path, strategy: str | dict[str, object]
) -> None:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    made = recipe_of(backbone, rows, strategy=strategy, training={"epochs": 3, "dropout": 0.2, "batch_size": 4})

    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 13:
            control.stop.set()

    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
    straight = run_of(made, tmp_path / "straight")
    first = run_of(made, tmp_path / "broken", stop)
    second = run_of(made, tmp_path / "broken")
    assert [note.text for note in second.all(Noted) if note.kind == "resume"] == ["resumed after update 13 of 27"]
    numbers = [[(event.step, event.values["train/loss"]) for event in told.all(Logged)] for told in (first, second)]
    assert numbers[0] + numbers[1] == [(event.step, event.values["train/loss"]) for event in straight.all(Logged)]
    last = f"checkpoints/step-{made_updates(straight):08d}"
    for file in ("model.safetensors", "optimiser.safetensors", "random.safetensors"):
        assert (tmp_path / "straight" / last / file).read_bytes() == (tmp_path / "broken" / last / file).read_bytes()


def test_a_backbone_that_can_do_the_task_is_measured_before_it_learns(backbone: Path, tmp_path: Path) -> None:
    pairs = [
        {"text": row["text"], "pair": row["label"], "score": number % 5} for number, row in enumerate(toy_rows(24))
    ]
    made = recipe_of(backbone, write_jsonl(tmp_path / "pairs.jsonl", pairs), task="similarity", training={"epochs": 1})
    (tmp_path / "run").mkdir()
    told = run_of(made, tmp_path / "run")
    kinds = [event for event in told.events if isinstance(event, (Evaluated, Logged))]
    assert isinstance(kinds[0], Evaluated)
    assert (kinds[0].step, kinds[0].best) == (0, True)
    random = recipe_of(
        backbone, tmp_path / "pairs.jsonl", task="similarity", strategy="scratch", training={"epochs": 1}
    )
    (tmp_path / "random").mkdir()
    assert all(event.step > 0 for event in run_of(random, tmp_path / "random").all(Evaluated))
