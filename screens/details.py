"""One run in words: what it does, how long it takes, why it ended, what sets it apart."""

from __future__ import annotations

from screens.feed import Trace
from screens.rows import elapsed, percent_done, progress, short_name
from store.runs import Run
from workbench.insight.nearest import Nearest
from workbench.insight.resumes import resumes_of
from workbench.text import ABSENT, bar, count, duration, number, plain, rate

REMEDIES = {
    "gpu_oom": "next: a smaller training.batch_size with more accumulation, or a shorter max_length",
    "host_oom": "next: fewer rows, a smaller batch, or close what else fills the memory; u resumes",
    "nan": "next: a lower learning rate, more warm-up, or precision fp32",
    "disk_full": "next: free space on the disk, then u resumes",
    "folder_gone": "next: bring the folder back, then u resumes",
    "data": "next: mend the data, then start a new run",
    "backbone": "next: u resumes the run of its backbone, then this one",
    "code": "next: look into its log; u tries again from the newest checkpoint",
    "signal": "next: u resumes from the newest checkpoint",
    "machine_restart": "next: u resumes from the newest checkpoint",
}
FAILED = ("failed", "crashed", "lost")
_PACE_POINTS = 20


def pace(run: Run, trace: Trace | None) -> float | None:
    """Return updates per second over the newest points of this attempt, or None where it cannot be told yet."""
    curve = trace.curves.get("train/loss") if trace else None
    if trace is None or curve is None or not curve.steps:
        return None
    begun = max((event.ts for event in trace.events if event.kind == "start"), default=run.started or 0.0)
    newest = len(curve.steps) - 1
    oldest = max(0, newest - _PACE_POINTS)
    while oldest < newest and curve.times[oldest] < begun:
        oldest += 1
    passed = curve.times[newest] - curve.times[oldest] if newest > oldest else 0.0
    return (curve.steps[newest] - curve.steps[oldest]) / passed if passed > 0 else None


def left(run: Run, trace: Trace | None) -> float | None:
    """Return the seconds that are left at the present pace, or None."""
    speed = pace(run, trace)
    if not run.active or not speed or not run.max_steps:
        return None
    return (run.max_steps - run.step) / speed


def steps_words(run: Run) -> str:
    """Return 5 210/12 630."""
    return f"{count(run.step)}/{count(run.max_steps)}" if run.max_steps else count(run.step)


