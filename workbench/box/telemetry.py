"""One sample of GPUs and host. What is absent is left out.

The driver is asked by a process of its own (`gpu_probe`), for it may hang or crash whoever asks; nobody waits for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

PROBE = Path(__file__).with_name("gpu_probe.py")
TROUBLE = "GPU trouble: "
"""What words begin with that tell of a driver which does not do its work."""
FIRST_SECONDS = 30.0
"""Without persistence mode the driver wakes its GPUs one by one, some seconds each."""
LATE_SECONDS = 5.0
RETRY_SECONDS = 60.0
DESCRIBE_SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """The GPUs in words, nothing where they are not known yet, and their readings by system key."""

    words: str = ""
    values: dict[str, float] = field(default_factory=dict)


class Probe:
    """Keeps a child that asks the driver, and its newest answer; one that hangs is killed, one that dies replaced."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._answer = Answer()
        self._due = 0.0
        """When the next answer is late, or the next child may be started: seconds of the monotonic clock."""
        self._over = False

    def look(self) -> Answer:
        """Return the newest answer at once."""
        with self._lock:
            if self._child is None and not self._over and time.monotonic() >= self._due:
                self._start()
            elif self._child is not None and time.monotonic() >= self._due:
                self._give_up("the NVIDIA driver does not answer")
            return self._answer

    def _start(self) -> None:
        self._due = time.monotonic() + FIRST_SECONDS
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-P", str(PROBE), str(os.getpid())], stdin=pipe, stdout=pipe, stderr=nothing, cwd="/"
            )
        except OSError as error:
            self._give_up(f"no process to ask the driver: {error.strerror}")
            return
        threading.Thread(target=self._hear, args=(self._child,), name="gpu-probe", daemon=True).start()

    def _hear(self, child: subprocess.Popen[bytes]) -> None:
        """Take in what a child says until it ends."""
        assert child.stdout is not None
        for line in child.stdout:
            try:
                words, *values = json.loads(line)
            except ValueError:
                break
            with self._lock:
                if self._child is child:
                    self._answer = Answer(str(words), *values)
                    self._due, self._over = time.monotonic() + LATE_SECONDS, not values
        child.kill()
        code = child.wait()
        with self._lock:
            if self._child is child:
                if self._over:
                    self._child = None
                else:
                    self._give_up(f"asking the NVIDIA driver ended with {code}")

    def _give_up(self, words: str) -> None:
        """Kill the child, which its own thread waits for, and try anew after a while."""
        if self._child is not None:
            self._child.kill()
        self._child, self._answer = None, Answer(TROUBLE + words)
        self._due = time.monotonic() + RETRY_SECONDS


_probe = Probe()


def describe_device(seconds: float = DESCRIBE_SECONDS) -> str:
    """Say which GPUs there are, or why there is none; nothing where it is not known within some seconds."""
    deadline = time.monotonic() + seconds
    while not (words := _probe.look().words) and time.monotonic() < deadline:
        time.sleep(0.01)
    return words or (f"{TROUBLE}the NVIDIA driver does not answer" if seconds else "")


def sample(pid: int | None = None) -> dict[str, float]:
    """Return utilisation in %, memory in bytes, temperature in °C and power in W; of process `pid` its own memory.

    The memory of a GPU is told of the process that asks alone.
    """
    import psutil

    memory = psutil.virtual_memory()
    values = {
        "cpu/util": psutil.cpu_percent(None),
        "ram/used": float(memory.total - memory.available),
        "ram/total": float(memory.total),
    }
    gpus = dict(_probe.look().values)
    if pid is None:
        gpus.pop("worker/gpu", None)
    else:
        try:
            values["worker/ram"] = float(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            return values
    return values | gpus


def disk_free(folder: str | os.PathLike[str]) -> float:
    """Return the bytes that are free where `folder` lies."""
    state = os.statvfs(folder)
    return float(state.f_bavail * state.f_frsize)
