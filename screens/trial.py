"""Try: ask the models of runs about a text, beside one another, and keep what they said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from textual import events, on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Input
from textual.worker import get_current_worker

from screens.export import write_new
from screens.keys import bindings
from screens.new_dialogs import PickRun
from screens.place import PlaceScreen
from screens.trial_ask import AllAnswered, Answered, Asker, Loading
from screens.trial_dialogs import PickLabel
from screens.trial_history import History
from screens.trial_prompt import Prompt
from screens.trial_rows import (
    Reply,
    askable,
    best_run,
    history_csv,
    labels_of,
    piece_title,
    piece_words,
    replies_text,
    reply_lines,
    two_lines,
)
from screens.widgets.heading import Heading
from screens.widgets.line import Line
from screens.widgets.table import Table
from screens.widgets.told import Told
from store import predictions
from store.connection import read_store
from store.runs import Run
from workbench.answers import asked
from workbench.errors import WorkbenchError
from workbench.text import plain, plural

MOST_ASKED = 6


class TryScreen(PlaceScreen):
    """Ask models. `run_ids` are asked, in order; `replies` is what they said to `text`, whose right label is `gold`."""

    PLACE = "try"
    AUTO_FOCUS = ""
    CSS_PATH = "trial.tcss"
    BINDINGS = bindings("try")

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
        self.asking = self._begun = False
        self._question = 0
        self._asked_at = 0.0
        self._asker: Asker | None = None

    def compose_place(self) -> ComposeResult:
        yield Heading("text", "enter asks · ↑ earlier texts · esc to the keys below", id="text-heading")
        yield Prompt(id="prompt")
        yield Heading(id="answers-heading")
        yield Told(id="answers")
        yield Heading(id="tokens-heading")
        yield Told(id="tokens")
        yield Heading("history", "space keeps · enter asks again · v sets the right label", id="history-heading")
        yield History(self.workbench.home, id="history")

    def on_mount(self) -> None:
        self._asker = Asker(self.workbench.home, self.post_message)
        self.set_interval(1.0, self.show_waiting)
        self.query_one(Prompt).focus()

    def on_unmount(self) -> None:
        if self._asker is not None:
            self._asker.close()

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
            self.query_one(History).show_for(self.run_ids)

    def show_runs(self) -> None:
        if self.feed.state != "ready":
            return
        if not self._begun:
            self._begun = True
            self.query_one(History).read()
        self.run_ids = tuple(run_id for run_id in self.run_ids if run_id in self.feed.runs)
        if not self.run_ids and (best := best_run(list(self.feed.runs.values()))):
            self.run_ids = (best.id,)
        self.query_one(History).show_for(self.run_ids)
        self.show_replies()

    def _runs(self) -> list[Run]:
        return [self.feed.runs[run_id] for run_id in self.run_ids if run_id in self.feed.runs]

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
        self.query_one("#answers", Told).tell(words)
        first = next((reply for reply in replies if piece_words(reply)), None)
        self.set_class(first is None, "-no-tokens")
        if first is not None:
            self.query_one("#tokens-heading", Heading).show(piece_title(first))
            self.query_one("#tokens", Told).tell(Content(f" {two_lines(piece_words(first), cells)}"))

    def show_waiting(self) -> None:
        """Bring the words of runs that have not answered up to date: how many seconds it takes."""
        if not self.asking:
            return
        passed = int(time.monotonic() - self._asked_at)
        seconds = f" {passed} s · ^x cancels" if passed else ""
        for run_id, reply in self.replies.items():
            if reply.waiting:
                words = reply.waiting.partition(" …")[0]
                self.replies[run_id] = replace(reply, waiting=f"{words} …{seconds}")
        self.show_replies()

    def on_resize(self, event: events.Resize) -> None:
        self.show_replies()

    @on(Input.Submitted, "#prompt")
    def submit_text(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.ask(*self.query_one(Prompt).question())

    def ask(self, text: str, gold: str | None = None) -> None:
        """Ask every run; what was asked before and is not answered yet is dropped."""
        runs = self._runs()
        if not runs or self._asker is None:
            self.workbench.say("there is no model to ask: finish a run first", "warning")
            return
        self._question += 1
        self.text, self.gold, self.asking = text, gold, True
        self.query_one(History).added = None
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

    @on(History.Read)
    def take_history(self, event: History.Read) -> None:
        self.query_one(Prompt).set_earlier(trial.prompt for trial in event.trials)
        self.show_keys()

    @on(Loading)
    def show_loading(self, event: Loading) -> None:
        if event.question == self._question and event.run_id in self.replies:
            words = f"loading #{event.run_id} …" if event.first else f"asking #{event.run_id} …"
            self.replies[event.run_id] = replace(self.replies[event.run_id], waiting=words)
            self.show_waiting()

    @on(Answered)
    def show_answer(self, event: Answered) -> None:
        if event.question == self._question and event.run_id in self.replies:
            name = self.replies[event.run_id].name
            self.replies[event.run_id] = Reply(event.run_id, name, event.output, event.ms, event.step, event.problem)
            self.show_replies()

    @on(AllAnswered)
    def keep_answers(self, event: AllAnswered) -> None:
        if event.question != self._question:
            return
        self.asking = False
        self.show_keys()
        answers = {number: (dict(one.output), one.ms) for number, one in self.replies.items() if one.output is not None}
        if answers and not self.workbench.readonly:
            self.query_one(History).add(self._runs()[0].task, self.text, self.gold, answers)

    def why_not(self, action: str) -> str | None:
        if action in ("gold", "keep") and self.workbench.readonly:
            return "opened read-only: nothing is stored"
        if action in ("gold", "copy") and not any(reply.output for reply in self.replies.values()):
            return "nothing is answered yet: type a text and press enter"
        if action in ("keep", "again", "export") and not self.query_one(History).trials:
            return "the history is empty"
        if action == "drop_model" and len(self.run_ids) < 2:
            return "one model is asked at least"
        if action == "add_model" and len(self.run_ids) >= MOST_ASKED:
            return f"{MOST_ASKED} models are asked at most"
        if action == "random" and not any(run.eval_set for run in self._runs()):
            return "these runs have no stored evaluation set"
        return "nothing is being asked" if action == "cancel_ask" and not self.asking else None

    @on(Line.Left)
    @on(Line.Tabbed)
    def to_history(self) -> None:
        self.query_one("#history").focus()

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
            found = predictions.random_example(store, set_id)
            self.post_message(self.Example(found and (asked(found[0]), found[1])))

    @on(Example)
    def ask_example(self, event: Example) -> None:
        if event.found is not None:
            self.query_one(Prompt).fill(*event.found)
            self.ask(*event.found)

    def action_gold(self) -> None:
        def take(label: str | None) -> None:
            if label is not None:
                self.gold = label or None
                self.show_replies()
                self.query_one(History).mark_asked(label)

        self.app.push_screen(PickLabel(labels_of(list(self.replies.values())), self.gold), take)

    @on(Table.Marked, "#history")
    def action_keep(self) -> None:
        history = self.query_one(History)
        if (trial := history.cursor_trial) and not self.workbench.readonly:
            history.mark(trial.id, kept=not trial.kept)

    @on(Table.Chosen, "#history")
    def action_again(self) -> None:
        if trial := self.query_one(History).cursor_trial:
            self.query_one(Prompt).fill(trial.prompt, trial.gold)
            self.ask(trial.prompt, trial.gold)

    def action_cancel_ask(self) -> None:
        self._question += 1
        self.asking = False
        self.workers.cancel_group(self, "ask")
        for run_id, reply in self.replies.items():
            self.replies[run_id] = replace(reply, waiting="cancelled" if reply.waiting else "")
        self.show_replies()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(replies_text(self.text, list(self.replies.values())))
        self.workbench.say("The answers were sent to the terminal's clipboard; e writes the history to a file")

    def action_export(self) -> None:
        try:
            path = write_new("trials", (), history_csv(self.query_one(History).trials))
        except WorkbenchError as error:
            self.workbench.report(error)
        else:
            self.workbench.say(f"Written: {path}")
