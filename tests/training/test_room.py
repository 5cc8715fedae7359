"""A run waits where there is no room or no folder, and goes on as if nothing had been."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.making import toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of
from workbench.box import full_disk
from workbench.recipe import Recipe
from workbench.training import failpoints, room
from workbench.training.control import Control
from workbench.training.events import Event, Logged, Noted, Saved
from workbench.training.publish import verify
from workbench.training.room import FolderGone, NoRoom


@pytest.fixture
def recipe(backbone: Path, tmp_path: Path) -> Recipe:
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))
    return recipe_of(backbone, rows, training={"dropout": 0.1}, checkpoint={"every": 2})


@pytest.fixture
def unharmed(recipe: Recipe, tmp_path: Path) -> Told:
    (tmp_path / "unharmed").mkdir()
    return run_of(recipe, tmp_path / "unharmed")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(room, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(failpoints, "_visits", {})
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@contextmanager
def files_of_at_most(limit: int) -> Iterator[None]:
    """Let this process write no file beyond `limit` bytes: what is written there fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def weights(told: Told) -> dict[str, bytes]:
    newest = max((told.folder / "checkpoints").glob("step-*"))
    files = [load_file(newest / f"{name}.safetensors") for name in ("model", "optimiser", "random")]
    return {name: tensor.numpy().tobytes() for file in files for name, tensor in file.items()}


def losses(told: Told) -> list[tuple[int, str]]:
    return [(each.step, each.values["train/loss"].hex()) for each in told.all(Logged)]


def notes(told: Told, kind: str) -> list[Noted]:
    return [each for each in told.all(Noted) if each.kind == kind]


@pytest.mark.parametrize("place", ["publish.begin", "publish.hashed", "publish.before_rename"])
def test_a_run_waits_for_room_and_ends_with_the_same_bits(
    recipe: Recipe, unharmed: Told, folder: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_FAILPOINT", f"{place}:3+:enospc")

    def free(event: Event, control: Control) -> None:
        if isinstance(event, Noted) and event.kind == "disk_full":
            assert list(folder.rglob(".tmp-*")) == []
            assert all(verify(each) for each in folder.glob("*/step-*"))
            monkeypatch.delenv("WORKBENCH_FAILPOINT")

    told = run_of(recipe, folder, free)
    (waited,), (went_on,) = notes(told, "disk_full"), notes(told, "goes_on")
    assert "free in" in waited.text or "needed" in waited.text
    assert went_on.step == waited.step
    assert weights(told) == weights(unharmed)
    assert losses(told) == losses(unharmed)
    assert [each.step for each in told.all(Saved)] == [each.step for each in unharmed.all(Saved)]


def test_a_file_that_may_not_grow_is_waited_for_too(recipe: Recipe, unharmed: Told, folder: Path) -> None:
    largest = max(path.stat().st_size for path in unharmed.folder.rglob("*.safetensors"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def change(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, before[1]))
        if isinstance(event, Noted) and event.kind == "disk_full":
            assert "ulimit -f" in event.text
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    try:
        told = run_of(recipe, folder, change)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(notes(told, "goes_on")) == 1
    assert weights(told) == weights(unharmed)


@pytest.mark.parametrize(("verb", "word"), [("stop", "stopped"), ("pause", "paused")])
def test_a_run_that_waits_can_be_ended_and_resumed(
    recipe: Recipe, unharmed: Told, folder: Path, verb: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_FAILPOINT", "publish.written:3+:enospc")

    def end(event: Event, control: Control) -> None:
        if isinstance(event, Noted) and event.kind == "disk_full":
            control.ask(verb)

    told = run_of(recipe, folder, end)
    last = told.events[-1]
    assert isinstance(last, Noted)
    assert (last.kind, last.text.startswith(f"{word} after update")) == (verb, True)
    assert "not saved" in last.text
    monkeypatch.delenv("WORKBENCH_FAILPOINT")
    assert weights(run_of(recipe, folder)) == weights(unharmed)


def test_time_spent_waiting_is_not_time_trained(recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "FIRST_SECONDS", 3.0)
    monkeypatch.setenv("WORKBENCH_FAILPOINT", "publish.written:2:enospc")
    begun = time.monotonic()
    told = run_of(recipe, folder)
    assert len(notes(told, "goes_on")) == 1
    assert told.all(Logged)[-1].seconds < time.monotonic() - begun - 3.0


def test_a_folder_that_is_moved_is_waited_for(recipe: Recipe, unharmed: Told, folder: Path) -> None:
    elsewhere = folder.with_name("elsewhere")

    def move(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 3:
            folder.rename(elsewhere)
        if isinstance(event, Noted) and event.kind == "folder_gone":
            assert not folder.exists()
            elsewhere.rename(folder)

    told = run_of(recipe, folder, move)
    assert [len(notes(told, kind)) for kind in ("folder_gone", "goes_on")] == [1, 1]
    assert weights(told) == weights(unharmed)


def test_a_folder_that_is_deleted_ends_the_run(recipe: Recipe, folder: Path) -> None:
    def delete(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 3:
            shutil.rmtree(folder)

    with pytest.raises(FolderGone, match="deleted while it trained"):
        run_of(recipe, folder, delete)
    assert not folder.exists()


def test_what_can_never_fit_is_refused_before_the_first_update(
    recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_disk, "total_bytes", lambda place: 10_000)
    with pytest.raises(NoRoom, match="can never fit"):
        run_of(recipe, folder)
    monkeypatch.undo()
    with files_of_at_most(10_000), pytest.raises(NoRoom, match="can never be saved"):
        run_of(recipe, folder)


def test_little_room_is_said_before_the_first_update(
    recipe: Recipe, folder: Path, unharmed: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_disk, "free_bytes", lambda place: 100_000)
    told = run_of(recipe, folder)
    (warned,) = [note for note in notes(told, "warning") if note.text.startswith("little room")]
    assert told.events.index(warned) < told.events.index(told.all(Logged)[0])
    assert [note for note in notes(unharmed, "warning") if "room" in note.text] == []


def test_the_words_of_safetensors_are_understood(tmp_path: Path) -> None:
    with files_of_at_most(1000), pytest.raises(Exception, match="os error 27") as raised:
        save_file({"much": torch.zeros(10_000)}, tmp_path / "file.safetensors")
    assert full_disk.is_full(raised.value)
    assert not full_disk.is_full(OSError(2, "no such file"))
