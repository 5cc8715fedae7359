"""What happens between two updates: evaluations, checkpoints, and what others ask for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from workbench.goals import goal_of, metric_key
from workbench.shortage import EVALUATING
from workbench.text import count
from workbench.training import checkpoints
from workbench.training.checkpoints import Progress
from workbench.training.control import Control
from workbench.training.events import Evaluated, Event, Noted, Saved, Saving
from workbench.training.failpoints import failpoint
from workbench.training.job import Job
from workbench.training.publish import Published, prune, publish, step_folder
from workbench.training.ranks import agree
from workbench.training.room import model_bytes, state_bytes

MANY = 500
"""Evaluation rows from which on it is said that an evaluation has begun."""


def evaluate(job: Job, progress: Progress, *, counts: bool = True) -> Iterator[Event]:
    """Evaluate, and publish the model where it is the best so far: never one whose metric or loss is not a number.

    One that does not count leaves everything as it is: best, patience, what is published. A range test has no model
    worth it: its last rates are meant to break it.
    """
    if job.ranges:
        return
    rows = len(job.data.validation)
    if rows >= MANY:
        yield Noted(progress.step, "eval", f"evaluating {count(rows)} rows")
    try:
        with job.average.published(), job.strategy.published(job.model):
            yield from _evaluate(job, progress, counts)
    except Exception as problem:
        problem.add_note(EVALUATING)
        raise


def _evaluate(job: Job, progress: Progress, counts: bool) -> Iterator[Event]:
    failpoint("evaluate.begin")
    answers, found = job.evaluate()
    metrics = found[""]
    failpoint("evaluate.done")
    value, goal = agree(job.accelerator, metrics[job.recipe.goal]), goal_of(job.recipe.goal)
    best = progress.best_value
    # Logits that are not numbers still have an accuracy; what gives them away is the loss.
    sound = math.isfinite(value) and not math.isnan(metrics["loss"])
    better = counts and sound and (best is None or (value > best if goal == "max" else value < best))
    if better:
        progress.best_value, progress.best_step, progress.stale = value, progress.step, 0
    elif counts:
        progress.stale += 1
        progress.stalls += 1
    values = {metric_key(name, source): value for source, own in found.items() for name, value in own.items()}
    yield Evaluated(progress.step, job.eval_set, values, better, answers if better else [])
    if better and job.main:
        assert job.room is not None
        published = yield from job.room.save(
            progress, "model", model_bytes(job), lambda: publish_model(job, progress.step)
        )
        kept = prune(job.folder / "models", 1)
        yield _saved(published, progress.step, "model", kept)


def save(job: Job, progress: Progress) -> Iterator[Event]:
    """Publish a checkpoint and prune the older ones; none while the numbers are not finite, for the good ones stay."""
    if not job.main:
        return
    if progress.not_finite and not job.ranges:
        yield Noted(progress.step, "warning", "no checkpoint of what is not a number: the last good one is kept")
        return
    yield Saving(progress.step)
    parent = job.folder / "checkpoints"

    def write() -> Published:
        return checkpoints.save(parent, job.model, job.optimiser, progress, job.average.weights)

    assert job.room is not None
    published = yield from job.room.save(progress, "checkpoint", state_bytes(job), write)
    failpoint("checkpoint.saved")
    yield _saved(published, progress.step, "state", prune(parent, job.recipe.checkpoint.keep))


def out_of_patience(job: Job, progress: Progress) -> bool:
    """Whether as many evaluations went by without a gain as the recipe allows."""
    patience = job.recipe.evaluation.patience
    return patience is not None and progress.stale >= patience


def oblige(job: Job, progress: Progress, control: Control, wished: set[str]) -> Iterator[Event]:
    """Do what is asked for, and say so; a run that goes on, now or when it is resumed, does so as if nobody had asked.

    A checkpoint and an evaluation wait for the first update.
    """
    at = f"after update {progress.step} of {job.updates}, as asked"
    if "stop" in wished:
        yield from wind_down(job, progress)
        yield Noted(progress.step, "stop", f"stopped {at}")
    elif "pause" in wished:
        if progress.step:
            yield from save(job, progress)
        yield Noted(progress.step, "pause", f"paused {at}")
    elif progress.step:
        if "checkpoint" in wished:
            control.checkpoint.clear()
            yield from save(job, progress)
            yield Noted(progress.step, "checkpoint", f"saved a checkpoint {at}")
        if "evaluate" in wished:
            control.evaluate.clear()
            yield from evaluate(job, progress, counts=False)
            counted = "a range test evaluates nothing" if job.ranges else "it counts neither as best nor for patience"
            yield Noted(progress.step, "evaluate", f"evaluated out of turn {at}: {counted}")


def wind_down(job: Job, progress: Progress) -> Iterator[Event]:
    """Leave a checkpoint to go on from, and a model to try, where there was an update at all."""
    if progress.step:
        yield from save(job, progress)
    if progress.step and progress.best_step is None:
        # With a copy: an evaluation out of turn must not change how the run goes on when it is resumed.
        yield from evaluate(job, replace(progress))


def publish_model(job: Job, step: int) -> Published:
    """Publish a folder that plain transformers loads, with what the task needs to answer as in evaluation."""
    import torch

    described = {
        "max_length": job.max_length,
        "threads": torch.get_num_threads(),
        "device": job.accelerator.device.type,
        "step": step,
        "columns": job.data.chosen,
        **job.data.task.describe(),
    }

    def write(folder: Path) -> None:
        job.data.task.save(job.model, job.tokenizer, folder)
        (folder / "workbench.json").write_text(json.dumps(described, indent=1), encoding="utf-8")

    return publish(step_folder(job.folder / "models", step), write, read_only=True)


def _saved(published: Published, step: int, kind: str, kept: list[int]) -> Saved:
    path = f"{published.path.parent.name}/{published.path.name}"
    return Saved(step, kind, path, published.bytes, published.sha256, kept)
