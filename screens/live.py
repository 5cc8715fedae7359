"""Live: one run as it trains, from its first step on."""

from __future__ import annotations

import time
from typing import ClassVar, TypeVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll

from screens import acting, gauges, header
from screens.curves import AXES, SERIES, SMOOTHINGS, View, x_range_of
from screens.details import FAILED
from screens.feed import Trace
from screens.keys import bindings
from screens.log_view import LogView, last_lines
from screens.place import PlaceScreen
from screens.widgets.chart import Chart
from screens.widgets.heading import Heading
from screens.widgets.tail import Cell, Tail
from screens.widgets.words import Words
from store.events import Event
from store.runs import OPEN, Run
from workbench.text import count, plain

Value = TypeVar("Value")
SIDE = ("evals", "optimiser", "layers", "gpu", "host")
LEVELS = {"warning": "warn", "error": "bad"}


class LiveScreen(PlaceScreen):
    """The chosen run, else the newest that trains, waits or has ended, in this order."""

    PLACE = "live"
    BINDINGS: ClassVar[list[BindingType]] = bindings("live")
    CSS_PATH = "live.tcss"

    def __init__(self) -> None:
        super().__init__()
        self.chosen: int | None = None
        self.awaited: int | None = None
        self.view = View()
        self.log_lines: list[str] = []
        self._log_of: tuple[int, int, str] | None = None

    def compose_place(self) -> ComposeResult:
        yield Words(id="empty")
        yield Words(id="head")
        yield Words(id="cause")
        with Horizontal(id="body"):
            yield Chart(id="curve")
            with VerticalScroll(id="side", can_focus=False):
                for part in SIDE:
                    yield Words(id=part)
        yield Words(id="stats")
        yield Heading("log", "enter opens it", id="log")
        yield Tail(empty="nothing logged yet", id="tail")

    def on_mount(self) -> None:
        self.set_interval(1.0, self.show_time)

    def arrive(self, run_ids: tuple[int, ...]) -> None:
        self.chosen = self.awaited = run_ids[0]

    def open_anew(self) -> None:
        shown = self.feed.runs.get(self.chosen or 0)
        if shown is not None and shown.state not in OPEN and any(run.active for run in self.feed.runs.values()):
            self.chosen = None

    @property
    def run(self) -> Run | None:
        """The run that is shown; None while the one that was handed over is not read from the store yet."""
        known = self.feed.runs
        if self.awaited is not None and self.awaited > max(known, default=0):
            return None
        if self.chosen in known:
            return known[self.chosen]
        ordered = sorted(known.values(), key=lambda run: (not run.active, run.state not in OPEN, -run.id))
        return ordered[0] if ordered else None

    def show_runs(self) -> None:
        if not self.is_current or self.feed.state != "ready":
            return
        run = self.run
        self.set_class(run is None, "-empty")
        waits = "Nothing to watch yet: press n to start a run"
        if run is None and self.awaited is not None:
            waits = f"run {self.awaited} is on its way …"
        self.query_one("#empty", Words).show([[(waits, "")]])
        self.show_keys()
        if run is not None:
            self.feed.watch(run.id)
            self.chosen, self.awaited = run.id, None
            self.show_run(run)

    def show_trace(self, run_id: int) -> None:
        run = self.run
        if self.is_current and run is not None and run.id == run_id:
            self.show_run(run)

    def show_time(self) -> None:
        """Let the clocks of a run go on between its steps."""
        run = self.run
        if self.is_current and run is not None and run.state in OPEN:
            self.show_run(run)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_runs)

    def show_run(self, run: Run) -> None:
        """Show everything of a run, each part painted only where it changed."""
        trace, now, stalled = self.feed.traces.get(run.id), self.workbench.now(), self.feed.stalled(run)
        ascii_only, cells, wide = self.workbench.ascii, self.size.width - 2, self.size.width >= 110
        lines = header.head_lines(run, trace, now, cells, wide=wide, stalled=stalled, ascii=ascii_only)
        self.query_one("#head", Words).show(lines)
        self.set_class(run.state in FAILED, "-failed")
        self.query_one("#cause", Words).show(header.cause(run, trace, cells, stalled=stalled))
        self.query_one("#curve", Chart).show(
            self.view.series(run, trace),
            title=self.view.title(),
            log_y=self.view.log_y,
            x_label="min" if self.view.axis == "time" else "",
            x_range=x_range_of(run, self.view.axis, trace),
        )
        for part, words in gauges.side(run, trace, 35, ascii=ascii_only).items():
            section = self.query_one(f"#{part}", Words)
            section.show(words)
            section.display = bool(words)
        self.query_one("#stats", Words).show(gauges.stats(run, trace, cells, ascii=ascii_only))
        self._show_log(run, trace)

    def _show_log(self, run: Run, trace: Trace | None) -> None:
        key = (run.id, run.attempt, run.state)
        if run.state in FAILED and self._log_of != key:
            self._log_of = key
            self.read_log(run)
        said = [event_cell(event) for event in (trace.events if trace else [])]
        read = [Cell(line, "muted") for line in self.log_lines] if self._log_of == key else []
        self.query_one("#log", Heading).show("log.txt" if read else "log", "enter opens it")
        tail = self.query_one(Tail)
        cells = [*said, *read][-200:]
        if [cell.text for cell in cells] != tail.lines:
            tail.set_lines(cells)

    @work(thread=True, exit_on_error=False, exclusive=True, group="log", description="reading the log")
    def read_log(self, run: Run) -> None:
        """Read the last lines of a run's log, which say why it failed."""
        lines = last_lines(self.workbench.home.run_folder(run.uid) / "log.txt", 40)
        self.app.call_from_thread(self._keep_log, run, lines)

    def _keep_log(self, run: Run, lines: list[str]) -> None:
        self.log_lines = lines
        self.show_trace(run.id)

    def why_not(self, action: str) -> str | None:
        if action in ("log_y", "smooth", "series", "axis", "previous", "next") and self.run is None:
            return "there is no run to watch yet"
        return acting.why_not(self, action, self.run)

    def action_log_y(self) -> None:
        self.view.log_y = not self.view.log_y
        self.show_runs()

    def action_smooth(self) -> None:
        self.view.smoothing = _after(SMOOTHINGS, self.view.smoothing)
        self.show_runs()

    def action_series(self) -> None:
        self.view.metrics = _after(tuple(SERIES), self.view.metrics)
        self.show_runs()

    def action_axis(self) -> None:
        self.view.axis = _after(AXES, self.view.axis)
        self.show_runs()

    def action_previous(self) -> None:
        self._step_to(1)

    def action_next(self) -> None:
        self._step_to(-1)

    def _step_to(self, by: int) -> None:
        """Go to the run before or after this one: among those that are open, where there is another."""
        others = [run.id for run in self.feed.open_runs()]
        run = self.run
        if run is None:
            return
        if run.id not in others or len(others) < 2:
            others = list(self.feed.runs)
        self.chosen = others[(others.index(run.id) + by) % len(others)]
        self.show_runs()

    def action_open_log(self) -> None:
        if run := self.run:
            path = self.workbench.home.run_folder(run.uid) / "log.txt"
            self.app.push_screen(LogView(path, f"log of run {run.id}", lambda: self._event_lines(run.id)))

    def _event_lines(self, run_id: int) -> list[str]:
        """Return all events of a run, safe to show."""
        trace = self.feed.traces.get(run_id)
        return [plain(event_cell(event).text) for event in list(trace.events if trace else [])]

    def action_stop(self) -> None:
        if run := self.run:
            acting.ask_stop(self, run)

    def action_pause(self) -> None:
        if run := self.run:
            acting.ask(self, run, "pause")

    def action_evaluate(self) -> None:
        if run := self.run:
            acting.ask(self, run, "evaluate")

    def action_checkpoint(self) -> None:
        if run := self.run:
            acting.ask(self, run, "checkpoint")

    def action_resume(self) -> None:
        if run := self.run:
            acting.resume(self, run)

    def action_fix(self) -> None:
        if run := self.run:
            acting.ask_fix(self, run)

    def action_try(self) -> None:
        if run := self.run:
            self.workbench.open_place("try", run.id)

    def action_copy(self) -> None:
        if run := self.run:
            acting.copy_uid(self, run)


def _after(values: tuple[Value, ...], value: Value) -> Value:
    """Return the value after this one, the first after the last."""
    return values[(values.index(value) + 1) % len(values)]


def event_cell(event: Event) -> Cell:
    """Return an event as a line of the log, in the style of its level."""
    clock = time.strftime("%H:%M:%S", time.localtime(event.ts))
    what = f"eval at {count(event.step)}: " if event.kind == "eval" else ""
    return Cell(f"{clock} {what}{event.text}", LEVELS.get(event.level, ""))
