"""A home with runs as people have them: finished ones of three strategies, a failed, a queued, a running one.

Deterministic: the same runs, numbers and times each time. `NOW` is the moment at which they were looked at.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

from store import checkpoints, events, points, runs
from store.checkpoints import Checkpoint
from store.connection import Store, open_store, prepare
from tests.screens.support import HOSTILE
from workbench.paths import Home
from workbench.recipe import Recipe, parse

NOW = 1_790_000_000.0
"""2026-09-21 14:13:20 UTC."""


BACKBONES = ("/models/distilbert-base-uncased", "/models/bert-mini", "size:mini")
STRATEGIES = ("full", "gradual", "scratch")
DATA = ("starter:sentiment", "/data/sst2/train.jsonl", "/data/reviews.csv")
RATES = (5e-5, 2e-5, 5e-4)
METRICS = ("eval/loss", "eval/accuracy", "eval/macro_f1")


def seed(root: Path, finished: int = 30, *, now: float = NOW) -> Home:
    """Fill a home: `finished` finished runs, then a failed, a queued and a running one, newest last."""
    home = Home(root).create()
    prepare(home.store)
    with open_store(home.store) as store:
        for index in range(finished):
            add_run(store, home, index, "finished", now)
        add_run(store, home, finished, "failed", now)
        add_run(store, home, finished + 1, "running", now)
        add_run(store, home, finished + 2, "queued", now)
    return home


def recipe_of(index: int) -> Recipe:
    """Return the recipe of the `index`-th run."""
    strategy = STRATEGIES[index % 3]
    return parse(
        {
            "name": f"{('sst2', 'reviews', 'mood')[index // 3 % 3]}-{strategy}-{index + 1}",
            "seed": 42 + index // 9,
            "task": "sentiment",
            "data": DATA[index // 3 % 3],
            "backbone": BACKBONES[2 if strategy == "scratch" else index // 9 % 2],
            "strategy": strategy,
            "training": {"epochs": 3, "learning_rate": RATES[index % 3], "batch_size": 16},
        }
    )


def add_run(store: Store, home: Home, index: int, state: str, now: float = NOW, **columns: Any) -> int:
    """Add the `index`-th run in a state, with its curves, events, samples and folder; return its number."""
    recipe = recipe_of(index)
    uid = f"{index + 1:04d}seed{state}"
    max_steps, share = 600, {"finished": 1.0, "failed": 0.2, "running": 0.42, "queued": 0.0}.get(state, 0.5)
    step = int(max_steps * share)
    started = now - {"running": 640.0, "queued": 60.0}.get(state, (40 - index) * 9000.0)
    values: dict[str, Any] = {
        "uid": uid, "name": recipe.label, "task": recipe.task.name, "backbone": recipe.backbone.name,
        "strategy": recipe.strategy.name, "dataset": recipe.dataset, "seed": recipe.seed, "created": started - 5,
        "recipe_hash": recipe.hash(), "recipe": recipe.to_toml(), "max_steps": max_steps,
        "goal_key": "eval/accuracy", "host": "box", "parameters": 66_955_010, "trainable": 66_955_010,
    }  # fmt: skip
    folder = home.run_folder(uid)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    run_id = runs.create(store, recipe.flat(), state="queued", attempt=int(state != "queued"), **values | columns)
    if state == "queued":
        return run_id
    _log(store, run_id, index, step, started)
    summary = points.summaries(store, [run_id])[run_id]
    best = summary.get("eval/accuracy")
    ended = {"ended": started + step * 1.4} if state in runs.ENDED else {}
    failed = {"reason": "data", "error": f"row 812 has no label: {HOSTILE}", "exit_code": 1}
    assert runs.move(
        store, run_id, state, since=("queued",), started=started, step=step, epoch=3 * share,
        seconds=step * 1.4, slot="cpu", best_value=best.max if best else None,
        best_step=best.max_step if best else None,
        peak_bytes=1_400_000_000, **ended, **(failed if state == "failed" else {}), **columns,
    )  # fmt: skip
    (folder / "log.txt").write_text(f"reading {recipe.data.train}\n{HOSTILE}\nstep {step}\n", encoding="utf-8")
    if state in runs.ENDED:
        points.pack(store, run_id)
    return run_id


def log_step(store: Store, run_id: int, step: int, value: float, ts: float = NOW) -> None:
    """Log one more training point, as the worker of a running run does."""
    with store.write() as connection:
        points.append(connection, run_id, [("train/loss", step, ts, value)], {})
        connection.execute("UPDATE run SET step=? WHERE id=?", (step, run_id))


def _log(store: Store, run_id: int, index: int, last: int, started: float) -> None:
    """Write what a worker would: a point every 2 steps, an evaluation every 50, events, one sample of the box."""
    noise = random.Random(index)
    floor = 0.16 + 0.1 * (index % 3)
    rows: list[points.Point] = []
    said: list[tuple[float, int, str, str, str, Any]] = [
        (started, 0, "start", "info", "600 updates, 67 M weights", None),
        (started, 0, "device", "info", "cpu · no GPU: no NVIDIA driver is installed", None),
        (
            started,
            0,
            "stage",
            "info",
            "learning from here on: head (0.9% of the weights)",
            _groups(1, index),
        ),
    ]
    for step in range(2, last + 1, 2):
        ts, decay = started + step * 1.4, math.exp(-step / 120)
        loss = floor + 0.6 * decay - max(0, step - 450) * 4e-4 + noise.gauss(0, 0.05 + 0.05 * decay)
        rows.append(("train/loss", step, ts, max(0.01, loss)))
        rows.append(("train/grad_norm", step, ts, 0.6 + decay + noise.random() * 0.3))
        rows.append(("train/rate", step, ts, RATES[index % 3] * min(1.0, step / 36) * (1 - step / 620)))
        rows.append(("train/examples_per_second", step, ts, 11.4 + noise.random()))
        if step % 50 == 0:
            eval_loss = floor + 0.03 + 0.55 * decay + max(0, step - 450) * 4e-4
            accuracy = 0.93 - 0.05 * (index % 3) - 0.35 * decay + noise.gauss(0, 0.004)
            scores = (eval_loss, accuracy, accuracy - 0.01)
            rows += [(name, step, ts, value) for name, value in zip(METRICS, scores, strict=True)]
            said.append((ts, step, "eval", "info", f"loss {eval_loss:.3f}  accuracy {accuracy:.3f}", None))
            said.append((ts + 1, step, "saved", "info", f"checkpoint → checkpoints/step-{step:08d} (256 MiB)", None))
        if step == 100:
            said.append(
                (
                    ts,
                    step,
                    "stage",
                    "info",
                    "learning from here on: head, layer 5, layer 4 (22.1% of the weights)",
                    _groups(3, index),
                )
            )
    sample = {
        "cpu/util": 62.0, "ram/used": 6.1e9, "ram/total": 16.6e9, "disk/free": 2.2e11, "worker/ram": 1.9e9,
    }  # fmt: skip
    known: dict[str, int] = {}
    with store.write() as connection:
        points.append(connection, run_id, rows, known)
        events.append(connection, run_id, said)
        events.append_system(connection, run_id, started + last * 1.4, sample, {})
        if last >= 50:
            checkpoints.add(connection, Checkpoint(run_id, "state", last // 50 * 50, "checkpoints/x", 268_000_000, "0"))


def _groups(trainable: int, index: int) -> dict[str, Any]:
    names = ["head", "layer 5", "layer 4", "layer 3", "layer 2", "layer 1", "layer 0", "embeddings"]
    sizes = [592_130, *([7_087_872] * 6), 23_835_648]
    every, peak = index % 3 != 1, RATES[index % 3]
    groups = []
    for n, (name, size) in enumerate(zip(names, sizes, strict=True)):
        on = every or n < trainable
        row = {"name": name, "trainable": on, "rate": peak * 0.95**n, "size": size, "learning": size if on else 0}
        groups.append(row | {"share": size / sum(sizes)})
    return {"groups": groups[::-1], "until": "" if every else f"until step {100 if trainable == 1 else 300}"}
