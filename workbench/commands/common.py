"""What the commands share: the store, a run by its reference, and output as text or JSON."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click

from store import runs
from store.connection import Store, StoreError, read_store
from store.runs import Run
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision import queue
from workbench.supervision.progress import stalled_for
from workbench.text import duration, number, plain, plural, spelled

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
group_option = click.option("--group", metavar="NAME", help="All runs of this group, in the place of one.")
pass_home = click.make_pass_decorator(Home)


TELL_SECONDS = 2.0


@contextmanager
def reading(home: Home) -> Iterator[Store]:
    """Open the store for reading, after the queue went on: a run whose processes died is not shown as running."""
    if not home.store.exists():
        folders = home.count_folders()
        raise WorkbenchError(
            f"the store is gone; {plural(folders, 'run folder')} left" if folders else "there are no runs here yet",
            where=str(home.root),
            hint="Make it anew from them: workbench store rebuild"
            if folders
            else "Start one: workbench demo, or workbench train FILE.toml; another place: --home DIR.",
        )
    with read_store(home.store) as store:
        if runs.listing(store, states=runs.OPEN, limit=1):
            # Where nobody may write, the states stay as they were last known.
            with contextlib.suppress(OSError, sqlite3.Error, StoreError):
                queue.advance(home)
        yield store


def find_run(store: Store, reference: str) -> Run:
    """Return a run by number, uid or name."""
    run = runs.find(store, reference)
    if run is None:
        raise WorkbenchError(f"there is no run {plain(reference, 80)!r}", hint="See the runs with: workbench ls")
    return run


def chosen_runs(store: Store, references: Sequence[str], group: str | None) -> list[Run]:
    """Return the runs that are named one by one, or those of a group, the oldest first."""
    if bool(references) == bool(group):
        raise click.UsageError("name a run, or a group with --group NAME")
    if not group:
        return [find_run(store, reference) for reference in references]
    found = runs.of_group(store, group)
    if not found:
        raise WorkbenchError(f"there is no group {plain(group, 80)!r}", hint="See them with: workbench group")
    return found


def tell_progress() -> Callable[[str], None]:
    """Return what prints how far a download is, every few seconds, on stderr."""
    said = -math.inf

    def tell(words: str) -> None:
        nonlocal said
        if words.startswith("asking") or time.monotonic() - said >= TELL_SECONDS:
            said = time.monotonic()
            click.echo(plain(words), err=True)

    return tell


def print_json(value: Any) -> None:
    """Print a value as JSON; a number that JSON does not know is null, a character that hides or drives an escape."""
    written = json.dumps(_finite(value), ensure_ascii=False, indent=1)
    click.echo(spelled(written, lambda char: json.dumps(char)[1:-1]))


def run_json(run: Run, stalled: float | None = None) -> dict[str, Any]:
    """Return a run as JSON has it; `stalled` are the seconds for which it has stood still."""
    return {**asdict(run), "stalled": stalled, "versions": json.loads(run.versions) if run.versions else None}


def stalled_of(home: Home, run: Run) -> float | None:
    """Return for how many seconds a run that lives has stood still; None where it goes forward or has ended."""
    return stalled_for(home.run_folder(run.uid), run.attempt) if run.active else None


def state_words(run: Run, stalled: float | None = None) -> str:
    """Say a run's state in words: running 42%, stalled 42%, waits for #3, finished early, failed: data."""
    if run.waits:
        return f"waits for {f'#{run.parent_id}' if run.parent_id else 'another run'}"
    if run.held:
        return f"{run.state}: {run.held}"
    if run.active and (run.max_steps or stalled):
        done = f" {100 * run.step // run.max_steps}%" if run.max_steps else ""
        return f"{'stalled' if stalled else 'pausing' if run.pausing else run.state}{done}"
    if run.state == "finished" and run.reason == "early_stop":
        return "finished early"
    if run.state in ("failed", "crashed", "lost") and run.reason:
        return f"{run.state}: {run.reason.replace('_', ' ')}"
    return run.state


def stalled_words(run: Run, seconds: float) -> str:
    """Say that a run stands still, and for how long."""
    return f"{state_words(run, seconds)}: alive, but nothing new for {duration(seconds)}; its log may say why"


def score_words(run: Run) -> str:
    """Return the best value of the metric that decides: accuracy 0.921."""
    if run.best_value is None:
        return "—"
    return f"{(run.goal_key or '').removeprefix('eval/')} {number(run.best_value)}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))) else value
