"""Answers of models as lines and rows: bars, labels, what was right."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.content import Content

from screens.widgets.table import Cell, Column, Row
from store.runs import Run
from store.trials import Trial
from workbench.text import ABSENT, bar, count, cut, fit, plain, table, width

_NAME, _TOP, _MS = 22, 14, 7
_LONGEST_BAR, _SHORTEST_BAR = 20, 4


@dataclass(frozen=True)
class Reply:
    """What one run says to the text: an output with its milliseconds, a problem, or words on what it waits for."""

    run_id: int
    name: str
    output: Mapping[str, Any] | None = None
    ms: float = 0.0
    step: int | None = None
    problem: str = ""
    waiting: str = ""


def askable(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that have a model to ask, newest first as given."""
    return [run for run in runs if run.best_step is not None]


def best_run(runs: Sequence[Run]) -> Run | None:
    """Return the best finished run of the task and data of the newest one; `runs` are newest first."""
    finished = [run for run in askable(runs) if run.state == "finished"]
    alike = [run for run in finished if (run.task, run.dataset) == (finished[0].task, finished[0].dataset)]
    lower = bool(alike) and alike[0].goal_key == "eval/loss"
    return max(alike, key=lambda run: -(run.best_value or 0) if lower else run.best_value or 0, default=None)


def labels_of(replies: Sequence[Reply]) -> list[str]:
    """Return the labels that the replies score, in the order of the first that has them."""
    found: dict[str, None] = {}
    for reply in replies:
        found |= dict.fromkeys(_scores(reply.output))
    return list(found)


def reply_lines(replies: Sequence[Reply], cells: int, gold: str | None = None, *, ascii: bool = False) -> Content:
    """Return a line for each run: a bar for each label where they fit, else its answer and the likeliest labels."""
    labels = labels_of(replies)
    room = cells - _NAME - _TOP - _MS - 4
    each = room // max(1, len(labels)) - 2
    bars = min(_LONGEST_BAR, each - 5)
    columns = bool(labels) and bars >= _SHORTEST_BAR
    parts: list[tuple[str, str]] = []
    if columns:
        heads = "".join(fit(plain(label), bars + 5) + "  " for label in labels)
        parts.append((f" {fit('', _NAME)} {heads}{fit('says', _TOP)}{fit('ms', _MS, 'right')}\n", "$foreground-muted"))
    for reply in replies:
        parts.append((f" {fit(plain(f'#{reply.run_id} {reply.name}'), _NAME)} ", ""))
        parts += _reply(reply, labels if columns else [], bars, cells - _NAME - 3, gold, ascii)
        parts.append(("\n", ""))
    return Content.assemble(*parts).rstrip()


def _reply(
    reply: Reply, labels: Sequence[str], bars: int, cells: int, gold: str | None, ascii: bool
) -> list[tuple[str, str]]:
    if reply.problem:
        return [(cut(f"✗ {plain(reply.problem)}", cells), "$text-error")]
    if reply.output is None:
        return [(cut(plain(reply.waiting), cells), "$foreground-muted")]
    scores, said = _scores(reply.output), str(reply.output.get("label", ""))
    top = (fit(_marked(said, gold, ascii), _TOP), _style(said, gold))
    ms = (fit(f"{reply.ms:.0f}", _MS, "right"), "$foreground-muted")
    if not labels:
        likely = sorted(scores.items(), key=lambda item: -item[1])[:3]
        words = "  ".join(f"{plain(label, 16)} {bar(score, 6, ascii)} {score:.2f}" for label, score in likely)
        return [top, (fit(words, max(10, cells - _TOP - _MS)), "$foreground-muted"), ms]
    parts: list[tuple[str, str]] = []
    for label in labels:
        score = scores.get(label)
        number = "  — " if score is None else f"{score:.2f}"
        parts.append((f"{bar(score, bars, ascii)} {number}  ", "bold" if label == said else "$foreground-muted"))
    return [*parts, top, ms]


def _marked(said: str, gold: str | None, ascii: bool) -> str:
    if gold is None:
        return plain(said, _TOP)
    right, wrong = ("+", "x") if ascii else ("✓", "✗")
    return f"{plain(said, _TOP - 3)} {right if said == gold else wrong}"


