"""The answers of every task as lines: one function a subject, and which task has which."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from screens.answers.entities import entity_lines
from screens.answers.fillings import filling_lines
from screens.answers.labels import label_lines, several_lines, value_lines
from screens.answers.layout import MUTED, Line, blocks, content_of, head
from screens.answers.reply import Reply, View
from screens.answers.similarity import similarity_lines
from screens.answers.spans import span_lines
from screens.answers.writing import text_lines
from workbench.text import number, plain

LINES: dict[str, Callable[[Sequence[Reply], View], list[Line]]] = {
    "sentiment": label_lines,
    "text-classification": label_lines,
    "multi-label": several_lines,
    "regression": value_lines,
    "named-entities": entity_lines,
    "question-answering": span_lines,
    "embeddings": similarity_lines,
    "similarity": similarity_lines,
    "translation": text_lines,
    "summarization": text_lines,
    "instructions": text_lines,
    "masked-pretraining": filling_lines,
    "causal-pretraining": text_lines,
}


def answer_lines(task: str, replies: Sequence[Reply], view: View) -> Content:
    """Return what the models say, in the way of their task; of a task unknown here the answer in short."""
    return content_of(LINES.get(task, short_lines)(replies, view))


def short_lines(replies: Sequence[Reply], view: View) -> list[Line]:
    """Return a line for each reply: its answer in short, and its score."""
    return blocks(replies, view, _short)


def _short(reply: Reply, view: View) -> list[Line]:
    score = f"   {number(reply.score, 3)}" if reply.score is not None else ""
    return [head(reply, view, [(plain(reply.pred), "bold"), (score, MUTED)])]
