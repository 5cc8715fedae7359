"""The whole log of a run, its events and what its worker wrote, safe to read: nothing in it drives the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.dialogs import Sheet
from screens.widgets.words import Words
from workbench.text import plural, size, width
from workbench.worker_log import read_end


class LogLines(ScrollView, can_focus=True):
    """Lines of text, drawn where they are seen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down"),
        Binding("k", "scroll_up", "up"),
        Binding("g", "scroll_home", "first"),
        Binding("G", "scroll_end", "last"),
        Binding("ctrl+d,space", "page_down", "page down"),
        Binding("ctrl+u", "page_up", "page up"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def show(self, lines: list[str]) -> None:
        """Show lines that are safe already; stay at the end where one is at the end."""
        at_end = not self.lines or self.scroll_offset.y >= self.max_scroll_y
        self.lines = lines
        self.virtual_size = Size(max(map(width, lines), default=0), len(lines))
        self.refresh()
        if at_end:
            self.call_after_refresh(self.scroll_end, animate=False)

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        line = self.lines[top + y] if top + y < len(self.lines) else ""
        base = self.rich_style
        return Strip([Segment(line, base)]).crop_extend(left, left + self.size.width, base)


class LogView(Sheet[None]):
    """A log over the whole terminal: the events, safe already, then the file; it grows as they do."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter", "leave", "back")]

    def __init__(self, path: Path, title: str, events: Callable[[], list[str]]) -> None:
        super().__init__()
        self.events = events
        self.path = path
        self.heading = title
        self._seen: tuple[int, list[str]] = (-1, [])

    def compose(self) -> ComposeResult:
        yield Words(id="log-title")
        yield LogLines()
        yield Words(id="log-keys")

    def on_mount(self) -> None:
        self.query_one("#log-keys", Words).show([[("esc back  g first  G last  ← → sideways", "")]])
        self.query_one(LogLines).focus()
        self.follow()
        self.set_interval(1.0, self.follow)

    @work(thread=True, exit_on_error=False, exclusive=True, group="log", description="reading the log")
    def follow(self) -> None:
        """Read the log again where it has grown."""
        said, written, left_out = self.events(), list[str](), 0
        try:
            length = self.path.stat().st_size
            if (length, said) == self._seen:
                return
            self._seen = length, said
            written, left_out = read_end(self.path)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                written = [f"log.txt cannot be read: {error.strerror}"]
        if self.is_running:
            self.app.call_from_thread(self.show, said, written, left_out)

    def show(self, said: list[str], written: list[str], left_out: int) -> None:
        """Show the events, and under a rule what the worker wrote."""
        told = f" · the first {size(left_out)} of the file are left out" if left_out else ""
        lines = plural(len(said) + len(written), "line")
        self.query_one("#log-title", Words).show([[(f"{self.heading} · {lines}{told}", "bold")]])
        rule = ["── what the worker wrote (log.txt) ".ljust(max(40, self.size.width - 2), "─")] if written else []
        self.query_one(LogLines).show([*said, *rule, *written] or ["nothing logged yet"])
