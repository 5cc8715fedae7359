from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.events import Paste

from screens.answers import answer_lines
from screens.answers.reply import Reply, View
from screens.trial import TryScreen
from screens.trial_history import History
from screens.trial_prompt import Prompt
from screens.trial_rows import piece_title
from screens.widgets.picker import Picker
from store.connection import open_store
from tests.screens.opening import look, opened
from tests.screens.places import FakeClient
from tests.screens.support import HOSTILE, HOSTILE_SHOWN, SIZES, golden, screen_text
from tests.screens.trying import stored
from workbench.paths import Home


@pytest.mark.parametrize("size", SIZES)
async def test_answers_look_like_their_picture(judged: Home, client: FakeClient, size: tuple[int, int]) -> None:
    client.scores = lambda run, text: (
        {"negative": 0.91, "positive": 0.09} if run.id % 2 and "not" in text else {"negative": 0.25, "positive": 0.75}
    )
    marks = (*["down"] * 3, "space", "space", "5")
    async with opened(judged, size, *marks, *"not bad at all", "enter") as (app, pilot):
        await look(app, pilot)
        await pilot.press("ctrl+u", *"[CLS] the [MASK] sat [SEP]", "enter")
        await look(app, pilot)
        golden(f"try-{size[0]}x{size[1]}", screen_text(app))


async def test_the_best_finished_run_is_asked_where_none_is_marked(judged: Home, client: FakeClient) -> None:
    async with opened(judged, (80, 24), "5", *"fine", "enter") as (app, pilot):
        await look(app, pilot)
        newest = app.feed.runs[30]
        alike = [run for run in app.feed.runs.values() if run.dataset == newest.dataset and run.state == "finished"]
        best = max(alike, key=lambda run: run.best_value or 0)
        assert client.asked == [(best.id, "fine")]


async def test_letters_are_text_while_typing_and_keys_after_escape(judged: Home, client: FakeClient) -> None:
    async with opened(judged, (80, 24), "5", *"qr1+-v", "escape", "plus") as (app, pilot):
        await pilot.pause()
        assert isinstance(app.screen.query_one(Picker), Picker)
        await pilot.press("escape")
        assert isinstance(app.screen, TryScreen)
        assert app.screen.query_one(Prompt).value == "qr1+-v"


async def test_a_model_is_added_and_dropped(judged: Home, client: FakeClient) -> None:
    async with opened(judged, (80, 24), "5", "escape", "plus", "enter") as (app, pilot):
        await look(app, pilot)
        assert isinstance(app.screen, TryScreen)
        assert len(app.screen.run_ids) == 2
        await pilot.press("minus", "minus")
        await pilot.pause()
        assert len(app.screen.run_ids) == 1
        assert "one model is asked at least" in screen_text(app)


async def test_what_is_asked_is_kept_with_its_right_label(judged: Home, client: FakeClient) -> None:
    async with opened(judged, (80, 24), "5", *"fine", "enter") as (app, pilot):
        await look(app, pilot)
        await pilot.press("escape", "v", "enter")
        await look(app, pilot)
        await pilot.press("space")
        await look(app, pilot)
        (trial,) = stored(judged)
        assert trial.prompt == "fine"
        assert trial.kept
        assert trial.gold is None
        await pilot.press("v", "k", "enter")
        await look(app, pilot)
        assert stored(judged)[0].gold == "positive"
        assert "✓" in screen_text(app)


async def test_a_random_example_comes_with_its_label(judged: Home, client: FakeClient) -> None:
    async with opened(judged, (80, 24), "5", "escape", "r") as (app, pilot):
        await look(app, pilot)
        await look(app, pilot)
        (trial,) = stored(judged)
        assert trial.prompt.endswith("of a film")
        assert trial.gold in ("positive", "negative")
        assert f"right is {trial.gold}" in screen_text(app)


async def test_earlier_texts_come_back_with_the_arrows(judged: Home, client: FakeClient) -> None:
    async with opened(judged, (80, 24), "5", *"one", "enter") as (app, pilot):
        await look(app, pilot)
        await pilot.press("ctrl+u", *"two", "enter")
        await look(app, pilot)
        line = app.screen.query_one(Prompt)
        found = []
        for key in ("up", "up", "up", "down", "down"):
            await pilot.press(key)
            found.append(line.value)
        assert found == ["two", "one", "one", "two", ""]


async def test_loading_is_shown_and_can_be_cancelled(judged: Home, client: FakeClient) -> None:
    client.open.clear()
    async with opened(judged, (80, 24)) as (app, pilot):
        await pilot.press("5", *"fine", "enter")
        while "loading #" not in screen_text(app):
            await pilot.pause(0.01)
        await pilot.press("ctrl+x")
        await look(app, pilot)
        assert "cancelled" in screen_text(app)
        assert stored(judged) == []
        client.open.set()
        await pilot.press("enter")
        await look(app, pilot)
        assert [trial.prompt for trial in stored(judged)] == ["fine"]


