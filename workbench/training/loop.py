"""The training loop, from top to bottom: it yields what happens and knows nothing of who listens."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.box.telemetry import describe_device
from workbench.data.doctor import doubts
from workbench.goals import SPEED
from workbench.recipe import Recipe
from workbench.training import checkpoints, lesson, readings
from workbench.training.begun import versions
from workbench.training.between import evaluate, oblige, out_of_patience, save
from workbench.training.checkpoints import Progress
from workbench.training.control import Control, wishes
from workbench.training.events import Event, Logged, Noted, Staged, Started
from workbench.training.failpoints import failpoint
from workbench.training.job import Job, build
from workbench.training.objective import batch_loss
from workbench.training.optimiser import rate_at, set_rate
from workbench.training.range_test import advice, diverged_at
from workbench.training.ranks import add_up, seed_update, share_of
from workbench.training.room import Room, Unsaved, look_ahead

if TYPE_CHECKING:
    import torch

READ_EVERY = 10
"""Updates between two reads of the loss from a GPU: a read waits for the device."""

NOT_FINITE_LIMIT = 5
"""Updates in a row without a finite loss and gradient after which a run is given up."""


class NotFinite(Exception):
    """Loss or gradient was not a number for too many updates in a row."""


@dataclass(frozen=True)
class Update:
    """One update whose numbers may still be on the device."""

    step: int
    loss: torch.Tensor
    norm: torch.Tensor
    rate: float
    examples: int


def train(recipe: Recipe, folder: Path, cache: Path, control: Control) -> Iterator[Event]:
    """Carry out a run, or go on from its newest checkpoint; yield what happens."""
    room = Room(folder, control)
    try:
        yield from _train(recipe, folder, cache, control, room)
    except Unsaved as unsaved:
        verb, done = ("stop", "stopped") if control.stop.is_set() else ("pause", "paused")
        words = f"{done} after update {unsaved.step}, as asked, which is not saved: {unsaved}"
        yield Noted(unsaved.step, verb, f"{words}; resuming goes on from the newest checkpoint")


def _train(recipe: Recipe, folder: Path, cache: Path, control: Control, room: Room) -> Iterator[Event]:
    yield Noted(0, "start", "loading libraries, data and backbone")
    job = replace(build(recipe, folder, cache), room=room)
    broken: list[str] = []
    kept = checkpoints.restore(folder / "checkpoints", job.model, job.optimiser, broken, job.average.weights)
    progress = kept or Progress()
    control.step = progress.step
    yield _started(job, progress)
    if job.strategy.taught:
        yield from lesson.learn(job, control.ends)
    if job.strategy.reads_once:
        yield from readings.read(job, control.ends)
    yield from _resumed(job, progress, broken)
    if job.main:
        yield from look_ahead(job, progress)
    if progress.step == 0 and job.data.task.card.able_untrained and not recipe.starts_random:
        yield from evaluate(job, progress)
    unread = Unread(progress)
    learning: frozenset[str] = frozenset()
    while progress.step < job.updates:
        if job.augmenter and job.augmenter.writes:
            yield from unread.read(job)
            yield from job.written_for(progress, control.ends)
            unread.restart()
        for window in job.windows(progress.epoch)[progress.window :]:
            if out_of_patience(job, progress):
                yield Noted(progress.step, "early_stop", f"no gain in {progress.stale} evaluations")
                return
            wished = wishes(control, progress.step, job.accelerator)
            if wished:
                yield from unread.read(job)
                yield from oblige(job, progress, control, wished)
                if wished & {"stop", "pause"}:
                    return
                unread.restart()
            wanted = job.strategy.trainable(job.groups, job.moment(progress))
            if wanted != learning:
                learning = wanted
                yield set_learning(job, learning, progress)
            unread.add(update(job, window, progress))
            progress.step += 1
            progress.window += 1
            over = progress.step >= job.updates
            evaluate_now = over or progress.step % job.evaluate_every == 0
            save_now = over or progress.step % job.save_every == 0
            if evaluate_now or save_now or unread.full:
                yield from unread.read(job)
            if evaluate_now:
                yield from evaluate(job, progress)
            if save_now:
                yield from save(job, progress)
            unread.restart()
            if over or (not unread.waiting and diverged_at(progress.losses, job.updates) is not None):
                if job.ranges:
                    yield Noted(progress.step, "range_test", advice(progress.losses, job.updates, job.recipe.training))
                return
        progress.epoch += 1
        progress.window = 0


def update(job: Job, window: list[list[int]], progress: Progress) -> Update:
    """Do one update on a window of batches; the loss is the mean over all items of the window."""
    import torch

    training, accelerator = job.recipe.training, job.accelerator
    seed_update(job.recipe.seed, progress.step, accelerator)
    batches = [job.varied(rows, progress.epoch) for rows in window]
    items = sum(feature.items for rows in batches for feature, _ in rows)
    # The mean over no items at all is no number, and shown so.
    total = torch.full((), 0.0 if items else math.nan, device=accelerator.device)
    for rows in batches:
        if mine := share_of(rows, accelerator):
            loss = batch_loss(job, [feature for feature, _ in mine], [number for _, number in mine]) / max(1, items)
            loss = loss * math.nan if failpoint("update.forward") else loss
            accelerator.backward(loss)
            total += loss.detach()
    add_up(accelerator, job.model.parameters(), total)
    failpoint("update.backward")
    norm = accelerator.clip_grad_norm_(job.model.parameters(), training.max_grad_norm)
    rate = rate_at(progress.step, job.updates, training)
    set_rate(job.optimiser, rate)
    # The fused optimiser leaves everything as it is where this is 1: no wait for the device to find out.
    job.optimiser.found_inf = (~torch.isfinite(norm)).float()  # type: ignore[attr-defined]
    failpoint("update.step")
    job.optimiser.step()
    job.optimiser.zero_grad(set_to_none=True)
    job.average.update(progress.step)
    failpoint("update.done")
    return Update(progress.step + 1, total, norm, rate, sum(map(len, batches)))


class Unread:
    """Updates whose numbers were not read from the device yet, and the time they took."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.waiting: list[Update] = []
        self.since = time.monotonic()

    @property
    def full(self) -> bool:
        """Whether it is time to read: on a CPU always, for reading costs nothing there."""
        return len(self.waiting) >= READ_EVERY or self.waiting[-1].loss.device.type == "cpu"

    def restart(self) -> None:
        """Count the time since the last read, in which nothing was trained, where nothing waits to be read."""
        if not self.waiting:
            now = time.monotonic()
            self.progress.seconds += now - self.since
            self.since = now

    def add(self, update: Update) -> None:
        """Keep an update for the next read."""
        self.waiting.append(update)

    def read(self, job: Job) -> Iterator[Logged]:
        """Yield the updates that wait, their numbers fetched at once; raise NotFinite after too many bad ones."""
        import torch

        updates, self.waiting = self.waiting, []
        if not updates:
            return
        numbers = torch.stack([torch.stack([each.loss, each.norm.to(each.loss.device)]) for each in updates]).tolist()
        now = time.monotonic()
        elapsed, self.since = now - self.since, now
        speed = sum(each.examples for each in updates) / elapsed
        for each, (loss, norm) in zip(updates, numbers, strict=True):
            self.progress.seconds += elapsed / len(updates)
            # An update whose rows were all left out has no loss, and nothing is wrong with it.
            finite = math.isfinite(norm) and not (math.isnan(loss) and each.examples)
            self.progress.not_finite = 0 if finite else self.progress.not_finite + 1
            if job.ranges:
                self.progress.losses.append(loss if math.isfinite(norm) else math.nan)
            values = {"train/loss": loss, "train/grad_norm": norm, "train/rate": each.rate}
            values[SPEED] = speed
            epoch = each.step / job.updates_per_epoch
            yield Logged(each.step, epoch, self.progress.seconds, values)
        if self.progress.not_finite >= NOT_FINITE_LIMIT and not job.ranges:
            bad = f"no finite loss and gradient in {self.progress.not_finite} updates up to {updates[-1].step}"
            raise NotFinite(bad)


