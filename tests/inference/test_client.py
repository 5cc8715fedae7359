"""The host process answers as evaluation did, and lives no longer than who asks it."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import predictions
from store.connection import read_store
from store.predictions import Prediction
from tests.conftest import Finished
from tests.making import write_jsonl
from workbench.errors import WorkbenchError
from workbench.inference.client import Client


@pytest.fixture(scope="module")
def client(finished: Finished) -> Iterator[Client]:
    client = Client(finished.home)
    yield client
    client.close()


@pytest.fixture(scope="module")
def stored(finished: Finished) -> list[Prediction]:
    with read_store(finished.home.store) as store:
        return predictions.listing(store, finished.run.id)


def test_answers_are_the_stored_predictions_to_the_last_bit(
    finished: Finished, client: Client, stored: list[Prediction]
) -> None:
    answers = client.answer(finished.run, [each.input for each in stored])
    assert len(stored) == 21
    assert [(each.output["label"], each.output["scores"]) for each in answers] == [
        (each.pred, each.output["scores"]) for each in stored
    ]
    assert {each.step for each in answers} == {stored[0].step} == {finished.run.best_step}


def test_a_module_beside_the_person_is_not_run(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    fresh = Client(finished.home)
    try:
        assert len(fresh.answer(finished.run, [{"text": "a good day"}])) == 1
    finally:
        fresh.close()


def test_alone_each_answer_is_the_same(finished: Finished, client: Client, stored: list[Prediction]) -> None:
    for each in stored:
        (answer,) = client.answer(finished.run, [each.input])
        assert answer.output["scores"] == each.output["scores"]


def test_an_answer_says_what_the_model_read(finished: Finished, client: Client) -> None:
    (answer,) = client.answer(finished.run, [{"text": "a good day"}])
    assert answer.output["tokens"] == len(answer.output["pieces"]) > 2
    assert (answer.output["pieces"][0], answer.output["pieces"][-1]) == ("[CLS]", "[SEP]")
    assert answer.ms > 0


def test_strange_texts_have_answers(finished: Finished, client: Client) -> None:
    texts = ["", " ", "\n", "\x00", "\ud800", "good " * 5000, "🦊" * 100]
    assert len(client.answer(finished.run, [{"text": text} for text in texts])) == len(texts)


def test_a_row_that_cannot_be_asked_is_named(finished: Finished, client: Client) -> None:
    with pytest.raises(WorkbenchError, match="row 2: text holds int, not text"):
        client.answer(finished.run, [{"text": "x"}, {"text": 3}])


def test_the_rows_of_a_file_are_answered_as_in_evaluation(
    finished: Finished, client: Client, stored: list[Prediction], tmp_path: Path
) -> None:
    rows = [{"label": each.gold, "text": each.input["text"], "other": 1} for each in stored]
    (asked, answers, of), *more = client.answer_file(finished.run, str(write_jsonl(tmp_path / "a.jsonl", rows)))
    assert (len(asked), of, more) == (21, 21, [])
    assert [(each.pred, each.score, each.loss, each.correct) for each in answers] == [
        (each.pred, each.score, each.loss, each.correct) for each in stored
    ]


def test_the_model_as_it_was_before_training_can_be_asked(finished: Finished, client: Client) -> None:
    row = {"text": "a good day"}
    (base,), (trained,) = client.answer(finished.run, [row], base=True), client.answer(finished.run, [row])
    assert (base.step, trained.step) == (0, finished.run.best_step)
    assert base.output["scores"] != trained.output["scores"]


def test_a_run_without_a_model_is_told_and_the_host_goes_on(finished: Finished, client: Client) -> None:
    with pytest.raises(WorkbenchError, match="no model to ask yet") as refusal:
        client.answer(dataclasses.replace(finished.run, uid="NOSUCHRUN", id=7), [{"text": "x"}])
    assert refusal.value.where.startswith("run #7")
    assert client.answer(finished.run, [{"text": "x"}])


def test_an_ask_that_is_cancelled_ends_the_host(finished: Finished) -> None:
    impatient = Client(finished.home)
    with pytest.raises(WorkbenchError, match="cancelled"):
        impatient.answer(finished.run, [{"text": "x"}], cancelled=lambda: True)
    assert hosts(os.getpid(), kept=1) == 1


ASK_AND_WAIT = """
import sys
from pathlib import Path
from store import runs
from store.connection import read_store
from workbench.inference.client import Client
from workbench.paths import Home
home = Home(Path(sys.argv[1]))
with read_store(home.store) as store:
    run = runs.listing(store)[0]
client = Client(home)
client.answer(run, [{"text": "x"}])
print(client._host.pid, flush=True)
sys.stdin.read()
"""


def test_the_host_dies_with_a_client_that_is_killed(finished: Finished) -> None:
    asker = subprocess.Popen(
        [sys.executable, "-c", ASK_AND_WAIT, str(finished.home.root)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert asker.stdout is not None
    host = int(asker.stdout.readline())
    assert runs_still(host)
    asker.send_signal(signal.SIGKILL)
    asker.communicate()
    deadline = time.monotonic() + 10
    while runs_still(host):
        assert time.monotonic() < deadline, "the host outlives its client"
        time.sleep(0.01)


def runs_still(pid: int) -> bool:
    """Return whether a process is there and not merely unreaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def hosts(pid: int, kept: int) -> int:
    """Return how many hosts a process has as children."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            line = Path(f"/proc/{child}/cmdline").read_bytes()
            found += b"workbench.inference.host" in line
    return min(found, kept + 1)
