"""The plan beside the form: finds out in threads what a draft would do, and what is new in it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.timer import Timer
from textual.worker import get_current_worker

from screens.new_form import Draft
from screens.new_plan import Plan, plan_lines, read_key
from screens.widgets.heading import Heading
from screens.widgets.told import Told
from store.connection import StoreError, read_store
from workbench.box import login
from workbench.data.report import Report, inspect
from workbench.errors import WorkbenchError
from workbench.insight.nearest import Nearest, nearest_run
from workbench.paths import Home
from workbench.recipe import Recipe

CHECK_SECONDS = 0.4


class PlanPanel(Vertical):
    """Show the plan of a draft. It is checked when the draft has rested for 0.4 s; a newer draft ends the check."""

    @dataclass
    class Changed(Message):
        """More, or something else, is known."""

        plan: Plan

    @dataclass
    class NearestFound(Message):
        """The earlier run most like the recipe, if any."""

        recipe: Recipe
        nearest: Nearest | None

    @dataclass
    class Fetching(Message):
        """How far something is that is fetched from the Hub."""

        recipe: Recipe
        words: str

    @dataclass
    class Warned(Message):
        """What logging out would do to a run, where it was not said before."""

        words: str

    @dataclass
    class Reported(Message):
        """What reading the data and the backbone found."""

        key: str
        outcome: Report | WorkbenchError

    def __init__(self, home: Home, id: str | None = None) -> None:
        super().__init__(id=id)
        self.home = home
        self.plan = Plan()
        self._outcomes: dict[str, Report | WorkbenchError] = {}
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Heading("Plan")
        with VerticalScroll(id="plan"):
            yield Told(id="plan-text")

    def consider(self, draft: Draft) -> None:
        """Take another draft; say at once what is wrong with it."""
        problems = draft.problems()
        if problems:
            self.workers.cancel_group(self, "plan")
            self._show(Plan(problems=tuple(problems)))
            return
        recipe = draft.recipe()
        if recipe == self.plan.recipe:
            return
        known = self._outcomes.get(read_key(recipe))
        fresh = Plan(recipe=recipe, logout=self.plan.logout)
        self._show(replace(_told(fresh, known), checking=known is None))
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(CHECK_SECONDS, self.check)

    def check(self) -> None:
        """Find out now what is not known yet."""
        recipe = self.plan.recipe
        if recipe is not None:
            self.find_out(recipe, read_key(recipe) not in self._outcomes)

    def cancel(self) -> None:
        """End the check; the run can be started all the same."""
        self.workers.cancel_group(self, "plan")
        if self.plan.checking:
            self._show(replace(self.plan, checking=False, error=WorkbenchError("cancelled", where="the check")))

    @work(thread=True, exclusive=True, exit_on_error=False, group="plan", description="checking the plan")
    def find_out(self, recipe: Recipe, read: bool) -> None:
        """Ask the store for the nearest run, then a child for what the data and the backbone are."""
        worker = get_current_worker()
        self.post_message(self.Warned(login.unsaid(self.home)))
        try:
            with read_store(self.home.store) as store:
                self.post_message(self.NearestFound(recipe, nearest_run(store, recipe)))
        except (StoreError, sqlite3.Error):
            self.post_message(self.NearestFound(recipe, None))
        if not read:
            return
        outcome: Report | WorkbenchError

        def tell(words: str) -> None:
            self.post_message(self.Fetching(recipe, words))

        try:
            outcome = inspect(recipe, self.home.cache, cancelled=lambda: worker.is_cancelled, told=tell)
        except WorkbenchError as error:
            outcome = error
        except OSError as error:
            outcome = WorkbenchError(f"the data could not be checked: {error}")
        if not worker.is_cancelled:
            self.post_message(self.Reported(read_key(recipe), outcome))

    @on(NearestFound)
    def take_nearest(self, event: NearestFound) -> None:
        event.stop()
        if event.recipe == self.plan.recipe:
            self._show(replace(self.plan, nearest=event.nearest))

    @on(Fetching)
    def take_progress(self, event: Fetching) -> None:
        event.stop()
        if event.recipe == self.plan.recipe and self.plan.checking:
            self._show(replace(self.plan, fetching=event.words))

    @on(Warned)
    def take_warning(self, event: Warned) -> None:
        event.stop()
        if event.words != self.plan.logout:
            self._show(replace(self.plan, logout=event.words))

    @on(Reported)
    def take_report(self, event: Reported) -> None:
        event.stop()
        self._outcomes[event.key] = event.outcome
        if self.plan.recipe is not None and read_key(self.plan.recipe) == event.key:
            self._show(replace(_told(self.plan, event.outcome), checking=False))

    def look_again(self) -> None:
        """Ask again for the nearest run, which may be new, and about what went wrong, which may be mended."""
        self._outcomes = {key: each for key, each in self._outcomes.items() if isinstance(each, Report)}
        if self.plan.error is not None and self.plan.recipe is not None:
            self._show(replace(self.plan, error=None, checking=True, fetching=""))
            self.check()
        elif not self.plan.checking:
            self.check()

    def _show(self, plan: Plan) -> None:
        self.plan = plan
        self.redraw()
        self.post_message(self.Changed(plan))

    def redraw(self) -> None:
        """Write the plan at the present width."""
        cells = self.query_one("#plan").size.width or 76
        self.query_one("#plan-text", Told).tell(plan_lines(self.plan, cells))

    def on_resize(self) -> None:
        self.redraw()


def _told(plan: Plan, outcome: Report | WorkbenchError | None) -> Plan:
    """Return the plan with what reading found."""
    if isinstance(outcome, WorkbenchError):
        return replace(plan, report=None, error=outcome)
    return replace(plan, report=outcome, error=None)
