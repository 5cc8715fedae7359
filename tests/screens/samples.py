"""An answer of every task, as its task file writes it, with the question and the right answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sample:
    """`fields` is asked; `typed` is what a person types for them, a line each."""

    fields: Mapping[str, Any]
    typed: tuple[str, ...]
    gold: str | None
    pred: str
    score: float | None
    output: Mapping[str, Any]


def _entity(kind: str, start: int, end: int, text: str) -> dict[str, Any]:
    return {"type": kind, "start": start, "end": end, "text": text, "score": 0.97}


def _filling(text: str, score: float) -> dict[str, Any]:
    return {"text": text, "score": score}


WORDS = [
    "Maria",
    "Lund",
    "moved",
    "from",
    "Uppsala",
    "to",
    "Porto",
    "in",
    "1998",
    "and",
    "founded",
    "the",
    "Lund",
    "Institute",
    "there",
    ".",
]
CONTEXT = (
    "Maria Lund was born in Uppsala. In 1998 she moved to Porto, where she founded an institute for the study of "
    "rivers. The institute has 40 members today and is led by her daughter, who studied in Lisbon and in Lund. Its "
    "library holds more than nine thousand maps, the oldest of them drawn in 1612 by a monk of the town."
)
STORY = "and the river carried the little boat past the mill, under the bridge and out into the wide bay"
TEXTS = ["the river rose", "the water climbed", "he sold the car", "a vehicle changed hands"]
MATRIX = [[1.0, 0.82, 0.07, 0.11], [0.82, 1.0, 0.03, 0.09], [0.07, 0.03, 1.0, 0.71], [0.11, 0.09, 0.71, 1.0]]

SAMPLES: dict[str, Sample] = {
    "text-classification": Sample(
        {"text": "a man sleeps", "pair": "a person is awake"}, ("a man sleeps", "a person is awake"), "contradiction",
        "contradiction", 0.88,
        {"label": "contradiction", "scores": {"entailment": 0.02, "neutral": 0.1, "contradiction": 0.88}},
    ),
    "multi-label": Sample(
        {"text": "I miss you, you fool"}, ("I miss you, you fool",), "sadness, love", "sadness, love", 0.71,
        {
            "labels": ["sadness", "love"], "threshold": 0.5,
            "scores": {"anger": 0.31, "fear": 0.02, "joy": 0.12, "love": 0.66, "sadness": 0.91, "surprise": 0.04},
        },
    ),
    "regression": Sample(
        {"text": "well made, a bit slow"}, ("well made, a bit slow",), "3.8", "3.72", None, {"value": 3.7214}
    ),
    "named-entities": Sample(
        {"tokens": WORDS}, (" ".join(WORDS),), "Maria Lund (person), Uppsala (place), Porto (place)",
        "Maria Lund (person), Uppsala (place), Porto (place), Lund Institute (organisation)", 0.97,
        {
            "tokens": WORDS, "tags": [],
            "entities": [
                _entity("person", 0, 2, "Maria Lund"), _entity("place", 4, 5, "Uppsala"),
                _entity("place", 6, 7, "Porto"), _entity("organisation", 12, 14, "Lund Institute"),
            ],
        },
    ),
    "question-answering": Sample(
        {"question": "Where did she found an institute?", "context": CONTEXT},
        ("Where did she found an institute?", CONTEXT), "Porto | in Porto", "Porto", 0.93,
        {
            "answer": "Porto", "start": CONTEXT.index("Porto"), "end": CONTEXT.index("Porto") + 5, "no_answer": 0.02,
            "candidates": [
                {"text": "Porto", "start": 53, "end": 58, "score": 0.93},
                {"text": "Uppsala", "start": 23, "end": 30, "score": 0.03},
                {"text": "Lisbon", "start": 190, "end": 196, "score": 0.01},
            ],
        },
    ),
    "embeddings": Sample(
        {"text": TEXTS[0], "pair": TEXTS[1:]}, (TEXTS[0], " | ".join(TEXTS[1:])), None, "0.82", 0.82,
        {"similarity": None, "texts": TEXTS, "matrix": MATRIX, "neighbours": []},
    ),
    "similarity": Sample(
        {"text": TEXTS[0], "pair": TEXTS[1]}, (TEXTS[0], TEXTS[1]), "0.8", "0.82", 0.82,
        {"similarity": 0.82, "texts": TEXTS[:2], "matrix": [[1.0, 0.82], [0.82, 1.0]], "neighbours": []},
    ),
    "translation": Sample(
        {"source": "the river rose in the night"}, ("the river rose in the night",), "der Fluss stieg in der Nacht",
        "der Fluss stieg nachts an", -0.42, {"text": "der Fluss stieg nachts an", "written": 8, "score": -0.42},
    ),
    "summarization": Sample(
        {"source": CONTEXT}, (CONTEXT,), None, "Maria Lund founded an institute for rivers in Porto.", -0.61,
        {"text": "Maria Lund founded an institute for rivers in Porto.", "written": 12, "score": -0.61},
    ),
    "instructions": Sample(
        {"instruction": "Name three rivers.", "input": "in Europe"}, ("Name three rivers.", "in Europe"), None,
        "1. the Danube\n2. the Rhine\n3. the Douro", None,
        {"text": "1. the Danube\n2. the Rhine\n3. the Douro", "written": 17},
    ),
    "masked-pretraining": Sample(
        {"text": "the [MASK] rose in the [MASK]"}, ("the [MASK] rose in the [MASK]",), None, "river, night", 0.52,
        {
            "fillings": [
                {"place": 2, "tokens": [_filling("river", 0.61), _filling("sun", 0.2), _filling("water", 0.09),
                                        _filling("moon", 0.03), _filling("curtain", 0.01)]},
                {"place": 6, "tokens": [_filling("night", 0.44), _filling("morning", 0.31), _filling("east", 0.12),
                                        _filling("spring", 0.02), _filling("evening", 0.01)]},
            ],
            "filled": "the river rose in the night",
        },
    ),
    "causal-pretraining": Sample(
        {"prompt": "In the night the rain came"}, ("In the night the rain came",), None, STORY, None,
        {"text": STORY, "written": 21},
    ),
    "unheard-of": Sample({"text": "anything"}, ("anything",), None, "something", 0.5, {"thing": 1}),
}  # fmt: skip

NEIGHBOURS = {
    "similarity": None, "texts": [TEXTS[0]], "matrix": [[1.0]],
    "neighbours": [{"text": "the flood came at night", "score": 0.91}, {"text": "a dry summer", "score": 0.34}],
}  # fmt: skip
NO_ANSWER = {"answer": "", "start": 0, "end": 0, "no_answer": 0.87, "candidates": [{"text": "Porto", "score": 0.1}]}
