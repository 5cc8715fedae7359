"""The sheet on which a run is spread over values of its settings: a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from screens.dialogs import Sheet
from screens.editor import shortly
from screens.new_form import Draft, fields, find
from screens.new_paths import completed
from screens.widgets.line import Line
from screens.widgets.told import Told
from workbench import recipe as recipes
from workbench.catalog import SIZES, why_senseless
from workbench.errors import WorkbenchError
from workbench.recipe.model import FIRST_WORDS
from workbench.spreading import Spread, parted, spread
from workbench.text import plain

FIRST_OFFERED = ("strategy", "seed", "data.rows", "training.learning_rate", "training.epochs", "backbone")
"""What people spread over most; the other settings come behind."""

FOOT = "enter queues the group · tab completes · esc back"
_INSIDE = 76


class SpreadOver(Sheet[Spread | None]):
    """Ask what to spread a draft over; what it comes to is said while one types."""

    @dataclass
    class Looked(Message):
        """What is typed was tried: the group, or what is wrong."""

        typed: str
        outcome: Spread | WorkbenchError

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self._looked: SpreadOver.Looked | None = None
        self._entered = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet wide spread"):
            yield Static(Content("Spread over"), classes="sheet-title")
            yield Line(placeholder="strategy=full,gradual seed=1,2,3", id="spread-line")
            yield Told(id="spread-offers")
            yield Told(id="spread-told")
            yield Static(Content(FOOT), classes="sheet-foot")

    def on_mount(self) -> None:
        self.query_one(Line).focus()
        self.show_offers("")
        self.query_one("#spread-told", Told).tell("A run for every combination, the other settings as in the form.")

    @on(Input.Changed)
    def consider(self, event: Input.Changed) -> None:
        """Offer what could stand here, and find out what is typed so far."""
        event.stop()
        self.show_offers(event.value)
        if event.value.strip():
            self.look(event.value)

    def show_offers(self, typed: str) -> None:
        """Show what the word being typed could become."""
        words = shortly([offer.rpartition(",")[2] for offer in word_offers(self.draft, typed)], _INSIDE)
        self.query_one("#spread-offers", Told).tell(Content(words))

    @work(thread=True, exclusive=True, exit_on_error=False, group="spread", description="spreading the run")
    def look(self, typed: str) -> None:
        """Make the recipes in a thread: a thousand take a second."""
        worker = get_current_worker()
        outcome: Spread | WorkbenchError
        try:
            outcome = spread(recipes.anchor(self.draft.raw(), Path.cwd()), parted(typed.strip(), " "), "group")
        except WorkbenchError as error:
            outcome = error
        if not worker.is_cancelled:
            self.post_message(self.Looked(typed, outcome))

    @on(Looked)
    def tell(self, event: Looked) -> None:
        """Say how many runs it is, and which; or what is wrong."""
        self._looked = event
        told = self.query_one("#spread-told", Told)
        # Who is still writing a word that can become one is not told that it is none.
        unfinished = event.typed != self._entered and bool(word_offers(self.draft, event.typed))
        told.set_class(isinstance(event.outcome, WorkbenchError) and not unfinished, "-wrong")
        if isinstance(event.outcome, WorkbenchError):
            told.tell(Content("" if unfinished else plain(event.outcome.what, 400, newlines=True)))
        else:
            told.tell(Content("\n".join(group_lines(event.outcome))))
        if self._entered == event.typed:
            self._take(event)

    @on(Input.Submitted)
    def enter(self, event: Input.Submitted) -> None:
        event.stop()
        self._entered = event.value
        if self._looked is not None and self._looked.typed == event.value:
            self.tell(self._looked)

    def _take(self, looked: Looked) -> None:
        self._entered = ""
        if isinstance(looked.outcome, Spread):
            self.dismiss(looked.outcome)

    @on(Line.Tabbed)
    def complete(self) -> None:
        line = self.query_one(Line)
        before, word = _last_word(line.value)
        line.value = before + completed(word, word_offers(self.draft, line.value))
        line.cursor_position = len(line.value)

    @on(Line.Left)
    def leave(self) -> None:
        self.dismiss(None)


def group_lines(group: Spread) -> list[str]:
    """Return what a group comes to: how many runs, what they are called, what is left out."""
    names = shortly([recipe.label for recipe in group.recipes], _INSIDE)
    return [plain(group.words), names, *(plain(note) for note in group.notes)]


def word_offers(draft: Draft, typed: str) -> list[str]:
    """Return what the last word of a line could become: a setting, or one more of the values that it may take."""
    _, word = _last_word(typed)
    key, equals, listed = word.partition("=")
    if not equals:
        return [offer for path in _paths(draft) if (offer := f"{path}=").startswith(word)]
    named = listed.split(",")
    head = word[: len(word) - len(named[-1])]
    return [head + value for value in _choices(draft, key) if value.startswith(named[-1]) and value not in named[:-1]]


def _paths(draft: Draft) -> list[str]:
    """Return what a draft can be spread over, the usual first."""
    short = {f"{table}.{key}": table for table, key in FIRST_WORDS.items()}
    paths = [short.get(entry.path, entry.path) for entry in fields(draft) if entry.path != "name"]
    return [path for path in FIRST_OFFERED if path in paths] + [path for path in paths if path not in FIRST_OFFERED]


def _choices(draft: Draft, key: str) -> Sequence[str]:
    """Return the values of a setting that takes one of a few; of strategies those that make sense here."""
    path = f"{key}.{FIRST_WORDS[key]}" if key in FIRST_WORDS else key
    if path == "backbone.name":
        return [f"size:{size}" for size in SIZES]
    try:
        choices = find(draft, path).choices
    except StopIteration:
        return ()
    if path != "strategy.name":
        return choices
    task, backbone = str(draft.get("task.name")), str(draft.get("backbone.name"))
    return [name for name in choices if not why_senseless(task, name, backbone)]


def _last_word(typed: str) -> tuple[str, str]:
    """Return a line without the word that is being typed, and that word."""
    word = parted(typed, " ")[-1]
    return typed[: len(typed) - len(word)], word
