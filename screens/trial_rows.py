"""Runs to ask, and questions with their answers, as lines and rows and files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from screens.answers.reply import WRITTEN, Key, Reply, is_right, score_words, short_form
from screens.widgets.table import Cell, Column, Row
from store.runs import Run
from store.trials import Trial
from workbench.answers import words_of
from workbench.goals import goal_of
from workbench.text import ABSENT, count, cut, number, plain, table, width

_COLUMNS = 4


def askable(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that have a model to ask, newest first as given."""
    return [run for run in runs if run.best_step is not None]


def best_run(runs: Sequence[Run]) -> Run | None:
    """Return the best finished run of the task and data of the newest one; `runs` are newest first."""
    finished = [run for run in askable(runs) if run.state == "finished"]
    alike = [run for run in finished if (run.task, run.dataset) == (finished[0].task, finished[0].dataset)]
    lower = bool(alike) and goal_of(alike[0].goal_key or "") == "min"
    return max(alike, key=lambda run: -(run.best_value or 0) if lower else run.best_value or 0, default=None)


def piece_words(reply: Reply) -> str:
    """Return the pieces that the model reads, a space between, safe: [CLS] the plot is thin [SEP]."""
    pieces = reply.output.get("pieces") if reply.output else None
    return " ".join(plain(piece) for piece in pieces) if isinstance(pieces, Sequence) else ""


def piece_title(reply: Reply) -> str:
    """Return whose pieces they are, how many, and of how many where the text is longer than the model reads."""
    output = reply.output or {}
    tokens, pieces, whole = output.get("tokens"), output.get("pieces"), output.get("of")
    if not isinstance(tokens, int):  # of named entities they are the words themselves
        tokens = len(pieces) if isinstance(pieces, Sequence) else None
    at = f" at step {count(reply.step)}" if reply.step is not None else ""
    title = f"tokens of #{reply.run_id}{at}"
    if tokens is None:
        return title
    if isinstance(whole, int) and whole > tokens:
        return f"{title} · {count(tokens)} of {count(whole)}: the rest is cut"
    return f"{title} · {count(tokens)}"


def history_columns(task: str, keys: Sequence[Key]) -> list[Column]:
    """Return the question, one answer a model, and the right one."""
    cells = None if task in WRITTEN else 14
    answers = [
        Column(f"run-{run_id}{'-base' * base}", f"#{run_id}{' base' * base}", cells, priority=5 - place, narrowest=14)
        for place, (run_id, base) in enumerate(keys[:_COLUMNS])
    ]
    return [Column("text", "text", None, priority=9), *answers, Column("gold", "right answer", 12, priority=4)]


def history_rows(trials: Sequence[Trial], keys: Sequence[Key]) -> list[Row]:
    """Return a row for each question, the newest first as given; the mark says that it is kept."""
    return [
        Row(
            str(trial.id),
            [
                trial.prompt[:400],
                *(_answer_cell(trial, key) for key in keys[:_COLUMNS]),
                Cell(ABSENT, "muted") if trial.gold is None else trial.gold,
            ],
            trial.kept,
        )
        for trial in trials
    ]


def _answer_cell(trial: Trial, key: Key) -> Cell:
    run_id, base = key
    answer = (trial.base if base else trial.answers).get(run_id)
    if answer is None:
        return Cell(ABSENT, "muted")
    said, score = short_form(answer[0])
    share = score_words(trial.task, said, score)
    right = is_right(trial.task, said, trial.gold)
    words = f"{plain(said, 13 - len(share))} {share}" if share else plain(said, 200)
    return Cell(words, "" if right is None else "good" if right else "warn")


def replies_text(fields: Mapping[str, Any], replies: Sequence[Reply]) -> str:
    """Return a question and its answers for the clipboard."""
    asked = [plain(words_of(role, value), newlines=True) for role, value in fields.items()]
    if len(fields) > 1:
        asked = [f"{role}: {words}" for role, words in zip(fields, asked, strict=True)]
    rows = [[reply.title[:40], *_copied(reply)] for reply in replies]
    if any("\n" in row[1] for row in rows):
        return "\n".join([*asked, *(f"\n{row[0]}\n{row[1]}" for row in rows)]) + "\n"
    return "\n".join([*asked, *table(rows)]) + "\n"


def _copied(reply: Reply) -> list[str]:
    scores = (reply.output or {}).get("scores")
    if isinstance(scores, Mapping):
        return [plain(reply.pred), "  ".join(f"{plain(label)} {score:.3f}" for label, score in scores.items())]
    said = plain(reply.pred, newlines=True) if reply.output is not None else plain(reply.problem or ABSENT)
    return [said, number(reply.score) if reply.score is not None else ""]


def history_csv(trials: Sequence[Trial]) -> str:
    """Return the history as CSV, a line for each answer; no text in it is run by a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    roles = list(dict.fromkeys(role for trial in trials for role in trial.fields))
    writer.writerow(["trial", *map(_harmless, roles), "right answer", "run", "answer", "score", "ms"])
    for trial in trials:
        asked = [_harmless(words_of(role, trial.fields[role])) if role in trial.fields else "" for role in roles]
        for base, answers in ((False, trial.answers), (True, trial.base)):
            for run_id, (output, ms) in answers.items():
                said, score = short_form(output)
                run = f"{run_id} base" if base else run_id
                told = "" if score is None else score
                writer.writerow(
                    [trial.id, *asked, _harmless(trial.gold or ""), run, _harmless(said), told, f"{ms:.1f}"]
                )
    return out.getvalue()


_FORMULA = re.compile(r"[=+@\n]|-(?![\d.]+$)")


def _harmless(text: str) -> str:
    """Return a safe text that a spreadsheet does not take for a formula; a number below zero is none."""
    text = plain(text, newlines=True)
    return f"'{text}" if _FORMULA.match(text) else text


def two_lines(text: str, cells: int) -> str:
    """Return a text in at most two lines of words."""
    room = max(10, cells - 2)
    if width(text) <= room:
        return text
    head = cut(text, room).removesuffix("…").rpartition(" ")[0] or cut(text, room)
    return f"{head}\n {cut(text[len(head) :].strip(), room)}"
