"""Try for every task: its question, its answers, what is kept of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pytest
from textual.events import Paste
from textual.pilot import Pilot

from screens.answers import answer_lines
from screens.answers.layout import wrap
from screens.answers.reply import Reply, View
from screens.app import WorkbenchApp
from screens.trial import TryScreen
from screens.trial_prompt import LongPrompt, Prompts
from screens.trial_rows import history_csv, replies_text
from store import trials
from store.connection import open_store
from store.runs import Run
from store.trials import Trial
from tests.screens.opening import look, opened
from tests.screens.places import FakeClient, Said, make_task
from tests.screens.samples import CONTEXT, NEIGHBOURS, NO_ANSWER, SAMPLES
from tests.screens.support import HOSTILE, golden, screen_text
from tests.screens.trying import stored
from workbench.paths import Home
from workbench.text import width

MARKED = (*["down"] * 3, "space", "space", "5")
WIDE = ("named-entities", "question-answering", "instructions")


def told(task: str, *changes: Mapping[str, Any], cells: int = 80, ascii: bool = False, gold: str | None = None) -> str:
    """Return the answers of runs as they are shown, their outputs changed as said."""
    sample = SAMPLES[task]
    replies = [
        Reply(number, f"run {number}", {**sample.output, **change}, 12.0, pred=sample.pred, score=sample.score)
        for number, change in enumerate(changes or ({},), 1)
    ]
    return answer_lines(task, replies, View(sample.fields, gold, cells, ascii)).plain


def sample_says(task: str) -> Any:
    """Return what a client says that answers as the sample does."""

    def says(run: Run, row: Mapping[str, Any], base: bool) -> Said:
        sample = SAMPLES[task]
        return sample.pred, sample.score, dict(sample.output)

    return says


def typed(task: str) -> list[str]:
    """Return the keys that type the question of a sample and ask it."""
    return [*[key for line in SAMPLES[task].typed for key in (*line, "tab")][:-1], "enter"]


async def settle(app: WorkbenchApp, pilot: Pilot[Any]) -> str:
    """Let everything come and be laid out; return the screen."""
    shown: list[str] = []
    while (
        len(shown) < 3
        or len(set(shown[-3:])) > 1
        or any(each._layout_required for each in app.screen.walk_children())
        or (isinstance(app.screen, TryScreen) and app.screen.talk.asking)
    ):
        await look(app, pilot)
        await pilot.pause(0.05)
        shown.append(screen_text(app))
    return shown[-1]


@pytest.mark.parametrize(
    ("task", "size"), [*((task, (80, 24)) for task in SAMPLES), *((task, (120, 40)) for task in WIDE)]
)
async def test_every_task_looks_like_its_picture(
    judged: Home, client: FakeClient, task: str, size: tuple[int, int]
) -> None:
    sample = SAMPLES[task]
    make_task(judged, task, [(sample.fields, sample.gold)])
    client.says = sample_says(task)
    async with opened(judged, size, *MARKED) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("escape", "r")
        shown = await settle(app, pilot)
        assert [row for _, _, row in client.rows] == [sample.fields] * 2
        golden(f"try-{task}-{size[0]}x{size[1]}", shown)


@pytest.mark.parametrize("task", ["text-classification", "named-entities", "embeddings", "instructions"])
async def test_every_field_is_typed_and_comes_back_from_the_history(
    judged: Home, client: FakeClient, task: str
) -> None:
    sample = SAMPLES[task]
    make_task(judged, task, [(sample.fields, None)])
    client.says = sample_says(task)
    async with opened(judged, (80, 24), "5") as (app, pilot):
        await settle(app, pilot)
        await pilot.press(*typed(task))
        await settle(app, pilot)
        wanted = dict(sample.fields) | ({"tokens": sample.typed[0]} if task == "named-entities" else {})
        assert [row for _, _, row in client.rows] == [wanted]
        (trial,) = stored(judged)
        assert trial.fields == wanted
        assert trial.answers[client.rows[0][0]][0]["said"] == {"pred": sample.pred, "score": sample.score}
        app.screen.query_one(Prompts).fill({})
        await pilot.press("escape", "enter")
        await settle(app, pilot)
        assert client.rows[1] == client.rows[0]
        assert [line.value for line in app.screen.query_one(Prompts).lines.values()] == list(sample.typed)


async def test_a_field_that_may_stay_empty_is_left_out_and_one_that_may_not_is_asked_for(
    judged: Home, client: FakeClient
) -> None:
    make_task(judged, "text-classification", [({"text": "a", "pair": "b"}, None)])
    async with opened(judged, (80, 24), "5") as (app, pilot):
        await settle(app, pilot)
        await pilot.press("tab", *"hm", "enter")
        assert "the text is empty" in await settle(app, pilot)
        await pilot.press(*"so", "tab", "backspace", "backspace", "enter")
        await settle(app, pilot)
        assert [row for _, _, row in client.rows] == [{"text": "so"}]


async def test_a_pasted_context_keeps_its_lines(judged: Home, client: FakeClient) -> None:
    make_task(judged, "question-answering", [({"question": "q", "context": "c"}, None)])
    client.says = sample_says("question-answering")
    async with opened(judged, (80, 24), "5") as (app, pilot):
        await settle(app, pilot)
        await pilot.press(*"who", "tab")
        app.screen.query_one(LongPrompt).post_message(Paste("one\r\n\ntwo \x1b]52;x\x07 three\n"))
        await pilot.press("enter")
        await settle(app, pilot)
        assert [row for _, _, row in client.rows] == [{"question": "who", "context": "one\n\ntwo ␛]52;x␇ three"}]


async def test_the_base_model_is_asked_beside_its_run(judged: Home, client: FakeClient) -> None:
    client.says = lambda run, row, base: ("bad", 0.5, {"label": "bad", "scores": {"bad": 0.5, "good": 0.5}})
    async with opened(judged, (80, 24), *MARKED) as (app, pilot):
        await settle(app, pilot)
        await pilot.press("escape", "b", "i", *"fine", "enter")
        shown = await settle(app, pilot)
        assert [(run, base) for run, base, _ in client.rows] == [(30, False), (30, True), (29, False)]
        lines = [line.split()[0:2] for line in shown.splitlines() if line.startswith(" #")]
        assert lines == [["#30", "sst2-scratch-30"], ["#30", "base"], ["#29", "sst2-gradual-29"]]
        (trial,) = stored(judged)
        assert set(trial.answers) == {30, 29}
        assert trial.base[30][0]["label"] == "bad"
        assert "#30 base" in next(line for line in shown.splitlines() if "right answer" in line)
        await pilot.press("escape", "b", "i", "enter")
        await settle(app, pilot)
        assert [base for _, base, _ in client.rows[3:]] == [False, False]


async def test_a_text_grows_until_it_is_stopped_and_is_kept(judged: Home, client: FakeClient) -> None:
    make_task(judged, "instructions", [({"instruction": "go"}, None)])
    client.says = sample_says("instructions")
    client.words, client.pause = ["one", "two", "three", "four", "five"], 4
    async with opened(judged, (80, 24), "5") as (app, pilot):
        await settle(app, pilot)
        await pilot.press(*"go", "enter")
        while "one▌" not in screen_text(app):
            await pilot.pause(0.01)
        assert "^x stops it" in screen_text(app)
        await pilot.press("ctrl+x")
        shown = await settle(app, pilot)
        assert client.stopped.is_set()
        assert "one two three" in shown
        assert "stopped" in shown
        assert "▌ one" not in shown
        (trial,) = stored(judged)
        assert next(iter(trial.answers.values()))[0]["text"] == "one two three"


async def test_a_second_press_waits_no_longer(judged: Home, client: FakeClient) -> None:
    make_task(judged, "instructions", [({"instruction": "go"}, None)])
    client.says = sample_says("instructions")
    client.words, client.pause = ["one", "two"], 2
    client.stop = lambda: None  # type: ignore[method-assign]
    async with opened(judged, (80, 24), "5") as (app, pilot):
        await settle(app, pilot)
        await pilot.press(*"go", "enter")
        while "one▌" not in screen_text(app):
            await pilot.pause(0.01)
        await pilot.press("ctrl+x", "ctrl+x")
        assert "cancelled" in await settle(app, pilot)
        assert stored(judged) == []


async def test_runs_of_another_task_are_not_asked_the_same(judged: Home, client: FakeClient) -> None:
    with open_store(judged.store) as store, store.write() as connection:
        connection.execute("UPDATE run SET task='regression' WHERE id<>30")
    async with opened(judged, (80, 24), *MARKED) as (app, pilot):
        shown = await settle(app, pilot)
        assert "#29 left out" in shown
        await pilot.press("escape", "plus")
        assert "no other run of sentiment" in await settle(app, pilot)
        await pilot.press("v")
        assert "nothing is answered yet" in await settle(app, pilot)
        app.open_place("try", 29)
        await settle(app, pilot)
        await pilot.press("v")
        assert "only an answer of one label" in await settle(app, pilot)


async def test_trials_of_a_time_without_fields_are_asked_again_as_a_text(judged: Home, client: FakeClient) -> None:
    with open_store(judged.store) as store:
        trials.add(store, "sentiment", "an old text", {30: ({"label": "good", "scores": {"good": 0.9}}, 3.0)})
    async with opened(judged, (80, 24), *MARKED) as (app, pilot):
        shown = await settle(app, pilot)
        assert "good 0.90" in shown
        await pilot.press("escape", "enter")
        await settle(app, pilot)
        assert client.rows[0][2] == {"text": "an old text"}


def test_the_history_of_several_fields_is_a_file_of_columns() -> None:
    said = {"answer": "=Porto", "said": {"pred": "=Porto", "score": 0.5}}
    fields = {"question": "where", "context": "a\nb"}
    trial = Trial(1, 0.0, "question-answering", "where | a", "Porto", False, {3: (said, 2.0)}, fields, {3: (said, 4.0)})
    rows = list(csv.reader(io.StringIO(history_csv([trial]))))
    assert rows == [
        ["trial", "question", "context", "right answer", "run", "answer", "score", "ms"],
        ["1", "where", "a\nb", "Porto", "3", "'=Porto", "0.5", "2.0"],
        ["1", "where", "a\nb", "Porto", "3 base", "'=Porto", "0.5", "4.0"],
    ]


@pytest.mark.parametrize("task", SAMPLES)
def test_answers_go_to_the_clipboard_as_text(task: str) -> None:
    sample = SAMPLES[task]
    reply = Reply(3, "a", sample.output, 1.0, pred=sample.pred, score=sample.score)
    text = replies_text(sample.fields, [reply, Reply(4, "b", problem="no model")])
    assert sample.pred in text
    assert "no model" in text
    assert all(line in text for line in sample.typed)


ATTACK = f"{HOSTILE} \u202e[b]x"


def spoilt(value: Any, depth: int = 0) -> Any:
    """Return a value with every text in it, and every name of a label, an attack."""
    if isinstance(value, str):
        return ATTACK
    if isinstance(value, list):
        return [spoilt(each) for each in value]
    if isinstance(value, dict):
        return {f"{key} {ATTACK}" if depth else key: spoilt(each, key == "scores") for key, each in value.items()}
    return value


@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("task", SAMPLES)
def test_nothing_of_an_answer_drives_the_terminal(task: str, ascii: bool) -> None:
    sample = SAMPLES[task]
    reply = Reply(3, ATTACK, spoilt(sample.output), 1.0, 5, pred=ATTACK, score=0.5)
    growing = Reply(4, ATTACK, waiting=ATTACK, written=ATTACK)
    broken = Reply(5, ATTACK, problem=ATTACK)
    fields = dict.fromkeys(sample.fields, ATTACK * 3)
    for cells in (20, 79, 140):
        words = answer_lines(task, [reply, growing, broken], View(fields, ATTACK, cells, ascii))
        assert not any(sign in words.plain for sign in "\x1b\x07\u202e")
        assert not any("@click" in str(span.style) for span in words.spans)
    assert "[CLS]" in words.plain


@pytest.mark.parametrize("cells", [30, 58, 79, 119])
@pytest.mark.parametrize("task", SAMPLES)
def test_no_line_is_wider_than_its_place(task: str, cells: int) -> None:
    if cells >= 58:
        assert max(map(width, told(task, cells=cells, gold=SAMPLES[task].gold).splitlines())) <= cells
    assert told(task, cells=cells)


def test_an_answer_is_marked_in_its_context_without_colour() -> None:
    shown = told("question-answering", ascii=True).replace("\n  ", " ")
    assert "Uppsala. In 1998 she moved to >>Porto<<, where" in shown
    long = {"start": CONTEXT.index("1612"), "end": CONTEXT.index("1612") + 4, "answer": "1612"}
    shown = told("question-answering", long, ascii=True)
    assert ">>1612<<" in shown
    assert "Maria Lund" not in shown
    assert "1612" not in told("question-answering", NO_ANSWER)
    assert "no answer ▰▰▰▰▱ 0.87" in told("question-answering", NO_ANSWER)


def test_entities_stand_as_they_were_typed() -> None:
    text = "Then Porto, not (Lund)."
    output = {
        "tokens": ["Then", "Porto", ",", "not", "(", "Lund", ")", "."],
        "entities": [{"type": "place", "start": 1, "end": 2}, {"type": "place", "start": 5, "end": 6}],
    }
    reply = Reply(3, "a", output, pred="x")
    shown = answer_lines("named-entities", [reply], View({"tokens": text}, None, 80)).plain
    assert "Then Porto[place], not (Lund[place])." in shown


def test_without_a_pair_the_nearest_texts_are_shown() -> None:
    shown = told("embeddings", NEIGHBOURS)
    assert "0.91 ▰▰▰▰▰▱ the flood came at night" in shown
    assert "give a second text" in told("embeddings", NEIGHBOURS | {"neighbours": []})


def test_a_long_word_is_broken_and_words_are_not() -> None:
    parts = [("aa " + "b" * 25 + " 漢字漢字漢字", ""), ("[x]", "bold")]
    lines = ["".join(text for text, _ in line) for line in wrap(parts, 10)]
    assert lines == ["aa", "b" * 10, "b" * 10, "bbbbb", "漢字漢字漢", "字[x]"]
