"""Locks say who is alive, and signals reach nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workbench.supervision.support import until
from workbench.supervision import locks, worker_side
from workbench.supervision.environment import ROOT

HOLDER = """
import os, sys, time
from pathlib import Path
from workbench.supervision import locks
folder = Path(sys.argv[1])
assert locks.take_life(folder)
assert locks.alive(folder) and locks.worker_pid(folder) == os.getpid()
child = os.fork() if sys.argv[2] == "fork" else -1
if child:
    print("held", child, flush=True)
time.sleep(60)
"""


def hold_life(folder: Path, manner: str = "") -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), manner],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    return holder


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def test_a_folder_without_locks_is_not_alive(tmp_path: Path) -> None:
    assert not locks.alive(tmp_path)
    assert locks.worker_pid(tmp_path) is None
    assert not locks.signal_worker(tmp_path, signal.SIGKILL)


def test_a_claim_keeps_a_run_alive_until_its_last_holder_closes_it(tmp_path: Path) -> None:
    claim = locks.take_claim(tmp_path)
    assert claim is not None
    assert locks.is_claim(tmp_path, claim)
    assert locks.alive(tmp_path)
    assert locks.take_claim(tmp_path) is None
    heir = subprocess.Popen(["sleep", "60"], pass_fds=(claim,))
    os.close(claim)
    assert locks.alive(tmp_path)
    heir.kill()
    heir.wait()
    assert not locks.alive(tmp_path)


def test_life_names_its_worker_and_ends_with_it(tmp_path: Path) -> None:
    holder = hold_life(tmp_path)
    try:
        assert read_line(holder) == "held -1"
        assert locks.alive(tmp_path)
        assert locks.worker_pid(tmp_path) == holder.pid
        assert locks.signal_worker(tmp_path, signal.SIGKILL)
        assert holder.wait() == -signal.SIGKILL
        assert not locks.alive(tmp_path)
    finally:
        end(holder)


def test_a_forked_child_does_not_keep_a_dead_worker_alive(tmp_path: Path) -> None:
    holder = hold_life(tmp_path, "fork")
    child = int(read_line(holder).split()[1])
    try:
        holder.kill()
        holder.wait()
        assert Path(f"/proc/{child}").exists()
        assert not locks.alive(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        end(holder)


def test_a_second_worker_gets_no_life(tmp_path: Path) -> None:
    holder = hold_life(tmp_path)
    try:
        assert read_line(holder) == "held -1"
        assert not locks.take_life(tmp_path)
    finally:
        end(holder)


def test_those_who_look_do_not_see_each_other(tmp_path: Path) -> None:
    claim = locks.take_claim(tmp_path)
    assert claim is not None
    os.close(claim)
    looker = "import sys; from pathlib import Path; from workbench.supervision import locks\n"
    looker += "print(sum(locks.alive(Path(sys.argv[1])) for _ in range(3000)))"
    lookers = [
        subprocess.Popen(
            [sys.executable, "-c", looker, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [looker.communicate()[0].strip() for looker in lookers] == ["0", "0"]


def test_a_mutex_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    adder = """
import sys
from pathlib import Path
from workbench.supervision.locks import Mutex
for _ in range(200):
    with Mutex(Path(sys.argv[1]) / "lock"):
        count = Path(sys.argv[1]) / "count"
        count.write_text(str(int(count.read_text()) + 1))
"""
    arguments = [sys.executable, "-c", adder, str(tmp_path)]
    adders = [subprocess.Popen(arguments, env=os.environ | {"PYTHONPATH": str(ROOT)}) for _ in range(3)]
    assert [adder.wait() for adder in adders] == [0, 0, 0]
    assert count.read_text() == "600"


def test_a_terminal_cannot_stop_whoever_holds_a_mutex(tmp_path: Path) -> None:
    holder = """
import os, signal, sys, time
from pathlib import Path
from workbench.supervision.locks import Mutex
with Mutex(Path(sys.argv[1]) / "lock"):
    os.kill(os.getpid(), signal.SIGTSTP)
    (Path(sys.argv[1]) / "held").touch()
(Path(sys.argv[1]) / "released").touch()
"""
    arguments = [sys.executable, "-c", holder, str(tmp_path)]
    process = subprocess.Popen(arguments, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=False)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert (tmp_path / "held").exists()
        with locks.Mutex(tmp_path / "lock"):
            assert signal.SIGTSTP in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert signal.SIGTSTP not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert (tmp_path / "released").exists()


def test_lock_files_are_private_and_links_are_put_away(tmp_path: Path) -> None:
    claim = locks.take_claim(tmp_path)
    assert claim is not None
    os.close(claim)
    assert (tmp_path / "claim").stat().st_mode & 0o777 == 0o600
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "life").symlink_to(tmp_path / "elsewhere")
    assert locks.take_life(tmp_path / "linked")
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "linked" / "life").is_symlink()
    assert [path.is_symlink() for path in (tmp_path / "linked").glob("bad-life-*")] == [True]


def enter(folder: Path, attempt: int) -> subprocess.CompletedProcess[str]:
    """Enter as a worker does, in a process of its own, with the claim handed over."""
    claim = locks.take_claim(folder)
    assert claim is not None
    code = """
import os, signal, sys
from pathlib import Path
from workbench.supervision import worker_side
folder, attempt, claim = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
worker_side.enter(folder, attempt, claim)
assert not worker_side.locks.is_claim(folder, claim)
os.kill(os.getpid(), signal.SIGUSR1)
print("entered")
"""
    try:
        return subprocess.run(
            [sys.executable, "-c", code, str(folder), str(attempt), str(claim)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            pass_fds=(claim,),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(claim)


def test_an_attempt_begins_once(tmp_path: Path) -> None:
    assert enter(tmp_path, 1).stdout == "entered\n"
    assert worker_side.started_attempts(tmp_path) == [1]
    assert worker_side.started_boot(tmp_path, 1) == worker_side.boot_id()
    again = enter(tmp_path, 1)
    assert again.returncode == 1
    assert "was started before" in again.stderr
    assert enter(tmp_path, 2).stdout == "entered\n"
    assert worker_side.started_attempts(tmp_path) == [1, 2]


def test_a_worker_without_the_claim_does_not_begin(tmp_path: Path) -> None:
    with open(tmp_path / "other", "w") as other, pytest.raises(SystemExit, match="started by the queue"):
        worker_side.enter(tmp_path, 1, other.fileno())
    assert worker_side.started_attempts(tmp_path) == []


def test_a_stopped_worker_is_alive(tmp_path: Path) -> None:
    holder = hold_life(tmp_path)
    try:
        assert read_line(holder) == "held -1"
        assert locks.signal_worker(tmp_path, signal.SIGSTOP)
        until(lambda: Path(f"/proc/{holder.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        assert locks.alive(tmp_path)
    finally:
        end(holder)
