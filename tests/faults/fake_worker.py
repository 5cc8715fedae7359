"""A worker that trains nothing: it keeps the worker's side of the bargain with the queue, and reports breaches.

What it does is decided by the first word of the run's name: `quick` ends soon, `wait` goes on until it is asked to
stop or pause, `brief` too and counts as stalled after half a second, `busy` hears what it is asked and does none of it,
`exit` ends with code 3 and a last word, `silent` ends without giving its run a state, `hungry` runs out of memory,
`child` leaves a process behind, `family` waits with one, `environment` writes down what it sees.
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
from workbench.supervision import progress, worker_side

STATES = {"stop": "stopped", "pause": "paused"}


def main() -> int:
    folder, attempt, claim = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    home = Home(folder.parent.parent)
    # Slots of several GPUs overlap: what must not be used twice is each GPU, or the slot where it has none.
    used = [*filter(None, os.environ["CUDA_VISIBLE_DEVICES"].split(","))] or [os.environ["WORKBENCH_SLOT"]]
    devices = [os.open(home.root / f"fake.{name}", os.O_RDWR | os.O_CREAT, 0o600) for name in used]
    worker_side.enter(folder, attempt, claim)
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    append(folder / "begun", f"{attempt}\n")
    try:
        for device in devices:
            fcntl.flock(device, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
    if manner == "hungry":
        columns = {"reason": "gpu_oom", "error": "out of GPU memory: 2.50 GiB needed, 1.25 GiB of 7.79 GiB free"}
        runs.move(store, run_id, "failed", since=runs.ACTIVE, attempt=attempt, ended=time.time(), **columns)
        return 1
    if manner == "environment":
        (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
    if manner in ("child", "family"):
        child = subprocess.Popen(["sleep", "600"])
        (folder / "child").write_text(str(child.pid))
    with store.write() as connection:
        connection.execute("UPDATE run SET step=7 WHERE id=?", (run_id,))
    progress.LEAST_SECONDS = 0.5 if manner == "brief" else progress.LEAST_SECONDS
    events = progress.Progress(folder, attempt)
    waiting = ("wait", "brief", "busy", "family")
    deadline = time.monotonic() + (600 if manner in waiting else random.uniform(0.02, 0.25))
    while time.monotonic() < deadline:
        events.went_on()
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
