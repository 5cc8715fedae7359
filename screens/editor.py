"""One line to type a value, above the keys: what it is for, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from screens.new_paths import completed
from screens.widgets.line import Line
from screens.widgets.told import Told
from workbench.text import cut, plain, width

Offers = Callable[[str], Sequence[str]]
Check = Callable[[str], str]


class Editor(Vertical):
    """Ask for one value. `check` returns what is wrong with it, or nothing; `offers` what it could become."""

    DEFAULT_CSS = """
    Editor { height: auto; display: none; }
    Editor.-open { display: block; }
    Editor Told { height: 1; color: $foreground-muted; }
    Editor #editor-told.-wrong { color: $text-error; }
    """

    @dataclass
    class Accepted(Message):
        """A value that passes the check was entered."""

        key: str
        value: str

    @dataclass
    class Closed(Message):
        """The editor was left; nothing is changed."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.key = ""
        self._check: Check = lambda _: ""
        self._offers: Offers | None = None

    def compose(self) -> ComposeResult:
        yield Told(id="editor-asked")
        yield Line(id="editor-line")
        yield Told(id="editor-told")

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def ask(self, key: str, words: str, help: str, value: str, check: Check, offers: Offers | None = None) -> None:
        """Open with a value to change; enter tells `Accepted`, escape `Closed`."""
        self.key, self._check, self._offers = key, check, offers
        asked = Content.assemble((f" {plain(words)}", "bold $foreground"), (f"  {plain(help)}", "$foreground-muted"))
        self.query_one("#editor-asked", Told).tell(asked)
        self.add_class("-open")
        line = self.query_one(Line)
        line.value = plain(value)
        line.focus()
        line.select_all()
        self.tell(line.value)

    def close(self) -> None:
        """Hide."""
        self.remove_class("-open")

    def tell(self, typed: str) -> None:
        """Say what is wrong with what is typed, else what it could become."""
        told = self.query_one("#editor-told", Told)
        problem = self._check(typed) if typed.strip() else ""
        offers = self._offers(typed) if self._offers else []
        told.set_class(bool(problem) and not offers, "-wrong")
        if offers:
            told.tell(Content(" " + shortly([_last(offer) for offer in offers], self.app.size.width - 2)))
        else:
            told.tell(Content(f" {plain(problem)}" if problem else self._keys()))

    def _keys(self) -> str:
        return " enter keeps it · esc leaves it as it was" + (" · tab completes" if self._offers else "")

    @on(Input.Changed)
    def check_typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.is_open:
            self.tell(event.value)

    @on(Line.Tabbed)
    def complete(self) -> None:
        line = self.query_one(Line)
        offers = list(self._offers(line.value)) if self._offers else []
        value = completed(line.value, offers)
        if value != line.value:
            line.value = value
            line.cursor_position = len(value)

    @on(Input.Submitted)
    def accept(self, event: Input.Submitted) -> None:
        event.stop()
        problem = self._check(event.value)
        if problem:
            told = self.query_one("#editor-told", Told)
            told.add_class("-wrong")
            told.tell(Content(f" {plain(problem)}"))
            self.query_one(Line).select_all()
        else:
            self.post_message(self.Accepted(self.key, event.value))

    @on(Line.Left)
    def leave(self) -> None:
        self.post_message(self.Closed())


def shortly(words: Sequence[str], cells: int) -> str:
    """Return as many words as fit, and how many more there are."""
    line = ""
    for index, word in enumerate(words):
        shown = f"{line}  {plain(word)}" if line else plain(word)
        more = f"  and {len(words) - index} more"
        if line and width(shown) + len(more) > cells:
            return line + more
        line = shown
    return cut(line, cells)


def _last(offer: str) -> str:
    """Return the part of a path that tells offers apart."""
    if ":" in offer:
        return offer
    head, _, tail = offer.rstrip("/").rpartition("/")
    return (tail if head or offer.startswith("/") else offer.rstrip("/")) + ("/" if offer.endswith("/") else "")
