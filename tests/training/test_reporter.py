"""The worker's side of a store that cannot be written: training never waits, and every row gets there in the end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from store import events, history, points, predictions, runs
from store.connection import open_store, prepare
from store.schema import VERSION
from tests.store.support import add_run
from tests.workbench.supervision.support import until
from workbench.answer import Answer
from workbench.paths import Home
from workbench.supervision import queue
from workbench.training import reporter as reporting
from workbench.training.control import Control
from workbench.training.events import Evaluated, Event, Logged, Noted, Saving, Started
from workbench.training.reporter import Reporter

STEPS = 200
HOLD = """
import signal, sqlite3, sys, fcntl, os
path = sys.argv[1]
lock = os.open(os.path.join(os.path.dirname(path), "write.lock"), os.O_RDWR | os.O_CREAT)
if sys.argv[2] == "both":
    fcntl.flock(lock, fcntl.LOCK_EX)
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
signal.pause()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(reporting, "STORE_SECONDS", 0.2)
    monkeypatch.setattr(reporting, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(reporting, "CLOSE_SECONDS", 0.5)
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    return home


@pytest.fixture
def run_id(home: Home) -> int:
    with open_store(home.store) as store:
        run_id = add_run(store, uid="A1", state="starting", attempt=1, goal_key="eval/accuracy")
    home.run_folder("A1").mkdir()
    (home.run_folder("A1") / "started.1").touch()
    return run_id


@contextmanager
def held(home: Home, what: str = "both") -> Iterator[None]:
    """Let another process hold the store's write lock and a transaction, and stand still."""
    words = [sys.executable, "-c", HOLD, str(home.store), what]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            holder.kill()


def told() -> list[Event]:
    rows = [(f'{{"text": "row {number}"}}', "good") for number in range(3)]
    answers = [Answer("good", 0.5, {"label": "good"}, 0.1, True)] * 3
    begun = Started(0, STEPS, 1000, "cpu", "set", rows, {"torch": "2"})
    logged = [Logged(step, step / 10, step / 5, {"train/loss": 1 / step}) for step in range(1, STEPS + 1)]
    judged = Evaluated(STEPS, "set", {"eval/accuracy": 0.9}, True, answers)
    return [Noted(0, "start", "loading"), begun, *logged, judged, Saving(STEPS), Noted(STEPS, "warning", "the end")]


def report(home: Home, run_id: int, happening: Callable[[], None] = lambda: None) -> None:
    """Tell a run to its end."""
    reporter = Reporter(home.store, home.run_folder("A1"), run_id, 1, Control())
    reporter.start()
    reporter.running()
    for event in told():
        reporter.put(event)
    happening()
    reporter.close("finished", "early_stop", None)


def check(home: Home, run_id: int) -> None:
    """Assert that the store has all of the run, in the end of `report`."""
    with open_store(home.store) as store:
        run = runs.get(store, run_id)
        assert run is not None
        assert (run.state, run.reason, run.step, run.max_steps) == ("finished", "early_stop", STEPS, STEPS)
        assert points.curve(store, run_id, "train/loss") == (
            list(range(1, STEPS + 1)),
            [1 / step for step in range(1, STEPS + 1)],
        )
        assert store.first("SELECT count(*) FROM curve WHERE run_id=?", (run_id,))[0] == 2  # type: ignore[index]
        assert [each.input for each in predictions.listing(store, run_id)] == [{"text": f"row {n}"} for n in range(3)]
        said = [event.text for event in events.listing(store, run_id)]
        assert len(said) == len(set(said))
        assert said[-1] == "the end"


@pytest.mark.parametrize("what", ["both", "transaction alone"])
def test_a_writer_that_stands_still_delays_nothing_and_costs_no_row(
    home: Home, run_id: int, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "STORE_SECONDS", 60.0)
    reporter = Reporter(home.store, home.run_folder("A1"), run_id, 1, Control())
    reporter.start()
    reporter.running()
    taken = []
    with held(home, what):
        # All of it is told while nobody can write: whoever waited for the store would wait for a minute.
        for event in told():
            before = time.monotonic()
            reporter.put(event)
            taken.append(time.monotonic() - before)
    assert max(taken) < 30
    reporter.close("finished", "early_stop", None)
    check(home, run_id)


def keep(home: Home) -> Path:
    return Path(shutil.copy(home.store, home.root / "kept"))


def put_back(home: Home) -> None:
    for leaving in home.root.glob("workbench.db*"):
        leaving.unlink()
    shutil.copy(home.root / "kept", home.store)


def delete(home: Home) -> None:
    keep(home)
    home.store.unlink()


def corrupt(home: Home) -> None:
    keep(home)
    home.store.write_bytes(b"not a database " * 999)


def newer(home: Home) -> None:
    keep(home)
    with open_store(home.store) as store:
        store.connection.execute(f"PRAGMA user_version={VERSION + 1}")


def another(home: Home) -> None:
    keep(home)
    for leaving in home.root.glob("workbench.db*"):
        leaving.unlink()
    prepare(home.store)


TROUBLES = {"deleted": delete, "corrupt": corrupt, "newer": newer, "another store": another}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("when", ["from the start", "at the end"])
def test_a_run_starts_and_ends_without_its_store(home: Home, run_id: int, trouble: str, when: str) -> None:
    if when == "from the start":
        TROUBLES[trouble](home)
        report(home, run_id)
    else:
        keep(home)
        report(home, run_id, lambda: TROUBLES[trouble](home))
    change = history.ending(home.run_folder("A1"), 1, runs.ENDED)
    assert change is not None
    assert change.columns["state"] == "finished"
    put_back(home)
    queue.advance(home)
    check(home, run_id)


def test_a_run_starts_and_ends_while_the_store_is_locked(home: Home, run_id: int) -> None:
    with held(home):
        report(home, run_id)
    with open_store(home.store) as store:
        run = runs.get(store, run_id)
        assert run is not None
        assert run.state == "starting"
    queue.advance(home)
    check(home, run_id)


def test_a_store_that_is_deleted_and_put_back_is_found_again(
    home: Home, run_id: int, capfd: pytest.CaptureFixture[str]
) -> None:
    keep(home)

    def lose() -> None:
        home.store.unlink()
        until(lambda: "cannot be written" in capfd.readouterr().err)
        put_back(home)

    report(home, run_id, lose)
    queue.advance(home)
    check(home, run_id)


def test_a_journal_that_is_long_gets_there_in_parts(home: Home, run_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "CHUNK", 7)
    report(home, run_id)
    check(home, run_id)


def test_the_next_attempt_brings_what_the_last_one_could_not(home: Home, run_id: int) -> None:
    delete(home)
    report(home, run_id)
    put_back(home)
    with open_store(home.store) as store:
        assert runs.move(store, run_id, "queued", since=("starting",))
        assert runs.start(store, run_id, 2, "cpu")
    reporter = Reporter(home.store, home.run_folder("A1"), run_id, 2, Control())
    reporter.start()
    reporter.running()

    def known() -> bool:
        with open_store(home.store) as store:
            return points.curve(store, run_id, "train/loss")[0] == list(range(1, STEPS + 1))

    until(known, 120)
    reporter.close("finished", "early_stop", None)
    check(home, run_id)
