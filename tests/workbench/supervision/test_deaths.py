"""Whoever dies, the state is true, the queue goes on, and no process is left behind."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from store import events, runs
from store.connection import open_store
from store.runs import Run
from tests.workbench.supervision.support import change, kill, look, processes, recipe, until, until_state
from workbench.paths import Home
from workbench.supervision import locks, queue, shepherd, worker_side


def running(home: Home, name: str = "wait") -> Run:
    run = queue.submit(home, recipe(name))
    until(lambda: look(home, run).state == "running" and look(home, run).step == 7)
    return look(home, run)


def shepherd_of(run: Run) -> int:
    (pid,) = processes("shepherd.py", run.uid)
    return pid


def kill_shepherd(run: Run, number: int = signal.SIGKILL) -> None:
    assert kill(shepherd_of(run), number, "shepherd.py", run.uid)


def test_a_killed_worker_is_crashed_and_the_next_run_starts(home: Home) -> None:
    run, following = running(home), queue.submit(home, recipe("quick"))
    assert following.state == "queued"
    assert locks.signal_worker(home.run_folder(run.uid), signal.SIGKILL)
    run = until_state(home, run, "crashed")
    assert (run.reason, run.error, run.exit_code) == ("signal", "killed by SIGKILL at step 7", -9)
    assert run.ended is not None
    with open_store(home.store) as store:
        assert [(event.kind, event.level) for event in events.listing(store, run.id)] == [("end", "error")]
    until_state(home, following, "finished")


def test_a_failed_worker_leaves_its_last_word_as_plain_text(home: Home) -> None:
    run = until_state(home, queue.submit(home, recipe("exit")), "failed")
    assert (run.reason, run.error, run.exit_code) == ("code", "all went  [31mwrong", 3)


def test_a_worker_that_says_nothing_is_crashed(home: Home) -> None:
    run = until_state(home, queue.submit(home, recipe("silent")), "crashed")
    assert (run.error, run.exit_code) == ("ended without saying so before its first step", 0)


def test_a_dead_shepherd_changes_nothing_for_the_worker(home: Home) -> None:
    run = running(home)
    kill_shepherd(run)
    until(lambda: not processes("shepherd.py", run.uid))
    queue.advance(home)
    assert look(home, run).state == "running"
    queue.stop(home, run)
    until_state(home, run, "stopped")


def test_when_both_die_the_run_is_lost_and_can_be_resumed(home: Home) -> None:
    run = running(home)
    kill_shepherd(run)
    assert locks.signal_worker(home.run_folder(run.uid), signal.SIGKILL)
    until(lambda: not locks.alive(home.run_folder(run.uid)))
    assert look(home, run).state == "running"
    queue.advance(home)
    lost = look(home, run)
    assert (lost.state, lost.reason, lost.error) == ("lost", None, "worker and shepherd both died at step 7")
    queue.resume(home, lost)
    assert until_state(home, run, "running").attempt == 2


def test_a_restart_of_the_machine_is_named(home: Home) -> None:
    run = running(home)
    kill_shepherd(run)
    assert locks.signal_worker(home.run_folder(run.uid), signal.SIGKILL)
    (home.run_folder(run.uid) / "started.1").write_text("another boot")
    until(lambda: not locks.alive(home.run_folder(run.uid)))
    queue.advance(home)
    lost = look(home, run)
    assert (lost.state, lost.reason) == ("lost", "machine_restart")


def test_a_run_that_never_began_is_queued_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    run = queue.submit(home, recipe("quick"))
    with open_store(home.store) as store:
        assert runs.start(store, run.id, 1, "cpu")
    queue.advance(home)
    assert (look(home, run).state, look(home, run).slot) == ("queued", None)
    monkeypatch.setenv("WORKBENCH_SLOTS", "cpu")
    queue.advance(home)
    assert until_state(home, run, "finished").attempt == 2


def test_a_run_that_was_stopped_before_it_began_is_stopped(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    run = queue.submit(home, recipe("quick"))
    with open_store(home.store) as store:
        assert runs.start(store, run.id, 1, "cpu")
        assert runs.move(store, run.id, "stopping", since=("starting",))
    queue.advance(home)
    stopped = look(home, run)
    assert (stopped.state, stopped.reason, stopped.error) == ("stopped", "user", None)


def test_an_attempt_that_the_store_forgot_is_not_begun_again(home: Home) -> None:
    run = until_state(home, queue.submit(home, recipe("quick")), "finished")
    until(lambda: not locks.alive(home.run_folder(run.uid)))
    change(home, run, state="queued", attempt=0)
    queue.advance(home)
    assert until_state(home, run, "finished").attempt == 2


def test_a_slot_is_busy_until_the_process_is_gone_whatever_the_row_says(home: Home) -> None:
    run = running(home)
    with open_store(home.store) as store:
        runs.move(store, run.id, "finished", since=("running",))
    following = queue.submit(home, recipe("quick"))
    assert following.state == "queued"
    assert locks.signal_worker(home.run_folder(run.uid), signal.SIGKILL)
    until_state(home, following, "finished")
    ended = look(home, run)
    assert (ended.state, ended.exit_code) == ("finished", -9)


def test_children_of_a_worker_do_not_outlive_it(home: Home) -> None:
    run = until_state(home, queue.submit(home, recipe("child")), "finished")
    until(lambda: not locks.alive(home.run_folder(run.uid)))
    child = int((home.run_folder(run.uid) / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    until(lambda: not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_worker_sees_no_secret(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary0123456789")
    monkeypatch.setenv("WANDB_API_KEY", "hf_canary0123456789")
    run = until_state(home, queue.submit(home, recipe("environment")), "finished")
    seen = json.loads((home.run_folder(run.uid) / "environment.json").read_text())
    assert seen["WORKBENCH_SLOT"] == "cpu"
    assert seen["CUDA_VISIBLE_DEVICES"] == ""
    assert seen["HF_HUB_OFFLINE"] == "1"
    until(lambda: not locks.alive(home.run_folder(run.uid)))
    for path in home.root.rglob("*"):
        assert not path.is_file() or b"hf_canary" not in path.read_bytes(), path


def test_the_shepherd_sees_no_secret_either(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary0123456789")
    run = running(home)
    pid = shepherd_of(run)
    for name in ("environ", "cmdline"):
        assert b"canary" not in Path(f"/proc/{pid}/{name}").read_bytes()
    queue.stop(home, run)
    until_state(home, run, "stopped")


def test_hang_up_reaches_neither_shepherd_nor_worker(home: Home) -> None:
    run = running(home)
    kill_shepherd(run, signal.SIGHUP)
    assert locks.signal_worker(home.run_folder(run.uid), signal.SIGHUP)
    queue.stop(home, run)
    assert until_state(home, run, "stopped").exit_code in (None, 0)


LAUNCHER = """
import signal, sys
from pathlib import Path
from tests.workbench.supervision.support import recipe
from workbench.paths import Home
from workbench.supervision import queue
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
print("uid", queue.submit(Home(Path(sys.argv[1])), recipe("wait")).uid, flush=True)
signal.pause()
"""


def test_a_closed_terminal_changes_nothing(home: Home) -> None:
    """The launcher leads the terminal's session, ignores SIGCHLD and blocks signals: all of that is inherited."""
    pid, terminal = pty.fork()
    if pid == 0:
        environment = os.environ | {"PYTHONPATH": str(shepherd.Path(shepherd.__file__).parents[2])}
        os.execve(sys.executable, [sys.executable, "-c", LAUNCHER, str(home.root)], environment)
    said = ""
    while "\n" not in said or "uid " not in said:
        said += os.read(terminal, 4096).decode()
    uid = said.split("uid ")[1].split()[0]
    with open_store(home.store) as store:
        run = runs.find(store, uid)
    assert run is not None
    until_state(home, run, "running")
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGHUP
    assert locks.alive(home.run_folder(uid))
    worker = locks.worker_pid(home.run_folder(uid))
    assert worker is not None
    shepherd_pid = shepherd_of(run)
    for process in (worker, shepherd_pid):
        assert os.readlink(f"/proc/{process}/fd/0") == "/dev/null"
        assert os.readlink(f"/proc/{process}/fd/1") == str(home.run_folder(uid) / "log.txt")
        assert os.readlink(f"/proc/{process}/cwd") == "/"
        assert os.getsid(process) == shepherd_pid
    assert os.getpgid(worker) == worker
    assert locks.signal_worker(home.run_folder(uid), signal.SIGTERM)
    assert until_state(home, run, "crashed").error == "killed by SIGTERM at step 7"


