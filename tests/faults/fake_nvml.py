"""A `pynvml` in the place of the real one, on the path of the process that asks the driver.

The variable FAKE_NVML says what is wrong: `lost` (the second of two GPUs fell off the bus), `hang`, `crash`, `late`
(hangs after two answers) or `gone` (no driver).
"""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NVML_ERROR_GPU_IS_LOST = 15
NVML_TEMPERATURE_GPU = 0
_wrong = os.environ.get("FAKE_NVML", "")
_asked = 0


class NVMLError(Exception):
    """As the real one, with the driver's number in `value`."""

    def __init__(self, value: int) -> None:
        super().__init__("GPU is lost" if value == NVML_ERROR_GPU_IS_LOST else "Driver Not Loaded")
        self.value = value


class NVMLError_LibraryNotFound(NVMLError):
    """There is no driver."""


def nvmlInit() -> None:
    if _wrong == "hang":
        time.sleep(3600)
    if _wrong == "crash":
        ctypes.string_at(0)
    if _wrong == "gone":
        raise NVMLError_LibraryNotFound(12)


def nvmlDeviceGetCount() -> int:
    return 2


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    return index


def nvmlDeviceGetName(index: int) -> str:
    return "Imagined GPU"


def nvmlDeviceGetUtilizationRates(index: int) -> Any:
    global _asked
    _asked += 1
    if _wrong == "late" and _asked > 4:
        time.sleep(3600)
    if _wrong == "lost" and index == 1:
        raise NVMLError(NVML_ERROR_GPU_IS_LOST)
    return SimpleNamespace(gpu=70 + index)


def nvmlDeviceGetMemoryInfo(index: int) -> Any:
    return SimpleNamespace(used=2**30, total=8 * 2**30)


def nvmlDeviceGetTemperature(index: int, kind: int) -> int:
    return 61


def nvmlDeviceGetPowerUsage(index: int) -> int:
    raise NVMLError(3)


def nvmlDeviceGetComputeRunningProcesses(index: int) -> list[Any]:
    return [SimpleNamespace(pid=os.getppid(), usedGpuMemory=2**29)] if index == 0 else []


def put_on_path(folder: Path) -> Path:
    """Write this module as `pynvml` into a new folder and return that, for PYTHONPATH."""
    folder.mkdir()
    (folder / "pynvml.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    return folder
