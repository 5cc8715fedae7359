"""What the screens know of the store: read in a thread of its own, new rows only, announced by messages."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from textual.message import Message

from store import events, points, predictions, runs
from store.connection import Store, StoreError, is_current, read_store
from store.errors import explained
from store.events import Event
from store.runs import Run
from workbench.errors import WorkbenchError
from workbench.founding import found
from workbench.insight.course import course_of
from workbench.insight.diagnosis import Diagnosis, findings
from workbench.insight.nearest import Nearest, nearest_earlier
from workbench.paths import Home
from workbench.supervision.progress import stalled_for

POLL_SECONDS = 0.25
RETRY_SECONDS = 1.0
SAMPLES_KEPT = 120
GROWTH = 1.05
"""How much longer a curve must be before it is diagnosed again: a look at it takes time with its length."""


@dataclass
class Curve:
    """One metric as logged so far: steps, times in seconds since the epoch, values (None where NaN)."""

    steps: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)

    def points(self) -> tuple[list[int], list[float | None]]:
        """Return steps and values, as many of both."""
        n = len(self.steps)
        return self.steps[:n], self.values[:n]

    def extend(self, steps: list[int], times: list[float], values: list[float | None]) -> None:
        """Add points; `steps` grows last, so that a reader in another thread who counts steps finds all of each."""
        self.values += values
        self.times += times
        self.steps += steps


@dataclass
class Trace:
    """All that a watched run has logged; only the feed's thread adds to it."""

    run_id: int
    attempt: int
    ended: bool
    curves: dict[str, Curve] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    samples: list[dict[str, float]] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)
    nearest: Nearest | None = None
    rows: int | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    diagnosed: tuple[int, int] = (0, 0)
    """Numbers of training and evaluation points at the last diagnosis."""

    def points(self, name: str) -> tuple[list[int], list[float | None]]:
        """Return steps and values of a metric, nothing of one that was not logged."""
        return self.curves.get(name, Curve()).points()

    @property
    def extent(self) -> tuple[float, ...]:
        """What grows when something is logged: numbers of points and events, time of the newest sample."""
        newest = self.samples[-1]["ts"] if self.samples else 0.0
        return sum(len(curve.steps) for curve in self.curves.values()), len(self.events), newest


@dataclass
class StoreChanged(Message):
    """The store was opened, is being made, or cannot be read: `state` is opening, making, ready or broken."""

    state: str
    text: str = ""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, StoreChanged)


