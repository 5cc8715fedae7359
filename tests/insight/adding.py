"""Runs to compare, with numbers that a test chooses."""

from typing import Any

from store import points, predictions, runs
from store.connection import Store
from workbench.recipe import parse


def add_run(
    store: Store,
    accuracies: list[float],
    *,
    losses: list[float] | None = None,
    answers: str = "",
    settings: dict[str, Any] | None = None,
    **columns: Any,
) -> int:
    """Add a finished run that was evaluated every 100 steps; `answers` is 1 for each right, 0 for each wrong one."""
    raw: dict[str, Any] = {
        "task": "sentiment", "data": "starter:sentiment", "backbone": "size:tiny", "strategy": "full",
    } | (settings or {})  # fmt: skip
    recipe = parse(raw)
    best = max(range(len(accuracies)), key=lambda index: accuracies[index]) if accuracies else None
    row = {
        "uid": f"u{len(runs.listing(store))}", "name": recipe.label, "task": recipe.task.name,
        "backbone": recipe.backbone.name, "strategy": recipe.strategy.name, "dataset": recipe.data.train,
        "state": "finished", "seed": recipe.seed, "goal_key": "eval/accuracy", "eval_set": "e1",
        "best_value": None if best is None else accuracies[best],
        "best_step": None if best is None else 100 * (best + 1), "step": 100 * len(accuracies), "max_steps": 400,
        "trainable": 25, "parameters": 100, "seconds": 60.0, "recipe_hash": recipe.hash(), "recipe": recipe.to_toml(),
    } | columns  # fmt: skip
    run_id = runs.create(store, recipe.flat(), **row)
    with store.write() as connection:
        logged = [("eval/accuracy", 100 * (i + 1), 1.0, value) for i, value in enumerate(accuracies)]
        logged += [("eval/loss", 100 * (i + 1), 1.0, value) for i, value in enumerate(losses or [])]
        logged += [("train/loss", step, 1.0, 1 - step / 1000) for step in range(50, 100 * len(accuracies) + 1, 50)]
        points.append(connection, run_id, logged, {})
        rows = [(i, "a" if mark == "1" else "b", 0.9, 0.1, mark == "1", {}) for i, mark in enumerate(answers)]
        predictions.add_examples(connection, "e1", [(i, "text", "a") for i in range(len(answers))])
        predictions.replace(connection, run_id, 100, "e1", rows)
    return run_id
