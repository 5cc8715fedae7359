"""The head of Live: which run, how far, how long."""

from __future__ import annotations

import textwrap

from screens.details import (
    advice,
    cause_lines,
    doing_words,
    doubt,
    epoch_words,
    left,
    pace,
    progress_words,
    steps_words,
)
from screens.feed import Trace
from screens.rows import elapsed, short_name, state_words
from screens.widgets.words import Part
from store.runs import Run
from workbench.insight.diagnosis import Diagnosis
from workbench.text import cut, duration, plain, rate, width

Lines = list[list[Part]]
_CAUSE_LINES = 4
_REMEDY_CELLS = 32


def head_lines(
    run: Run, trace: Trace | None, now: float, cells: int, *, wide: bool, stalled: bool, ascii: bool
) -> Lines:
    """Return one line, or two where it is `wide`; `now` in seconds since the epoch, `cells` what a line may take."""
    state = state_words(run, stalled=stalled, ascii=ascii)
    if not wide:
        return [_short(run, trace, now, cells, state.style, stalled=stalled, ascii=ascii)]
    about = " · ".join((plain(run.task), short_name(run.backbone), plain(run.strategy), plain(run.dataset)))
    about += f" · follows from {run.parent_id}" if run.parent_id is not None else ""
    where = " · ".join(part for part in (f"seed {run.seed}", run.slot or "", run.host or "") if part)
    gap = max(2, cells - width(f"{run.id} {plain(run.name)}   {about}") - width(where))
    first: list[Part] = [(f"{run.id} {run.name}", "bold"), (f"   {about}", "$foreground-muted")]
    first.append((" " * gap + where, "$foreground-muted"))
    parts = [epoch_words(run, trace), f"step {steps_words(run)}" if run.step else ""]
    parts += [progress_words(run, 20, ascii=ascii) if run.state not in ("queued", "starting") else ""]
    parts += [_time(run, trace, now), _speed(run, trace)]
    rest = "   ".join(part for part in parts if part)
    return [first, [(doing_words(run, stalled=stalled), f"bold {state.style}".strip()), (f"   {rest}", "")]]


def _short(
    run: Run, trace: Trace | None, now: float, cells: int, style: str, *, stalled: bool, ascii: bool
) -> list[Part]:
    """Return everything in one line; the name gives way first."""
    doing = doing_words(run, stalled=stalled)
    parts = [steps_words(run), progress_words(run, 10, ascii=ascii)] if run.step else []
    if run.state == "running" and not stalled:
        remaining = left(run, trace)
        parts = [epoch_words(run, trace), *parts, f"{duration(remaining)} left" if remaining is not None else ""]
    else:
        parts = [doing.partition(":")[0], *parts, _time(run, trace, now)]
    rest = "".join(f" · {part}" for part in parts if part)
    name = cut(plain(f"{run.id} {run.name}"), max(8, cells - width(rest)))
    return [(name, "bold"), (rest, style if stalled or style == "$error" else "")]


def _time(run: Run, trace: Trace | None, now: float) -> str:
    """Return 6:02 gone, 8:26 left; for an ended run how long it took."""
    if run.started is None:
        return ""
    gone = duration(elapsed(run, now))
    if not run.active:
        return f"took {gone}"
    remaining = left(run, trace)
    return f"{gone} gone" + (f", {duration(remaining)} left" if remaining is not None else "")


def _speed(run: Run, trace: Trace | None) -> str:
    """Return updates and examples per second, of a run that trains."""
    speed = pace(run, trace) if run.active else None
    curve = trace.curves.get("train/examples_per_second") if trace else None
    examples = curve.values[-1] if curve and curve.values and speed is not None else None
    return "   ".join(
        part for part in (rate(speed) if speed else "", rate(examples, "ex/s") if examples else "") if part
    )


def cause(run: Run, trace: Trace | None, cells: int, *, stalled: bool) -> Lines:
    """Return why a run failed, wrapped into a few lines, and the next step; else what to know about it, if anything."""
    lines = cause_lines(run)
    if not lines:
        words = advice(run, trace, stalled=stalled)
        if run.held:
            return [[(line, "$text-warning")] for line in textwrap.wrap(words, max(20, cells))[:_CAUSE_LINES]]
        if trace and trace.diagnoses and not stalled:
            words = _diagnosis(trace.diagnoses[0], cells)
        told = dict.fromkeys(each for each in (words, doubt(trace)) if each)
        return [[(cut(plain(each), cells), "$text-warning")] for each in told]
    wrapped = textwrap.wrap(plain(lines[0]), max(20, cells))
    shown = wrapped[:_CAUSE_LINES]
    if len(wrapped) > len(shown):
        shown[-1] = cut(shown[-1] + " …", cells)
    return [*([(line, "$text-error")] for line in shown), [(lines[1], "$foreground")]]


def _diagnosis(diagnosis: Diagnosis, cells: int) -> str:
    """Return what ails a run and the key that mends it, in one line; what is seen gives way to the key."""
    words, least = f"! {diagnosis.words}", " · f mends it" if diagnosis.changes else " · no key mends it"
    remedy = f" · {'f: ' if diagnosis.changes else 'try '}{diagnosis.remedy}"
    room = cells - width(words)
    if room < min(width(remedy), _REMEDY_CELLS):
        return cut(words, cells - width(least)) + least
    return words + cut(remedy, room)
