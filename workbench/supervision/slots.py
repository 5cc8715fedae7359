"""Slots: the places a run may occupy, one for each GPU that is visible here or for several, or the processor."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.supervision.driver import Gpu, find_gpus


@dataclass(frozen=True)
class Slot:
    """`device` is what CUDA_VISIBLE_DEVICES shall be for a run in this slot: empty on the processor.

    A `shared` one is taken whoever else uses its GPU.
    """

    name: str
    device: str
    shared: bool = False

    @property
    def on_gpu(self) -> bool:
        return self.device != ""

    @property
    def devices(self) -> tuple[str, ...]:
        """The GPUs of the slot: uuids, or indices where the driver names none."""
        return tuple(self.device.split(",")) if self.device else ()


def find_slots(environment: Mapping[str, str] | None = None) -> list[Slot]:
    """Return the slots here: those of WORKBENCH_SLOTS (`cpu,cpu`, `gpu:0+1,cpu`), else a GPU each and one `cpu`."""
    env = os.environ if environment is None else environment
    named = env.get("WORKBENCH_SLOTS", "").strip()
    if named:
        return [_pinned(slot) for slot in parse(named)]
    gpus = visible(find_gpus(), env.get("CUDA_VISIBLE_DEVICES"))
    return [*gpus, Slot("cpu", "")]


def fitting(slot: Slot, slots: Iterable[Slot]) -> tuple[str, ...]:
    """Return the wishes (`hardware.device` of a recipe) that this slot, being one of `slots`, may serve."""
    if slot.on_gpu:
        return ("auto", "gpu")
    return ("cpu",) if any(other.on_gpu for other in slots) else ("auto", "cpu")


def parse(text: str) -> list[Slot]:
    """Return the slots of a list such as `cpu,cpu` (cpu:0 and cpu:1) or `gpu:1,cpu`; a kind alone is numbered.

    `gpu:0+1` is one slot of two GPUs; `gpu:0!` one that is shared with whoever else uses it.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    slots: list[Slot] = []
    counted = {"cpu": 0, "gpu": 0}
    for word in words:
        kind, _, given = word.removesuffix("!").partition(":")
        if kind not in counted:
            continue
        numbers = list(dict.fromkeys(filter(None, given.split("+")))) or [str(counted[kind])]
        counted[kind] += 1
        name = "cpu" if word == "cpu" and words.count("cpu") == 1 else f"{kind}:{'+'.join(numbers).replace('/', '_')}"
        slots.append(Slot(name, ",".join(numbers) if kind == "gpu" else "", word.endswith("!")))
    return slots


def overlap(name: str, other: str) -> bool:
    """Return whether two slots, by their names, are the same or share a GPU."""
    kind, _, numbers = name.partition(":")
    other_kind, _, other_numbers = other.partition(":")
    shared = set(numbers.split("+")) & set(other_numbers.split("+"))
    return name == other or (kind == other_kind == "gpu" and bool(shared))


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
            slots.append(Slot(f"gpu:{entry.replace('/', '_')}", entry))
            continue
        found = [gpu for gpu in gpus if _names(entry, gpu)]
        if len(found) != 1:
            break
        slots.append(_slot(found[0]))
    return slots


def _slot(gpu: Gpu) -> Slot:
    return Slot(f"gpu:{gpu.index}", gpu.uuid)


def _pinned(slot: Slot) -> Slot:
    """Return a slot with uuids in the place of indices: CUDA may count in another order than the driver."""
    uuids = {str(gpu.index): gpu.uuid for gpu in find_gpus()} if slot.on_gpu else {}
    return replace(slot, device=",".join(uuids.get(device, device) for device in slot.devices))


def _names(entry: str, gpu: Gpu) -> bool:
    return entry == str(gpu.index) or (entry.startswith("GPU-") and gpu.uuid.startswith(entry))