def epoch_words(run: Run, trace: Trace | None) -> str:
    """Return `epoch 2/3`, counted from 1, or nothing before the first step."""
    if run.epoch is None:
        return ""
    text = trace.config.get("training.epochs", "") if trace else ""
    try:
        total = float(text)
    except ValueError:
        return f"epoch {run.epoch:.1f}"
    now = min(int(run.epoch) + 1, max(1, int(-(-total // 1))))
    return f"epoch {now}/{total:g}"


def metric_words(key: str | None) -> str:
    """Return a metric's name as people say it: eval/macro_f1 → macro f1."""
    return plain(key or "score").rpartition("/")[2].replace("_", " ")


def best_words(run: Run) -> str:
    """Return `accuracy 0.921 at 5 000`, or a dash."""
    if run.best_value is None:
        return ABSENT
    at = f" at {count(run.best_step)}" if run.best_step is not None else ""
    return f"{metric_words(run.goal_key)} {number(run.best_value)}{at}"


def doing_words(run: Run, *, stalled: bool = False) -> str:
    """Return what the run does or how it ended, in a few words that may stand alone."""
    if run.held:
        return f"waits: {run.held}"
    if stalled:
        return "stalled: no step for 30 s"
    if run.waits:
        return f"queued, waits for {f'#{run.parent_id}' if run.parent_id else 'its backbone'}"
    return {
        "queued": "queued: starts when a slot is free",
        "starting": "starting: loading model and data",
        "running": "training",
        "stopping": f"{'pausing' if run.pausing else 'stopping'} after this step",
        "finished": "done, stopped early: no more gain" if run.reason == "early_stop" else "done",
        "stopped": "stopped: u resumes",
        "paused": "paused: u resumes",
        "lost": "lost: its process is gone; u resumes",
    }.get(run.state, plain(run.state))


def progress_words(run: Run, cells: int, *, ascii: bool = False) -> str:
    """Return a bar `cells` wide with its percentage."""
    done = percent_done(run)
    return f"{bar(progress(run), cells, ascii)} {'?' if done is None else f'{done} %'}"


def cause_lines(run: Run) -> list[str]:
    """Return why a run failed and what to do next; nothing where it did not."""
    if run.state not in FAILED:
        return []
    what = run.error or {"lost": "its process ended and left no word"}.get(run.state, "no reason was recorded")
    code = f" (exit code {run.exit_code})" if run.exit_code not in (None, 0) and not run.error else ""
    return [f"{what}{code}", remedy(run)]


def remedy(run: Run) -> str:
    """Return the next step after a failure; nothing where there was none."""
    return REMEDIES.get(run.reason or "", "next: open its log; u resumes") if run.state in FAILED else ""


def advice(run: Run, trace: Trace | None, *, stalled: bool = False) -> str:
    """Return what is wrong with a run that goes on or is done, with its remedy; nothing where all is well."""
    if run.held:
        return f"! {plain(run.error or run.held)}"
    if stalled:
        return "! no step for 30 s: its log may say why; s stops it"
    if trace is None or run.state in FAILED:
        return ""
    if not trace.diagnoses:
        return doubt(trace)
    weightiest = trace.diagnoses[0]
    return f"! {weightiest.words}: try {weightiest.remedy}"


def doubt(trace: Trace | None) -> str:
    """Return why a resume of the run was not exact; nothing where each was."""
    told = resumes_of(trace.events if trace else [])
    return f"! {told.doubts[-1]}" if told.doubts else ""


def value_words(text: str | None) -> str:
    """Return a setting's value as the recipe's row has it (JSON or words), short."""
    if text is None or text == "null":
        return ABSENT
    try:
        value = float(text)
    except ValueError:
        return short_name(text) if "/" in text or ":" in text else plain(text)
    return f"{value:g}"


def differs_lines(nearest: Nearest | None) -> list[tuple[str, str]]:
    """Return (setting, change) of what sets a run apart from its nearest."""
    rows = nearest.differences if nearest else ()
    changes = [(row.words, [value_words(value) for value in row.values]) for row in rows]
    return [(plain(setting), f"{there} → {here}") for setting, (there, here) in changes]


def brief(run: Run, trace: Trace | None, *, stalled: bool = False) -> str:
    """Return a run in one line: what it does, how long it still takes, its best."""
    parts = [doing_words(run, stalled=stalled)]
    if run.state in ("failed", "crashed"):
        parts = [f"{run.state}: {run.error or 'no reason was recorded'}"]
    if run.active:
        remaining = left(run, trace)
        parts += [epoch_words(run, trace), f"{duration(remaining)} left" if remaining is not None else ""]
    if run.best_value is not None:
        parts.append(f"best {best_words(run)}")
    return plain(" · ".join(part for part in parts if part))


def facts(run: Run, trace: Trace | None, now: float, *, stalled: bool = False) -> list[tuple[str, str]]:
    """Return (label, words) about a run for a side panel; `now` in seconds since the epoch."""
    doing = " · ".join(part for part in (doing_words(run, stalled=stalled), epoch_words(run, trace)) if part)
    lines = [("state", doing), ("steps", steps_words(run))]
    remaining, speed = left(run, trace), pace(run, trace)
    if remaining is not None:
        lines.append(("left", f"{duration(remaining)} at {rate(speed)}"))
    elif run.started:
        lines.append(("took", duration(elapsed(run, now))))
    lines.append(("best", best_words(run)))
    return [*lines, ("group", plain(run.grp, 40))] if run.grp else lines
