"""New: choose task, backbone, strategy, data and settings, see what would happen, start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events, on, work
from textual.app import ComposeResult, SuspendNotSupported
from textual.content import Content
from textual.message import Message

from screens.editor import Editor
from screens.keys import bindings
from screens.new_check import PlanPanel
from screens.new_dialogs import PickRun, WriteToml, edit_in, editor_command
from screens.new_fields import Fields
from screens.new_form import Draft, find, first_draft, from_recipe, from_toml, recipe_of
from screens.new_options import given_up, offers_for, wrong
from screens.new_spread import SpreadOver
from screens.place import PlaceScreen
from screens.widgets.steps import Steps
from screens.widgets.told import Told
from store.runs import Run
from workbench.box import login
from workbench.catalog import BackboneCard, backbones
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.spreading import Spread
from workbench.text import plain, plural

STEPS = ("task", "backbone", "strategy", "data", "settings", "plan")
_LEAST_WHOLE = (110, 34)


class NewScreen(PlaceScreen):
    """The form of a new run; `draft` is what was chosen so far."""

    PLACE = "new"
    AUTO_FOCUS = ""
    CSS_PATH = "new.tcss"
    BINDINGS = bindings("new")

    @dataclass
    class CardsRead(Message):
        """The backbones on this box."""

        cards: list[BackboneCard]

    @dataclass
    class Started(Message):
        """The run is queued, or could not be."""

        outcome: Run | WorkbenchError

    @dataclass
    class GroupStarted(Message):
        """The runs of a group are queued, or could not be."""

        outcome: list[Run] | WorkbenchError

    def __init__(self) -> None:
        super().__init__()
        self.draft = first_draft(None, [])
        self.step = "task"
        self._touched = self._starting = self._begun = False

    def compose_place(self) -> ComposeResult:
        yield Steps([name.title() for name in STEPS], id="steps")
        yield Fields(self.workbench.home, id="form")
        yield Told(id="hint")
        yield Editor(id="editor")

    # beginning

    def show_runs(self) -> None:
        if not self._begun and self.feed.state == "ready":
            self._begin_with([])
            self.read_cards()
        elif self._begun and self.focused is None:
            self._open_step(self.step)

    def arrive(self, run_ids: tuple[int, ...]) -> None:
        self.load_run(run_ids[0])
        self.read_cards()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self._begun:
            self.query_one(PlanPanel).look_again()

    @work(thread=True, exit_on_error=False, group="backbones", description="looking for backbones")
    def read_cards(self) -> None:
        """Read which backbones are on this box; that opens files, so it runs in a thread."""
        self.post_message(self.CardsRead(backbones(home=self.workbench.home)))

    @on(CardsRead)
    def take_cards(self, event: CardsRead) -> None:
        self.query_one(Fields).cards = event.cards
        if self._touched:
            self.query_one(Fields).show(self.draft)
        else:
            self._begin_with(event.cards)

    def _begin_with(self, cards: Sequence[BackboneCard]) -> None:
        latest = next((recipe for run in self.feed.runs.values() if (recipe := recipe_of(run))), None)
        self.set_draft(first_draft(latest, cards), touched=False)
        if not self._begun:
            self._begun = True
            self._open_step(self.step)

    def set_draft(self, draft: Draft, *, touched: bool = True) -> None:
        """Take a draft over, show it, and find out what it means."""
        self._touched = self._touched or touched
        if words := given_up(self.draft, draft):
            self.workbench.say(words, "warning")
        self.draft = draft
        self.query_one(Fields).show(draft)
        self.query_one(PlanPanel).consider(draft)

    # showing

    @on(Fields.Hinted)
    def show_hint(self, event: Fields.Hinted) -> None:
        self.query_one("#hint", Told).tell(Content(f" {event.words}"))

    @on(Fields.Refused)
    def show_refusal(self, event: Fields.Refused) -> None:
        self.workbench.say(event.words, "warning")

    @on(PlanPanel.Changed)
    def show_steps(self) -> None:
        """Show which step is open, and whether the run could start."""
        refusal = self.query_one(PlanPanel).plan.refusal
        marks = {"Plan": "x" if self.workbench.ascii else "✗"} if refusal else {}
        self.query_one(Steps).show(self.step.title(), marks, "" if refusal else "^s starts it")
        self.show_keys()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if event.widget.id in STEPS:
            self.step = str(event.widget.id)
            self.show_steps()
        self.query_one(Fields).hint()

    def on_resize(self, event: events.Resize) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """Show all of the form where there is room, else one step at a time with the plan below."""
        columns, lines = self.app.size
        stepwise = columns < _LEAST_WHOLE[0] or lines < _LEAST_WHOLE[1]
        before = self.has_class("-steps")
        self.set_class(stepwise, "-steps")
        for name in STEPS:
            self.set_class(stepwise and name == self.step, f"-{name}")
        if before != stepwise:
            self.query_one(Fields).long = stepwise
            self.query_one(Fields).show(self.draft)
        self.show_steps()

    # moving

    def _open_step(self, name: str) -> None:
        self.step = name
        self.lay_out()
        self.call_after_refresh(self._focus_step)

    def _focus_step(self) -> None:
        if not self.query_one(Editor).is_open:
            self.query_one(f"#{self.step}").focus()

    def action_next_field(self, by: int = 1) -> None:
        self._open_step(STEPS[(STEPS.index(self.step) + by) % len(STEPS)])

    def action_previous_field(self) -> None:
        self.action_next_field(-1)

    def action_pick(self) -> None:
        """Enter belongs to the part of the form that has the focus."""

    @on(Steps.Pressed)
    def open_pressed(self, event: Steps.Pressed) -> None:
        self._open_step(event.name.lower())

    # choosing

    @on(Fields.Changed)
    def take_change(self, event: Fields.Changed) -> None:
        self.set_draft(event.draft)
        if event.chosen:
            self.action_next_field()

    @on(Fields.Typing)
    def ask(self, event: Fields.Typing) -> None:
        """Open the line on which a setting is typed."""
        path, entry, runs = event.path, find(self.draft, event.path), list(self.feed.runs.values())
        value = "" if entry.value is None or path == "backbone.name" else entry.shown
        check = lambda typed: wrong(self.draft, path, typed)  # noqa: E731
        self.query_one(Editor).ask(path, entry.label, entry.help, value, check, offers_for(path, runs))

    @on(Editor.Accepted)
    def accept(self, event: Editor.Accepted) -> None:
        self.close_editor()
        self.set_draft(self.draft.type(event.key, event.value))

    @on(Editor.Closed)
    def close_editor(self) -> None:
        self.query_one(Editor).close()
        self._focus_step()

    # keys

    def why_not(self, action: str) -> str | None:
        panel = self.query_one(PlanPanel)
        if action in ("start", "group"):
            if self.workbench.readonly:
                return "opened read-only: nothing is started from here"
            return "it is being started" if self._starting else panel.plan.refusal or None
        if action == "cancel_check" and not panel.plan.checking:
            return "nothing is being checked"
        return "there is no run to load from" if action == "load" and not self.feed.runs else None

    def action_start(self) -> None:
        self._starting = True
        self.submit(self.draft.recipe())

    @work(thread=True, exit_on_error=False, group="start", description="starting the run")
    def submit(self, recipe: Recipe) -> None:
        """Queue the run in a thread: it takes the queue's lock and syncs the disk."""
        from workbench.supervision import queue

        warned = self.query_one(PlanPanel).plan.logout
        try:
            self.post_message(self.Started(queue.submit(self.feed.home, recipe)))
            if warned:
                login.said(self.feed.home)
        except WorkbenchError as error:
            self.post_message(self.Started(error))
        except Exception as error:
            self.post_message(self.Started(WorkbenchError(f"could not be started: {error}")))
            raise

    @on(Started)
    def go_live(self, event: Started) -> None:
        self._starting = False
        if isinstance(event.outcome, WorkbenchError):
            self.workbench.say(str(event.outcome), "error")
            self.show_keys()
            return
        self.set_draft(self.draft.without("name"))
        self.feed.hurry()
        self.workbench.open_place("live", event.outcome.id)

    def action_group(self) -> None:
        def take(group: Spread | None) -> None:
            if group is not None:
                self._starting = True
                self.submit_group(group)

        self.app.push_screen(SpreadOver(self.draft), take)

    @work(thread=True, exit_on_error=False, group="start", description="starting the group")
    def submit_group(self, group: Spread) -> None:
        """Queue the runs of a group in a thread."""
        from workbench.supervision import queue

        try:
            self.post_message(self.GroupStarted(queue.submit_group(self.feed.home, group.recipes, group.label)))
        except WorkbenchError as error:
            self.post_message(self.GroupStarted(error))
        except Exception as error:
            self.post_message(self.GroupStarted(WorkbenchError(f"could not be started: {error}")))
            raise

    @on(GroupStarted)
    def go_to_runs(self, event: GroupStarted) -> None:
        self._starting = False
        if isinstance(event.outcome, WorkbenchError):
            self.workbench.say(str(event.outcome), "error")
            self.show_keys()
            return
        self.feed.hurry()
        self.workbench.open_place("runs")
        name = plain(event.outcome[0].grp or "", 60)
        self.workbench.say(f"Group {name}: {plural(len(event.outcome), 'run')} queued; p shows its table")

    def action_cancel_check(self) -> None:
        self.query_one(PlanPanel).cancel()

    def action_defaults(self) -> None:
        self.set_draft(self.draft.plain())
        self.workbench.say("Every setting is at its default; task, backbone, strategy and data stay")

    def action_load(self) -> None:
        def take(run_id: int | None) -> None:
            if run_id is not None:
                self.load_run(run_id)

        self.app.push_screen(PickRun("Begin from a run", self.feed.runs.values()), take)

    def load_run(self, run_id: int) -> None:
        """Take over the recipe of a run."""
        run = self.feed.runs.get(run_id)
        recipe = recipe_of(run) if run else None
        if recipe is None:
            self.workbench.say(f"the recipe of #{run_id} cannot be read by this version", "error")
            return
        self._begun = True
        self.set_draft(from_recipe(recipe).without("name"))
        self.workbench.say(f"As #{run_id} {plain(run.name if run else '')}: change what shall be new")

    def action_toml(self) -> None:
        command, text = editor_command(), self.draft.toml()
        if command is None:
            self._write_toml(text)
            return
        try:
            with self.app.suspend():
                text = edit_in(command, text)
            self.set_draft(from_toml(text))
        except SuspendNotSupported:
            self._write_toml(text)
        except WorkbenchError as error:
            self._write_toml(text, str(error))

    def _write_toml(self, text: str, problem: str = "") -> None:
        def take(draft: Draft | None) -> None:
            if draft is not None:
                self.set_draft(draft)

        self.app.push_screen(WriteToml(text, problem), take)
