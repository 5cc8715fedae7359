"""A storm of SIGKILLs over workers, shepherds and dispatchers; then the promises of the queue are checked.

`python -m tests.faults.storm --runs 500` makes a home in a temporary folder, lets two dispatchers submit and start
runs that train nothing, kills whatever it meets, and at last resumes what did not finish and waits for calm.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from store import runs
from store.connection import Store, open_store, prepare
from store.runs import OPEN, PAUSE, Run
from tests.workbench.supervision.support import kill, processes, recipe
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision import locks, queue
from workbench.supervision.environment import ROOT

STALLED = 30.0
"""Seconds without one more run submitted or ended after which the queue counts as stuck."""
TARGETS = ("worker", "worker", "shepherd", "dispatcher", "stop", "pause", "resume", "move", "freeze", "all")
COMMAND_LINES = {"worker": "fake_worker", "shepherd": "shepherd.py"}
ASKED: dict[str, tuple[Callable[[Home, Run], object], tuple[str, ...]]] = {
    "stop": (queue.stop, OPEN),
    "pause": (queue.pause, OPEN),
    "resume": (queue.resume, queue.RESUMABLE),
    "move": (lambda home, run: queue.reorder(home, run, random.choice(("first", "last", "up", "down"))), ("queued",)),
}
"""What a person may ask of a run meanwhile, and in which states."""
FROZEN_SECONDS = 1.0
"""How long a process is stopped at most: if it holds a lock, everybody waits for it."""


@dataclass
class Outcome:
    """What was killed, how runs had ended before anything was resumed, and every broken promise."""

    kills: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Storm:
    """One storm over `size` runs of a home on `slots`, as WORKBENCH_SLOTS names them.

    `rate` is the chance of a blow at each look.
    """

    def __init__(self, home: Home, size: int, slots: str, seed: int, rate: float) -> None:
        self.home = home
        self.size = size
        self.rate = rate
        self.random = random.Random(seed)
        self.outcome = Outcome()
        self.environment = os.environ | {
            "WORKBENCH_WORKER_MODULE": "tests.faults.fake_worker",
            "WORKBENCH_SLOTS": slots,
            "PYTHONPATH": str(ROOT),
        }
        self.dispatchers: list[subprocess.Popen[bytes]] = []

    def rage(self) -> Outcome:
        """Kill while runs are submitted and carried out, then let everything finish, and judge."""
        begun = time.monotonic()
        self.dispatchers = [self._start_dispatcher() for _ in range(2)]
        try:
            with open_store(self.home.store) as store:
                self._wait(store, blows=True)
                self._judge_endings(store)
                self._resume(store)
                self._wait(store, blows=False)
                self._judge_calm(store)
        finally:
            for dispatcher in self.dispatchers:
                dispatcher.kill()
                dispatcher.wait()
            self._end_all()
        self.outcome.seconds = time.monotonic() - begun
        return self.outcome

    def _start_dispatcher(self) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-m", "tests.faults.storm", "--runs", str(self.size)]
        return subprocess.Popen([*arguments, "--dispatch", str(self.home.root)], env=self.environment, cwd=ROOT)

    def _wait(self, store: Store, *, blows: bool) -> None:
        """Look at the store until every run has been submitted and has ended, striking now and then."""
        seen, changed = (-1, -1), time.monotonic()
        while True:
            progress = (runs.census(store)[0], len(runs.listing(store, states=OPEN)))
            if progress[0] >= self.size and progress[1] == 0:
                return
            if progress != seen:
                seen, changed = progress, time.monotonic()
            if time.monotonic() - changed > STALLED:
                stuck = [f"#{run.id} {run.state}" for run in runs.listing(store, states=OPEN)]
                self.outcome.violations.append(f"stuck: {stuck}")
                return
            if blows and self.random.random() < self.rate:
                self._strike(self.random.choice(TARGETS))
            time.sleep(self.random.uniform(0.005, 0.05))

    def _strike(self, target: str) -> None:
        if target == "dispatcher":
            which = self.random.randrange(len(self.dispatchers))
            self.dispatchers[which].kill()
            self.dispatchers[which].wait()
            self.dispatchers[which] = self._start_dispatcher()
            self.outcome.kills[target] += 1
        elif target in ASKED:
            self._ask(target)
        elif target == "freeze":
            self._freeze(self.random.choice(("worker", "shepherd", "tests.faults.storm")))
        elif target == "all":
            for one in self.random.sample(sorted(COMMAND_LINES), len(COMMAND_LINES)):
                self.outcome.kills[one] += self._kill(one, 99)
        else:
            self.outcome.kills[target] += self._kill(target, 1)

    def _kill(self, kind: str, most: int) -> int:
        words = (COMMAND_LINES[kind], str(self.home.root))
        found = processes(*words)
        return sum(kill(pid, signal.SIGKILL, *words) for pid in self.random.sample(found, min(most, len(found))))

    def _ask(self, verb: str) -> None:
        ask, states = ASKED[verb]
        with open_store(self.home.store) as store:
            found = runs.listing(store, states=states)
            # What is resumed at the end as fast as it is killed never comes to one.
            over = verb == "resume" and runs.census(store)[0] >= self.size
        if found and not over:
            try:
                ask(self.home, self.random.choice(found))
                self.outcome.kills[verb] += 1
            except WorkbenchError:
                pass  # it moved on meanwhile

    def _freeze(self, kind: str) -> None:
        """Stop a process for a moment, whatever it holds; a thread lets it go on, for this one may wait for it."""
        words = (COMMAND_LINES.get(kind, kind), str(self.home.root))
        found = processes(*words)
        with contextlib.suppress(IndexError, ProcessLookupError):
            handle = os.pidfd_open(pid := self.random.choice(found))
            self.outcome.kills["freeze"] += kill(pid, signal.SIGSTOP, *words)
            threading.Timer(self.random.uniform(0, FROZEN_SECONDS), _thaw, (handle,)).start()

    def _resume(self, store: Store) -> None:
        for run in runs.listing(store, states=queue.RESUMABLE):
            queue.resume(self.home, run)

    def _judge_endings(self, store: Store) -> None:
        for run in runs.listing(store):
            self.outcome.states[run.state] += 1
            folder, words = self.home.run_folder(run.uid), run.error or ""
            honest = {
                "finished": (folder / f"done.{run.attempt}").exists(),
                "crashed": words.startswith("killed by SIGKILL") and run.exit_code == -signal.SIGKILL,
                "lost": words.startswith("worker and shepherd both died"),
                "stopped": run.reason in ("user", None),
                "paused": run.reason in ("user", PAUSE, None),
            }
            if not honest.get(run.state, False):
                self._blame(run.id, f"{run.state} without cause: {words}")

    def _judge_calm(self, store: Store) -> None:
        deadline = time.monotonic() + STALLED
        found = runs.listing(store)
        folders = {run.uid: self.home.run_folder(run.uid) for run in found}
        while any(locks.alive(folder) for folder in folders.values()) and time.monotonic() < deadline:
            time.sleep(0.01)
        for run in found:
            if run.state != "finished":
                self._blame(run.id, f"{run.state} although nobody killed it: {run.error}")
            if locks.alive(folders[run.uid]):
                self._blame(run.id, "ended but alive")
            begun = folders[run.uid] / "begun"
            for attempt, times in Counter(begun.read_text().split() if begun.exists() else []).items():
                if times > 1:
                    self._blame(run.id, f"attempt {attempt} was started {times} times")
        if {path.name for path in self.home.runs.iterdir()} != set(folders):
            self.outcome.violations.append("folders and rows do not match")
        if (self.home.root / "VIOLATION").exists():
            self.outcome.violations.append((self.home.root / "VIOLATION").read_text())
        integrity = store.query("PRAGMA integrity_check")[0][0]
        if integrity != "ok":
            self.outcome.violations.append(f"store: {integrity}")

    def _blame(self, run_id: int, words: str) -> None:
        self.outcome.violations.append(f"#{run_id}: {words}")

    def _end_all(self) -> None:
        while sum(self._kill(kind, 99) for kind in sorted(COMMAND_LINES, reverse=True)):
            time.sleep(0.01)


def _thaw(handle: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGCONT)
    os.close(handle)


def dispatch(home: Home, size: int) -> None:
    """Submit runs until there are `size`, and let the queue go on, until killed."""
    given = recipe("quick")
    while True:
        with open_store(home.store) as store:
            wanted = runs.census(store)[0] < size
        if wanted:
            queue.submit(home, given)
        else:
            queue.advance(home)
            time.sleep(0.05)


def storm(root: Path, size: int, slots: str = "cpu,cpu", seed: int = 1, rate: float = 0.35) -> Outcome:
    """Make a home under `root`, rage over it, and return what came of it."""
    home = Home(root / "home").create()
    prepare(home.store)
    os.environ["WORKBENCH_WORKER_MODULE"] = "tests.faults.fake_worker"
    os.environ["WORKBENCH_SLOTS"] = slots
    return Storm(home, size, slots, seed, rate).rage()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--slots", default="cpu,cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.35)
    parser.add_argument("--dispatch", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.dispatch:
        dispatch(Home(chosen.dispatch), chosen.runs)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    root = Path(tempfile.mkdtemp(prefix="storm-"))
    outcome = storm(root, chosen.runs, chosen.slots, chosen.seed, chosen.rate)
    print(f"{chosen.runs} runs on {chosen.slots}, {outcome.seconds:.1f} s")
    killed = sum(outcome.kills[kind] for kind in ("worker", "shepherd", "dispatcher"))
    print(f"{killed} kills; blows {dict(outcome.kills)}; endings {dict(outcome.states)}")
    if outcome.violations:
        print(*outcome.violations, f"left in {root}", sep="\n")
        return 1
    print("no promise was broken")
    shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
