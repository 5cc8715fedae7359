"""Try: ask the models of runs about a text, beside one another, and keep what they said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from screens.compare_rows import free_file
from screens.keys import bindings
from screens.new_dialogs import PickRun
from screens.place import PlaceScreen
from screens.trial_ask import AllAnswered, Answered, Asker, Loading
from screens.trial_dialogs import PickLabel
from screens.trial_rows import (
    Reply,
    askable,
    best_run,
    history_columns,
    history_csv,
    history_rows,
    labels_of,
    piece_title,
    piece_words,
    replies_text,
    reply_lines,
)
from screens.widgets.heading import Heading
from screens.widgets.line import Line
from screens.widgets.table import Table
from store import predictions, trials
from store.connection import open_store, read_store
from store.runs import Run
from store.trials import Trial
from workbench.text import cut, plain, plural, width

MOST_ASKED = 6


class Prompt(Line):
    """The text to ask about; the arrows bring earlier ones back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(1)", "Earlier", show=False),
        Binding("down", "recall(-1)", "Later", show=False),
    ]

    @dataclass
    class Recalled(Message):
        """An earlier (1) or later (-1) text is wanted."""

        by: int

    def action_recall(self, by: int) -> None:
        """Ask for another text of the history."""
        self.post_message(self.Recalled(by))


