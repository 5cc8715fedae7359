"""The tasks: one file each, with the same few methods, and one line here."""

from __future__ import annotations

from workbench.tasks.masked_pretraining import MaskedPretraining
from workbench.tasks.task import Task
from workbench.tasks.text_classification import Sentiment, TextClassification

TASKS: dict[str, type[Task]] = {
    "sentiment": Sentiment,
    "text-classification": TextClassification,
    "masked-pretraining": MaskedPretraining,
}
