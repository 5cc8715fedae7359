"""Slots are what is visible here, and are named alike by everybody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workbench.supervision.support import recipe
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision import environment, queue, slots
from workbench.supervision.slots import Gpu, Slot

GPUS = (Gpu(0, "GPU-aa11"), Gpu(1, "GPU-bb22"), Gpu(2, "GPU-bb33"))


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (None, ["gpu:0", "gpu:1", "gpu:2"]),
        ("2,0", ["gpu:2", "gpu:0"]),
        ("GPU-bb22", ["gpu:1"]),
        ("GPU-bb", []),
        ("0,7,1", ["gpu:0"]),
        ("", []),
        ("-1", []),
        ("MIG-77aa", ["gpu:MIG-77aa"]),
    ],
)
def test_the_gpus_left_visible_are_slots(chosen: str | None, names: list[str]) -> None:
    assert [slot.name for slot in slots.visible(GPUS, chosen)] == names


def test_a_gpu_is_handed_over_by_its_uuid() -> None:
    assert slots.visible(GPUS, "1") == [Slot("gpu:1", "GPU-bb22")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu", [Slot("cpu", "")]),
        ("cpu,cpu", [Slot("cpu:0", ""), Slot("cpu:1", "")]),
        ("gpu:3, cpu", [Slot("gpu:3", "3"), Slot("cpu", "")]),
        ("gpu,gpu", [Slot("gpu:0", "0"), Slot("gpu:1", "1")]),
        ("tpu", []),
    ],
)
def test_slots_may_be_named(text: str, expected: list[Slot]) -> None:
    assert slots.parse(text) == expected
    assert slots.find_slots({"WORKBENCH_SLOTS": text}) == expected


def test_without_a_gpu_the_processor_is_the_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "find_gpus", lambda: ())
    assert slots.find_slots({}) == [Slot("cpu", "")]
    assert slots.fitting(Slot("cpu", ""), [Slot("cpu", "")]) == ("auto", "cpu")


def test_beside_gpus_the_processor_takes_only_runs_that_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "find_gpus", lambda: GPUS)
    found = slots.find_slots({"CUDA_VISIBLE_DEVICES": "1"})
    assert [slot.name for slot in found] == ["gpu:1", "cpu"]
    assert slots.fitting(found[0], found) == ("auto", "gpu")
    assert slots.fitting(found[1], found) == ("cpu",)


class FakeDriver:
    """Two GPUs, of which the second is lost."""

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:
        handle._obj.value = 77
        return 15 if index.value == 1 else 0

    def nvmlDeviceGetUUID(self, handle: Any, uuid: Any, length: Any) -> int:
        uuid.value = b"GPU-aa11"
        return 0


def test_a_lost_gpu_is_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots.ctypes, "CDLL", lambda name: FakeDriver())
    assert slots._ask_driver() == [Gpu(0, "GPU-aa11")]


def test_a_run_that_needs_a_gpu_is_refused_where_none_is(home: Home) -> None:
    with pytest.raises(WorkbenchError, match="no GPU is visible") as caught:
        queue.submit(home, recipe("quick", hardware={"device": "gpu"}))
    assert caught.value.hint
    assert not list(home.runs.iterdir())


def test_the_environment_is_an_allow_list() -> None:
    given = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "CUDA_HOME": "/cuda",
        "OMP_NUM_THREADS": "2",
        "WORKBENCH_HOME": "/home",
        "HF_HOME": "/hub",
        "HF_TOKEN": "hf_canary",
        "HUGGING_FACE_HUB_TOKEN": "hf_canary",
        "WORKBENCH_API_KEY": "canary",
        "XDG_SECRET": "canary",
        "AWS_SECRET_ACCESS_KEY": "canary",
        "SSH_AUTH_SOCK": "/canary",
        "CUDA_VISIBLE_DEVICES": "0,1",
    }
    seen = environment.for_slot(given, "gpu:1", "GPU-bb22")
    assert "canary" not in " ".join(seen.values())
    assert seen["PATH"] == "/bin"
    assert seen["OMP_NUM_THREADS"] == "2"
    assert seen["HF_HUB_OFFLINE"] == "1"
    assert seen["TOKENIZERS_PARALLELISM"] == "false"
    assert seen["CUDA_VISIBLE_DEVICES"] == "GPU-bb22"
    assert seen["WORKBENCH_SLOT"] == "gpu:1"
    assert environment.allowed(given)["CUDA_VISIBLE_DEVICES"] == "0,1"
