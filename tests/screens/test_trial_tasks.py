"""Try for every task: its question, its answers, what is kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from screens.answers import answer_lines
from screens.answers.reply import Reply, View
from screens.trial_prompt import Prompts
from store.runs import Run
from tests.screens.opening import look, opened
from tests.screens.places import FakeClient, Said, make_task
from tests.screens.samples import SAMPLES
from tests.screens.support import golden, screen_text
from tests.screens.test_trial import client, judged, stored  # noqa: F401
from workbench.paths import Home

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
    return [key for line in SAMPLES[task].typed for key in (*line, "tab")][:-1] + ["enter"]


@pytest.mark.parametrize("task", SAMPLES)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_every_task_looks_like_its_picture(
    judged: Home,
    client: FakeClient,
    task: str,
    size: tuple[int, int],  # noqa: F811
) -> None:
    if size == (120, 40) and task not in WIDE:
        pytest.skip("one size is enough")
    sample = SAMPLES[task]
    make_task(judged, task, [(sample.fields, sample.gold)])
    client.says = sample_says(task)
    async with opened(judged, size, *MARKED, "escape", "r") as (app, pilot):
        await look(app, pilot)
        await look(app, pilot)
        assert [row for _, _, row in client.rows] == [sample.fields] * 2
        golden(f"try-{task}-{size[0]}x{size[1]}", screen_text(app))


@pytest.mark.parametrize("task", [task for task in SAMPLES if task not in ("summarization", "question-answering")])
async def test_every_field_is_typed_and_comes_back_from_the_history(
    judged: Home,
    client: FakeClient,
    task: str,  # noqa: F811
) -> None:
    sample = SAMPLES[task]
    make_task(judged, task, [(sample.fields, None)])
    client.says = sample_says(task)
    async with opened(judged, (80, 24), "5") as (app, pilot):
        await pilot.press(*typed(task))
        await look(app, pilot)
        wanted = dict(sample.fields) | ({"tokens": sample.typed[0]} if task == "named-entities" else {})
        assert client.rows[0][2] == wanted
        (trial,) = stored(judged)
        assert trial.fields == wanted
        assert trial.answers[client.rows[0][0]][0]["said"] == {"pred": sample.pred, "score": sample.score}
        app.screen.query_one(Prompts).fill({})
        await pilot.press("escape", "enter")
        await look(app, pilot)
        assert client.rows[1] == client.rows[0]
        assert [line.value for line in app.screen.query_one(Prompts).lines.values()] == list(sample.typed)
        assert sample.pred.split()[0][:8] in screen_text(app).splitlines()[-6:][0] or stored(judged)[0].id == 2
