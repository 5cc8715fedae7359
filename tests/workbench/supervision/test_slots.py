"""Slots are what is visible here, and are named alike by everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from store import runs
from store.connection import open_store
from tests.workbench.supervision.support import recipe, until, until_state
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision import driver, environment, locks, queue, slots
from workbench.supervision.driver import Gpu
from workbench.supervision.slots import Slot

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
        ("MIG-GPU-bb22/7/0", ["gpu:MIG-GPU-bb22_7_0"]),
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
        ("gpu:0+1,gpu:2,cpu", [Slot("gpu:0+1", "0,1"), Slot("gpu:2", "2"), Slot("cpu", "")]),
        ("gpu:1+1+", [Slot("gpu:1", "1")]),
        ("gpu:0!,gpu!", [Slot("gpu:0", "0", shared=True), Slot("gpu:1", "1", shared=True)]),
        ("gpu:../x", [Slot("gpu:.._x", "../x")]),
    ],
)
def test_slots_may_be_named(text: str, expected: list[Slot]) -> None:
    assert slots.parse(text) == expected
    assert slots.find_slots({"WORKBENCH_SLOTS": text}) == expected


def test_named_gpus_are_those_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "find_gpus", lambda: GPUS)
    assert slots.find_slots({"WORKBENCH_SLOTS": "gpu:2+0,gpu:9,cpu"}) == [
        Slot("gpu:2+0", "GPU-bb33,GPU-aa11"),
        Slot("gpu:9", "9"),
        Slot("cpu", ""),
    ]


@pytest.mark.parametrize(
    ("name", "other", "shared"),
    [
        ("gpu:0+1", "gpu:1", True),
        ("gpu:0+1", "gpu:1+2", True),
        ("gpu:0+1", "gpu:2+3", False),
        ("gpu:1", "gpu:11", False),
        ("cpu", "cpu", True),
        ("cpu:0", "cpu:1", False),
        ("cpu:0", "gpu:0", False),
    ],
)
def test_slots_that_share_a_gpu_overlap(name: str, other: str, shared: bool) -> None:
    assert slots.overlap(name, other) == slots.overlap(other, name) == shared


def test_slots_that_overlap_are_never_both_taken(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "gpu:0+1,gpu:1,gpu:2,cpu")
    names = [queue.submit(home, recipe("wait")).name for _ in range(4)]
    with open_store(home.store) as store:
        taken = {run.name: run.slot for run in runs.active(store)}
    assert taken == {names[0]: "gpu:0+1", names[1]: "gpu:2"}
    monkeypatch.setenv("WORKBENCH_SLOTS", "gpu:0,gpu:1,gpu:2")
    queue.advance(home)
    with open_store(home.store) as store:
        assert {run.name: run.slot for run in runs.active(store)} == taken


def test_a_worker_sees_every_gpu_of_its_slot(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "gpu:0+1")
    run = until_state(home, queue.submit(home, recipe("environment")), "finished")
    seen = json.loads((home.run_folder(run.uid) / "environment.json").read_text())
    assert (seen["CUDA_VISIBLE_DEVICES"], seen["WORKBENCH_SLOT"]) == ("0,1", "gpu:0+1")


def test_a_run_that_goes_on_elsewhere_leaves_its_former_slot_free(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = until_state(home, queue.submit(home, recipe("wait")), "running")
    queue.stop(home, first)
    until_state(home, first, "stopped")
    until(lambda: not locks.alive(home.run_folder(first.uid)))
    monkeypatch.setenv("WORKBENCH_SLOTS", "gpu:0")
    queue.resume(home, first)
    assert until_state(home, first, "running").slot == "gpu:0"
    monkeypatch.setenv("WORKBENCH_SLOTS", "gpu:0,cpu")
    second = queue.submit(home, recipe("wait", hardware={"device": "cpu"}))
    assert (second.state, second.slot) == ("starting", "cpu")


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
    """Two GPUs, of which the second is lost; two processes compute on the first."""

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

    def nvmlDeviceGetComputeRunningProcesses_v2(self, handle: Any, count: Any, found: Any) -> int:
        count._obj.value, found[0].pid, found[1].pid = 2, 41, 42
        return 0


def test_a_lost_gpu_is_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver.ctypes, "CDLL", lambda name: FakeDriver())
    assert driver._ask_library() == [Gpu(0, "GPU-aa11", (41, 42))]


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
