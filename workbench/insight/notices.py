"""What keeps a difference between runs from being believed, in words with a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.runs import Run
from workbench.insight.settings import Setting, differing_in

if TYPE_CHECKING:
    from workbench.insight.compare import Column


@dataclass(frozen=True)
class Notice:
    """`code` is not_comparable, confounded, same_recipe, unfinished, no_results, one_seed or that of a diagnosis."""

    code: str
    text: str
    run_ids: tuple[int, ...]


def notices(
    runs: Sequence[Run], columns: Sequence[Column], settings: Sequence[Setting], baseline: int
) -> tuple[Notice, ...]:
    """Return what to know before believing the table, the weightiest first."""
    base = runs[baseline]
    others = [index for index in range(len(runs)) if index != baseline]
    found = [_not_comparable(runs[index], base) for index in others if not columns[index].comparable]
    compared = [index for index in others if columns[index].comparable]
    found += [notice for index in compared if (notice := _differences(runs[index], base, settings, index, baseline))]
    found += [notice for run in runs if (notice := _unfinished(run))]
    found += [_ails(column) for column in columns if column.diagnoses]
    alone = tuple(column.run_id for column in columns if column.seeds == 1)
    if compared and alone:
        found.append(Notice("one_seed", _ONE_SEED.format(_names(alone), "s" if len(alone) == 1 else ""), alone))
    return tuple(found)


_ONE_SEED = "{0} stand{1} on one seed: the same recipe with other seeds shows how much of a difference is luck"


def _not_comparable(run: Run, base: Run) -> Notice:
    what = "learns another task" if run.task != base.task else "was evaluated on other examples, or in other tokens,"
    return Notice("not_comparable", f"#{run.id} {what} than #{base.id}: not comparable", (run.id, base.id))


def _differences(run: Run, base: Run, settings: Sequence[Setting], index: int, baseline: int) -> Notice | None:
    apart = differing_in(settings, index, baseline)
    pair = (run.id, base.id)
    if not apart and run.seed == base.seed:
        return Notice("same_recipe", f"#{run.id} and #{base.id} differ in no setting that decides the result", pair)
    if len(apart) < 2:
        return None
    listed = _listed([setting.words for setting in apart])
    text = f"#{run.id} and #{base.id} differ in {listed}: the gain cannot be put on one of them"
    return Notice("confounded", text, pair)


def _unfinished(run: Run) -> Notice | None:
    if run.state == "finished":
        return None
    where = f"at step {run.step}" + (f" of {run.max_steps}" if run.max_steps else "")
    if run.state in ("queued", "starting"):
        return Notice("no_results", f"#{run.id} has not begun: no results yet", (run.id,))
    if run.active:
        return Notice("unfinished", f"#{run.id} is still training, {where}: its numbers will change", (run.id,))
    ending = {"stopped": "was stopped", "paused": "is paused", "lost": "was lost"}.get(run.state, run.state)
    return Notice("unfinished", f"#{run.id} {ending} {where}: its best may not be all it could do", (run.id,))


def _ails(column: Column) -> Notice:
    weightiest = column.diagnoses[0]
    return Notice(weightiest.code, f"#{column.run_id}, {weightiest.words}: try {weightiest.remedy}", (column.run_id,))


def _names(run_ids: Sequence[int]) -> str:
    return _listed([f"#{run_id}" for run_id in run_ids])


def _listed(words: Sequence[str]) -> str:
    if len(words) > 5:
        words = [*words[:4], f"{len(words) - 4} more settings"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
