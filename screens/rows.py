"""Store rows → words. Whatever leaves here is safe to show and told by more than colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from store.runs import Run
from workbench.box.telemetry import TROUBLE
from workbench.text import ABSENT, ago, count, duration, number, plain, plural

REASONS = {
    "gpu_oom": "GPU memory",
    "gpu_lost": "GPU lost",
    "host_oom": "memory",
    "nan": "NaN",
    "disk_full": "disk full",
    "folder_gone": "no folder",
    "data": "data",
    "backbone": "backbone",
    "code": "error",
    "signal": "killed",
    "machine_restart": "restart",
}
TASKS = {"text-classification": "text class"}
STYLES = {
    "running": "$accent",
    "starting": "$accent",
    "stopping": "$accent",
    "stalled": "$warning",
    "queued": "$foreground-muted",
    "paused": "$foreground-muted",
    "failed": "$error",
    "crashed": "$error",
    "lost": "$error",
    "stopped": "$foreground-muted",
    "finished": "",
}


def status_words(
    open_runs: Sequence[Run], device: str, sample: Mapping[str, float], barred: Mapping[str, str] | None = None
) -> str:
    """Return the right of the first line: the device with its load, what runs or waits, the slots that are `barred`."""
    parts = [_load(device, sample)]
    active = sum(run.active for run in open_runs)
    queued = len(open_runs) - active
    parts += [f"{active} training"] if active else []
    parts += [f"{queued} queued"] if queued else []
    parts += [f"{plain(name, 20)} {words.partition(':')[0]}" for name, words in (barred or {}).items()]
    return " · ".join(part for part in parts if part)


def farewell_words(open_runs: Sequence[Run]) -> str:
    """Return which runs go on after the screens, and how to reach them; nothing where none does."""
    if not open_runs:
        return ""
    some = " ".join(str(run.id) for run in reversed(open_runs[:3]))
    verb = "goes" if len(open_runs) == 1 else "go"
    return f"{plural(len(open_runs), 'run')} {verb} on; `workbench` to watch, `workbench stop {some}`"


def _load(device: str, sample: Mapping[str, float]) -> str:
    if "gpu0/util" in sample:
        words = f"gpu0 {sample['gpu0/util']:.0f}%"
        if sample.get("gpu0/mem_total"):
            used, total = sample.get("gpu0/mem_used", 0.0) / 2**30, sample["gpu0/mem_total"] / 2**30
            words += f" {used:.0f}/{total:.0f}G"
        return words
    if device.startswith(TROUBLE):
        return plain(device, 48)
    if "cpu/util" in sample:
        return f"cpu {sample['cpu/util']:.0f}%"
    return plain(device, 40)


@dataclass(frozen=True)
class StateWords:
    """A state as a glyph, words and a style token; `text` is glyph and words together."""

    glyph: str
    words: str
    style: str

    @property
    def text(self) -> str:
        return f"{self.glyph} {self.words}".strip()


def state_words(run: Run, *, place: int | None = None, stalled: float | None = None, ascii: bool = False) -> StateWords:
    """Return a run's state: ▶ 42%, done, ✗ GPU memory, ‖ queued 3 (its place), ‖ for #3, ! stalled 42%."""
    play, fail, wait = (">", "x", "=") if ascii else ("▶", "✗", "‖")
    done = percent_done(run)
    percent = f"{done}%" if done is not None else f"step {count(run.step)}"
    if run.held:
        return StateWords("!", run.held, STYLES["stalled"])
    if stalled:
        return StateWords("!", f"stalled {percent}", STYLES["stalled"])
    style = STYLES.get(run.state, "")
    if run.state == "running":
        return StateWords(play, percent, style)
    if run.state in ("starting", "stopping"):
        return StateWords(play, "pausing" if run.pausing else run.state, style)
    if run.state in ("failed", "crashed", "lost"):
        return StateWords(fail, REASONS.get(run.reason or "", run.state), style)
    if run.state == "queued":
        words = f"for #{run.parent_id}" if run.waits and run.parent_id else f"queued {place or ''}".rstrip()
        return StateWords(wait, words, style)
    if run.state == "finished":
        return StateWords("", "done early" if run.reason == "early_stop" else "done", style)
    return StateWords("", plain(run.state, 12), style)


def progress(run: Run) -> float | None:
    """Return the share of steps done, or None where the number of steps is not known yet."""
    return min(1.0, run.step / run.max_steps) if run.max_steps else None


def percent_done(run: Run) -> int | None:
    """Return the whole percents of the steps that are done, rounded down, or None where that is not known yet."""
    return min(100, 100 * run.step // run.max_steps) if run.max_steps else None


def short_name(name: str) -> str:
    """Return a backbone without its folder or owner: safe, and the part that tells it apart."""
    text = name.removeprefix("size:")
    return plain(text.rstrip("/").rpartition("/")[2] or text)


@dataclass(frozen=True)
class Row:
    """A run as the table shows it; every field is safe text."""

    id: int
    number: str
    name: str
    task: str
    backbone: str
    strategy: str
    data: str
    group: str
    state: StateWords
    score: str
    loss: str
    time: str
    age: str

    @property
    def haystack(self) -> str:
        """All words of the row that a filter looks at, in small letters."""
        named = (f"#{self.number}", self.name, self.task, self.backbone, self.strategy, self.data)
        fields = (*named, self.group, self.state.text)
        return " ".join(fields).lower()


def row_of(
    run: Run,
    loss: float | None,
    now: float,
    *,
    place: int | None = None,
    stalled: float | None = None,
    ascii: bool = False,
) -> Row:
    """Return the words of a run; `now` in seconds since the epoch, `place` that in the queue."""
    return Row(
        id=run.id,
        number=str(run.id),
        name=plain(run.name),
        task=TASKS.get(run.task, plain(run.task)),
        backbone=short_name(run.backbone),
        strategy=plain(run.strategy),
        data=plain(run.dataset),
        group=plain(run.grp or ""),
        state=state_words(run, place=place, stalled=stalled, ascii=ascii),
        score=number(run.best_value),
        loss=number(loss),
        time=duration(elapsed(run, now)) if run.started else ABSENT,
        age=age_words(run, now),
    )


def age_words(run: Run, now: float) -> str:
    """Return how long ago a run ended, or was asked for."""
    return "now" if run.active else ago(run.ended or run.created, now)


def elapsed(run: Run, now: float) -> float:
    """Return seconds of training so far over all attempts, or since it was started where none are logged yet."""
    if run.seconds or run.started is None:
        return run.seconds
    return max(0.0, (now if run.active else run.ended or now) - run.started)