class TryScreen(PlaceScreen):
    """Ask models. `run_ids` are asked, in order; `replies` is what they said to `text`, whose right label is `gold`."""

    PLACE = "try"
    AUTO_FOCUS = ""
    CSS_PATH = "trial.tcss"
    BINDINGS = bindings("try")

    @dataclass
    class HistoryRead(Message):
        """The stored trials, newest first; `current` is the one just stored, if any."""

        trials: list[Trial]
        current: int | None = None

    @dataclass
    class Example(Message):
        """A text of an evaluation set with its right label, or None where there is none."""

        found: tuple[str, str | None] | None

    def __init__(self) -> None:
        super().__init__()
        self.run_ids: tuple[int, ...] = ()
        self.text = ""
        self.gold: str | None = None
        self.replies: dict[int, Reply] = {}
        self.trials: list[Trial] = []
        self.current: int | None = None
        self.asking = False
        self._question = 0
        self._asked_at = 0.0
        self._recalled = -1
        self._example: tuple[str, tuple[str, str | None]] = ("", ("", None))
        self._asker: Asker | None = None

    def compose_place(self) -> ComposeResult:
        yield Heading("text", "enter asks · ↑ earlier texts · esc to the keys below", id="text-heading")
        yield Prompt(placeholder="type a text", id="prompt")
        yield Heading(id="answers-heading")
        yield Static(id="answers")
        yield Heading(id="tokens-heading")
        yield Static(id="tokens")
        yield Heading("history", "space keeps · enter asks again · v sets the right label", id="history-heading")
        yield Table(empty="what you ask is kept here", id="history")

    def on_mount(self) -> None:
        self._asker = Asker(self.workbench.home, self.post_message)
        self.set_interval(1.0, self._show_waiting)
        self.query_one(Prompt).focus()

    def on_unmount(self) -> None:
        if self._asker is not None:
            self._asker.close()

    # whom to ask

    def arrive(self, run_ids: tuple[int, ...]) -> None:
        self._take(run_ids)

    def on_screen_resume(self) -> None:
        if self.workbench.marks:
            self._take(tuple(self.workbench.marks))
        super().on_screen_resume()

    def _take(self, run_ids: Sequence[int]) -> None:
        """Ask these runs from now on, those that have a model."""
        known = {run.id for run in askable(list(self.feed.runs.values()))}
        wanted = tuple(run_id for run_id in dict.fromkeys(run_ids) if run_id in known)[:MOST_ASKED]
        if wanted and wanted != self.run_ids:
            self.run_ids = wanted
            self.show_replies()
            self.show_history()

    def show_runs(self) -> None:
        if self.feed.state != "ready":
            return
        if not self.trials and self.current is None:
            self.current = 0
            self.read_history()
        self.run_ids = tuple(run_id for run_id in self.run_ids if run_id in self.feed.runs)
        if not self.run_ids and (best := best_run(list(self.feed.runs.values()))):
            self.run_ids = (best.id,)
        self.show_replies()

    def _runs(self) -> list[Run]:
        return [self.feed.runs[run_id] for run_id in self.run_ids if run_id in self.feed.runs]

    # showing

    def show_replies(self) -> None:
        """Show what each run said, is doing, or would be asked."""
        runs, cells = self._runs(), self.app.size.width
        replies = [self.replies.get(run.id) or Reply(run.id, run.name) for run in runs]
        task = runs[0].task if runs else "no model"
        right = f" · right is {plain(self.gold)}" if self.gold is not None else ""
        self.query_one("#answers-heading", Heading).show(f"{task} · {plural(len(runs), 'model')}{right}")
        words = Content(" No run has a model yet: press n to start one.")
        if runs:
            words = reply_lines(replies, cells, self.gold, ascii=self.workbench.ascii)
        self.query_one("#answers", Static).update(words)
        first = next((reply for reply in replies if piece_words(reply)), None)
        self.set_class(first is None, "-no-tokens")
        if first is not None:
            self.query_one("#tokens-heading", Heading).show(piece_title(first))
            self.query_one("#tokens", Static).update(Content(f" {_two_lines(piece_words(first), cells)}"))

    def _show_waiting(self) -> None:
        """Count the seconds while a model is being loaded."""
        if self.asking:
            self.show_replies_waiting()

    def show_replies_waiting(self) -> None:
        """Bring the words of runs that have not answered up to date."""
        passed = int(time.monotonic() - self._asked_at)
        seconds = f" {passed} s · ^x cancels" if passed else ""
        for run_id, reply in self.replies.items():
            if reply.waiting:
                words = reply.waiting.partition(" …")[0]
                self.replies[run_id] = replace(reply, waiting=f"{words} …{seconds}")
        self.show_replies()

    def show_history(self) -> None:
        """Show the texts that were asked, with what the runs asked now said to them."""
        table = self.query_one("#history", Table)
        table.set_columns(history_columns(self.run_ids))
        table.set_rows(history_rows(self.trials, self.run_ids))

    def on_resize(self, event: events.Resize) -> None:
        self.show_replies()

    # asking

    @on(Input.Submitted, "#prompt")
    def submit_text(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            shown, (raw, gold) = self._example
            self.ask(*((raw, gold) if shown == event.value else (event.value, None)))

    def ask(self, text: str, gold: str | None = None) -> None:
        """Ask every run; what was asked before and is not answered yet is dropped."""
        runs = self._runs()
        if not runs or self._asker is None:
            self.workbench.say("there is no model to ask: finish a run first", "warning")
            return
        self._question += 1
        self.text, self.gold, self.asking, self._recalled = text, gold, True, -1
        self.current = 0
        self._asked_at = time.monotonic()
        self.replies = {run.id: Reply(run.id, run.name, waiting="waits its turn …") for run in runs}
        self.show_replies()
        self.show_keys()
        self.put_question(self._question, runs, text)

    @work(thread=True, exclusive=True, exit_on_error=False, group="ask", description="asking the models")
    def put_question(self, question: int, runs: Sequence[Run], text: str) -> None:
        """Ask in a thread; the first question starts a process that loads torch, which takes seconds."""
        worker = get_current_worker()
        assert self._asker is not None
        self._asker.ask(question, runs, text, lambda: worker.is_cancelled)

    @on(Loading)
    def show_loading(self, event: Loading) -> None:
        if event.question == self._question and event.run_id in self.replies:
            words = f"loading #{event.run_id} …" if event.first else f"asking #{event.run_id} …"
            self.replies[event.run_id] = replace(self.replies[event.run_id], waiting=words)
            self.show_replies_waiting()

    @on(Answered)
    def show_answer(self, event: Answered) -> None:
        if event.question == self._question and event.run_id in self.replies:
            name = self.replies[event.run_id].name
            self.replies[event.run_id] = Reply(
                event.run_id, name, event.output, event.ms, event.step, event.problem
            )  # fmt: skip
            self.show_replies()

    @on(AllAnswered)
    def keep_answers(self, event: AllAnswered) -> None:
        if event.question != self._question:
            return
        self.asking = False
        self.show_keys()
        answers = {
            reply.run_id: (dict(reply.output), reply.ms) for reply in self.replies.values() if reply.output is not None
        }
        if answers and not self.workbench.readonly:
            self.store_trial(self._runs()[0].task, self.text, self.gold, answers)

    @work(thread=True, exit_on_error=False, group="store", description="storing the answers")
    def store_trial(
        self, task: str, text: str, gold: str | None, answers: dict[int, tuple[dict[str, object], float]]
    ) -> None:
        """Store a text with its answers; the write waits its turn, so it runs in a thread."""
        with open_store(self.feed.home.store) as store:
            number = trials.add(store, task, text, answers)
            if gold is not None:
                trials.mark(store, number, gold=gold)
            self.post_message(self.HistoryRead(trials.listing(store), number))

    @work(thread=True, exit_on_error=False, group="store", description="reading the history")
    def read_history(self) -> None:
        """Read the texts asked earlier."""
        with read_store(self.feed.home.store) as store:
            self.post_message(self.HistoryRead(trials.listing(store)))

    @work(thread=True, exit_on_error=False, group="store", description="marking the answer")
    def mark_trial(self, number: int, gold: str | None = None, kept: bool | None = None) -> None:
        """Store the right label of a trial, or that it is kept."""
        with open_store(self.feed.home.store) as store:
            trials.mark(store, number, gold=gold, kept=kept)
            self.post_message(self.HistoryRead(trials.listing(store)))

    @on(HistoryRead)
    def take_history(self, event: HistoryRead) -> None:
        self.trials = event.trials
        if event.current is not None:
            self.current = event.current
        self.show_history()

    # keys

    def why_not(self, action: str) -> str | None:
        if action in ("gold", "keep") and self.workbench.readonly:
            return "opened read-only: nothing is stored"
        if action in ("gold", "copy") and not any(reply.output for reply in self.replies.values()):
            return "nothing is answered yet: type a text and press enter"
        if action in ("keep", "again", "export") and not self.trials:
            return "the history is empty"
        if action == "drop_model" and len(self.run_ids) < 2:
            return "one model is asked at least"
        if action == "add_model" and len(self.run_ids) >= MOST_ASKED:
            return f"{MOST_ASKED} models are asked at most"
        if action == "random" and not any(run.eval_set for run in self._runs()):
            return "these runs have no stored evaluation set"
        return "nothing is being asked" if action == "cancel_ask" and not self.asking else None

    @on(Line.Left)
    def leave_prompt(self) -> None:
        self.query_one("#history").focus()

    @on(Line.Tabbed)
    def to_history(self) -> None:
        self.query_one("#history").focus()

    @on(Prompt.Recalled)
    def recall(self, event: Prompt.Recalled) -> None:
        earlier = list(dict.fromkeys(trial.prompt for trial in self.trials))
        self._recalled = max(-1, min(self._recalled + event.by, len(earlier) - 1))
        self._fill(earlier[self._recalled] if self._recalled >= 0 else "")

    def _fill(self, text: str, gold: str | None = None) -> None:
        prompt = self.query_one(Prompt)
        prompt.value = text
        prompt.cursor_position = len(prompt.value)
        self._example = (prompt.value, (text, gold))

    def action_ask(self) -> None:
        self.query_one(Prompt).focus()

    def action_add_model(self) -> None:
        def take(run_id: int | None) -> None:
            if run_id is not None:
                self._take((*self.run_ids, run_id))

        others = [run for run in askable(list(self.feed.runs.values())) if run.id not in self.run_ids]
        self.app.push_screen(PickRun("Ask as well", others), take)

    def action_drop_model(self) -> None:
        self._take(self.run_ids[:-1])

    def action_random(self) -> None:
        self.find_example(next(run.eval_set for run in self._runs() if run.eval_set))

    @work(thread=True, exclusive=True, exit_on_error=False, group="example", description="finding an example")
    def find_example(self, set_id: str) -> None:
        """Take any example of an evaluation set."""
        with read_store(self.feed.home.store) as store:
            self.post_message(self.Example(predictions.random_example(store, set_id)))

    @on(Example)
    def ask_example(self, event: Example) -> None:
        if event.found is not None:
            self._fill(*event.found)
            self.ask(*event.found)

    def action_gold(self) -> None:
        def take(label: str | None) -> None:
            if label is not None:
                self.gold = label
                self.show_replies()
                if self.current:
                    self.mark_trial(self.current, gold=label)

        self.app.push_screen(PickLabel(labels_of(list(self.replies.values())), self.gold), take)

    @on(Table.Marked, "#history")
    def action_keep(self) -> None:
        trial = self._cursor_trial()
        if trial is not None and not self.workbench.readonly:
            self.mark_trial(trial.id, kept=not trial.kept)

    @on(Table.Chosen, "#history")
    def action_again(self) -> None:
        trial = self._cursor_trial()
        if trial is not None:
            self._fill(trial.prompt, trial.gold)
            self.ask(trial.prompt, trial.gold)

    def _cursor_trial(self) -> Trial | None:
        key = self.query_one("#history", Table).cursor_key
        return next((trial for trial in self.trials if str(trial.id) == key), None)

    def action_cancel_ask(self) -> None:
        self._question += 1
        self.asking = False
        self.workers.cancel_group(self, "ask")
        self.replies = {
            run_id: replace(reply, waiting="cancelled") if reply.waiting else reply
            for run_id, reply in self.replies.items()
        }
        self.show_replies()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(replies_text(self.text, list(self.replies.values())))
        self.workbench.say("The answers were sent to the terminal's clipboard; e writes the history to a file")

    def action_export(self) -> None:
        path = free_file(Path.cwd(), (), "trials")
        try:
            with path.open("x", encoding="utf-8", newline="") as file:
                file.write(history_csv(self.trials))
        except OSError as error:
            self.workbench.say(f"cannot write {path}: {error.strerror}", "error")
            return
        self.workbench.say(f"Written: {path}")


def _two_lines(text: str, cells: int) -> str:
    """Return a text in at most two lines of words."""
    room = max(10, cells - 2)
    if width(text) <= room:
        return text
    head = cut(text, room).removesuffix("…").rpartition(" ")[0] or cut(text, room)
    return f"{head}\n {cut(text[len(head) :].strip(), room)}"
