"""A published folder is whole or not there: every damage is seen, and the older one is used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.training.publish import MANIFEST, newest_readable, newest_valid, prune, publish, step_folder, verify

CONTENT = {"weights.bin": bytes(range(256)) * 40, "state.json": b'{"step": 1}', "deep/er.txt": b"x"}


def write(folder: Path) -> None:
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def truncate(file: Path) -> None:
    os.truncate(file, max(0, file.stat().st_size - 1))


def empty(file: Path) -> None:
    os.truncate(file, 0)


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def remove(file: Path) -> None:
    file.unlink()


def grow(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b" ")


@pytest.mark.parametrize("damage", [truncate, empty, flip_a_bit, remove, grow])
@pytest.mark.parametrize("name", [*CONTENT, MANIFEST])
def test_every_damage_is_seen_and_the_older_folder_used(
    tmp_path: Path, damage: Callable[[Path], None], name: str
) -> None:
    if name == MANIFEST and damage is grow:
        pytest.skip("a space after the manifest changes nothing that it says")
    for step in (1, 2):
        publish(step_folder(tmp_path, step), write)
    assert newest_valid(tmp_path, []) == step_folder(tmp_path, 2)
    damage(step_folder(tmp_path, 2) / name)
    assert not verify(step_folder(tmp_path, 2))
    assert newest_readable(tmp_path) == step_folder(tmp_path, 1)
    assert step_folder(tmp_path, 2).exists()
    assert newest_valid(tmp_path, []) == step_folder(tmp_path, 1)
    assert not step_folder(tmp_path, 2).exists()
    assert len(list(tmp_path.glob("bad-step-00000002-*"))) == 1


@pytest.mark.parametrize("manifest", ["{}", "[]", "5", '{"weights.bin": 5}', '{"weights.bin": {"bytes": 1}}', "nul"])
def test_a_manifest_that_says_nothing_proves_nothing(tmp_path: Path, manifest: str) -> None:
    publish(step_folder(tmp_path, 1), write)
    (step_folder(tmp_path, 1) / MANIFEST).write_text(manifest)
    assert not verify(step_folder(tmp_path, 1))
    assert newest_readable(tmp_path) is None


def test_a_damaged_folder_is_published_anew_and_a_good_one_kept(tmp_path: Path) -> None:
    folder = step_folder(tmp_path, 3)
    first = publish(folder, write)
    assert publish(folder, lambda _: pytest.fail("a good folder was written again")) == first
    flip_a_bit(folder / "weights.bin")
    assert publish(folder, write) == first
    assert verify(folder)


def test_a_write_that_fails_leaves_the_older_folder_and_no_new_one(tmp_path: Path) -> None:
    publish(step_folder(tmp_path, 1), write)

    def fail(folder: Path) -> None:
        write(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        publish(step_folder(tmp_path, 2), fail)
    assert newest_valid(tmp_path, []) == step_folder(tmp_path, 1)
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-00000001"]
    publish(step_folder(tmp_path, 2), write)
    assert newest_valid(tmp_path, []) == step_folder(tmp_path, 2)


def test_what_is_published_is_its_owners_alone(tmp_path: Path) -> None:
    publish(step_folder(tmp_path, 1), write, read_only=True)
    modes = {path.stat().st_mode & 0o777 for path in step_folder(tmp_path, 1).rglob("*") if path.is_file()}
    assert modes == {0o400}
    assert step_folder(tmp_path, 1).stat().st_mode & 0o077 == 0
    manifest = json.loads((step_folder(tmp_path, 1) / MANIFEST).read_text())
    assert manifest.keys() == CONTENT.keys()


def test_pruning_keeps_the_newest_and_takes_the_leavings_of_crashes(tmp_path: Path) -> None:
    for step in (5, 10, 9):
        publish(step_folder(tmp_path, step), write)
    (tmp_path / ".tmp-step-00000011").mkdir()
    assert prune(tmp_path, 2) == [9, 10]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000009", "step-00000010"]
    assert prune(tmp_path, 2) == [9, 10]
