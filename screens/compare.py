"""Compare: curves over one another, results, the settings that differ, and what to doubt."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from screens.compare_rows import (
    SMOOTHING,
    View,
    chart_title,
    detail_words,
    metrics_of,
    nothing_marked,
    notice_lines,
    offered_pair,
    result_columns,
    result_rows,
    series_of,
    setting_columns,
    setting_rows,
)
from screens.export import write_new
from screens.keys import bindings
from screens.place import PlaceScreen
from screens.widgets.chart import Chart
from screens.widgets.heading import Heading
from screens.widgets.steps import Steps
from screens.widgets.table import Table
from screens.widgets.told import Told
from store.connection import read_store
from workbench.errors import WorkbenchError
from workbench.insight.compare import Comparison, compare
from workbench.insight.words import LEGEND, as_csv, as_text
from workbench.text import plain, plural

TABS = ("chart", "results", "settings")
REFRESH_SECONDS = 2.0
_LEAST_STACKED = (110, 30)


class CompareScreen(PlaceScreen):
    """Runs side by side. `run_ids` are those compared, in order; `baseline` is the run the others are held to."""

    PLACE = "compare"
    AUTO_FOCUS = ""
    CSS_PATH = "compare.tcss"
    BINDINGS = bindings("compare")

    @dataclass
    class Compared(Message):
        """The store was read: the comparison, or why there is none."""

        run_ids: tuple[int, ...]
        comparison: Comparison | None
        problem: str = ""

    def __init__(self) -> None:
        super().__init__()
        self.run_ids: tuple[int, ...] = ()
        self.baseline: int | None = None
        self.comparison: Comparison | None = None
        self.view, self.tab = View(), "chart"
        self.every_setting = self._due = False
        self._seen: tuple[object, ...] = ()
        self._read_at = 0.0

    def compose_place(self) -> ComposeResult:
        yield Steps(TABS, id="tabs")
        yield Told(id="nothing")
        with Vertical(id="compared"):
            yield Chart(id="chart")
            yield Heading("results", LEGEND, id="results-heading")
            yield Table(id="results")
            yield Told(id="detail")
            yield Heading("settings that differ", "a: show all", id="settings-heading")
            yield Table(empty="no setting differs", id="settings")
            yield Told(id="notices")

    def arrive(self, run_ids: tuple[int, ...]) -> None:
        self._take(run_ids)

    def _take(self, run_ids: tuple[int, ...]) -> None:
        run_ids = tuple(dict.fromkeys(run_ids))
        if run_ids != self.run_ids:
            self.run_ids, self.comparison, self._seen = run_ids, None, ()
            self.baseline = self.baseline if self.baseline in run_ids else next(iter(run_ids), None)
            self.view = replace(self.view, hidden=frozenset())

    def on_screen_resume(self) -> None:
        if len(self.workbench.marks) > 1:
            self._take(tuple(self.workbench.marks))
        super().on_screen_resume()

    def show_runs(self) -> None:
        if self.feed.state == "ready":
            self._take(tuple(run_id for run_id in self.run_ids if run_id in self.feed.runs))
        self.set_class(len(self.run_ids) < 2, "-nothing")
        if len(self.run_ids) < 2:
            self.query_one("#nothing", Told).tell(nothing_marked(list(self.feed.runs.values())))
            self.set_focus(None)
            return
        if self.focused is None:
            self.query_one("#results").focus()
        self.feed.watch(*self.run_ids)
        runs = [self.feed.runs.get(run_id) for run_id in self.run_ids]
        seen = tuple((run.id, run.state, run.step, run.best_value, run.eval_set) for run in runs if run)
        if seen != self._seen or self.comparison is None:
            self._seen = seen
            self._refresh_soon()
        self.draw_chart()

    def show_trace(self, run_id: int) -> None:
        if run_id in self.run_ids:
            self.draw_chart()

    def _refresh_soon(self) -> None:
        """Read now, or as soon as the last reading is two seconds old: a running run changes four times a second."""
        if self._due:
            return
        wait = REFRESH_SECONDS - (time.monotonic() - self._read_at)
        if self.comparison is None or wait <= 0:
            self.refresh_results()
        else:
            self._due = True
            self.set_timer(wait, self.refresh_results)

    def refresh_results(self) -> None:
        self._due = False
        if len(self.run_ids) > 1:
            self._read_at = time.monotonic()
            self.read_comparison(self.run_ids, self.baseline)

    @work(thread=True, exclusive=True, exit_on_error=False, group="compare", description="reading the comparison")
    def read_comparison(self, run_ids: tuple[int, ...], baseline: int | None) -> None:
        """Compare in a thread: predictions of large evaluation sets take a while to read."""
        try:
            with read_store(self.feed.home.store) as store:
                self.post_message(self.Compared(run_ids, compare(store, run_ids, baseline)))
        except WorkbenchError as error:
            self.post_message(self.Compared(run_ids, None, str(error)))

    @on(Compared)
    def take_comparison(self, event: Compared) -> None:
        if event.run_ids == self.run_ids:
            self.comparison = event.comparison
            self.show_comparison(event.problem)

    def show_comparison(self, problem: str = "") -> None:
        """Fill the tables from the comparison read last."""
        comparison = self.comparison
        if comparison is None:
            self.query_one("#notices", Told).tell(Content(plain(problem, newlines=True)))
            return
        results, settings = self.query_one("#results", Table), self.query_one("#settings", Table)
        results.set_columns(result_columns(comparison))
        results.set_rows(result_rows(comparison, self.view, ascii=self.workbench.ascii))
        settings.set_columns(setting_columns(comparison))
        settings.set_rows(setting_rows(comparison, self.every_setting))
        differing = len(comparison.differing())
        title = "all settings" if self.every_setting else f"settings that differ ({differing})"
        hint = "a: only what differs" if self.every_setting else f"a: show all {len(comparison.settings)}"
        self.query_one("#settings-heading", Heading).show(title, hint)
        self.show_detail()
        self.lay_out()
        self.show_keys()

    @on(Table.Highlighted, "#results")
    def show_detail(self) -> None:
        """Say how the run under the cursor differs from the baseline."""
        run_id = self._cursor_run()
        lines = detail_words(self.comparison, run_id) if self.comparison and run_id is not None else []
        self.query_one("#detail", Told).tell(Content("\n".join(f" {line}" for line in lines)))

    def _metrics(self) -> list[str]:
        return metrics_of(self.feed.traces, self.comparison.goal_key if self.comparison else None)

    def draw_chart(self) -> None:
        """Draw the curves that are shown, of the metric chosen or the first there is."""
        metrics = self._metrics()
        if self.view.metric not in metrics and metrics:
            self.view = replace(self.view, metric=metrics[0])
        names = {run_id: run.name for run_id, run in self.feed.runs.items()}
        series = series_of(self.run_ids, self.feed.traces, names, self.view)
        title = chart_title(self.view) if self.view.metric else ""
        label = "seconds" if self.view.time else "step"
        self.query_one(Chart).show(series, title=title, log_y=self.view.log_y, x_label=label)

    def on_resize(self, event: events.Resize) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """Stack everything where there is room, else show one part at a time."""
        columns, lines = self.app.size
        stacked = columns >= _LEAST_STACKED[0] and lines >= _LEAST_STACKED[1]
        self.set_class(not stacked, "-tabs")
        for tab in TABS:
            self.set_class(tab == self.tab, f"-{tab}")
        results, settings = self.query_one("#results", Table), self.query_one("#settings", Table)
        rows = max(1, results.rows_count) + 1
        results.styles.height = min(rows, 7) if stacked or self.tab == "chart" else min(rows, max(4, lines // 2))
        settings.styles.height = min(max(1, settings.rows_count) + 1, max(5, lines // 4)) if stacked else "1fr"
        notices = len(self.comparison.notices) if self.comparison else 0
        self.query_one(Steps).show(self.tab, note=plural(notices, "warning") if notices else "")
        if self.comparison:
            self.query_one("#notices", Told).tell(notice_lines(self.comparison, columns))

    @on(Steps.Pressed)
    def open_pressed(self, event: Steps.Pressed) -> None:
        self._open_tab(event.name)

    def _open_tab(self, tab: str) -> None:
        self.tab = tab
        self.lay_out()
        self.query_one("#settings" if tab == "settings" and self.has_class("-tabs") else "#results").focus()

    def why_not(self, action: str) -> str | None:
        on_chart = ("series", "axis", "log_y", "smooth", "baseline", "settings", "copy", "export", "hide")
        if len(self.run_ids) < 2 and action in on_chart:
            return "nothing is compared yet: mark two runs in Runs with space"
        unread = self.comparison is None and action in ("copy", "export", "baseline", "hide")
        return "the runs are being read" if unread else None

    def _cursor_run(self) -> int | None:
        key = self.query_one("#results", Table).cursor_key
        return int(key) if key else None

    def _look(self, view: View) -> None:
        self.view = view
        self.draw_chart()

    def action_series(self) -> None:
        if metrics := self._metrics():
            place = metrics.index(self.view.metric) if self.view.metric in metrics else -1
            self._look(replace(self.view, metric=metrics[(place + 1) % len(metrics)]))

    def action_axis(self) -> None:
        self._look(replace(self.view, time=not self.view.time))

    def action_log_y(self) -> None:
        self._look(replace(self.view, log_y=not self.view.log_y))

    def action_smooth(self) -> None:
        self._look(replace(self.view, smoothing=(self.view.smoothing + 1) % len(SMOOTHING)))

    @on(Table.Marked, "#results")
    def action_hide(self) -> None:
        run_id = self._cursor_run()
        if run_id is not None and self.comparison:
            self._look(replace(self.view, hidden=self.view.hidden ^ {run_id}))
            rows = result_rows(self.comparison, self.view, ascii=self.workbench.ascii)
            self.query_one("#results", Table).set_rows(rows)

    def action_baseline(self) -> None:
        run_id = self._cursor_run()
        if run_id is not None and run_id != self.baseline:
            self.baseline = run_id
            self.refresh_results()

    def action_settings(self) -> None:
        self.every_setting = not self.every_setting
        self.show_comparison()
        if self.has_class("-tabs"):
            self._open_tab("settings")

    def action_next_tab(self, by: int = 1) -> None:
        self._open_tab(TABS[(TABS.index(self.tab) + by) % len(TABS)])

    def action_previous_tab(self) -> None:
        self.action_next_tab(-1)

    @on(Table.Chosen, "#results")
    def action_open(self) -> None:
        pair = offered_pair(list(self.feed.runs.values()))
        if len(self.run_ids) < 2 and pair:
            self.arrive((pair[1].id, pair[0].id))
            self.show_runs()
        elif (run_id := self._cursor_run()) is not None:
            self.workbench.open_place("live", run_id)

    def action_try(self) -> None:
        self.workbench.open_place("try", *self.run_ids)

    def action_copy(self) -> None:
        if self.comparison:
            self.app.copy_to_clipboard(as_text(self.comparison, self.every_setting))
            self.workbench.say("The table was sent to the terminal's clipboard; e writes it to a file")

    def action_export(self) -> None:
        if self.comparison is None:
            return
        try:
            path = write_new("compare", self.run_ids, as_csv(self.comparison))
        except WorkbenchError as error:
            self.workbench.report(error)
        else:
            self.workbench.say(f"Written: {path}")
