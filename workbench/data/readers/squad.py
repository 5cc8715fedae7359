"""The nested JSON of SQuAD 1 and 2: one row a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.data.decoding import Text
from workbench.data.table import Content
from workbench.errors import WorkbenchError

COLUMNS = ("id", "title", "context", "question", "answers")


def is_squad(found: Any) -> bool:
    """Return whether JSON is an object whose `data` are articles in paragraphs."""
    articles = found.get("data") if isinstance(found, dict) else None
    return bool(
        isinstance(articles, list) and articles and isinstance(articles[0], dict) and "paragraphs" in articles[0]
    )


def read_squad(found: Any, text: Text, path: Path) -> Content:
    """Return `id`, `title`, `context`, `question` and `answers` {text, answer_start} of each question.

    A question that `is_impossible` has no answers; where a file says nothing of them, answers are None.
    """
    rows: list[tuple[Any, ...]] = []
    for number, article in enumerate(found["data"], 1):
        try:
            for paragraph in article["paragraphs"]:
                context = paragraph["context"]
                rows += [_row(article.get("title"), context, question) for question in paragraph["qas"]]
        except (KeyError, TypeError, AttributeError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else "is not built as SQuAD's are"
            raise WorkbenchError(f"article {number} {what}", where=str(path), code="broken-squad") from error
    data = {column: [row[place] for row in rows] for place, column in enumerate(COLUMNS)}
    return Content(data, text.encoding, [*text.notes, f"read as SQuAD: {len(found['data'])} articles"])


def _row(title: Any, context: Any, question: Any) -> tuple[Any, ...]:
    given = [] if question.get("is_impossible") else question.get("answers")
    answers = None
    if given is not None:
        answers = {
            "text": [each["text"] for each in given],
            "answer_start": [each["answer_start"] for each in given],
        }
    return question.get("id"), title, context, question["question"], answers
