"""The tasks: one file each, with the same few methods, and one line here."""

from __future__ import annotations

from workbench.tasks.causal_pretraining import CausalPretraining
from workbench.tasks.instructions import Instructions
from workbench.tasks.task import Task
from workbench.tasks.text_classification import Sentiment, TextClassification

TASKS: dict[str, type[Task]] = {
    "sentiment": Sentiment,
    "text-classification": TextClassification,
    "instructions": Instructions,
    "causal-pretraining": CausalPretraining,
}