def _style(said: str, gold: str | None) -> str:
    return "bold" if gold is None else "$text-success" if said == gold else "$text-warning"


def _scores(output: Mapping[str, Any] | None) -> dict[str, float]:
    scores = output.get("scores") if output else None
    return {str(label): float(score) for label, score in scores.items()} if isinstance(scores, Mapping) else {}


def piece_words(reply: Reply) -> str:
    """Return the pieces that the model reads, a space between, safe: [CLS] the plot is thin [SEP]."""
    pieces = reply.output.get("pieces") if reply.output else None
    return " ".join(plain(piece) for piece in pieces) if isinstance(pieces, Sequence) else ""


def piece_title(reply: Reply) -> str:
    """Return whose pieces they are, how many, and of how many where the text is longer than the model reads."""
    output = reply.output or {}
    tokens, whole = output.get("tokens"), output.get("of")
    at = f" at step {count(reply.step)}" if reply.step is not None else ""
    title = f"tokens of #{reply.run_id}{at}"
    if not isinstance(tokens, int):
        return title
    if isinstance(whole, int) and whole > tokens:
        return f"{title} · {count(tokens)} of {count(whole)}: the rest is cut"
    return f"{title} · {count(tokens)}"


def history_columns(run_ids: Sequence[int]) -> list[Column]:
    """Return the text, one answer a run, and the right label."""
    answers = [
        Column(f"run-{run_id}", f"#{run_id}", 14, priority=5 - place) for place, run_id in enumerate(run_ids[:4])
    ]
    return [Column("text", "text", None, priority=9), *answers, Column("gold", "right label", 12, priority=4)]


def history_rows(trials: Sequence[Trial], run_ids: Sequence[int]) -> list[Row]:
    """Return a row for each text, the newest first as given; the mark says that it is kept."""
    return [
        Row(
            str(trial.id),
            [
                trial.prompt,
                *(_answer_cell(trial, run_id) for run_id in run_ids[:4]),
                Cell(ABSENT, "muted") if trial.gold is None else trial.gold,
            ],
            trial.kept,
        )
        for trial in trials
    ]


def _answer_cell(trial: Trial, run_id: int) -> Cell:
    if run_id not in trial.answers:
        return Cell(ABSENT, "muted")
    output = trial.answers[run_id][0]
    said = str(output.get("label", ""))
    score = _scores(output).get(said)
    words = plain(said, 9) + (f" {score:.2f}" if score is not None else "")
    return Cell(words, "" if trial.gold is None else "good" if said == trial.gold else "warn")


def replies_text(prompt: str, replies: Sequence[Reply]) -> str:
    """Return a text and its answers for the clipboard."""
    rows = [
        [f"#{reply.run_id}", plain(reply.name, 30), plain((reply.output or {}).get("label", reply.problem or ABSENT)),
         "  ".join(f"{plain(label)} {score:.3f}" for label, score in _scores(reply.output).items())]
        for reply in replies
    ]  # fmt: skip
    return "\n".join([plain(prompt), *table(rows)]) + "\n"


def history_csv(trials: Sequence[Trial]) -> str:
    """Return the history as CSV, a line for each answer; no text in it is run by a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["trial", "text", "right label", "run", "label", "score", "ms"])
    for trial in trials:
        for run_id, (output, ms) in trial.answers.items():
            said = str(output.get("label", ""))
            score = _scores(output).get(said)
            texts = [_harmless(plain(text or "")) for text in (trial.prompt, trial.gold, said)]
            writer.writerow([trial.id, *texts[:2], run_id, texts[2], "" if score is None else score, f"{ms:.1f}"])
    return out.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in tuple("=+-@") else text


def two_lines(text: str, cells: int) -> str:
    """Return a text in at most two lines of words."""
    room = max(10, cells - 2)
    if width(text) <= room:
        return text
    head = cut(text, room).removesuffix("…").rpartition(" ")[0] or cut(text, room)
    return f"{head}\n {cut(text[len(head) :].strip(), room)}"
