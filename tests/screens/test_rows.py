from __future__ import annotations

from dataclasses import replace

import pytest

from screens import details
from screens.feed import Curve, Trace
from screens.rows import row_of, short_name, state_words, status_words
from store import runs
from store.connection import read_store
from store.events import Event
from store.runs import Run
from tests.screens.seed import NOW
from tests.screens.support import HOSTILE, HOSTILE_SHOWN
from workbench.insight.diagnosis import Diagnosis
from workbench.paths import Home


@pytest.fixture
def run(seeded: Home) -> Run:
    with read_store(seeded.store) as store:
        found = runs.get(store, 32)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "▶ 42%"),
        ({"max_steps": None}, "▶ step 252"),
        ({"state": "queued"}, "‖ queued"),
        ({"state": "stopping"}, "▶ stopping"),
        ({"state": "finished"}, "done"),
        ({"state": "finished", "reason": "early_stop"}, "done early"),
        ({"state": "failed", "reason": "gpu_oom"}, "✗ GPU memory"),
        ({"state": "crashed", "reason": "signal"}, "✗ killed"),
        ({"state": "lost"}, "✗ lost"),
        ({"state": "stopped"}, "stopped"),
        ({"state": HOSTILE}, "[CLS] [/re…"),
    ],
)
def test_a_state_is_told_in_words(run: Run, changes: dict[str, object], words: str) -> None:
    assert state_words(replace(run, **changes)).text.startswith(words[:-1])


def test_a_queued_run_says_its_place(run: Run) -> None:
    queued = replace(run, state="queued")
    assert state_words(queued, place=3).text == "‖ queued 3"
    assert state_words(replace(queued, reason="backbone", parent_id=7), place=3).text == "‖ for #7"


def test_a_share_is_in_whole_percents(run: Run) -> None:
    words = [state_words(replace(run, step=step, max_steps=100)).text for step in range(101)]
    assert words == [f"▶ {step}%" for step in range(101)]


def test_a_state_needs_no_unicode(run: Run) -> None:
    assert state_words(run, ascii=True).text == "> 42%"
    assert state_words(run, stalled=40.0, ascii=True).text == "! stalled 42%"


def test_every_failure_reason_has_a_word_and_a_remedy(run: Run) -> None:
    for reason, remedy in details.REMEDIES.items():
        failed = replace(run, state="failed", reason=reason, error=None)
        assert details.cause_lines(failed) == ["no reason was recorded", remedy]
        assert len(state_words(failed).text) <= 12


def test_names_are_short_and_tell_apart() -> None:
    assert short_name("/models/bert-mini") == "bert-mini"
    assert short_name("prajjwal1/bert-tiny") == "bert-tiny"
    assert short_name("size:mini") == "mini"


def test_a_row_is_safe_and_found_by_its_words(run: Run) -> None:
    row = row_of(replace(run, name=HOSTILE), 0.3583, NOW)
    assert row.name == HOSTILE_SHOWN
    assert row.loss == "0.358"
    assert all(word in row.haystack for word in ("#32", "42%", "gradual", "[cls]"))


def test_pace_and_rest_come_from_the_points_of_this_attempt(run: Run) -> None:
    start = run.started or 0.0
    curve = Curve([0, 10, 20, 30], [start - 9000, start + 10, start + 20, start + 30], [1.0] * 4)
    begun = Event(1, run.id, start + 5, 0, "start", "info", "", {})
    trace = Trace(run.id, 1, False, {"train/loss": curve}, [begun])
    assert details.pace(run, trace) == 1.0
    assert details.left(run, trace) == 600 - 252
    assert details.pace(run, None) is None
    assert details.left(replace(run, state="finished"), trace) is None


def test_the_epoch_is_counted_from_one(run: Run) -> None:
    trace = Trace(run.id, 1, False, config={"training.epochs": "3.0"})
    assert details.epoch_words(replace(run, epoch=0.0), trace) == "epoch 1/3"
    assert details.epoch_words(replace(run, epoch=3.0), trace) == "epoch 3/3"
    assert details.epoch_words(replace(run, epoch=None), trace) == ""


def test_what_ails_a_run_is_told_with_its_remedy(run: Run) -> None:
    trace = Trace(1, 1, False, diagnoses=(Diagnosis("plateau", 30, "plateau since step 30", "a lower rate", {}),))
    assert details.advice(run, trace) == "! plateau since step 30: try a lower rate"
    assert details.advice(replace(run, state="failed"), trace) == ""
    assert details.advice(run, trace, stalled=40.0).startswith("! alive, but nothing new for 40 s")
    assert details.advice(run, Trace(1, 1, False)) == ""


def test_values_are_short() -> None:
    assert details.value_words("5e-05") == "5e-05"
    assert details.value_words("null") == "—"


def test_the_first_line_tells_load_and_runs(run: Run) -> None:
    gpu = {"gpu0/util": 71.2, "gpu0/mem_used": 38 * 2**30, "gpu0/mem_total": 141 * 2**30}
    queued = replace(run, state="queued")
    assert status_words([run, queued], "", gpu) == "gpu0 71% 38/141G · 1 training · 1 queued"
    barred = {"gpu:0": "busy (other): process 7 of ada"}
    assert status_words([queued], "", gpu, barred) == "gpu0 71% 38/141G · 1 queued · gpu:0 busy (other)"
    assert status_words([], "no GPU", {"cpu/util": 3.2}) == "cpu 3%"
    assert status_words([], HOSTILE, {}) == HOSTILE_SHOWN[:39] + "…"
