"""The lines on which the question is typed, one for each field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from screens.trial_fields import Field, fields_for, fits, typed_value
from screens.widgets.line import Line
from workbench.answers import words_of
from workbench.text import plain, width

Values = dict[str, Any]


@dataclass
class Left(Message):
    """The lines are left by escape, towards the keys."""


class Prompt(Line):
    """A field in one line; the arrows bring earlier questions back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(1)", "Earlier", show=False),
        Binding("down", "recall(-1)", "Later", show=False),
    ]

    def __init__(self, prompts: Prompts, hint: str, id: str) -> None:
        super().__init__(placeholder=hint, id=id)
        self._prompts = prompts

    def action_recall(self, by: int) -> None:
        self._prompts.recall(by)

    def action_complete(self) -> None:
        self._prompts.go_on_from(self)

    def action_leave(self) -> None:
        self.screen.set_focus(None)
        self.post_message(Left())

    def put(self, text: str) -> None:
        """Put a text in place of what is typed."""
        self.value = text
        self.cursor_position = len(self.value)


class LongPrompt(TextArea):
    """A field of several lines: it keeps the line ends of what is pasted, and enter asks."""

    DEFAULT_CSS = """
    LongPrompt, LongPrompt.-textual-compact {
        height: 1; border: none; padding: 0 1; background: $surface; scrollbar-size-vertical: 0;
    }
    LongPrompt:focus { background: $surface-lighten-1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Ask", show=False),
        Binding("tab", "next_field", "Next", show=False),
        Binding("escape", "leave", "Leave", show=False),
        Binding("up", "climb(1)", "Up", show=False),
        Binding("down", "climb(-1)", "Down", show=False),
    ]

    def __init__(self, prompts: Prompts, hint: str, id: str) -> None:
        super().__init__(compact=True, highlight_cursor_line=False, placeholder=Content(hint), id=id)
        self.cursor_blink = False
        self._prompts = prompts

    @property
    def value(self) -> str:
        return self.text

    def put(self, text: str) -> None:
        """Put a text in place of what is typed, and show its beginning."""
        self.load_text(plain(text, newlines=True))
        self.move_cursor((0, 0))

    async def _on_key(self, event: events.Key) -> None:
        """Let every key act when its turn comes; see Line."""
        bound = self._bindings.key_to_bindings.get(event.key)
        if bound:
            event.stop()
            event.prevent_default()
            await self.run_action(bound[0].action)
        else:
            await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        text = plain(event.text.replace("\r\n", "\n").replace("\r", "\n").strip("\n"), newlines=True)
        self.replace(text, *self.selection, maintain_selection_offset=False)

    def action_enter(self) -> None:
        self._prompts.enter()

    def action_next_field(self) -> None:
        self._prompts.go_on_from(self)

    def action_leave(self) -> None:
        self.screen.set_focus(None)
        self.post_message(Left())

    def action_climb(self, by: int) -> None:
        """Move within the text, and beyond its first or last line to an earlier or later question."""
        before = self.cursor_location
        if by > 0:
            self.action_cursor_up()
        else:
            self.action_cursor_down()
        edge = 0 if by > 0 else self.document.line_count - 1
        if self.cursor_location == before or (before[0] == edge and self.wrapped_document.height == 1):
            self._prompts.recall(by)


class FieldRow(Horizontal):
    """A field's name and its line, on which `typed` stands at first."""

    DEFAULT_CSS = """
    FieldRow { height: auto; }
    FieldRow > .field-name { width: auto; padding: 0 0 0 1; color: $foreground-muted; }
    """

    def __init__(self, prompts: Prompts, field: Field, typed: str) -> None:
        super().__init__()
        self.label = Static(classes="field-name")
        self.line = (LongPrompt if field.long else Prompt)(prompts, field.hint, f"ask-{field.role}")
        self._typed = typed

    def compose(self) -> ComposeResult:
        yield self.label
        yield self.line

    def on_mount(self) -> None:
        if self._typed:
            self.line.put(self._typed)


