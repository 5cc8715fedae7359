"""Small screens over a place: a question, and the keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from screens.keys import ALL, PLACES, keys_of
from workbench.text import fit, plain

MUTED = "$foreground-muted"
Result = TypeVar("Result")


class Sheet(ModalScreen[Result]):
    """A dialog over a place; escape leaves it with nothing chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back")]

    def action_leave(self) -> None:
        self.dismiss(None)


@dataclass(frozen=True)
class Choice:
    """A way out of a question: the letter that takes it, its words, what the dialog returns."""

    letter: str
    words: str
    value: str


class Question(Sheet[str | None]):
    """Ask; the answer is the value of a choice, or None. Enter cancels, or takes the first choice where it is `ready`.

    `title` and `lines` may hold any text: they are shown as typed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up,h,k,shift+tab", "move(-1)", "previous"),
        Binding("right,down,l,j,tab", "move(1)", "next"),
        Binding("enter,space", "take", "choose"),
        Binding("n,q", "leave", "cancel"),
    ]

    def __init__(self, title: str, lines: list[str], *choices: Choice, ready: bool = False) -> None:
        super().__init__()
        self.heading = plain(title, 200)
        self.lines = [plain(line, 400) for line in lines]
        self.choices = (*choices, Choice("n", "cancel", ""))
        self.chosen = 0 if ready else len(choices)

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet"):
            yield Static(Content(self.heading), classes="sheet-title")
            yield Static(Content("\n".join(self.lines)), classes="sheet-text")
            yield Static(self._row(), id="choices")

    def _row(self) -> Content:
        parts: list[tuple[str, str]] = []
        for index, choice in enumerate(self.choices):
            style = "bold reverse" if index == self.chosen else ""
            parts += [(f" {choice.letter} {choice.words} ", style), ("  ", "")]
        return Content.assemble(*parts)

    def action_move(self, by: int) -> None:
        self.chosen = (self.chosen + by) % len(self.choices)
        self.query_one("#choices", Static).update(self._row())

    def action_take(self) -> None:
        self.dismiss(self.choices[self.chosen].value or None)

    def on_key(self, event: events.Key) -> None:
        for choice in self.choices:
            if event.character == choice.letter and choice.value:
                event.stop()
                self.dismiss(choice.value)


class Help(Sheet[None]):
    """Every key of a place, from the one table."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1,q,enter", "leave", "back")]

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet wide"):
            yield Static(Content(f"Keys in {PLACES[self.place]}"), classes="sheet-title")
            with VerticalScroll():
                yield Static(self._table())
            yield Static(Content("esc back"), classes="sheet-foot")

    def _table(self) -> Content:
        keys = keys_of(self.place)
        own = [key for key in keys if key.places != ALL]
        parts: list[tuple[str, str]] = []
        for group, title in ((own, ""), ([key for key in keys if key not in own], "everywhere")):
            parts += [(f"\n{title}\n", MUTED)] if title else []
            for key in group:
                parts += [(fit(key.face, 7), "bold"), (fit(key.description.rstrip("…"), 12), "")]
                parts += [(f"{key.tooltip}\n", MUTED)]
        return Content.assemble(*parts)
