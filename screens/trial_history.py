"""The questions that were asked, as the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual import on, work
from textual.message import Message

from screens.answers.reply import Key
from screens.trial_rows import history_columns, history_rows
from screens.widgets.table import Table
from store import trials
from store.connection import open_store, read_store
from store.trials import Answers, Trial
from workbench.answers import asked
from workbench.paths import Home


class History(Table):
    """Show the stored trials, newest first, with what the runs asked now said; every write runs in a thread."""

    @dataclass
    class Read(Message):
        """The trials as they are stored now; `added` is the one just stored."""

        task: str
        trials: list[Trial]
        added: int | None = None

    def __init__(self, home: Home, id: str | None = None) -> None:
        super().__init__(empty="what you ask is kept here", id=id)
        self.home = home
        self.trials: list[Trial] = []
        self.added: int | None = None
        self.task_name = ""
        self._keys: tuple[Key, ...] = ()

    @property
    def cursor_trial(self) -> Trial | None:
        """Return the trial under the cursor."""
        return next((trial for trial in self.trials if str(trial.id) == self.cursor_key), None)

    def show_for(self, task: str, keys: Sequence[Key]) -> None:
        """Show the questions of a task with the answers of these models."""
        if task != self.task_name:
            self.task_name, self.trials, self.added = task, [], None
            self.read()
        self._keys = tuple(keys)
        self.set_columns(history_columns(task, self._keys))
        self.set_rows(history_rows(self.trials, self._keys))

    def mark_asked(self, gold: str) -> None:
        """Store the right label of the question that was asked last, once it is stored."""
        if self.added is not None:
            self.mark(self.added, gold=gold)

    @on(Read)
    def take(self, event: Read) -> None:
        """Show what was read."""
        if event.task != self.task_name:
            event.stop()
            return
        self.trials = event.trials
        self.added = event.added if event.added is not None else self.added
        self.show_for(self.task_name, self._keys)
        if event.added is not None:
            self.move_to(str(event.added))

    @work(thread=True, exit_on_error=False, group="history", description="reading the history")
    def read(self) -> None:
        """Read what was asked earlier."""
        task = self.task_name
        with read_store(self.home.store) as store:
            self.post_message(self.Read(task, trials.listing(store, task=task)))

    @work(thread=True, exit_on_error=False, group="history", description="storing the answers")
    def add(self, task: str, fields: Mapping[str, Any], gold: str | None, answers: Answers, base: Answers) -> None:
        """Store a question with its answers."""
        with open_store(self.home.store) as store:
            number = trials.add(store, task, asked(fields), answers, fields, base)
            if gold is not None:
                trials.mark(store, number, gold=gold)
            self.post_message(self.Read(task, trials.listing(store, task=task), number))

    @work(thread=True, exit_on_error=False, group="history", description="marking the answer")
    def mark(self, number: int, gold: str | None = None, kept: bool | None = None) -> None:
        """Store the right label of a trial (empty for none), or whether it is kept."""
        task = self.task_name
        with open_store(self.home.store) as store:
            trials.mark(store, number, gold=gold, kept=kept)
            self.post_message(self.Read(task, trials.listing(store, task=task)))
