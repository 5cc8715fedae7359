"""Try: ask the models of runs a question, beside one another, and keep what they said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual import events, on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.worker import get_current_worker

from screens.answers import answer_lines
from screens.answers.labels import labels_of
from screens.answers.reply import WRITTEN, Key, Reply, View
from screens.export import write_new
from screens.keys import bindings
from screens.new_dialogs import PickRun
from screens.place import PlaceScreen
from screens.trial_answers import AnswersBox
from screens.trial_ask import AllAnswered, Answered, Asker, Loading, Written
from screens.trial_dialogs import PickLabel
from screens.trial_fields import fields_for, prompted
from screens.trial_history import History
from screens.trial_prompt import Left, Prompts
from screens.trial_rows import askable, best_run, history_csv, piece_title, piece_words, replies_text, two_lines
from screens.trial_talk import Talk
from screens.widgets.heading import Heading
from screens.widgets.table import Table
from screens.widgets.told import Told
from store import predictions
from store.connection import read_store
from store.runs import Run
from workbench.errors import WorkbenchError
from workbench.text import plain, plural

MOST_ASKED = 6
LABELLED = ("sentiment", "text-classification")
GOLD_BELOW = (*WRITTEN, "named-entities")
"""Tasks whose right answer is too long for a title."""

HINT = "↑ earlier · esc to the keys below"


class TryScreen(PlaceScreen):
    """Ask models of one task: `run_ids` in order, with `with_base` the first also as it was before training."""

    PLACE = "try"
    AUTO_FOCUS = ""
    CSS_PATH = "trial.tcss"
    BINDINGS = bindings("try")

    @dataclass
    class Example(Message):
        """The fields of an example of an evaluation set with its right answer; None where the set has none."""

        found: tuple[dict[str, Any], str | None] | None

    @dataclass
    class FieldsFound(Message):
        """The fields with which an evaluation set is asked."""

        set_id: str
        roles: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.run_ids: tuple[int, ...] = ()
        self.with_base = False
        self._left_out = ""
        self.talk = Talk()
        self._roles: dict[str | None, list[str] | None] = {None: []}
        self._asker: Asker | None = None

    def compose_place(self) -> ComposeResult:
        yield Heading("text", f"enter asks · {HINT}", id="text-heading")
        self.choose_runs()
        yield Prompts(self.task_name, id="prompts")
        yield Heading(id="answers-heading")
        yield AnswersBox(id="answers-box")
        yield Heading(id="tokens-heading")
        yield Told(id="tokens")
        yield Heading("history", id="history-heading")
        yield History(self.workbench.home, id="history")

    def on_mount(self) -> None:
        self._asker = Asker(self.workbench.home, self.post_message)
        self.set_interval(1.0, self.show_waiting)
        self.query_one(Prompts).focus_first()

    def on_unmount(self) -> None:
        if self._asker is not None:
            self._asker.close()

    # which models

    def arrive(self, run_ids: tuple[int, ...]) -> None:
        self._take(run_ids)

    def on_screen_resume(self) -> None:
        if self.workbench.marks:
            self._take(tuple(self.workbench.marks))
        super().on_screen_resume()

    def _take(self, run_ids: Sequence[int]) -> None:
        """Ask these runs from now on: those that have a model, and are of the task of the first that has."""
        known = {run.id: run for run in askable(list(self.feed.runs.values()))}
        wanted = [run_id for run_id in dict.fromkeys(run_ids) if run_id in known]
        alike = tuple(run_id for run_id in wanted if known[run_id].task == known[wanted[0]].task)[:MOST_ASKED]
        others = ", ".join(f"#{run_id}" for run_id in wanted if known[run_id].task != known[wanted[0]].task)
        if others and others != self._left_out:
            self.workbench.say(f"{others} left out: of another task, which is asked other questions", "warning")
        self._left_out = others
        if alike and alike != self.run_ids:
            self.run_ids = alike
            self.show_models()

    def show_runs(self) -> None:
        if self.feed.state != "ready":
            return
        self.choose_runs()
        self.show_models()

    def choose_runs(self) -> None:
        """Ask the marked runs, or the best, where none is asked yet or those that were are gone."""
        runs = askable(list(self.feed.runs.values()))
        self.run_ids = tuple(run_id for run_id in self.run_ids if run_id in self.feed.runs)
        marked = next((run for mark in self.workbench.marks for run in runs if run.id == mark), None)
        if not self.run_ids and (first := marked or best_run(runs)):
            self.run_ids = (first.id,)

    def _runs(self) -> list[Run]:
        return [self.feed.runs[run_id] for run_id in self.run_ids if run_id in self.feed.runs]

    def _models(self) -> list[tuple[Run, bool]]:
        """Return whom to ask: the runs, and behind the first its base where that is wanted."""
        models = [(run, False) for run in self._runs()]
        return [*models[:1], (models[0][0], True), *models[1:]] if models and self.with_base else models

    @property
    def task_name(self) -> str:
        return next((run.task for run in self._runs()), "")

    def show_models(self) -> None:
        """Show the lines of the question, the models and the history as the runs that are asked want them."""
        if self.talk.task != self.task_name:
            self.talk.forget(self.task_name)
        self.show_fields()
        self.query_one(History).show_for(self.task_name, self._keys())
        self.show_replies()

    def _keys(self) -> list[Key]:
        return [(run.id, base) for run, base in self._models()]

    def show_fields(self) -> None:
        """Have a line for each field that the models are asked with."""
        runs, prompts = self._runs(), self.query_one(Prompts)
        set_id = next((run.eval_set for run in runs if run.eval_set), None)
        if set_id is not None and set_id not in self._roles:
            self._roles[set_id] = None
            self.find_fields(set_id)
        prompts.show_fields(self.task_name, fields_for(self.task_name, self._roles[set_id]))
        prompts.set_earlier(trial.fields for trial in self.query_one(History).trials)
        several = len(prompts.fields) > 1
        title = "question" if several else prompts.fields[0].role
        hint = f"enter asks · tab next · {HINT}" if several else f"enter asks · {HINT}"
        self.query_one("#text-heading", Heading).show(title, hint)

    @work(thread=True, exit_on_error=False, group="fields", description="finding the fields")
    def find_fields(self, set_id: str) -> None:
        """Find out with which fields an evaluation set is asked."""
        with read_store(self.feed.home.store) as store:
            self.post_message(self.FieldsFound(set_id, predictions.fields_of(store, set_id)))

    @on(FieldsFound)
    def take_fields(self, event: FieldsFound) -> None:
        self._roles[event.set_id] = event.roles
        self.show_fields()

    # what they say

    def show_replies(self) -> None:
        """Show what each model said, is doing, or would be asked."""
        models, talk = self._models(), self.talk
        replies = [talk.replies.get((run.id, base)) or Reply(run.id, run.name, base=base) for run, base in models]
        cells = self.app.size.width - 1
        right = f" · right is {plain(talk.gold)}" if talk.gold is not None and self.task_name not in GOLD_BELOW else ""
        title = f"{self.task_name or 'no model'} · {plural(len(models), 'model')}{right}"
        words = Content(" No run has a model yet: press n to start one.")
        if models:
            view = View(talk.fields, talk.gold, cells, self.workbench.ascii)
            words = answer_lines(self.task_name, replies, view)
        self.query_one("#answers-heading", Heading).show(title)
        self.query_one(AnswersBox).tell(words)
        first = next((reply for reply in replies if piece_words(reply)), None)
        self.set_class(first is None, "-no-tokens")
        if first is not None:
            self.query_one("#tokens-heading", Heading).show(piece_title(first))
            self.query_one("#tokens", Told).tell(Content(f" {two_lines(piece_words(first), cells)}"))
        gold = " · v sets the right label" if self.task_name in LABELLED else ""
        self.query_one("#history-heading", Heading).show("history", f"space keeps · enter asks again{gold}")

    def show_waiting(self) -> None:
        """Say how long those that have not answered take already."""
        if self.talk.asking:
            self.talk.wait()
            self.show_replies()

    def on_resize(self, event: events.Resize) -> None:
        self.show_replies()

    @on(Prompts.Entered)
    def submit_question(self) -> None:
        prompts = self.query_one(Prompts)
        if prompts.nothing_typed():
            return
        if (role := prompts.missing()) is not None:
            self.workbench.say(f"the {role} is empty: it is asked with {' and '.join(prompts.lines)}", "warning")
            prompts.focus_first()
            return
        self.ask(*prompts.question())

    def ask(self, fields: Mapping[str, Any], gold: str | None = None) -> None:
        """Ask every model; what was asked before and is not answered yet is dropped."""
        models = self._models()
        if not models or self._asker is None:
            self.workbench.say("there is no model to ask: finish a run first", "warning")
            return
        self.query_one(History).added = None
        question = self.talk.begin(models, fields, gold)
        self.query_one(AnswersBox).scroll_home(animate=False)
        self.show_replies()
        self.show_keys()
        self.put_question(question, models, dict(fields))

    @work(thread=True, exclusive=True, exit_on_error=False, group="ask", description="asking the models")
    def put_question(self, question: int, models: Sequence[tuple[Run, bool]], fields: Mapping[str, Any]) -> None:
        """Ask in a thread; the first question starts a process that loads torch, which takes seconds."""
        worker = get_current_worker()
        assert self._asker is not None
        self._asker.ask(question, models, fields, lambda: worker.is_cancelled)

    @on(Loading)
    def show_loading(self, event: Loading) -> None:
        if self.talk.take_loading(event):
            self.show_waiting()

    @on(Written)
    def show_written(self, event: Written) -> None:
        if self.talk.take_written(event):
            self.show_replies()
            self.query_one(AnswersBox).follow()

    @on(Answered)
    def show_answer(self, event: Answered) -> None:
        if self.talk.take_answer(event):
            self.show_replies()

    @on(AllAnswered)
    def keep_answers(self, event: AllAnswered) -> None:
        talk = self.talk
        if event.question != talk.number:
            return
        talk.asking = False
        self.show_keys()
        answers, base = talk.answers(base=False), talk.answers(base=True)
        if (answers or base) and not self.workbench.readonly:
            self.query_one(History).add(talk.task, talk.fields, talk.gold, answers, base)

    @on(History.Read)
    def take_history(self, event: History.Read) -> None:
        self.query_one(Prompts).set_earlier(trial.fields for trial in event.trials)
        self.show_keys()

    # keys

    def why_not(self, action: str) -> str | None:
        history, answered = self.query_one(History), any(reply.output for reply in self.talk.replies.values())
        reasons = {
            "gold": [(self.task_name not in LABELLED, "only an answer of one label has a right label to pick")],
            "drop_model": [(len(self.run_ids) < 2, "one model is asked at least")],
            "add_model": [
                (len(self.run_ids) >= MOST_ASKED, f"{MOST_ASKED} models are asked at most"),
                (not self._others(), f"no other run of {self.task_name or 'any task'} has a model to ask"),
            ],
            "baseline": [(not self.run_ids, "there is no model to ask: finish a run first")],
            "random": [(not any(run.eval_set for run in self._runs()), "these runs have no stored evaluation set")],
            "cancel_ask": [(not self.talk.asking, "nothing is being asked")],
        }.get(action, [])
        if action in ("gold", "keep"):
            reasons = [(self.workbench.readonly, "opened read-only: nothing is stored"), *reasons]
        if action in ("gold", "copy"):
            reasons.append((not answered, "nothing is answered yet: type a text and press enter"))
        if action in ("keep", "again", "export"):
            reasons.append((not history.trials, "the history is empty"))
        return next((reason for holds, reason in reasons if holds), None)

    @on(Left)
    def to_history(self) -> None:
        self.query_one("#history").focus()

    def action_ask(self) -> None:
        self.query_one(Prompts).focus_first()

    def _others(self) -> list[Run]:
        """Return the runs that could be asked as well."""
        runs = askable(list(self.feed.runs.values()))
        return [run for run in runs if run.id not in self.run_ids and run.task == self.task_name]

    def action_add_model(self) -> None:
        def take(run_id: int | None) -> None:
            if run_id is not None:
                self._take((*self.run_ids, run_id))

        self.app.push_screen(PickRun(f"Ask as well (runs of {self.task_name})", self._others()), take)

    def action_drop_model(self) -> None:
        self._take(self.run_ids[:-1])

    def action_baseline(self) -> None:
        self.with_base = not self.with_base
        self.show_models()

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
            fields, gold = event.found
            self.ask_again(prompted(self.task_name, fields), gold)

    def ask_again(self, fields: dict[str, Any], gold: str | None) -> None:
        """Fill in a question as it is known, and ask it."""
        self.query_one(Prompts).fill(fields, gold)
        self.ask(fields, gold)

    def action_gold(self) -> None:
        def take(label: str | None) -> None:
            if label is not None:
                self.talk.gold = label or None
                self.show_replies()
                self.query_one(History).mark_asked(label)

        self.app.push_screen(PickLabel(labels_of(list(self.talk.replies.values())), self.talk.gold), take)

    @on(Table.Marked, "#history")
    def action_keep(self) -> None:
        history = self.query_one(History)
        if (trial := history.cursor_trial) and not self.workbench.readonly:
            history.mark(trial.id, kept=not trial.kept)

    @on(Table.Chosen, "#history")
    def action_again(self) -> None:
        if trial := self.query_one(History).cursor_trial:
            self.ask_again(trial.fields, trial.gold)

    def action_cancel_ask(self) -> None:
        """End the text that is being written; where none is, or it is ending already, wait no longer."""
        if self._asker is not None and self.talk.stop():
            self._asker.stop_writing()
            return
        self.talk.cancel()
        self.workers.cancel_group(self, "ask")
        self.show_replies()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(replies_text(self.talk.fields, list(self.talk.replies.values())))
        self.workbench.say("The answers were sent to the terminal's clipboard; e writes the history to a file")

    def action_export(self) -> None:
        try:
            path = write_new("trials", (), history_csv(self.query_one(History).trials))
        except WorkbenchError as error:
            self.workbench.report(error)
        else:
            self.workbench.say(f"Written: {path}")