async def test_leaving_the_app_ends_a_question_that_is_out(judged: Home, client: FakeClient) -> None:
    client.open.clear()
    async with opened(judged, (80, 24)) as (app, pilot):
        await pilot.press("5", *"fine", "enter")
        while "loading #" not in screen_text(app):
            await pilot.pause(0.01)
    assert client.closed


async def test_a_model_that_cannot_answer_says_why(judged: Home, client: FakeClient) -> None:
    client.problem = f"no model {HOSTILE}"
    async with opened(judged, (120, 40), "5", *"fine", "enter") as (app, pilot):
        await look(app, pilot)
        shown = screen_text(app)
        assert "✗ no model [CLS] [/red] ␛]0;x␇" in shown
        assert stored(judged) == []


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_texts_labels_and_names_are_shown_as_typed(
    judged: Home, client: FakeClient, size: tuple[int, int]
) -> None:
    client.scores = lambda run, text: {HOSTILE: 0.4, "[b]": 0.6}
    with open_store(judged.store) as store, store.write() as connection:
        connection.execute("UPDATE run SET name=?", (HOSTILE,))
        connection.execute("UPDATE eval_example SET input=?, gold=?", (json.dumps({"text": HOSTILE}), HOSTILE))
    async with opened(judged, size, "5", "escape", "r") as (app, pilot):
        await look(app, pilot)
        await look(app, pilot)
        shown = screen_text(app)
        assert "\x1b" not in shown
        assert HOSTILE_SHOWN in shown
        assert client.asked[0][1] == HOSTILE
        await pilot.press("v")
        await pilot.pause()
        assert "\x1b" not in screen_text(app)


async def test_many_labels_are_shown_as_the_likeliest_three(judged: Home, client: FakeClient) -> None:
    client.scores = lambda run, text: {f"label{n}": n / 55 for n in range(11)}
    async with opened(judged, (80, 24), "5", *"fine", "enter") as (app, pilot):
        await look(app, pilot)
        line = next(line for line in screen_text(app).splitlines() if "label10" in line)
        assert line.index("label10") < line.index("label9")
        assert "label6" not in line


async def test_the_history_is_written_to_a_file(
    judged: Home, client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(judged, (80, 24), "5", *"=fine", "enter") as (app, pilot):
        await look(app, pilot)
        await pilot.press("escape", "e", "y")
        await pilot.pause()
        lines = (tmp_path / "trials.csv").read_text(encoding="utf-8").splitlines()
        assert lines[1].startswith("1,'=fine,,")
        assert "positive" in app.clipboard


async def test_a_home_without_models_says_what_to_do(tmp_path: Path, client: FakeClient) -> None:
    async with opened(Home(tmp_path / "home"), (80, 24), "5", *"fine", "enter") as (app, pilot):
        await look(app, pilot)
        assert "No run has a model yet" in screen_text(app)
        assert client.asked == []


async def test_read_only_asks_and_stores_nothing(judged: Home, client: FakeClient) -> None:
    async with opened(judged, (80, 24), "5", *"fine", "enter", readonly=True) as (app, pilot):
        await look(app, pilot)
        assert "0.75" in screen_text(app)
        assert stored(judged) == []


async def test_any_size_is_borne(judged: Home, client: FakeClient) -> None:
    async with opened(judged, (120, 40), "5", *"fine", "enter") as (app, pilot):
        await look(app, pilot)
        for size in ((60, 15), (200, 60), (20, 5), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert app.screen.query_one(History).rows_count == 1
        assert "0.75" in screen_text(app)


async def test_pasted_lines_become_one_text(judged: Home, client: FakeClient) -> None:
    async with opened(judged, (80, 24), "5") as (app, pilot):
        app.screen.query_one(Prompt).post_message(Paste("a fine film\r\n\nwith a dull end\n"))
        await pilot.press("enter")
        await look(app, pilot)
        assert [text for _, text in client.asked] == ["a fine film with a dull end"]


async def test_the_label_is_shown_however_many_there_are() -> None:
    scores = {f"feeling number {n}": 0.3 if n == 9 else 0.07 for n in range(11)}
    reply = Reply(3, "moods", {"label": "feeling number 9", "scores": scores}, 4.0)
    line = answer_lines("sentiment", [reply], View({}, None, 80)).plain
    assert "moods" in line
    assert line.index("feeling numbe…") < line.index("0.30")
    assert len(line) <= 80


def test_a_text_that_is_cut_says_how_much_of_it_is_read() -> None:
    output = {"label": "good", "scores": {"good": 1.0}, "tokens": 128, "of": 1034}
    assert piece_title(Reply(5, "a", output, step=12)) == "tokens of #5 at step 12 · 128 of 1 034: the rest is cut"
    assert piece_title(Reply(5, "a", output | {"of": 128}, step=12)) == "tokens of #5 at step 12 · 128"
