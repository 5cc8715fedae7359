"""Follow a run to its end: one line that is rewritten on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

import click

from store import points, runs
from store.connection import Store, read_store
from store.runs import Run
from workbench.commands.common import score_words, stalled_of, stalled_words, state_words
from workbench.paths import Home
from workbench.supervision import queue
from workbench.text import bar, duration, number, plain

TICK_SECONDS = 0.25
PLAIN_TICKS = 20


def follow(home: Home, run: Run, *, quiet: bool = False) -> Run:
    """Print a run's progress until it ends, and keep the queue going meanwhile; return its last row.

    Interrupting ends the following, never the run.
    """
    rewrite = sys.stderr.isatty() and not quiet
    shown, ticks = "", 0
    try:
        while True:
            queue.advance(home)
            # Opened anew at each look: the store may be made anew meanwhile.
            with read_store(home.store) as store:
                now = runs.get(store, run.id)
                if now is None:
                    return run
                run, ended = now, now.state in runs.ENDED
                line = progress_line(store, run, stalled_of(home, run))
                if rewrite:
                    click.echo(f"\r\x1b[K{line}" + ("\n" if ended else ""), nl=False, err=True)
                elif not quiet and line != shown and (ended or ticks % PLAIN_TICKS == 0):
                    click.echo(line, err=True)
                    shown = line
                if ended:
                    return run
            ticks += 1
            time.sleep(TICK_SECONDS)
    except KeyboardInterrupt:
        click.echo(
            f"\nRun #{run.id} goes on. Watch it: workbench log {run.id} -f; end it: workbench stop {run.id}", err=True
        )
        raise SystemExit(130) from None


def progress_line(store: Store, run: Run, stalled: float | None = None) -> str:
    """Return one line: name, state, bar, step, loss, best, time left; or for how long it has stood still."""
    head = f"#{run.id} {plain(run.name, 28)}"
    if stalled:
        return f"{head}  {stalled_words(run, stalled)}"
    if run.state in ("queued", "starting"):
        return f"{head}  {state_words(run)}"
    if run.held:
        return f"{head}  {run.held}, waits  {plain(run.error, 200)}"
    summary = points.summaries(store, [run.id])[run.id]
    loss = summary["train/loss"].last if "train/loss" in summary else None
    parts = [f"{run.step}/{run.max_steps or '?'}", f"loss {number(loss)}"]
    if run.best_value is not None:
        parts.append(score_words(run))
    if run.state in runs.ENDED:
        cause = f": {plain(run.error, 200)}" if run.error else ""
        return f"{head}  {run.state}{cause}  {'  '.join(parts)}  {duration(run.seconds)}"
    done = run.step / run.max_steps if run.max_steps else 0.0
    left = run.seconds * (1 - done) / done if done else None
    return f"{head}  {bar(done, 16)}  {'  '.join(parts)}" + (f"  {duration(left)} left" if left is not None else "")
