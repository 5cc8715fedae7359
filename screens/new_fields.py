"""The fields of the form of a new run: pickers and settings that show a draft and change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message

from screens.new_check import PlanPanel
from screens.new_form import Draft, data_fields, find, first_draft, setting_fields, step_choice
from screens.new_options import (
    TYPED,
    backbone_options,
    choice_hint,
    entries_of,
    setting_hint,
    strategy_options,
    task_options,
)
from screens.widgets.form import Form
from screens.widgets.picker import Picker
from workbench.catalog import BackboneCard
from workbench.paths import Home


class Fields(Vertical):
    """Show `draft` in every field; the plan of it stands beside the settings. `long` shows help in the pickers."""

    @dataclass
    class Changed(Message):
        """The person changed the draft; `chosen` where an option was picked and the next field can follow."""

        draft: Draft
        chosen: bool = False

    @dataclass
    class Typing(Message):
        """A setting is to be typed."""

        path: str

    @dataclass
    class Hinted(Message):
        """Something else is under the cursor; `words` say what it is for."""

        words: str

    @dataclass
    class Refused(Message):
        """An option cannot be had."""

        words: str

    def __init__(self, home: Home, id: str | None = None) -> None:
        super().__init__(id=id)
        self.home = home
        self.draft = first_draft(None, [])
        self.cards: Sequence[BackboneCard] = []
        self.long = False

    def compose(self) -> ComposeResult:
        with Horizontal(id="choices"):
            yield Picker("Task", id="task")
            yield Picker("Backbone", filterable=True, id="backbone")
            yield Picker("Strategy", id="strategy")
        yield Form("Data", id="data")
        with Horizontal(id="lower"):
            yield Form("Settings", "* changed", id="settings")
            yield PlanPanel(self.home, id="plan-area")

    def show(self, draft: Draft) -> None:
        """Show a draft."""
        self.draft, problems = draft, draft.problems()
        options = {
            "task": task_options(self.long),
            "backbone": backbone_options(self.cards, draft),
            "strategy": strategy_options(self.long, draft),
        }
        for name, listed in options.items():
            picker = self.query_one(f"#{name}", Picker)
            picker.set_options(listed)
            picker.pick(str(draft.get(f"{name}.name")))
        self.query_one("#data", Form).set_entries(entries_of(data_fields(draft), problems))
        self.query_one("#settings", Form).set_entries(entries_of(setting_fields(draft), problems))
        self.hint()

    @on(Picker.Highlighted)
    @on(Form.Highlighted)
    def hint(self) -> None:
        """Tell what the thing under the cursor is for."""
        focused, words = self.screen.focused, ""
        if isinstance(focused, Picker):
            words = choice_hint(str(focused.id), focused.cursor_value, self.cards, self.draft)
        elif isinstance(focused, Form) and focused.cursor_key:
            words = setting_hint(find(self.draft, focused.cursor_key))
        self.post_message(self.Hinted(words))

    @on(Picker.Picked)
    def choose(self, event: Picker.Picked) -> None:
        event.stop()
        if event.value == TYPED:
            self.show(self.draft)
            self.post_message(self.Typing("backbone.name"))
        else:
            self.post_message(self.Changed(self.draft.choose(f"{event.view.id}.name", event.value), True))

    @on(Picker.Refused)
    def refuse(self, event: Picker.Refused) -> None:
        event.stop()
        self.post_message(self.Refused(f"{event.value}: {event.reason}"))

    @on(Form.Asked)
    def change(self, event: Form.Asked) -> None:
        event.stop()
        entry = find(self.draft, event.key)
        if entry.choices:
            self.post_message(self.Changed(step_choice(self.draft, entry, 1)))
        elif entry.kind == "tables":
            self.post_message(self.Refused(f"{entry.label}: a list of tables, changed in TOML: press ^e"))
        else:
            self.post_message(self.Typing(event.key))

    @on(Form.Stepped)
    def step_through(self, event: Form.Stepped) -> None:
        event.stop()
        entry = find(self.draft, event.key)
        if entry.choices:
            self.post_message(self.Changed(step_choice(self.draft, entry, event.by)))

    @on(Form.Reset)
    def reset(self, event: Form.Reset) -> None:
        event.stop()
        if event.key != "data.train":
            self.post_message(self.Changed(self.draft.without(event.key)))
