"""The line on which the text to ask about is typed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType

from screens.widgets.line import Line


class Prompt(Line):
    """One line; the arrows bring earlier texts back. What is filled in is asked as it is, not as it is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(1)", "Earlier", show=False),
        Binding("down", "recall(-1)", "Later", show=False),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(placeholder="type a text", id=id)
        self._earlier: list[str] = []
        self._place = -1
        self._filled: tuple[str, str, str | None] = ("", "", None)

    def set_earlier(self, texts: Iterable[str]) -> None:
        """Set what the arrows bring back, newest first."""
        self._earlier = list(dict.fromkeys(texts))

    def fill(self, text: str, gold: str | None = None) -> None:
        """Put in a text whose right label is `gold`, as far as is known."""
        self.value = text
        self.cursor_position = len(self.value)
        self._filled = (self.value, text, gold)

    def question(self) -> tuple[str, str | None]:
        """Return the text to ask and its right label, and begin the history anew."""
        self._place = -1
        shown, text, gold = self._filled
        return (text, gold) if shown == self.value else (self.value, None)

    def action_recall(self, by: int) -> None:
        """Put in an earlier (1) or later (-1) text; later than the newest is an empty line."""
        self._place = max(-1, min(self._place + by, len(self._earlier) - 1))
        self.fill(self._earlier[self._place] if self._place >= 0 else "")
