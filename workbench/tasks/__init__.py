"""The tasks: one file each, with the same few methods, and one line here."""

from __future__ import annotations

from workbench.tasks.causal_pretraining import CausalPretraining
from workbench.tasks.embeddings import Embeddings
from workbench.tasks.instructions import Instructions
from workbench.tasks.masked_pretraining import MaskedPretraining
from workbench.tasks.multi_label import MultiLabel
from workbench.tasks.named_entities import NamedEntities
from workbench.tasks.question_answering import QuestionAnswering
from workbench.tasks.regression import Regression
from workbench.tasks.similarity import Similarity
from workbench.tasks.task import Task
from workbench.tasks.text_classification import Sentiment, TextClassification
from workbench.tasks.translation import Summarization, Translation

TASKS: dict[str, type[Task]] = {
    "sentiment": Sentiment,
    "text-classification": TextClassification,
    "multi-label": MultiLabel,
    "regression": Regression,
    "named-entities": NamedEntities,
    "question-answering": QuestionAnswering,
    "embeddings": Embeddings,
    "similarity": Similarity,
    "translation": Translation,
    "summarization": Summarization,
    "instructions": Instructions,
    "masked-pretraining": MaskedPretraining,
    "causal-pretraining": CausalPretraining,
}