class Prompts(Vertical):
    """A line for each field of the question. What is filled in is asked as it is, not as it is shown."""

    DEFAULT_CSS = "Prompts { height: auto; }"

    @dataclass
    class Entered(Message):
        """The question is to be asked."""

    def __init__(self, task: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self.task_name = task
        self.fields = fields_for(task, None)
        self._rows = {field: FieldRow(self, field, "") for field in self.fields}
        self._earlier: list[Values] = []
        self._place = -1
        self._filled: dict[str, tuple[str, Any]] = {}
        self._gold: str | None = None

    def compose(self) -> ComposeResult:
        yield from self._rows.values()

    def on_mount(self) -> None:
        self._name_fields()

    @property
    def lines(self) -> dict[str, Prompt | LongPrompt]:
        """Return the lines by their roles, from top to bottom."""
        return {field.role: self._rows[field].line for field in self.fields}

    def show_fields(self, task: str, fields: Sequence[Field]) -> None:
        """Have a line for each of these fields; a line that is there already keeps what is typed on it."""
        self.task_name, self._place = task, -1
        if tuple(fields) == self.fields:
            return
        typed = {role: line.value for role, line in self.lines.items()}
        gone = [self._rows.pop(field) for field in self.fields if field not in fields]
        focused = self.screen.focused
        lost = bool(gone) and (focused is None or any(focused is row.line for row in gone))
        self.fields = tuple(fields)
        above: FieldRow | None = None
        for field in self.fields:
            if field not in self._rows:
                self._rows[field] = row = FieldRow(self, field, typed.get(field.role, ""))
                if above is not None:
                    self.mount(row, after=above)
                else:
                    self.mount(row, before=0 if self.children else None)
            above = self._rows[field]
        for row in gone:
            row.remove()
        self._name_fields()
        if lost:
            self.call_after_refresh(self.focus_first)

    def _name_fields(self) -> None:
        """Name each line in front of it, where there are several."""
        widest = max(width(field.role) for field in self.fields)
        for field, row in self._rows.items():
            row.label.display = len(self.fields) > 1
            row.label.update(Content(field.role.ljust(widest)))

    @on(Input.Submitted)
    def submit_line(self, event: Input.Submitted) -> None:
        event.stop()
        self.enter()

    def enter(self) -> None:
        """Tell that the question is to be asked."""
        self.post_message(self.Entered())

    def focus_first(self) -> None:
        """Go to the first line, or the first one that must not stay empty but is."""
        missing = self.missing()
        self.lines[missing if missing else self.fields[0].role].focus()

    def go_on_from(self, line: Prompt | LongPrompt) -> None:
        """Go to the line below, or away from the lines."""
        lines = list(self.lines.values())
        place = lines.index(line) + 1
        if place < len(lines):
            lines[place].focus()
        else:
            self.screen.focus_next()

    def missing(self) -> str | None:
        """Return the first field that must not stay empty but is."""
        lines = self.lines
        return next((each.role for each in self.fields if each.required and not lines[each.role].value.strip()), None)

    def nothing_typed(self) -> bool:
        """Return whether nothing is typed at all."""
        return not any(line.value.strip() for line in self.lines.values())

    def set_earlier(self, questions: Iterable[Values]) -> None:
        """Set what the arrows bring back, newest first."""
        distinct: list[Values] = []
        for values in questions:
            if values not in distinct and fits(self.fields, values):
                distinct.append(values)
        self._earlier = distinct

    def fill(self, values: Values, gold: str | None = None) -> None:
        """Put in a question whose right answer is `gold`, as far as is known."""
        self._filled, self._gold = {}, gold
        for role, line in self.lines.items():
            line.put(words_of(role, values[role]) if role in values else "")
            if role in values:
                self._filled[role] = (line.value, values[role])

    def question(self) -> tuple[Values, str | None]:
        """Return what to ask, without the fields that stay empty, and its right answer; begin the history anew."""
        self._place = -1
        values: Values = {}
        changed = False
        for role, line in self.lines.items():
            shown, value = self._filled.get(role, ("", ""))
            changed = changed or shown != line.value
            if line.value.strip():
                values[role] = value if shown == line.value else typed_value(self.task_name, role, line.value)
        return values, None if changed else self._gold

    def recall(self, by: int) -> None:
        """Put in an earlier (1) or later (-1) question; later than the newest is an empty one."""
        self._place = max(-1, min(self._place + by, len(self._earlier) - 1))
        self.fill(self._earlier[self._place] if self._place >= 0 else {})
