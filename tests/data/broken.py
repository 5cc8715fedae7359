"""Small broken data sets, each with what the data doctor calls what is wrong with it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Content = str | bytes | Sequence[dict[str, Any]]
"""The content of a file; rows are written as lines of JSON."""


@dataclass(frozen=True)
class Broken:
    """`files` hold it: the first is trained on, one called validation is evaluated on. `code` is the finding's name,
    `words` a part of what it says, `rows` the rows that it names."""

    name: str
    files: dict[str, Content]
    code: str
    words: str
    task: str = "sentiment"
    rows: tuple[int, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    source: str = ""


def texts(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Return rows of two labels, no two the same."""
    return [
        {"text": f"number {n} is {'fine' if n % 2 else 'poor'}", "label": n % 2} for n in range(start, start + count)
    ]


def pairs(count: int) -> list[dict[str, Any]]:
    """Return English and German sentences."""
    nouns = [("house", "Haus"), ("dog", "Hund"), ("tree", "Baum"), ("child", "Kind"), ("window", "Fenster")]
    return [
        {"en": f"the {one} has the number {n} and is old", "de": f"das {other} hat die Nummer {n} und ist alt"}
        for n in range(count)
        for one, other in [nouns[n % 5]]
    ]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as CSV."""
    return "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows)


def asked(context: str, text: str, start: int, question: str = "which one?") -> dict[str, Any]:
    """Return a row of question answering."""
    return {"question": question, "context": context, "answers": {"text": [text], "answer_start": [start]}}


GOOD_QUESTIONS = [asked(f"the {n} red foxes", "red", 6 + (n > 9), f"what colour, number {n}?") for n in range(12)]
WORDS = [{"tokens": ["Ann", "sees", "Rome", str(n)], "tags": ["B-per", "O", "B-loc", "O"]} for n in range(12)]
SCORED = [{"text": f"text {n}", "score": n / 3} for n in range(12)]
SQUAD = {"data": [{"title": "t", "paragraphs": [{"context": "a b", "qas": [{"id": "1"}]}]}]}
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 12\n"
QA, NER, SCORE, MANY, TALK = "question-answering", "named-entities", "regression", "multi-label", "instructions"

FILES = [
    Broken("a file that is not there", {"other.csv": "x"}, "missing-file", "no such file", source="train.csv"),
    Broken("an empty file", {"train.csv": ""}, "empty-file", "empty"),
    Broken("a header alone", {"train.csv": "text,label\n"}, "no-rows", "no rows"),
    Broken("a name without a format", {"train.doc": "x"}, "unknown-format", "format"),
    Broken("Latin-1", {"train.csv": table(texts(4)).encode() + "schön,1\n".encode("latin-1")}, "encoding", "line 6"),
    Broken("a file cut in a character", {"train.jsonl": b'{"text": "\xc3'}, "encoding", "middle of a character"),
    Broken("too many fields", {"train.csv": table(texts(4)) + "a,b,1\n"}, "ragged-rows", "line 6: 3 fields, not 2"),
    Broken("too few fields", {"train.tsv": "text\tlabel\na b\t1\nonly\nc\t0\n"}, "ragged-rows", "line 3: 1 field"),
    Broken("a quote that stays open", {"train.csv": 'text,label\nfine,1\n"open,0\n'}, "broken-row", "line 3"),
    Broken("two columns of one name", {"train.csv": "text,text,label\na,b,1\nc,d,0\n"}, "column-twice", "'text'"),
    Broken("the header again", {"train.csv": table(texts(4)) + "text,label\n"}, "header-again", "line 6"),
    Broken("a broken line of JSON", {"train.jsonl": '{"text": "a", "label": 1}\n{"text": \n'}, "broken-json", "line 2"),
    Broken("JSON that stays open", {"train.json": '[{"text": "a", "label": 1}'}, "broken-json", "not valid JSON"),
    Broken("JSON without rows", {"train.json": "[1, 2]"}, "not-rows", "row 1 is"),
    Broken("gzip that is cut", {"train.csv.gz": gzip.compress(table(texts(90)).encode())[:60]}, "damaged-file", "gzip"),
    Broken("gzip that is none", {"train.csv.gz": table(texts(4))}, "damaged-file", "not packed"),
    Broken("parquet that is none", {"train.parquet": b"PAR1 nothing"}, "damaged-file", "parquet"),
    Broken("a pointer of Git LFS", {"train.csv": LFS}, "lfs-pointer", "Git LFS"),
    Broken("sentences of uneven lines", {"train.conll": "Ann\tB-per\nsees\n\n"}, "ragged-rows", "line 2", NER),
    Broken("SQuAD without questions", {"train.json": json.dumps(SQUAD)}, "broken-squad", "article 1", QA),
    Broken(
        "parallel files of unequal length",
        {"train.en": "a\nb\n", "train.de": "x\n"},
        "unequal-files",
        "2 lines",
        "translation",
        source="parallel:train.en,train.de",
    ),
    Broken(
        "a query that fails", {"train.db": b""}, "bad-query", "no such table", source="sqlite:train.db#SELECT * FROM x"
    ),
    Broken("no column for the text", {"train.csv": "a,label\n1,1\n2,0\n"}, "no-column", "text"),
    Broken(
        "a column that is not there", {"train.csv": table(texts(4))}, "no-column", "'txet'", settings={"text": "txet"}
    ),
]

ROWS = [
    Broken("an empty text", {"train.jsonl": [*texts(4), {"text": " ", "label": 1}]}, "empty", "is empty", rows=(5,)),
    Broken(
        "a missing label", {"train.jsonl": [{"text": "x", "label": None}, *texts(4)]}, "empty", "is empty", rows=(1,)
    ),
    Broken(
        "a number for a text", {"train.jsonl": [*texts(4), {"text": 3, "label": 1}]}, "wrong-type", "int", rows=(5,)
    ),
    Broken("a list of labels", {"train.jsonl": [*texts(4), {"text": "x", "label": ["a"]}]}, "several-labels", "list"),
    Broken("one label alone", {"train.jsonl": [{**row, "label": 1} for row in texts(6)]}, "single-class", "'1'"),
    Broken(
        "a label that training does not have",
        {"train.jsonl": texts(6), "validation.jsonl": [*texts(2, 90), {"text": "x", "label": 7}]},
        "unseen-label",
        "'7'",
        rows=(3,),
    ),
    Broken("a lone row", {"train.jsonl": [asked("a red fox", "red", 2)]}, "too-few-rows", "too few rows", QA),
    Broken(
        "a score in words", {"train.jsonl": [*SCORED, {"text": "x", "score": "high"}]}, "not-a-number", "'high'", SCORE
    ),
    Broken("the same score", {"train.jsonl": [{**row, "score": 2} for row in SCORED]}, "single-score", "same", SCORE),
    Broken("labels without a close", {"train.jsonl": [{"text": "x", "labels": "[a"}]}, "broken-labels", "closed", MANY),
    Broken(
        "tags and tokens of unequal length",
        {"train.jsonl": [*WORDS, {"tokens": ["a", "b"], "tags": ["O"]}]},
        "unequal-tags",
        "has 2 tokens and 1 tags",
        NER,
        rows=(13,),
    ),
    Broken(
        "tags with and without a prefix",
        {"train.jsonl": [*WORDS, {"tokens": ["a"], "tags": ["per"]}]},
        "broken-tags",
        "without a prefix",
        NER,
    ),
    Broken(
        "an entity within a word",
        {
            "train.jsonl": [
                {"text": "Ann sees", "entities": [[0, 2, "per"]]},
                {"text": "Bo", "entities": [[0, 2, "per"]]},
            ]
        },
        "span-off-words",
        "'An'",
        NER,
        rows=(1,),
    ),
    Broken(
        "a wrong place", {"train.jsonl": [*GOOD_QUESTIONS, asked("a red fox", "red", 0)]}, "wrong-position", "at", QA
    ),
    Broken(
        "an answer that is not there",
        {"train.jsonl": [*GOOD_QUESTIONS, asked("a red fox", "blue", 2)]},
        "wrong-position",
        "'blue'",
        QA,
        rows=(13,),
    ),
    Broken(
        "a conversation without an answer",
        {"train.jsonl": [{"messages": [{"role": "user", "content": "hello"}]}]},
        "broken-turns",
        "no turn of the assistant",
        TALK,
    ),
]

DOUBTS = [
    Broken("a text twice", {"train.jsonl": [*texts(6), texts(1)[0]]}, "duplicates", "1 row: ", rows=(7,)),
    Broken(
        "a text with two labels",
        {"train.jsonl": [*texts(6), {**texts(1)[0], "label": 1}], "validation.jsonl": texts(2, 90)},
        "contradictions",
        "another right answer",
        rows=(1, 7),
    ),
    Broken(
        "rows of training in evaluation",
        {"train.jsonl": texts(6), "validation.jsonl": texts(3, 4)},
        "overlap",
        "2 of 3",
        rows=(1, 2),
    ),
    Broken(
        "uneven labels",
        {
            "train.jsonl": [
                *[{**row, "label": "a"} for row in texts(130)],
                *[{**row, "label": "b"} for row in texts(6, 500)],
            ]
        },
        "imbalance",
        "uneven: a",
    ),
    Broken("a rare label", {"train.jsonl": [*texts(40), {"text": "x y", "label": 3}]}, "rare-label", "fewer than 5"),
    Broken(
        "a label that is not measured",
        {"train.jsonl": texts(20), "validation.jsonl": [{"text": "new", "label": 1}]},
        "unmeasured-label",
        "no evaluation row",
    ),
    Broken(
        "text of a wrong encoding",
        {"train.jsonl": [*texts(6), {"text": "schÃ¶n", "label": 1}], "validation.jsonl": texts(2, 90)},
        "mojibake",
        "wrong encoding",
        rows=(7,),
    ),
    Broken(
        "text that is not seen",
        {"train.jsonl": [*texts(6), {"text": "a\u200bb", "label": 1}], "validation.jsonl": texts(2, 90)},
        "invisible",
        "invisible",
        rows=(7,),
    ),
    Broken(
        "texts that are too long",
        {"train.jsonl": [*texts(6), {"text": "word " * 300, "label": 1}], "validation.jsonl": texts(2, 90)},
        "truncation",
        "lose the end at 128 tokens",
        rows=(7,),
    ),
    Broken(
        "an answer longer than a window",
        {"train.jsonl": [*GOOD_QUESTIONS, asked("red fox " * 40, ("red fox " * 40).strip(), 0)]},
        "truncation",
        "lose the answer at 32 tokens",
        QA,
        settings={"training.max_length": 32},
    ),
    Broken(
        "a tag that goes on with nothing",
        {"train.jsonl": [*WORDS, {"tokens": ["so", "Bo"], "tags": ["O", "I-per"]}], "validation.jsonl": WORDS[:3]},
        "mended",
        "goes on with nothing",
        NER,
        rows=(13,),
    ),
    Broken(
        "languages the wrong way round",
        {
            "train.jsonl": [
                *pairs(80),
                {"en": "das Haus ist alt und hat ein Fenster", "de": "the house is old and has it"},
            ],
            "validation.jsonl": pairs(90)[80:],
        },
        "swapped-sides",
        "exchanged",
        "translation",
        rows=(81,),
    ),
    Broken(
        "the same on both sides",
        {"train.jsonl": [*pairs(20), {"en": "Berlin", "de": "Berlin"}], "validation.jsonl": pairs(30)[20:]},
        "same-sides",
        "same text",
        "translation",
        rows=(21,),
    ),
    Broken(
        "sides that do not fit",
        {"train.jsonl": [*pairs(20), {"en": "a " * 100, "de": "ein"}], "validation.jsonl": pairs(30)[20:]},
        "unlike-sides",
        "lengths",
        "translation",
        rows=(21,),
    ),
]
