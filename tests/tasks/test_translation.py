"""Translation and summarizing: what is learned, written and measured is what the libraries of the field say."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.making import VOCABULARY, tiny_model, tiny_tokenizer
from workbench.data.columns import choose_columns
from workbench.data.features import IGNORED, Example, RowProblem
from workbench.errors import WorkbenchError
from workbench.inference.scoring import answers_to
from workbench.tasks.answer import Answer
from workbench.tasks.sequence_to_sequence import shifted
from workbench.tasks.translation import Summarization, Translation

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

KINDS = ("t5", "bart", "marian")
LIMIT = 40
ROWS = [
    {"source": "a good day", "target": "ein guter Tag"},
    {"source": "so bad, so cold and so very rude to all of us", "target": "so schlecht"},
    {"source": "good", "target": "gut, und so weiter und so fort"},
    {"source": "x" * 200, "target": "y" * 200},
]


def task_of(**options: Any) -> Translation:
    return Translation(Translation.Options(**options), {})


def model_of(kind: str, task: Translation) -> PreTrainedModel:
    """Return a tiny model whose texts differ with what it reads, and end sooner or later."""
    import torch

    model = tiny_model(kind, auto="AutoModelForSeq2SeqLM")
    task.configure(model.config, tiny_tokenizer())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not any(word in name for word in ("norm", "bias", "position")):
                parameter.mul_(4 if kind == "t5" else 12)
    # Random weights seldom say one token among three hundred.
    model.config.eos_token_id = list(range(3, VOCABULARY, 7))
    return task._writing(model).eval()


def words_of(chance: random.Random, least: int) -> str:
    return " ".join(
        chance.choice(["the", "a", "man", "cat", "Haus", "runs", ".", ",", "7", "is", "über"])
        for _ in range(chance.randint(least, 12))
    )


@pytest.mark.parametrize("seed", range(20))
def test_bleu_and_chrf_are_those_of_sacrebleu(seed: int) -> None:
    import sacrebleu

    chance = random.Random(seed)
    rows = chance.randint(1, 30)
    right = [words_of(chance, 1) for _ in range(rows)]
    said = [text if chance.random() < 0.3 else words_of(chance, 0) for text in right]
    losses = [(chance.random() * 50, chance.randint(1, 20)) for _ in range(rows)]
    answers = [Answer(text, 0.0, {}, extra=loss) for text, loss in zip(said, losses, strict=True)]
    found = task_of().metrics(answers, [Example({}, text) for text in right])
    assert found == pytest.approx(
        {
            "loss": sum(total for total, _ in losses) / sum(count for _, count in losses),
            "bleu": sacrebleu.corpus_bleu(said, [right]).score,
            "chrf": sacrebleu.corpus_chrf(said, [right]).score,
        },
        rel=0,
        abs=1e-9,
    )


@pytest.mark.parametrize("seed", range(20))
def test_rouge_is_that_of_rouge_score(seed: int) -> None:
    from rouge_score import rouge_scorer, scoring

    chance = random.Random(seed)
    right = [words_of(chance, 1) for _ in range(chance.randint(1, 30))]
    said = [words_of(chance, 0) for _ in right]
    task = Summarization(Summarization.Options(), {})
    found = task.metrics(
        [Answer(text, 0.0, {}, extra=(1.0, 2)) for text in said], [Example({}, text) for text in right]
    )
    # The middle of an aggregation without resampling is the mean.
    total: dict[str, list[scoring.Score]] = {}
    for one, other in zip(right, said, strict=True):
        for name, each in rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"]).score(one, other).items():
            total.setdefault(name, []).append(each)
    expected = {name: sum(each.fmeasure for each in scores) / len(scores) for name, scores in total.items()}
    assert found == pytest.approx({"loss": 0.5, **expected}, rel=0, abs=1e-9)


def test_how_it_is_measured_is_told() -> None:
    bleu, chrf = task_of().notes()
    assert "case:mixed|eff:no|tok:13a|smooth:exp|version:" in bleu
    assert "nc:6|nw:0" in chrf
    assert "F-measures of 0 to 1" in Summarization(Summarization.Options(), {}).notes()[0]


@pytest.mark.parametrize(
    ("columns", "named", "chosen"),
    [
        (("en", "de"), {}, ("en", "de")),
        (("de", "en"), {}, ("en", "de")),
        (("en", "de"), {"source": "de", "target": "en"}, ("de", "en")),
        (("id", "Source", "Target"), {}, ("Source", "Target")),
        (("cs", "sv"), {"source": "sv"}, ("sv", "cs")),
        (("de", "fr"), {}, None),
    ],
)
def test_the_direction_is_named_or_from_english(
    columns: tuple[str, ...], named: dict[str, str], chosen: tuple[str, str] | None
) -> None:
    if chosen is None:
        with pytest.raises(WorkbenchError, match="cannot tell which column is the source"):
            choose_columns(Translation.card.roles, named, columns, "x")
    else:
        found = choose_columns(Translation.card.roles, named, columns, "x")
        assert (found["source"], found["target"]) == chosen


def test_a_row_is_two_texts_or_one_to_be_answered() -> None:
    task = task_of()
    assert task.example({"source": " a ", "target": " b\n"}) == Example({"source": " a "}, "b")
    for target in ({}, {"target": None}, {"target": " "}):
        assert task.example({"source": "a", **target}).gold is None
    for row, role in (({"source": 3, "target": "x"}, "source"), ({"source": "x", "target": ["y"]}, "target")):
        with pytest.raises(RowProblem, match="not text") as problem:
            task.example(row)
        assert problem.value.role == role


def test_both_sides_are_cut_and_counted() -> None:
    tokenizer = tiny_tokenizer()
    task = task_of(prefix="say it in German:", longest_output=12)
    examples = [task.example(row) for row in [*ROWS, {"source": "good"}]]
    assert task.texts(examples[0]) == ["say it in German: a good day", "ein guter Tag"]
    features = task.encode(tokenizer, examples, LIMIT)
    assert features[0].ids == tokenizer("say it in German: a good day")["input_ids"]
    assert features[0].labels == tokenizer(text_target="ein guter Tag", truncation=True, max_length=12)["input_ids"]
    assert [len(each.ids) for each in features] == [min(each.info["of"], LIMIT) for each in features]
    assert (len(features[3].labels), features[3].labels[-1]) == (12, tokenizer.sep_token_id)
    assert [each.items for each in features[:4]] == [len(each.labels) for each in features[:4]]
    assert features[0].length == len(features[0].ids) + features[0].items
    assert (features[4].labels, features[4].items) == (None, 1)
    batch = task.collate(features[:2], tokenizer)
    assert batch["labels"].shape == (2, max(each.items for each in features[:2]))
    assert (batch["labels"] != IGNORED).sum().tolist() == sum(each.items for each in features[:2])


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_the_model_itself_times_its_tokens(kind: str) -> None:
    import torch

    task = task_of(longest_output=20)
    model, tokenizer = model_of(kind, task), tiny_tokenizer()
    features = task.encode(tokenizer, [task.example(row) for row in ROWS], LIMIT)
    batch = task.collate(features, tokenizer)
    items = sum(feature.items for feature in features)
    with torch.inference_mode():
        found = float(task.loss(model, batch, 0.0))
        smooth = float(task.loss(model, batch, 0.1))
        own = model(**batch)
    logs = own.logits.float().log_softmax(-1)[batch["labels"] != IGNORED]
    assert found == pytest.approx(float(own.loss) * items, rel=1e-5)
    assert smooth == pytest.approx(0.9 * found - 0.1 * float(logs.mean(-1).sum()), rel=1e-5)
    answers = said(task, model, ROWS)
    metrics = task.metrics(answers, [task.example(row) for row in ROWS])
    assert metrics["loss"] == pytest.approx(found / items, rel=1e-5)
    mean = math.fsum((answer.loss or 0.0) * feature.items for answer, feature in zip(answers, features, strict=True))
    assert mean / items == pytest.approx(metrics["loss"], rel=1e-12)


def test_an_architecture_without_a_shift_of_its_own_is_shifted_all_the_same() -> None:
    import torch
    import transformers

    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = transformers.M2M100Config(vocab_size=50, pad_token_id=1, decoder_start_token_id=2, **sizes, **heads)
    model = transformers.M2M100ForConditionalGeneration(config).eval()
    labels = torch.tensor([[5, 6, 2], [7, 2, IGNORED]])
    assert shifted(model, labels).tolist() == [[2, 5, 6], [2, 7, 2]]
    source = torch.tensor([[5, 6, 2], [9, 8, 2]])
    with torch.inference_mode():
        own = model(input_ids=source, labels=labels).logits
        ours = model(input_ids=source, decoder_input_ids=shifted(model, labels)).logits
    assert torch.equal(own, ours)


def said(task: Translation, model: PreTrainedModel, rows: list[dict[str, str]], watch: Any = None) -> list[Answer]:
    tokenizer = tiny_tokenizer()
    examples = [task.example(row) for row in rows]
    questions = task.questions(tokenizer, examples, LIMIT)
    return answers_to(task, model, tokenizer, examples, questions, LIMIT, watch)


def text_of(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, tokens: list[int]) -> str:
    """Return the text of tokens that a plain `generate` gave: here more than the one special token end it."""
    ends = model.generation_config.eos_token_id  # type: ignore[union-attr]
    kept = [token for token in tokens if token not in ends]
    return str(tokenizer.decode(kept, skip_special_tokens=True)).strip()


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_alone_or_in_company_a_text_has_the_same_answer(kind: str, beams: int) -> None:
    task = task_of(beams=beams, longest_output=18)
    model = model_of(kind, task)
    rows: list[dict[str, str]] = [*ROWS, *({"source": f"so {'good ' * n}", "target": "gut " * n} for n in (1, 2, 3, 4))]
    alone = [said(task, model, [row])[0] for row in rows]
    assert len({answer.score for answer in alone}) == len(rows)
    assert kind != "t5" or len({answer.output["written"] for answer in alone}) > 1
    chance = random.Random(1)
    for _ in range(4):
        picked = [chance.randrange(len(rows)) for _ in range(chance.randint(2, 20))]
        assert said(task, model, [rows[number] for number in picked]) == [alone[number] for number in picked]
    unknown = said(task, model, [{"source": row["source"]} for row in rows])
    assert [answer.output for answer in unknown] == [answer.output for answer in alone]
    assert {(answer.loss, answer.correct) for answer in unknown} == {(None, None)}


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_and_its_score_are_those_of_a_plain_generate(kind: str, beams: int) -> None:
    task, tokenizer = task_of(beams=beams, longest_output=18), tiny_tokenizer()
    model = model_of(kind, task)
    for row, answer in zip(ROWS, said(task, model, ROWS), strict=True):
        asked = tokenizer(row["source"], truncation=True, max_length=LIMIT, return_tensors="pt")
        inputs = {"input_ids": asked["input_ids"], "attention_mask": asked["attention_mask"]}
        told = model.generate(**inputs, return_dict_in_generate=True, output_logits=True, output_scores=True)  # type: ignore[operator]
        assert answer.pred == text_of(tokenizer, model, told.sequences[0].tolist())
        if beams > 1:
            assert answer.score == pytest.approx(float(told.sequences_scores[0]), abs=1e-4)
        else:
            logs = model.compute_transition_scores(told.sequences, told.logits, normalize_logits=True)  # type: ignore[operator]
            assert answer.score == pytest.approx(float(logs[0].mean()), abs=1e-4)
        assert answer.score == answer.output["score"]


@pytest.mark.parametrize("beams", [1, 3])
def test_a_watch_sees_the_text_grow_and_stops_it(beams: int) -> None:
    task = task_of(beams=beams, longest_output=18)
    model = model_of("bart", task)
    (whole,) = said(task, model, ROWS[:1])
    seen: list[list[int]] = []

    def watch(tokens: list[int]) -> bool:
        seen.append(tokens)
        return len(seen) == 3

    (cut,) = said(task, model, ROWS[:1], watch)
    assert [len(tokens) for tokens in seen] == [1, 2, 3]
    assert cut.output["written"] == 3 < whole.output["written"]
    assert beams > 1 or tiny_tokenizer().decode(seen[-1]).strip() == cut.pred


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_folder_is_one_of_plain_transformers(kind: str, tmp_path: Path) -> None:
    import torch
    import transformers

    task, tokenizer = task_of(longest_output=18), own_tokenizer(kind, tmp_path)
    model = model_of(kind, task)
    examples = [task.example(row) for row in ROWS]
    questions = task.questions(tokenizer, examples, LIMIT)
    answers = answers_to(task, model, tokenizer, examples, questions, LIMIT)
    task.save(model, tokenizer, tmp_path / "saved")
    plain = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "saved").eval()
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    for row, answer in zip(ROWS, answers, strict=True):
        asked = again(row["source"], text_target=row["target"], truncation=True, max_length=LIMIT, return_tensors="pt")
        asked.pop("token_type_ids", None)
        with torch.inference_mode():
            assert torch.allclose(plain(**asked).logits, model(**asked).logits, rtol=0, atol=1e-6)
            told = plain.generate(input_ids=asked["input_ids"], attention_mask=asked["attention_mask"])
        assert text_of(again, plain, told[0].tolist()) == answer.pred
    assert len({answer.pred for answer in answers}) > 1


def own_tokenizer(kind: str, folder: Path) -> PreTrainedTokenizerBase:
    """Return a tokenizer as the architecture's makers have it: for Marian one of sentencepiece, with two sides."""
    if kind != "marian":
        return tiny_tokenizer(types=False)
    import json

    import sentencepiece
    from transformers import MarianTokenizer

    words = [
        "a",
        "good",
        "day",
        "what",
        "film",
        "this",
        "was",
        "kind",
        "of",
        "so",
        "bad",
        "cold",
        "and",
        "very",
        "rude",
        "to",
        "all",
        "us",
        "ein",
        "guter",
        "Tag",
        "schlecht",
    ]
    chance = random.Random(0)
    texts = [" ".join(chance.choices(words, k=8)) for _ in range(200)]
    for side in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_prefix=str(folder / side), vocab_size=45, minloglevel=2
        )
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.model"))
    pieces = [model.id_to_piece(number) for number in range(model.get_piece_size())]
    ordered = ["<pad>", "<unk>", "<s>", "</s>", *(piece for piece in pieces if not piece.startswith("<"))]
    vocabulary = {piece: number for number, piece in enumerate(ordered)}
    vocabulary |= {f"<{number}>": number for number in range(len(vocabulary), 300)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    tokenizer: PreTrainedTokenizerBase = MarianTokenizer(
        str(folder / "source.model"), str(folder / "target.model"), str(folder / "vocab.json")
    )
    return tokenizer


def test_how_a_backbones_makers_had_it_write_is_not_taken_over(tmp_path: Path) -> None:
    import transformers

    model = tiny_model("bart", auto="AutoModelForSeq2SeqLM")
    model.generation_config.no_repeat_ngram_size = 2
    model.generation_config.forced_bos_token_id = 7
    model.save_pretrained(tmp_path / "backbone")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "backbone")
    config.num_beams, config.length_penalty = 4, 2.0
    task = task_of(longest_output=500)
    task.configure(config, tiny_tokenizer())
    loaded, _ = task.load(tmp_path / "backbone", config=config)
    kept = loaded.generation_config
    assert (kept.no_repeat_ngram_size, kept.forced_bos_token_id, kept.num_beams) == (None, None, 1)
    # The decoder reads the start token too.
    assert kept.max_new_tokens == config.max_position_embeddings - 1
    task.save(loaded, tiny_tokenizer(), tmp_path / "saved")
    assert (tmp_path / "saved" / "generation_config.json").exists()
    assert said(task, loaded, ROWS[:1])[0].output["written"] <= config.max_position_embeddings - 1


@pytest.mark.parametrize(
    ("target", "tokenize"),
    [("der Hund", "13a"), ("狗在跑。", "zh"), ("犬がはしる", "char"), ("a 狗 in a long text", "13a")],
)
def test_texts_without_blanks_are_measured_by_characters(target: str, tokenize: str) -> None:
    task = Translation.learn(Translation.Options(), [{"source": "x", "target": target}], [])
    assert task.learned == {"tokenize": tokenize}
    assert f"tok:{tokenize}" in task.notes()[0]