def set_learning(job: Job, learning: frozenset[str], progress: Progress) -> Staged:
    """Let the named layer groups learn and freeze everything else."""
    job.model.requires_grad_(False)
    parameters = dict(job.model.named_parameters())
    rows, total = [], 0
    for number, group in enumerate(job.groups):
        trainable = group.name in learning and group.learning > 0
        for name in group.learns if trainable else ():
            parameters[name].requires_grad_(True)
        rate = job.strategy.rate(job.groups, number) * job.recipe.training.learning_rate
        learned = group.learning if trainable else 0
        row = {"name": group.name, "trainable": trainable, "rate": rate, "size": group.size, "learning": learned}
        rows.append(row)
        total += learned
    job.average.follow()
    until = job.strategy.until(job.groups, job.moment(progress))
    return Staged(progress.step, rows, total, until)


def _started(job: Job, progress: Progress) -> Started:
    task, validation = job.data.task, job.data.validation
    return Started(
        step=progress.step,
        updates=job.updates,
        parameters=sum(parameter.numel() for parameter in job.model.parameters()),
        device=f"{job.accelerator.device} · {describe_device()}",
        eval_set=job.eval_set,
        eval_rows=[(json.dumps(each.fields, ensure_ascii=False), task.gold_words(each)) for each in validation],
        versions=versions(job.accelerator.device),
        notes=[] if progress.step else [*job.notes, *(finding.words for finding in doubts(job.data))],
    )


def _resumed(job: Job, progress: Progress, broken: list[str]) -> Iterator[Event]:
    """Say where the run goes on, and which checkpoints could not be used."""
    for name in broken:
        yield Noted(
            progress.step, "warning", f"checkpoint {name} is damaged and set aside: it does not fit its manifest"
        )
    if progress.step:
        yield Noted(progress.step, "resume", f"resumed after update {progress.step} of {job.updates}")
    elif (job.folder / "started.2").exists():
        yield Noted(0, "warning", "there is no checkpoint to go on from: the run begins again at its first update")