class RunsChanged(Message):
    """The list of runs, or a row of it, is new; `Feed.runs` has it."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsChanged)


@dataclass
class TraceChanged(Message):
    """A watched run has logged something; `Feed.traces` has it."""

    run_id: int

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, TraceChanged) and message.run_id == self.run_id


@dataclass
class Trouble(Message):
    """Something failed in a thread; said once."""

    error: Exception


class Feed:
    """Follow the store: `runs` newest first, `losses` by run, and everything of the runs in `watched`.

    `places` are those of the queued runs in the queue: 1 starts next.

    `poll` is the whole of one look; a thread calls it four times a second and `post` carries the news.
    """

    def __init__(self, home: Home, post: Callable[[Message], object], *, readonly: bool = False) -> None:
        self.home = home
        self.post = post
        self.warning = ""
        self.state = "opening"
        self.text = ""
        self.runs: dict[int, Run] = {}
        self.losses: dict[int, float | None] = {}
        self.places: dict[int, int] = {}
        self.traces: dict[int, Trace] = {}
        self.watched: tuple[int, ...] = ()
        self._readonly = readonly
        self._store: Store | None = None
        self._seen: tuple[object, ...] = ()
        self._census = (0, 0)
        self._stalled: dict[int, float] = {}
        self._wake = threading.Event()
        self._ended = threading.Event()

    @property
    def readonly(self) -> bool:
        """Whether nothing is to be changed: as asked for, or because the store cannot be; `warning` says why."""
        return self._readonly or bool(self.warning)

    def start(self) -> None:
        """Begin to follow, in a thread that ends with the process."""
        threading.Thread(target=self._follow, name="feed", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._wake.set()

    def watch(self, *run_ids: int) -> None:
        """Fetch everything of these runs from now on, and nothing of others."""
        if run_ids != self.watched:
            self.watched = run_ids
            self._wake.set()

    def hurry(self) -> None:
        """Look now: something was just changed from here."""
        self._wake.set()

    def open_runs(self) -> list[Run]:
        """Return the runs that are queued or active, newest first."""
        return [run for run in self.runs.values() if run.state in runs.OPEN]

    def stalled(self, run: Run) -> float | None:
        """Return for how many seconds a run that lives has stood still; None where it goes forward."""
        return self._stalled.get(run.id)

    def _follow(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(self.look())
            self._wake.clear()

    def look(self) -> float:
        """Poll once, tell what is wrong, and return how many seconds to wait before the next look."""
        try:
            self.poll()
        except (StoreError, WorkbenchError, sqlite3.Error, OSError, subprocess.SubprocessError) as error:
            self._lose(error)
            return RETRY_SECONDS
        except Exception as error:
            self.post(Trouble(error))
            return RETRY_SECONDS
        return POLL_SECONDS

    def poll(self) -> None:
        """Open the store where that is still to do, then fetch and announce what is new."""
        if self._store is not None and self._store.replaced:
            self._store.close()
            self._store = None
        if self._store is None:
            self._open()
        assert self._store is not None
        seen = (self._store.data_version(), self.watched)
        if seen == self._seen:
            if self._note_stalled():
                self.post(RunsChanged())
            return
        if self._fetch_runs(self._store) | self._note_stalled():
            self.post(RunsChanged())
        for run_id in self.watched:
            if self._fetch_trace(self._store, run_id):
                self.post(TraceChanged(run_id))
        self.traces = {run_id: trace for run_id, trace in self.traces.items() if run_id in self.watched}
        self._seen = seen

    def _open(self) -> None:
        path = self.home.store
        if self._is_to_be_made():
            if self._readonly:
                raise StoreError(f"{path}: there is no store here yet, and read-only makes none")
            self._tell("making", f"making the store {path}")
            found(self.home)
        self._store = read_store(path)
        self.warning = self._store.warning
        self._seen, self._census = (), (0, 0)
        self.runs, self.traces = {}, {}
        self._tell("ready", self.warning)

    def _is_to_be_made(self) -> bool:
        try:
            return not is_current(self.home.store)
        except StoreError:
            # No store, or a newer one: reading it says what is wrong, or shows what it can.
            return False

    def _lose(self, error: Exception) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
        self._tell("broken", explained(error))

    def _tell(self, state: str, text: str = "") -> None:
        if (state, text) != (self.state, self.text):
            self.state, self.text = state, text
            self.post(StoreChanged(state, text))

    def _fetch_runs(self, store: Store) -> bool:
        census = runs.census(store)
        if census != self._census or not self._seen:
            known = {run.id: run for run in runs.listing(store)}
            losses = points.last_values(store, "train/loss") | points.at_best(store, "eval/loss")
        else:
            stale = {run.id for run in self.open_runs()}
            fresh = {run.id: run for run in runs.listing(store, states=runs.OPEN)}
            ended = [runs.get(store, run_id) for run_id in stale - fresh.keys()]
            fresh |= {run.id: run for run in ended if run}
            changed = tuple(fresh)
            known = self.runs | fresh
            losses = dict(self.losses)
            if changed:
                losses |= points.last_values(store, "train/loss", changed)
                losses |= points.at_best(store, "eval/loss", changed)
        if known == self.runs and losses == self.losses and self._seen:
            return False
        self.runs, self.losses, self._census = known, losses, census
        self.places = {run.id: place for place, run in enumerate(runs.in_order(known.values()), 1)}
        return True

    def _note_stalled(self) -> bool:
        """Look which active runs stand still; return whether one began to or goes on again."""
        found = {
            run.id: stalled_for(self.home.run_folder(run.uid), run.attempt) for run in self.runs.values() if run.active
        }
        before = self._stalled.keys()
        self._stalled = {run_id: seconds for run_id, seconds in found.items() if seconds is not None}
        return self._stalled.keys() != before

    def _fetch_trace(self, store: Store, run_id: int) -> bool:
        run = self.runs.get(run_id)
        if run is None:
            return False
        trace = self.traces.get(run_id)
        ended = run.state in runs.ENDED
        if trace is None or (trace.attempt, trace.ended) != (run.attempt, ended):
            trace = Trace(run_id, run.attempt, ended)
            trace.nearest = nearest_earlier(store, run, self.runs)
            trace.config = {path: texts[run_id] for path, texts in runs.config(store, [run_id]).items()}
            trace.rows = predictions.example_count(store, run.eval_set) if run.eval_set else None
        before = trace.extent
        for name in points.summaries(store, [run_id])[run_id]:
            curve = trace.curves.setdefault(name, Curve())
            curve.extend(*points.series(store, run_id, name, curve.steps[-1] if curve.steps else -1))
        last = trace.events[-1].id if trace.events else 0
        trace.events += events.listing(store, run_id, after=last)
        trace.samples = events.last_system(store, run_id, SAMPLES_KEPT)
        _diagnose(run, trace)
        known, self.traces[run_id] = run_id in self.traces, trace
        return not known or trace.extent != before


def _diagnose(run: Run, trace: Trace) -> None:
    """Look again at what ails a run where its curves have grown; the recipe is loaded only where something does."""
    losses, evaluated = trace.points("train/loss")[1], len(trace.points("eval/loss")[0])
    trained, judged = trace.diagnosed
    if evaluated == judged and len(losses) < GROWTH * trained and losses[-1] is not None:
        return
    trace.diagnosed, trace.diagnoses = (len(losses), evaluated), ()
    course = course_of(run, trace.points, trace.rows)
    if findings(course):
        from workbench.insight.remedies import diagnose
        from workbench.recipe import loads

        with suppress(WorkbenchError):  # a recipe of another version
            trace.diagnoses = diagnose(course, loads(run.recipe))
