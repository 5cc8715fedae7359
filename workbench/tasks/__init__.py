"""The tasks: one file each, with the same few methods, and one line here."""

from __future__ import annotations

from workbench.tasks.task import Task
from workbench.tasks.text_classification import Sentiment, TextClassification
from workbench.tasks.translation import Summarization, Translation

TASKS: dict[str, type[Task]] = {
    "sentiment": Sentiment,
    "text-classification": TextClassification,
    "translation": Translation,
    "summarization": Summarization,
}
