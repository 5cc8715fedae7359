"""A resumed run holds itself against its log, and what does not fit stands on the run."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from store import events, points, runs
from store.connection import open_store, prepare
from tests.commands.support import call
from tests.making import toy_rows, write_jsonl
from tests.training.support import recipe_of
from workbench.paths import Home
from workbench.supervision import queue
from workbench.training.worker import carry_out


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Put back what a worker changes of its process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def home(backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return a home with a run of ten updates that ended, of which the last checkpoint is gone: it is at the fifth."""
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    tables = {"evaluation": {"every": 5}, "training": {"epochs": 2}, "hardware": {"device": "cpu"}}
    folder = home.run_folder(queue.submit(home, recipe_of(backbone, rows, **tables)).uid)
    (folder / "begun.json").write_text('{"threads": 1}')
    carry_on(home, 1)
    assert [path.name for path in sorted((folder / "checkpoints").glob("step-*"))] == ["step-00000005", "step-00000010"]
    shutil.rmtree(folder / "checkpoints" / "step-00000010")
    return home


def carry_on(home: Home, attempt: int) -> Path:
    """Carry out an attempt of the run in this process; return its folder."""
    with open_store(home.store) as store:
        (run,) = runs.listing(store)
        runs.move(store, run.id, "queued", since=runs.ENDED)
        points.unpack(store, run.id)
        assert runs.start(store, run.id, attempt, "cpu")
    folder = home.run_folder(run.uid)
    assert carry_out(folder, attempt) == 0
    return folder


def change(home: Home, metric: str, step: int) -> None:
    with open_store(home.store) as store, store.write() as connection:
        connection.execute(
            "UPDATE point SET value=value+1e-6 WHERE step=? AND metric_id=(SELECT id FROM metric WHERE name=?)",
            (step, metric),
        )


def threads(home: Home) -> None:
    (file,) = home.runs.glob("*/begun.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"threads": 2}))


WRONG = "the updates done again differ from the log from step {} on: this resume is not exact"
CASES: dict[str, tuple[Callable[[Home], None], list[str]]] = {
    "a loss": (lambda home: change(home, "train/loss", 7), [WRONG.format(7)]),
    "an evaluation": (lambda home: change(home, "eval/loss", 10), [WRONG.format(10)]),
    "before the checkpoint": (lambda home: change(home, "train/loss", 4), []),
    "threads": (threads, ["resume: not exact (threads 1→2)"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_stands_on_the_run(home: Home, case: str) -> None:
    harm, wanted = CASES[case]
    harm(home)
    carry_on(home, 2)
    shown = call("show", 1, home=home.root).stdout
    resumes = json.loads(call("show", 1, "--json", home=home.root).stdout)["resumes"]
    with open_store(home.store) as store:
        told = events.listing(store, 1, kind="resume")
    doubts = [event.text for event in told if event.level == "warning"]
    assert resumes["times"] == 1
    assert resumes["compared"] > 5 * 3
    assert doubts[: len(wanted)] == resumes["doubts"][: len(wanted)] == wanted
    if wanted:
        assert f"resumed    once, with doubts: {wanted[0]}" in shown
        assert wanted[0] in call("log", 1, home=home.root).stdout
    else:
        assert f"once, exact: {resumes['compared']} numbers logged again are the same to the bit" in shown
