"""Named entities: metrics are seqeval's, every word has one answer, and saved models answer the same."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.making import SHAPES, tiny_backbone, tiny_model, tiny_tokenizer, write_jsonl
from tests.tasks.support import answers_of, through_a_folder, train_a_little
from workbench.abilities import why_unable
from workbench.data.features import IGNORED, Example, RowProblem
from workbench.data.prepare import prepare
from workbench.errors import WorkbenchError
from workbench.inference.scoring import score
from workbench.recipe import parse
from workbench.tasks.named_entities import NamedEntities
from workbench.training.model import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

KINDS = [kind for kind in SHAPES if not why_unable(NamedEntities.auto, kind)]
ROWS: list[dict[str, Any]] = [
    {"tokens": ["Ann", "met", "Bo", "Lee", "in", "Berlin", "."], "tags": "B-per O B-per I-per O B-loc O"},
    {"tokens": ["Berlin", "and", "New", "York", "are", "far"], "tags": "B-loc O B-loc I-loc O O"},
    {"tokens": ["so", "good", "\x00", "a", "day"], "tags": "O O O O O"},
    {"tokens": ["Bo", "Ann", "Berlin"], "tags": "B-per B-per B-loc"},
]
LIMIT = 64
LABELS = ["O", "B-loc", "I-loc", "B-per", "I-per"]


def learned(rows: list[dict[str, Any]], names: list[str] | None = None, **options: Any) -> NamedEntities:
    return NamedEntities.learn(NamedEntities.Options(**options), rows, names or [])


TASK = learned(ROWS)


def examples_of(task: NamedEntities, rows: list[dict[str, Any]]) -> list[Example]:
    return [task.example(row) for row in rows]


def model_for(task: NamedEntities, kind: str = "bert", **options: Any) -> PreTrainedModel:
    return tiny_model(kind, len(task.labels), task.auto, **options).eval()


def said(task: NamedEntities, tags: list[str], gold: list[str] | None = None, sure: float = 9.0) -> Any:
    """Return the answer where the model is sure of these tags."""
    row: dict[str, Any] = {"tokens": [f"w{number}" for number in range(len(tags))]}
    example = Example(row, None if gold is None else [task.labels.index(tag) for tag in gold])
    features = task.questions(tiny_tokenizer(), [example], LIMIT * 10)
    assert len(features) == 1
    rows = [[sure * (label == tags[word]) for label in task.labels] for word in features[0].info["words"]]
    return example, task.answer(example, [(features[0], rows)])


@pytest.mark.parametrize("mode", ["default", "strict"])
@pytest.mark.parametrize("seed", range(25))
def test_metrics_are_those_of_seqeval(seed: int, mode: str) -> None:
    from seqeval import metrics
    from seqeval.scheme import IOB2

    chance = random.Random(seed)
    task = NamedEntities(NamedEntities.Options(mode=mode), TASK.learned)
    gold, raw, answers, examples = [], [], [], []
    for _ in range(chance.randint(1, 30)):
        words = chance.randint(1, 12)
        gold.append(["O"] if seed == 0 else chance.choices(LABELS, [6, 2, 2, 1, 1], k=words))
        gold[-1] = task._tags(task._gold(["w"] * len(gold[-1]), gold[-1]))
        raw.append([chance.choice(LABELS) if chance.random() < 0.4 else tag for tag in gold[-1]] if seed else ["O"])
        example, answer = said(task, raw[-1], gold[-1])
        examples.append(example)
        answers.append(answer)
    found = task.metrics(answers, examples)
    options: dict[str, Any] = {"zero_division": 0} | ({"mode": "strict", "scheme": IOB2} if mode == "strict" else {})
    shown = [answer.output["tags"] for answer in answers]
    expected = {
        "f1": metrics.f1_score(gold, raw, **options),
        "precision": metrics.precision_score(gold, raw, **options),
        "recall": metrics.recall_score(gold, raw, **options),
        "macro_f1": metrics.f1_score(gold, raw, average="macro", **options) if seed else 0.0,
        "accuracy": metrics.accuracy_score(gold, shown),
    }
    words = sum(map(len, gold))
    expected["loss"] = sum(answer.loss * len(tags) for answer, tags in zip(answers, gold, strict=True)) / words
    assert found == pytest.approx(expected, rel=0, abs=1e-9)
    assert {*found} == {*task.card.metrics}
    assert [answer.correct for answer in answers] == [mine == tags for mine, tags in zip(shown, gold, strict=True)]


def test_an_answer_has_tags_entities_and_their_probabilities() -> None:
    _, answer = said(TASK, ["I-per", "I-per", "O", "B-loc", "I-per"])
    sure = math.exp(9) / (math.exp(9) + 4)
    assert answer.output["tags"] == ["B-per", "I-per", "O", "B-loc", "B-per"]
    assert [list(each.values())[:4] for each in answer.output["entities"]] == [
        ["per", 0, 2, "w0 w1"], ["loc", 3, 4, "w3"], ["per", 4, 5, "w4"]
    ]  # fmt: skip
    assert all(each["score"] == pytest.approx(sure) for each in answer.output["entities"])
    assert answer.pred == "w0 w1 (per), w3 (loc), w4 (per)"
    assert answer.score == pytest.approx(sure)
    assert (answer.loss, answer.correct) == (None, None)
    strict = NamedEntities(NamedEntities.Options(mode="strict"), TASK.learned)
    assert said(strict, ["I-per", "I-per", "O", "B-loc", "I-per"])[1].pred == "w3 (loc)"
    assert said(TASK, ["O"])[1].pred == "none"


def test_the_loss_of_an_answer_is_the_mean_of_its_words() -> None:
    _, answer = said(TASK, ["O", "O", "B-per"], ["O", "B-loc", "B-per"])
    total = math.log(math.exp(9) + 4)
    assert answer.loss == pytest.approx((2 * (total - 9) + total) / 3)
    assert answer.correct is False
    assert said(TASK, ["O"], ["B-loc"], sure=1e30)[1].loss == pytest.approx(1e30)
    assert math.isnan(said(TASK, ["O"], ["O"], sure=math.nan)[1].loss)


def test_an_entity_of_a_text_is_cut_from_it() -> None:
    text = "Ann  Lee's trip (Berlin)."
    rows = [{"tokens": text, "tags": [[0, 8, "per"], {"start": 17, "end": 23, "label": "loc"}]}]
    task = learned(rows)
    assert (task.learned["scheme"], task.labels) == ("spans", LABELS)
    (example,) = examples_of(task, rows)
    assert example.fields == {"tokens": text}
    assert task.gold_words(example) == "Ann  Lee (per), Berlin (loc)"
    (feature,) = task.encode(tiny_tokenizer(), [example], LIMIT)
    rows_said = [[9.0 * (number == example.gold[word]) for number in range(5)] for word in feature.info["words"]]
    answer = task.answer(example, [(feature, rows_said)])
    assert answer.correct
    assert answer.pred == task.gold_words(example)
    assert [(text[each["from"] : each["to"]], each["text"]) for each in answer.output["entities"]] == [
        ("Ann  Lee", "Ann  Lee"), ("Berlin", "Berlin")
    ]  # fmt: skip
    assert answer.output["tokens"] == ["Ann", "Lee", "'", "s", "trip", "(", "Berlin", ")", "."]


def test_a_prompt_is_asked_as_text_or_as_words() -> None:
    text = TASK.example({"tokens": "Ann, Bo"})
    assert text == Example({"tokens": "Ann, Bo"})
    assert said_words(text) == ["Ann", ",", "Bo"]
    assert TASK.example({"tokens": "Ann, Bo", "tags": "B-per B-per"}).fields == {"tokens": ["Ann,", "Bo"]}
    assert TASK.example({"tokens": '["Ann,", "Bo"]'}) == Example({"tokens": ["Ann,", "Bo"]})
    assert TASK.example({"tokens": ["Ann,", "Bo"], "tags": None}) == Example({"tokens": ["Ann,", "Bo"]})


def said_words(example: Example) -> list[str]:
    (feature,) = TASK.questions(tiny_tokenizer(), [example], LIMIT)
    output: list[str] = TASK.answer(example, [(feature, [[0.0] * 5 for _ in feature.info["words"]])]).output["tokens"]
    return output


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"tokens": ["a"] * 5, "tags": ["O"] * 4}, "has 5 tokens and 4 tags"),
        ({"tokens": "a b c", "tags": "O O"}, "has 3 tokens and 2 tags"),
        ({"tokens": ["a", "b"], "tags": ["O", "B-x"]}, "has 'x' at word 2, a type that no training row has"),
        ({"tokens": ["a"], "tags": ["per"]}, "has 'per' as tag of word 1"),
        ({"tokens": ["a"], "tags": ["7"]}, "has '7' as tag of word 1"),
        ({"tokens": ["a"], "tags": [[0, 1, "per"]]}, "has spans of a text, and the tokens are words"),
        ({"tokens": "a", "tags": [[0, 1, "x"]]}, "has 'x' at word 1"),
        ({"tokens": ["a", 3], "tags": ["O", "O"]}, "holds int, not text, as word 2"),
        ({"tokens": 3, "tags": ["O"]}, "holds int, neither words nor text"),
    ],
)
def test_a_row_that_cannot_be_learned_from_says_why(row: dict[str, Any], words: str) -> None:
    with pytest.raises(RowProblem, match=words):
        TASK.example(row)


def test_numbers_are_named_by_the_names_beside_the_data() -> None:
    names = ["O", "B-per", "I-per", "B-loc", "I-loc"]
    task = learned([{"tokens": ["a", "b", "c"], "tags": [1, 0, 3]}], names)
    assert task.labels == LABELS
    again = NamedEntities.from_description(task.describe())
    for tags in ([1, 2, 4], ["1", "2", "4"], "1 2 4", ["B-per", "I-per", "I-loc"]):
        example = again.example({"tokens": ["a", "b", "c"], "tags": tags})
        assert again._tags(example.gold) == ["B-per", "I-per", "B-loc"]
    for too_few in ([], names[:3]):
        with pytest.raises(WorkbenchError, match=r"no labels\.txt"):
            learned([{"tokens": ["a", "b", "c"], "tags": [1, 0, 3]}], too_few)
    with pytest.raises(WorkbenchError, match="no row has an entity"):
        learned([{"tokens": ["a"], "tags": ["O"]}])


def test_files_in_other_schemes_teach_the_same() -> None:
    for scheme, tags in (
        ("IOB2", "B-per O B-per I-per O B-loc B-loc"),
        ("IOB1", "I-per O I-per I-per O I-loc B-loc"),
        ("IOBES", "S-per O B-per E-per O S-loc S-loc"),
        ("BILOU", "U-per O B-per L-per O U-loc U-loc"),
    ):
        task = learned([{"tokens": ROWS[0]["tokens"], "tags": tags}])
        assert (task.learned["scheme"], task.labels) == (scheme, LABELS)
        example = task.example({"tokens": ROWS[0]["tokens"], "tags": tags})
        assert task._tags(example.gold) == ["B-per", "O", "B-per", "I-per", "O", "B-loc", "B-loc"]
    assert TASK.count_golds(examples_of(TASK, ROWS)) == {"loc": 4, "per": 4}
    assert TASK.gold_words(TASK.example(ROWS[0])) == "Ann (per), Bo Lee (per), Berlin (loc)"


def test_a_words_tag_is_on_its_first_piece_alone() -> None:
    tokenizer, examples = tiny_tokenizer(), examples_of(TASK, ROWS)
    features = TASK.encode(tokenizer, examples, LIMIT)
    assert [feature.example for feature in features] == [0, 1, 2, 3]
    assert [feature.items for feature in features] == [7, 6, 4, 3]
    for feature, example in zip(features, examples, strict=True):
        numbers = tokenizer(example.fields["tokens"], is_split_into_words=True).word_ids()  # type: ignore[attr-defined]
        for place, (label, word) in enumerate(zip(feature.labels, numbers, strict=True)):
            first = word is not None and numbers.index(word) == place
            assert label == (example.gold[word] if first else IGNORED)
    assert [each.items for each in TASK.encode(tokenizer, [TASK.example({"tokens": "\x00", "tags": "O"})], 9)] == []


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_sum_over_words(smoothing: float) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    tokenizer, model = tiny_tokenizer(), model_for(TASK)
    features = TASK.encode(tokenizer, examples_of(TASK, ROWS), LIMIT)
    with torch.no_grad():
        total = float(TASK.loss(model, TASK.collate(features, tokenizer), smoothing))
        by_hand = 0.0
        for feature in features:
            logits = model(input_ids=torch.tensor([feature.ids])).logits[0]
            for row, label in zip(logits, feature.labels, strict=True):
                if label != IGNORED:
                    by_hand += float(cross_entropy(row, torch.tensor(label), label_smoothing=smoothing))
    assert total == pytest.approx(by_hand, rel=1e-5)


def test_the_metrics_loss_is_the_training_loss() -> None:
    tokenizer, model, examples = tiny_tokenizer(), model_for(TASK), examples_of(TASK, ROWS)
    found = TASK.metrics(answers_of(TASK, model, tokenizer, examples, LIMIT), examples)
    assert found["loss"] == pytest.approx(train_a_little(TASK, model, tokenizer, examples, LIMIT, 1)[0], rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_each_architecture_learns_is_saved_and_answers_the_same(kind: str, tmp_path: Path) -> None:
    tokenizer, model = load_tokenizer(tiny_backbone(tmp_path / "backbone", kind)), model_for(TASK, kind)
    TASK.configure(model.config, tokenizer)
    examples = examples_of(TASK, ROWS)
    losses = train_a_little(TASK, model, tokenizer, examples, 12)
    assert losses[1] < losses[0]
    answers = answers_of(TASK, model, tokenizer, examples, 12)
    assert all(math.isfinite(value) for value in TASK.metrics(answers, examples).values())
    again, loaded, saved = through_a_folder(TASK, model, tokenizer, tmp_path / "saved")
    assert answers_of(again, loaded, saved, examples, 12) == answers
    assert loaded.config.id2label == dict(enumerate(LABELS))
    assert loaded.config.label2id == {label: number for number, label in enumerate(LABELS)}


def test_kinds_are_those_with_a_head_in_the_library() -> None:
    assert [kind for kind in SHAPES if kind not in KINDS] == ["bart", "marian"]


def test_a_saved_folder_gives_the_library_the_same_logits(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    tokenizer, model, examples = tiny_tokenizer(), model_for(TASK), examples_of(TASK, ROWS)
    TASK.configure(model.config, tokenizer)
    train_a_little(TASK, model, tokenizer, examples, LIMIT)
    TASK.save(model, tokenizer, tmp_path)
    plain, saved = AutoModelForTokenClassification.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    questions = TASK.questions(tokenizer, examples, LIMIT)
    for question, rows in zip(questions, score(TASK, model, tokenizer, questions, LIMIT), strict=True):
        words = examples[question.example].fields["tokens"]
        batch = saved(words, is_split_into_words=True, return_tensors="pt")
        numbers = batch.word_ids()
        with torch.inference_mode():
            logits = plain(**batch).logits[0]
        for word, row in zip(question.info["words"], rows, strict=True):
            assert logits[numbers.index(word)].tolist() == pytest.approx(row, abs=1e-6)


def test_a_saved_folder_works_in_the_librarys_pipeline(tmp_path: Path) -> None:
    from transformers import pipeline

    tokenizer, model, examples = tiny_tokenizer(["Ann Bo Berlin"] * 9), model_for(TASK), examples_of(TASK, ROWS)
    TASK.configure(model.config, tokenizer)
    train_a_little(TASK, model, tokenizer, examples, LIMIT, 120)
    answers = answers_of(TASK, model, tokenizer, examples, LIMIT)
    assert TASK.metrics(answers, examples)["f1"] == 1
    TASK.save(model, tokenizer, tmp_path)
    ask = pipeline("token-classification", model=str(tmp_path), aggregation_strategy="simple")
    text = " ".join(ROWS[3]["tokens"])
    found = [(each["entity_group"], text[each["start"] : each["end"]].strip()) for each in ask(text)]
    assert found == [("per", "Bo"), ("per", "Ann"), ("loc", "Berlin")]


@settings(deadline=None, max_examples=25)
@given(
    some.lists(some.sampled_from(["Ann", "Bo", "so", "\x00", "Berlin", "d"]), max_size=50),
    some.integers(4, 30),
    some.integers(0, 40),
)
def test_every_word_has_one_answer(words: list[str], length: int, stride: int) -> None:
    task = NamedEntities(NamedEntities.Options(stride=stride), TASK.learned)
    example = Example({"tokens": words}, [0] * len(words))
    features = task.questions(TOKENIZER, [example], length)
    answered = [word for feature in features for word in feature.info["words"]]
    assert sorted(answered) == [number for number, word in enumerate(words) if word != "\x00"]
    assert len(answered) == len({*answered})
    outputs = score(task, MODEL, TOKENIZER, features, length)
    answer = task.answer(example, list(zip(features, outputs, strict=True)))
    assert len(answer.output["tags"]) == len(words)
    assert all(answer.output["tags"][number] == "O" for number, word in enumerate(words) if word == "\x00")
    trained = [label for feature in task.encode(TOKENIZER, [example], length) for label in feature.labels]
    assert sum(label != IGNORED for label in trained) == len(answered)


TOKENIZER, MODEL = tiny_tokenizer(), model_for(TASK)


@pytest.mark.parametrize(("length", "stride"), [(8, 3), (12, 0), (16, 32), (40, 32)])
def test_entities_on_the_cuts_of_windows_are_whole_to_a_model_that_knows_them(length: int, stride: int) -> None:
    task = NamedEntities(NamedEntities.Options(stride=stride), TASK.learned)
    words = ["so"] * 90
    gold = [LABELS.index(tag) for tag in (["O", "O", "B-per", "I-per", "I-per", "I-per", "O", "B-loc", "B-loc"] * 10)]
    example = Example({"tokens": words}, gold)
    features = task.questions(TOKENIZER, [example], length)
    assert len(features) > 1
    known = [[[9.0 * (label == gold[word]) for label in range(5)] for word in each.info["words"]] for each in features]
    answer = task.answer(example, list(zip(features, known, strict=True)))
    assert answer.correct
    assert len(answer.output["entities"]) == 30
    assert task.metrics([answer], [example])["f1"] == 1


def test_a_text_that_fits_is_answered_the_same_whatever_the_stride() -> None:
    examples = examples_of(TASK, ROWS)
    first, *others = (
        answers_of(NamedEntities(NamedEntities.Options(stride=stride), TASK.learned), MODEL, TOKENIZER, examples, LIMIT)
        for stride in (0, 7, 60)
    )
    assert all(other == first for other in others)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_alone_or_in_company_a_row_has_the_same_answer(kind: str) -> None:
    model = model_for(TASK, kind)
    rows = [*ROWS, {"tokens": "Ann went on " * 30}, {"tokens": ""}, {"tokens": "\x00"}, {"tokens": [], "tags": []}]
    examples = examples_of(TASK, rows)
    alone = [answers_of(TASK, model, TOKENIZER, [example], 24)[0] for example in examples]
    assert answers_of(TASK, model, TOKENIZER, examples, 24) == alone
    chance = random.Random(1)
    for _ in range(5):
        picked = [chance.randrange(len(examples)) for _ in range(chance.randint(1, 20))]
        company = answers_of(TASK, model, TOKENIZER, [examples[number] for number in picked], 24)
        assert company == [alone[number] for number in picked]
    asked = answers_of(TASK, model, TOKENIZER, [Example(example.fields) for example in examples], 24)
    assert [each.output for each in asked] == [each.output for each in alone]
    assert alone[5].output == {"tokens": [], "tags": [], "entities": []}
    assert alone[5].score is None


@pytest.mark.parametrize("form", ["jsonl", "spans", "lists", "csv"])
def test_files_of_each_form_are_read(form: str, tmp_path: Path) -> None:
    text, words = "Ann met Bo in Berlin", ["Ann", "met", "Bo", "in", "Berlin"]
    tags = "B-per O B-per O B-loc"
    spans = [[0, 3, "per"], [8, 10, "per"], [14, 20, "loc"]]
    tables = [{"start": start, "end": end, "label": label} for start, end, label in spans]
    row = {
        "jsonl": {"id": "1", "text": text, "tokens": words, "ner_tags": tags.split()},
        "spans": {"text": text, "entities": tables},
        "lists": {"text": text, "entities": spans},
        "csv": {"tokens": text, "tags": tags},
    }[form]
    if form == "csv":
        file = tmp_path / "rows.csv"
        file.write_text("tokens,tags\n" + f"{text},{tags}\n" * 4, encoding="utf-8")
    else:
        file = write_jsonl(tmp_path / "rows.jsonl", [row] * 4)
    recipe = parse(
        {"task": "named-entities", "data": {"train": str(file)}, "backbone": "size:tiny", "strategy": "scratch"}
    )
    prepared = prepare(recipe, tmp_path / "cache")
    assert prepared.task.gold_words(prepared.train[0]) == "Ann (per), Bo (per), Berlin (loc)"
    assert prepared.train[0].fields == {"tokens": text if form in ("spans", "lists") else words}


def test_names_beside_the_data_are_said_to_be_used(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "rows.jsonl", [{"tokens": ["a", "b"], "ner_tags": [1, 0]}] * 4)
    (tmp_path / "labels.txt").write_text("O\nS-per\n", encoding="utf-8")
    recipe = parse(
        {"task": "named-entities", "data": {"train": str(file)}, "backbone": "size:tiny", "strategy": "scratch"}
    )
    prepared = prepare(recipe, tmp_path / "cache")
    assert "labels.txt beside the data names the labels" in prepared.notes
    assert (prepared.task.learned["scheme"], prepared.task.learned["labels"]) == ("IOBES", ["O", "B-per", "I-per"])
    write_jsonl(tmp_path / "rows.jsonl", [{"tokens": ["a", "b"], "ner_tags": [1]}] * 4)
    with pytest.raises(WorkbenchError, match="row 1: column 'ner_tags' has 2 tokens and 1 tags"):
        prepare(recipe, tmp_path / "other")


def test_a_text_is_cut_as_the_tagged_texts_are() -> None:
    rows = [{"tokens": "in the U.S. now", "tags": "O O B-loc O"}]
    task = NamedEntities.learn(NamedEntities.Options(), rows, [])
    asked = {"tokens": "in the U.S. now"}
    assert task.example(asked).fields == task.example(rows[0]).fields