def test_a_worker_goes_first_when_memory_runs_out(home: Home) -> None:
    run = running(home)
    worker = locks.worker_pid(home.run_folder(run.uid))
    score = int(Path(f"/proc/{worker}/oom_score_adj").read_text())
    own = int(Path("/proc/self/oom_score_adj").read_text())
    assert score == worker_side.OOM_SCORE or score == own
    limits = Path(f"/proc/{worker}/limits").read_text()
    assert next(line for line in limits.splitlines() if line.startswith("Max core file size")).split()[4:6] == [
        "0",
        "0",
    ]


@pytest.mark.parametrize(
    ("ending", "step", "expected"),
    [
        (
            shepherd.Ending(-9, "", True),
            120,
            ("crashed", "host_oom", "killed by SIGKILL at step 120: the machine ran "),
        ),
        (shepherd.Ending(-9, "", False), 0, ("crashed", "signal", "killed by SIGKILL before its first step")),
        (shepherd.Ending(-11, "", True), 3, ("crashed", "signal", "killed by SIGSEGV at step 3")),
        (shepherd.Ending(-63, "", False), 3, ("crashed", "signal", "killed by signal 63 at step 3")),
        (shepherd.Ending(1, "", False), 3, ("failed", "code", "ended with exit code 1 at step 3")),
        (shepherd.Ending(1, "ValueError: no", False), 3, ("failed", "code", "ValueError: no")),
        (
            shepherd.Ending(1, "OSError: [Errno 28] No space left on device: 'x'", False),
            0,
            ("failed", "disk_full", "OS"),
        ),
    ],
)
def test_the_cause_of_death_is_named(
    home: Home, monkeypatch: pytest.MonkeyPatch, ending: shepherd.Ending, step: int, expected: tuple[str, str, str]
) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    run = queue.submit(home, recipe("quick"))
    change(home, run, step=step)
    state, reason, words = shepherd.judge(ending, look(home, run).step)
    assert (state, reason) == expected[:2]
    assert words.startswith(expected[2])


def test_the_last_line_is_of_this_attempt_and_plain(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"old trouble\n")
    assert shepherd.last_line(log, log.stat().st_size) == ""
    log.write_bytes(b"old trouble\n\xff\x1b]52;c;aGk=\x07 new\r\n \n\n")
    assert shepherd.last_line(log, 12) == "\ufffd ]52;c;aGk=  new"
    assert shepherd.last_line(tmp_path / "none", 0) == ""
    log.write_text("cannot reach https://me:hunter2@hub.example\n")
    assert shepherd.last_line(log, 0) == "cannot reach https://•••@hub.example"
    log.write_text("x" * 100_000)
    assert len(shepherd.last_line(log, 0)) == shepherd.ERROR_LENGTH


def test_a_shepherd_is_light() -> None:
    code = "import sys; sys.argv = ['']; sys.path.insert(0, sys.path.pop()); import workbench.supervision.shepherd;"
    code += "heavy = {'pydantic', 'sqlite_utils', 'asyncio', 'torch', 'numpy', 'click', 'textual', 'tomllib'};"
    code += "print(sorted(heavy & set(sys.modules)))"
    root = Path(shepherd.__file__).parents[2]
    answer = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
