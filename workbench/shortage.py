"""Out of memory: what is said of it, and the same updates in less of it. Light: shepherds read this."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from store.runs import Run

if TYPE_CHECKING:
    from workbench.recipe import Recipe

REASONS = ("gpu_oom", "host_oom")
"""The reasons of runs that ran out of memory."""

EVALUATING = "in an evaluation"

_ON_GPU = re.compile(
    r"Tried to allocate (?P<needed>[\d.]+ \w+).*?total capacity of (?P<all>[\d.]+ \w+) of which (?P<free>[\d.]+ \w+)",
    re.DOTALL,
)
_ON_HOST = re.compile(r"you tried to allocate (\d+) bytes")


def words_of(reason: str, problem: BaseException) -> str:
    """Return what ran out, where, and how much was needed and free as far as the error of torch says so."""
    where = f" {EVALUATING}" if EVALUATING in getattr(problem, "__notes__", ()) else ""
    what = f"out of {'GPU' if reason == 'gpu_oom' else 'host'} memory{where}"
    if found := _ON_GPU.search(str(problem)):
        return f"{what}: {found['needed']} needed, {found['free']} of {found['all']} free"
    if found := _ON_HOST.search(str(problem)):
        return f"{what}: {int(found[1]) / 2**20:.1f} MiB needed"
    return ": ".join(filter(None, (what, str(problem).strip())))


def ran_short(run: Run) -> bool:
    """Return whether a run ended because memory ran out."""
    return run.state in ("failed", "crashed") and run.reason in REASONS


def smaller(recipe: Recipe) -> dict[str, int]:
    """Return the settings that halve the batch, or a little more, with as many rows an update; none where it is 1."""
    from workbench.recipe.model import MOST_BATCHES

    batch, batches = recipe.training.batch_size, recipe.training.accumulation
    fitting = (size for size in range(batch // 2, 0, -1) if batch * batches % size == 0)
    size = next(fitting, 0)
    if not size or batch * batches // size > MOST_BATCHES:
        return {}
    return {"training.batch_size": size, "training.accumulation": batch * batches // size}
