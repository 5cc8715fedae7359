"""Runs: every run in a table, the one under the cursor in detail."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from screens import acting, details
from screens.feed import Trace
from screens.keys import bindings
from screens.listing import COLUMNS, ORDERS, Listing
from screens.place import PlaceScreen
from screens.widgets.chart import Chart, Series
from screens.widgets.heading import Heading
from screens.widgets.table import Table
from screens.widgets.words import Part, Words
from store.runs import Run
from workbench.chart.plot import smooth
from workbench.text import fit, plain

SMOOTHING = 0.6


class RunsScreen(PlaceScreen):
    """The table with its filter and order; the chosen run's chart and facts below, as far as there is room."""

    PLACE = "runs"
    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")
    CSS_PATH = "runs.tcss"
    AUTO_FOCUS = "#table"

    def __init__(self) -> None:
        super().__init__()
        self.listing = Listing()
        self._before_filter: str | None = None

    def compose_place(self) -> ComposeResult:
        with Horizontal(id="filter-line"):
            yield Words(id="filter-sign")
            yield Input(placeholder="words that must all occur", id="filter", compact=True, select_on_focus=False)
            yield Words(id="filter-count")
        yield Table(COLUMNS, empty="reading the store …", id="table")
        yield Heading(id="name")
        with Vertical(id="detail"):
            yield Words(id="brief")
            with Horizontal(id="panel"):
                yield Chart(id="curve")
                yield Words(id="facts")

    def on_mount(self) -> None:
        self.query_one("#filter", Input).cursor_blink = False
        self.query_one("#filter-sign", Words).show([[("/", "bold")]])
        self.set_interval(10.0, self.show_runs)

    @property
    def run(self) -> Run | None:
        """The run under the cursor."""
        key = self.query_one(Table).cursor_key
        return self.feed.runs.get(int(key)) if key else None

    def show_runs(self) -> None:
        if not self.is_current or self.feed.state != "ready":
            return
        rows = self.listing.rows(self.feed, self.workbench.now(), self.workbench.marks, ascii=self.workbench.ascii)
        table = self.query_one(Table)
        table.set_columns(self.listing.columns(next(iter(self.feed.runs), 0)))
        table.set_rows(rows, empty=self._say_empty())
        self.query_one("#filter-count", Words).show([[(f"{len(rows)} of {len(self.feed.runs)}", "$foreground-muted")]])
        self.show_detail()

    def _say_empty(self) -> str:
        if self.feed.runs:
            return f"no run has all of “{' '.join(self.listing.words)}”: esc shows all again"
        return "No runs yet: press n to start one, or `workbench demo`"

    def show_trace(self, run_id: int) -> None:
        if self.run is not None and run_id == self.run.id:
            self.show_detail()

    @on(Table.Highlighted)
    def show_detail(self) -> None:
        """Show the run under the cursor, and have the feed follow it."""
        run = self.run
        self.show_keys()
        self.set_class(run is not None, "-run")
        if run is None:
            return
        self.feed.watch(run.id)
        trace, stalled = self.feed.traces.get(run.id), self.feed.stalled(run)
        known = details.remedy(run, trace) or details.advice(run, trace, stalled=stalled)
        self.query_one("#name", Heading).show(f"{run.id} {run.name}")
        self.query_one("#brief", Words).show(
            [
                [(" " + details.brief(run, trace, stalled=stalled), "")],
                [(" " + (known or self._likeness(trace)), "$foreground-muted" if not known else "")],
            ]
        )
        self.query_one("#facts", Words).show(self._facts(run, trace))
        self._draw(run, trace)

    def _likeness(self, trace: Trace | None) -> str:
        nearest = trace.nearest if trace else None
        if nearest is None:
            return ""
        changes = [f"{setting} {change}" for setting, change in details.differs_lines(nearest)]
        return f"like #{nearest.run.id} but " + ", ".join(changes) if changes else f"same settings as #{nearest.run.id}"

    def _facts(self, run: Run, trace: Trace | None) -> list[list[Part]]:
        pairs = details.facts(run, trace, self.workbench.now(), stalled=self.feed.stalled(run))
        lines: list[list[Part]] = [[(fit(label, 9), "$foreground-muted"), (words, "")] for label, words in pairs]
        for words in details.cause_lines(run, trace):
            style = "" if words.startswith("next") else "$text-error"
            lines += [[(part, style)] for part in textwrap.wrap(plain(words), 44)[:4]]
        if words := details.advice(run, trace, stalled=self.feed.stalled(run)):
            lines += [[(part, "$text-warning")] for part in textwrap.wrap(words, 44)]
        if trace and (nearest := trace.nearest):
            lines += [
                [("", "")],
                [(f"differs from #{nearest.run.id} {nearest.run.name}", "$foreground-muted")],
            ]
            changes = details.differs_lines(nearest)
            lines += [[("  " + fit(setting, 16), "$foreground-muted"), (change, "")] for setting, change in changes]
            lines += [[("  in nothing", "")]] if not changes else []
        return lines

    def _draw(self, run: Run, trace: Trace | None) -> None:
        series = []
        for metric, label, style, dash in (
            ("train/loss", "train", "series-1", "solid"),
            ("eval/loss", "eval", "series-2", "dashed"),
        ):
            curve = trace.curves.get(metric) if trace else None
            if curve and curve.steps:
                steps, values = curve.points()
                values = smooth(values, SMOOTHING) if metric == "train/loss" else values
                series.append(Series(label, steps, values, style, "dashed" if dash == "dashed" else "solid"))
        self.query_one("#curve", Chart).show(series, title="loss")

    def why_not(self, action: str) -> str | None:
        if action == "compare" and len(self.feed.runs) < 2:
            return "there are not two runs to compare yet"
        if action == "group" and self.run is not None and not self.run.grp:
            return f"run {self.run.id} is of no group: p in New starts one"
        return acting.why_not(self, action, self.run)

    @on(Table.Chosen)
    async def open_chosen(self) -> None:
        await self.action_act("open")

    @on(Table.Marked)
    async def mark_chosen(self) -> None:
        await self.action_act("mark")

    def action_open(self) -> None:
        if run := self.run:
            self.workbench.open_place("live", run.id)

    def action_mark(self) -> None:
        if run := self.run:
            marks = self.workbench.marks
            marks.remove(run.id) if run.id in marks else marks.append(run.id)
            self.show_runs()
            self.query_one(Table).action_move(1)

    def action_compare(self) -> None:
        run, chosen = self.run, list(self.workbench.marks)
        if run and len(chosen) < 2 and run.id not in chosen:
            chosen.append(run.id)
        if run and len(chosen) < 2:
            trace = self.feed.traces.get(run.id)
            others = [number for number in self.feed.runs if number != run.id]
            chosen.append(trace.nearest.run.id if trace and trace.nearest else others[0])
        self.workbench.open_place("compare", *chosen)

    def action_group(self) -> None:
        # It reads recipes, which costs more than the first picture of Runs may.
        from screens.group import GroupSheet

        def take(run_ids: tuple[int, ...] | None) -> None:
            if run_ids:
                self.workbench.open_place("live" if len(run_ids) == 1 else "compare", *run_ids)

        if self.run and self.run.grp:
            self.app.push_screen(GroupSheet(self.workbench.home, self.run.grp), take)

    def action_try(self) -> None:
        if run := self.run:
            self.workbench.open_place("try", *(self.workbench.marks or [run.id]))

    def action_sort(self) -> None:
        self.listing.order = ORDERS[(ORDERS.index(self.listing.order) + 1) % len(ORDERS)]
        self.show_runs()

    def action_filter(self) -> None:
        self._before_filter = self.query_one(Table).cursor_key or self._before_filter
        self.add_class("-filter")
        self.query_one("#filter", Input).focus()

    @on(Input.Changed, "#filter")
    def filter_runs(self, event: Input.Changed) -> None:
        self.listing.words = tuple(event.value.lower().split())
        self.show_runs()

    @on(Input.Submitted, "#filter")
    def leave_filter(self) -> None:
        """Go to the table; the run under the cursor is the one found, so escape stays with it."""
        field = self.query_one("#filter", Input)
        if self.run is not None:
            self._before_filter = None
        self.set_class(bool(field.value), "-filter")
        self.query_one(Table).focus()

    def action_back(self) -> None:
        """Leave the filter, else the marks, else stay."""
        field = self.query_one("#filter", Input)
        if field.value or self.has_class("-filter"):
            field.value = ""
            self.remove_class("-filter")
            self.listing.words = ()
            self.show_runs()
            if self._before_filter is not None:  # what was typed moved the cursor, no person did
                self.query_one(Table).move_to(self._before_filter)
                self._before_filter = None
            self.query_one(Table).focus()
        elif self.workbench.marks:
            self.workbench.marks = []
            self.show_runs()

    def action_stop(self) -> None:
        if run := self.run:
            acting.ask_stop(self, run)

    def action_pause(self) -> None:
        if run := self.run:
            acting.ask(self, run, "pause")

    def action_resume(self) -> None:
        if run := self.run:
            acting.resume(self, run)

    def action_sooner(self) -> None:
        if run := self.run:
            acting.reorder(self, run, "up")

    def action_later(self) -> None:
        if run := self.run:
            acting.reorder(self, run, "down")

    def action_delete(self) -> None:
        if run := self.run:
            acting.ask_delete(self, run)

    def action_copy(self) -> None:
        if run := self.run:
            acting.copy_uid(self, run)
