"""Slots: the places a run may occupy, one for each GPU that is visible here, or the processor.

Run as a script it prints the GPUs, one `index uuid` a line; that is a process of its own because a broken driver
may hang or crash whoever asks it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

NVML = "libnvidia-ml.so.1"
NVML_SECONDS = 30.0
"""Without persistence mode the driver wakes its GPUs one by one, some seconds each."""


@dataclass(frozen=True)
class Slot:
    """`device` is what CUDA_VISIBLE_DEVICES shall be for a run in this slot: empty on the processor."""

    name: str
    device: str

    @property
    def on_gpu(self) -> bool:
        return self.device != ""


@dataclass(frozen=True)
class Gpu:
    """`index` in the driver's order (that of the PCI bus), `uuid` as CUDA_VISIBLE_DEVICES takes it."""

    index: int
    uuid: str


def find_slots(environment: Mapping[str, str] | None = None) -> list[Slot]:
    """Return the slots here: those of WORKBENCH_SLOTS (`cpu,cpu`, `gpu:0,cpu`), else a GPU each and one `cpu`."""
    env = os.environ if environment is None else environment
    named = env.get("WORKBENCH_SLOTS", "").strip()
    if named:
        return parse(named)
    gpus = visible(find_gpus(), env.get("CUDA_VISIBLE_DEVICES"))
    return [*gpus, Slot("cpu", "")]


def fitting(slot: Slot, slots: Iterable[Slot]) -> tuple[str, ...]:
    """Return the wishes (`hardware.device` of a recipe) that this slot, being one of `slots`, may serve."""
    if slot.on_gpu:
        return ("auto", "gpu")
    return ("cpu",) if any(other.on_gpu for other in slots) else ("auto", "cpu")


def parse(text: str) -> list[Slot]:
    """Return the slots of a list such as `cpu,cpu` (cpu:0 and cpu:1) or `gpu:1,cpu`; a kind alone is numbered."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    slots: list[Slot] = []
    counted = {"cpu": 0, "gpu": 0}
    for word in words:
        kind, _, given = word.partition(":")
        if kind not in counted:
            continue
        number = given or str(counted[kind])
        counted[kind] += 1
        name = "cpu" if word == "cpu" and words.count("cpu") == 1 else f"{kind}:{number}"
        slots.append(Slot(name, number if kind == "gpu" else ""))
    return slots


def visible(gpus: Sequence[Gpu], chosen: str | None) -> list[Slot]:
    """Return a slot for each GPU that CUDA_VISIBLE_DEVICES (`chosen`) leaves visible; None leaves all.

    As CUDA does, it stops at the first entry that names no GPU. Slots are named by the driver's index, so that
    processes with different views agree on them.
    """
    if chosen is None:
        return [_slot(gpu) for gpu in gpus]
    slots: list[Slot] = []
    for entry in (part.strip() for part in chosen.split(",")):
        if entry.startswith("MIG-"):
            slots.append(Slot(f"gpu:{entry}", entry))
            continue
        found = [gpu for gpu in gpus if _names(entry, gpu)]
        if len(found) != 1:
            break
        slots.append(_slot(found[0]))
    return slots


@lru_cache(maxsize=1)
def find_gpus() -> tuple[Gpu, ...]:
    """Return the NVIDIA GPUs of this box, asked once; none where there is no driver or it does not answer in time."""
    if not Path("/dev/nvidiactl").exists():
        return ()
    try:
        answer = subprocess.run(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=NVML_SECONDS,
            cwd="/",
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    pairs = [line.split() for line in answer.stdout.decode("ascii", "replace").splitlines()]
    return tuple(Gpu(int(index), uuid) for index, uuid in pairs)


def _slot(gpu: Gpu) -> Slot:
    return Slot(f"gpu:{gpu.index}", gpu.uuid)


def _names(entry: str, gpu: Gpu) -> bool:
    return entry == str(gpu.index) or (entry.startswith("GPU-") and gpu.uuid.startswith(entry))


def _ask_driver() -> list[Gpu]:
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
            gpus.append(Gpu(index, uuid.value.decode("ascii")))
    return gpus


if __name__ == "__main__":
    for gpu in _ask_driver():
        print(gpu.index, gpu.uuid)
