"""What the NVIDIA driver says: which GPUs there are, and which processes compute on them.

Run as a script it prints a line for each GPU: its index, its uuid, and the pids of such processes. That is a process of
its own because a broken driver may hang or crash whoever asks it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

NVML = "libnvidia-ml.so.1"
NVML_SECONDS = 30.0
"""Without persistence mode the driver wakes its GPUs one by one, some seconds each."""

LASTING = 5.0
"""Seconds for which an answer holds: asking takes a process and some tenths of a second."""

SILENT = 60.0
"""Seconds before a driver is asked again that did not answer."""

MANY = 256
"""Processes on one GPU that are listed."""


@dataclass(frozen=True)
class Gpu:
    """`index` in the driver's order (that of the PCI bus), `uuid` as CUDA_VISIBLE_DEVICES takes it; `pids` compute."""

    index: int
    uuid: str
    pids: tuple[int, ...] = ()


class _Answers:
    """What the driver said first and last to this process, None where it did not answer, and when to ask again."""

    def __init__(self) -> None:
        self.first: tuple[Gpu, ...] | None = None
        self.last: tuple[Gpu, ...] | None = None
        self.again = 0.0

    def fresh(self) -> tuple[Gpu, ...] | None:
        if time.monotonic() >= self.again:
            self.last = _ask()
            self.again = time.monotonic() + (SILENT if self.last is None else LASTING)
            self.first = (self.last or ()) if self.first is None else self.first
        return self.last


_answers = _Answers()


def find_gpus() -> tuple[Gpu, ...]:
    """Return the NVIDIA GPUs of this box, asked once; none where there is no driver or it does not answer in time."""
    if _answers.first is None:
        _answers.fresh()
    return _answers.first or ()


def computing() -> dict[str, tuple[int, ...]] | None:
    """Return the pids that compute on each GPU by its uuid, some seconds old at most; None where nobody can tell."""
    gpus = _answers.fresh()
    return None if gpus is None else {gpu.uuid: gpu.pids for gpu in gpus}


def _ask() -> tuple[Gpu, ...] | None:
    """Ask in a child process; one that does not answer in time is left to itself: the kernel may not let it die."""
    # Whoever sets this variable sets PATH as well; tests put a stand-in there for a driver that is not.
    program = os.environ.get("WORKBENCH_DRIVER", "")
    if not program and not Path("/dev/nvidiactl").exists():
        return ()
    arguments = [program] if program else [sys.executable, "-I", "-S", __file__]
    try:
        child = subprocess.Popen(
            [*arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/"
        )
    except OSError:
        return None
    try:
        said = child.communicate(timeout=NVML_SECONDS)[0]
    except subprocess.TimeoutExpired:
        child.kill()
        return None
    return read(said.decode("ascii", "replace")) if child.returncode == 0 else None


def read(text: str) -> tuple[Gpu, ...] | None:
    """Return the GPUs of what the child printed, or None where that is something else."""
    rows = [line.split() for line in text.splitlines()]
    try:
        return tuple(Gpu(int(index), uuid, tuple(map(int, pids))) for index, uuid, *pids in rows)
    except ValueError:
        return None


class _Process(ctypes.Structure):
    """nvmlProcessInfo_t, as versions 2 and 3 of the question have it."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


def _ask_library() -> list[Gpu]:
    nvml = ctypes.CDLL(NVML)
    count = ctypes.c_uint()
    if nvml.nvmlInit_v2() != 0 or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
        return []
    gpus: list[Gpu] = []
    for index in range(count.value):
        handle, uuid = ctypes.c_void_p(), ctypes.create_string_buffer(96)
        if (
            nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) == 0
            and nvml.nvmlDeviceGetUUID(handle, uuid, ctypes.c_uint(len(uuid))) == 0
        ):
            gpus.append(Gpu(index, uuid.value.decode("ascii"), _pids_on(nvml, handle)))
    return gpus


def _pids_on(nvml: ctypes.CDLL, handle: ctypes.c_void_p) -> tuple[int, ...]:
    """Return the pids that compute on a GPU; none where the driver is too old to say."""
    for version in (3, 2):
        count, found = ctypes.c_uint(MANY), (_Process * MANY)()
        with contextlib.suppress(AttributeError):
            ask = getattr(nvml, f"nvmlDeviceGetComputeRunningProcesses_v{version}")
            if ask(handle, ctypes.byref(count), found) == 0:
                return tuple(each.pid for each in found[: count.value])
    return ()


if __name__ == "__main__":
    for gpu in _ask_library():
        print(gpu.index, gpu.uuid, *gpu.pids)
