"""A process that asks the driver about the GPUs once a second: what it says may come late, wrong or with a crash.

Run as a script with the pid whose memory is wanted. It prints a line of JSON a second, `[words, values]`, until its
input ends: the GPUs in words, and utilisation in %, memory in bytes, temperature in °C, power in W by system key.
Where there is no driver it says so in one line, `[words]`, and ends.
"""

from __future__ import annotations

import json
import select
import sys
from typing import Any

SECONDS = 1.0


def main(pid: int) -> None:
    import pynvml

    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        missing = isinstance(error, pynvml.NVMLError_LibraryNotFound)
        _say([f"no GPU: {'no NVIDIA driver is installed' if missing else error}"])
        return
    if not count:
        _say(["no GPU: the driver sees none"])
        return
    while True:
        said: list[str] = []
        values: dict[str, float] = {}
        for number in range(count):
            words, found = _look(pynvml, number, pid)
            said.append(f"gpu{number} {words}")
            values |= {key if key.startswith("worker/") else f"gpu{number}/{key}": value for key, value in found}
        _say([", ".join(said), values])
        if select.select([sys.stdin], [], [], SECONDS)[0]:
            return


def _look(pynvml: Any, number: int, pid: int) -> tuple[str, list[tuple[str, float]]]:
    """Return a GPU's name, with what is wrong with it, and its readings; those that fail are left out."""
    trouble: set[str] = set()

    def read(ask: Any, *arguments: Any) -> Any:
        try:
            return ask(*arguments)
        except pynvml.NVMLError as error:
            if getattr(error, "value", None) == pynvml.NVML_ERROR_GPU_IS_LOST:
                trouble.add("is lost")
            return None

    handle = read(pynvml.nvmlDeviceGetHandleByIndex, number)
    if handle is None:
        return " ".join(trouble) or "cannot be asked", []
    name = read(pynvml.nvmlDeviceGetName, handle) or "GPU"
    load, memory = read(pynvml.nvmlDeviceGetUtilizationRates, handle), read(pynvml.nvmlDeviceGetMemoryInfo, handle)
    heat = read(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)
    power = read(pynvml.nvmlDeviceGetPowerUsage, handle)
    own = [each for each in read(pynvml.nvmlDeviceGetComputeRunningProcesses, handle) or () if each.pid == pid]
    found = {
        "util": load and load.gpu,
        "mem_used": memory and memory.used,
        "mem_total": memory and memory.total,
        "temperature": heat,
        "power": power and power / 1000,
        "worker/gpu": (own[0].usedGpuMemory or None) if own else None,
    }
    words = name.decode() if isinstance(name, bytes) else str(name)
    return " ".join([words, *trouble]), [(key, float(value)) for key, value in found.items() if value is not None]


def _say(answer: list[Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
