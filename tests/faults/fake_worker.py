"""A worker that trains nothing: it keeps the worker's side of the bargain with the queue, and reports breaches.

What it does is decided by the first word of the run's name: `quick` ends soon, `wait` goes on until it is asked to
stop or pause, `busy` hears what it is asked and does none of it, `exit` ends with code 3 and a last word, `silent` ends
without giving its run a state, `child` leaves a process behind, `environment` writes down what it sees.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from store import commands, runs
from store.connection import Store, open_store
from workbench.paths import Home
from workbench.supervision import worker_side

STATES = {"stop": "stopped", "pause": "paused"}


def main() -> int:
    folder, attempt, claim = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    home = Home(folder.parent.parent)
    slot = os.open(home.root / f"fake.{os.environ['WORKBENCH_SLOT']}", os.O_RDWR | os.O_CREAT, 0o600)
    worker_side.enter(folder, attempt, claim)
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    append(folder / "begun", f"{attempt}\n")
    try:
        fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        append(home.root / "VIOLATION", f"{folder.name} attempt {attempt}: slot in use\n")
    card = json.loads((folder / "run.json").read_text())
    with open_store(home.store) as store:
        runs.move(store, card["id"], "running", since=("starting",), attempt=attempt)
        return behave(card["name"].split("-")[0], store, card["id"], folder, attempt)


def behave(manner: str, store: Store, run_id: int, folder: Path, attempt: int) -> int:
    if manner == "exit":
        print("all went \x1b[31mwrong\n", file=sys.stderr)
        return 3
    if manner == "silent":
        return 0
    if manner == "environment":
        (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
    if manner == "child":
        child = subprocess.Popen(["sleep", "600"])
        (folder / "child").write_text(str(child.pid))
    with store.write() as connection:
        connection.execute("UPDATE run SET step=7 WHERE id=?", (run_id,))
    deadline = time.monotonic() + (600 if manner in ("wait", "busy") else random.uniform(0.02, 0.25))
    while time.monotonic() < deadline:
        for command in commands.waiting(store, run_id, attempt):
            with store.write() as connection:
                commands.accept(connection, command.id, 7)
                if manner != "busy":
                    commands.finish(connection, command.id, 7, f"{command.verb} after update 7, as asked")
            if manner != "busy" and command.verb in STATES:
                return end(store, run_id, folder, attempt, STATES[command.verb])
        time.sleep(0.01)
    append(folder / f"done.{attempt}", "done\n")
    return end(store, run_id, folder, attempt, "finished")


def end(store: Store, run_id: int, folder: Path, attempt: int, state: str) -> int:
    if not runs.move(store, run_id, state, since=runs.ACTIVE, attempt=attempt, ended=time.time()):
        run = runs.get(store, run_id)
        append(
            folder.parent.parent / "VIOLATION", f"{folder.name} attempt {attempt}: {run and run.state} while alive\n"
        )
    return 0


def append(path: Path, text: str) -> None:
    with path.open("a") as stream:
        stream.write(text)


if __name__ == "__main__":
    sys.exit(main())
