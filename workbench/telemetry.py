"""One sample of GPUs and host. What is absent is left out."""

from __future__ import annotations

import os
from typing import Any


def describe_device() -> str:
    """Say which GPUs there are, or why there is none."""
    import pynvml

    try:
        pynvml.nvmlInit()
        names = [_name(pynvml.nvmlDeviceGetHandleByIndex(number)) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        return f"no GPU: {_reason(error)}"
    return ", ".join(f"gpu{number} {name}" for number, name in enumerate(names)) or "no GPU: the driver sees none"


def sample(pid: int | None = None) -> dict[str, float]:
    """Return utilisation in %, memory in bytes, temperature in °C and power in W; of process `pid` its own memory."""
    import psutil

    memory = psutil.virtual_memory()
    values = {
        "cpu/util": psutil.cpu_percent(None),
        "ram/used": float(memory.total - memory.available),
        "ram/total": float(memory.total),
    }
    if pid is not None:
        try:
            values["worker/ram"] = float(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            return values
    return values | _gpus(pid)


def disk_free(folder: str | os.PathLike[str]) -> float:
    """Return the bytes that are free where `folder` lies."""
    state = os.statvfs(folder)
    return float(state.f_bavail * state.f_frsize)


def _gpus(pid: int | None) -> dict[str, float]:
    import pynvml

    values: dict[str, float] = {}
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return values
    for number in range(count):
        handle = pynvml.nvmlDeviceGetHandleByIndex(number)
        reads: dict[str, Any] = {
            "util": lambda handle=handle: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu,
            "mem_used": lambda handle=handle: pynvml.nvmlDeviceGetMemoryInfo(handle).used,
            "mem_total": lambda handle=handle: pynvml.nvmlDeviceGetMemoryInfo(handle).total,
            "temperature": lambda handle=handle: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU),
            "power": lambda handle=handle: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,
        }
        for key, read in reads.items():
            try:
                values[f"gpu{number}/{key}"] = float(read())
            except pynvml.NVMLError:
                continue
        values |= _own_memory(handle, pid)
    return values


def _own_memory(handle: Any, pid: int | None) -> dict[str, float]:
    import pynvml

    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:
        return {}
    used = [float(each.usedGpuMemory) for each in processes if each.pid == pid and each.usedGpuMemory]
    return {"worker/gpu": used[0]} if used else {}


def _name(handle: Any) -> str:
    import pynvml

    name = pynvml.nvmlDeviceGetName(handle)
    return name.decode() if isinstance(name, bytes) else str(name)


def _reason(error: Exception) -> str:
    import pynvml

    if isinstance(error, pynvml.NVMLError_LibraryNotFound):
        return "no NVIDIA driver is installed"
    return str(error)
