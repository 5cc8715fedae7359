"""A driver that is missing, errs, hangs or crashes: nobody waits for it, and nothing but its readings is missing."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.connection import prepare
from tests.faults.fake_nvml import put_on_path
from tests.terminal import Terminal
from tests.workbench.supervision.support import processes, until
from workbench.box import telemetry
from workbench.box.telemetry import PROBE, Answer, Probe
from workbench.paths import Home

SECONDS = 120.0
FRAME = 1.0
"""Seconds within which a key must be answered, on a machine that may be busy with other tests."""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return os.pathsep.join([str(put_on_path(tmp_path / "fake")), *filter(None, sys.path)])


@pytest.fixture
def probe(path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probe]:
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setattr(telemetry, "FIRST_SECONDS", SECONDS)
    monkeypatch.setattr(telemetry, "_probe", made := Probe())
    yield made
    with made._lock:
        if made._child is not None:
            made._child.kill()


def answer(probe: Probe, beginning: str) -> Answer:
    until(lambda: probe.look().words.startswith(beginning), SECONDS)
    return probe.look()


def test_what_each_gpu_says_is_told_and_a_lost_one_is_named(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", "lost")
    assert answer(probe, "gpu0").words == "gpu0 Imagined GPU, gpu1 Imagined GPU is lost"
    sample = telemetry.sample(os.getpid())
    assert (sample["gpu0/util"], sample["gpu0/temperature"], sample["worker/gpu"]) == (70.0, 61.0, 2.0**29)
    assert "gpu1/util" not in sample
    assert "gpu0/power" not in sample
    assert "worker/gpu" not in telemetry.sample()


def test_without_a_driver_it_is_asked_once(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", "gone")
    assert answer(probe, "no GPU").words == "no GPU: no NVIDIA driver is installed"
    until(lambda: probe._child is None, SECONDS)
    monkeypatch.setenv("FAKE_NVML", "")
    assert probe.look() == Answer("no GPU: no NVIDIA driver is installed")
    assert probe._child is None


def test_a_driver_that_crashes_takes_nobody_with_it(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", "crash")
    assert answer(probe, "GPU trouble").words == f"GPU trouble: asking the NVIDIA driver ended with {-signal.SIGSEGV}"
    monkeypatch.setenv("FAKE_NVML", "")
    probe._due = 0.0
    assert answer(probe, "gpu0").values["gpu1/util"] == 71.0


@pytest.mark.parametrize("wrong", ["hang", "late"])
def test_a_driver_that_hangs_is_given_up(wrong: str, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_NVML", wrong)
    monkeypatch.setattr(telemetry, "LATE_SECONDS", 5.0)
    monkeypatch.setattr(telemetry, "FIRST_SECONDS", 5.0 if wrong == "hang" else SECONDS)
    took = []

    def given_up() -> bool:
        begun = time.monotonic()
        answer = probe.look()
        took.append(time.monotonic() - begun)
        return answer.words.startswith("GPU trouble")

    until(given_up, SECONDS)
    assert probe.look() == Answer("GPU trouble: the NVIDIA driver does not answer")
    # Who looks does not wait for the driver.
    assert max(took) < 4.0
    assert telemetry.describe_device() == "GPU trouble: the NVIDIA driver does not answer"
    until(lambda: not processes(str(PROBE), str(os.getpid())), SECONDS)


def test_the_process_that_asks_ends_with_whoever_started_it(path: str, tmp_path: Path) -> None:
    code = "import os; from workbench.box import telemetry; telemetry.describe_device(99); os.kill(os.getpid(), 9)"
    with Terminal([sys.executable, "-c", code], {"PYTHONPATH": path}) as terminal:
        assert terminal.wait(SECONDS) == -signal.SIGKILL
        until(lambda: not processes(str(PROBE), str(terminal.process.pid)), SECONDS)


@pytest.mark.parametrize("wrong", ["hang", "crash"])
def test_the_screens_answer_while_the_driver_does_not(wrong: str, path: str, tmp_path: Path) -> None:
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    env = {"WORKBENCH_HOME": str(home.root), "PYTHONPATH": path, "FAKE_NVML": wrong, "WORKBENCH_SLOTS": "cpu"}
    with Terminal([sys.executable, "-m", "workbench"], env, size=(120, 40)) as terminal:
        terminal.read_until("No runs yet", timeout=SECONDS)
        if wrong == "crash":
            terminal.read_until("GPU trouble", timeout=SECONDS)
        took = []
        for place, words in (("3", "Nothing to watch"), ("1", "No runs yet")) * 6:
            begun = time.monotonic()
            terminal.send(place)
            terminal.read_until(words, timeout=SECONDS)
            took.append(time.monotonic() - begun)
        terminal.send("q")
        assert terminal.wait(SECONDS) == 0
    print(f"{wrong}: a key is answered in {1000 * statistics.median(took):.0f} ms (median)")
    assert statistics.median(took) < FRAME
