"""Sheets over the form of a new run: pick a run to begin from, write the recipe as TOML."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static, TextArea

from screens.dialogs import Sheet
from screens.new_form import Draft, from_toml
from screens.widgets.picker import Option, Picker
from store.runs import Run
from workbench.errors import WorkbenchError
from workbench.text import plain


class PickRun(Sheet[int | None]):
    """Pick one of the runs; / filters."""

    def __init__(self, title: str, runs: Iterable[Run]) -> None:
        super().__init__()
        self.heading = title
        self.options = [
            Option(str(run.id), f"#{run.id} {plain(run.name, 32)}", " · ".join((run.strategy, run.dataset, run.state)))
            for run in runs
        ]

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet wide pick-run"):
            yield Picker(self.heading, self.options, filterable=True, id="pick-run")
            yield Static(Content("enter takes it · / filters · esc back"), classes="sheet-foot")

    @on(Picker.Picked)
    def take(self, event: Picker.Picked) -> None:
        self.dismiss(int(event.value))


class WriteToml(Sheet[Draft | None]):
    """Edit a recipe as text; what is wrong is said below it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "keep", "keep", priority=True)]

    def __init__(self, text: str, problem: str = "") -> None:
        super().__init__()
        self.text, self.problem = text, problem

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet wide write-toml"):
            yield Static(Content("The recipe as TOML"), classes="sheet-title")
            area = TextArea(plain(self.text, newlines=True), show_line_numbers=True, id="toml")
            area.cursor_blink = False
            yield area
            yield Static(id="toml-told")
            yield Static(Content("^s keeps it · esc leaves it as it was"), classes="sheet-foot")

    def on_mount(self) -> None:
        self.tell(self.problem)

    def tell(self, problem: str) -> None:
        """Say what is wrong with the text."""
        self.query_one("#toml-told", Static).update(Content(plain(problem, 800, newlines=True)))

    def action_keep(self) -> None:
        try:
            self.dismiss(from_toml(self.query_one(TextArea).text))
        except WorkbenchError as error:
            self.tell(error.what)


def editor_command() -> list[str] | None:
    """Return the person's editor as an argument list, or None where VISUAL and EDITOR name none."""
    try:
        return shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "") or None
    except ValueError:
        return None


def edit_in(command: list[str], text: str) -> str:
    """Let a person edit a text in their editor, which has the terminal meanwhile; return it as saved.

    Raise a WorkbenchError where the editor cannot be started or fails.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        file = Path(folder) / "recipe.toml"
        file.write_text(text, encoding="utf-8")
        try:
            code = subprocess.run([*command, str(file)]).returncode
            edited = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WorkbenchError(f"the editor failed: {error}", where=command[0], hint="Check EDITOR.") from error
    if code:
        raise WorkbenchError(f"the editor ended with exit code {code}; nothing was changed", where=command[0])
    return edited
