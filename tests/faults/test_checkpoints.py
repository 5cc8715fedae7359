"""Whatever a crash or a power cut leaves of the newest checkpoint, the run ends as if nothing had been."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.damages import NEWER, OLDER, Bench, cases, differing, faults_of, flip, prepare
from tests.training.support import Told, run_of
from workbench.training.events import Noted, Saved, Started
from workbench.training.publish import MANIFEST, step_folders, verify


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return prepare(tmp_path_factory.mktemp("damages"))


@pytest.mark.parametrize(("file", "harm"), cases())
def test_every_damage_to_every_file_is_told_and_changes_nothing(bench: Bench, file: str, harm: str) -> None:
    assert faults_of(bench, file, harm) == []


def copy_of(bench: Bench, name: str) -> Path:
    return Path(shutil.copytree(bench.stopped, bench.root / name))


def warnings(told: Told) -> list[str]:
    return [note.text for note in told.all(Noted) if note.kind == "warning"]


def test_a_folder_that_is_gone_costs_one_interval(bench: Bench) -> None:
    folder = copy_of(bench, "gone")
    shutil.rmtree(folder / "checkpoints" / f"step-{NEWER:08d}")
    assert differing(bench.whole, run_of(bench.whole.recipe, folder), OLDER) == []


def test_files_that_nobody_knows_do_no_harm(bench: Bench) -> None:
    folder = copy_of(bench, "extra")
    newest = folder / "checkpoints" / f"step-{NEWER:08d}"
    (newest / ".nfs0001").write_bytes(b"x")
    (newest / "model.safetensors.bak").write_bytes(b"x")
    (newest.parent / ".tmp-step-00000008").mkdir()
    (newest.parent / "step-99999999").write_text("not a folder")
    (newest.parent / "step-x").mkdir()
    resumed = run_of(bench.whole.recipe, folder)
    assert differing(bench.whole, resumed, NEWER) == []
    assert warnings(resumed) == []
    kept = [path.name for path in step_folders(newest.parent)]
    assert kept == [f"step-{step:08d}" for step in resumed.all(Saved)[-1].kept]


def test_a_run_whose_checkpoints_are_all_damaged_begins_again_and_says_so(bench: Bench) -> None:
    folder = copy_of(bench, "all")
    (folder / "started.2").touch()
    found = sorted((folder / "checkpoints").glob("step-*"))
    for checkpoint in found:
        flip(checkpoint / "optimiser.safetensors", checkpoint)
    resumed = run_of(bench.whole.recipe, folder)
    assert resumed.all(Started)[0].step == 0
    assert len(warnings(resumed)) == len(found) + 1
    assert "the run begins again at its first update" in warnings(resumed)[-1]
    assert differing(bench.whole, resumed, 0) == []


TRAIN = """
import sys
from pathlib import Path
from tests.training.support import recipe_of, run_of
root = Path(sys.argv[1])
training = {"epochs": 1, "batch_size": 8}
made = recipe_of(root / "backbone", root / "rows.jsonl", training=training, checkpoint={"every": 1, "keep": 1},
                 evaluation={"every": 2})
(root / "synced").mkdir()
run_of(made, root / "synced")
"""
CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)\) += 0$")


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_a_checkpoint_is_on_the_disk_before_it_has_its_name_and_before_an_older_one_goes(bench: Bench) -> None:
    """As the kernel was asked: fsync of each file and of the folder, rename, fsync of the parent, only then unlink."""
    log = bench.root / "calls"
    traced = "--trace=fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir"
    argv = ["strace", "-f", "-y", "-s", "4096", "--seccomp-bpf", traced, "-o", str(log), sys.executable, "-c", TRAIN]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([*argv, str(bench.root)], check=True, env=environment, capture_output=True)
    calls = [found.groups() for line in log.read_text().splitlines() if (found := CALL.match(line))]
    folder = bench.root / "synced" / "checkpoints"
    names = [f"step-{step:08d}" for step in range(1, 6)]
    (last,) = folder.glob("step-*")
    assert last.name == names[-1]
    assert verify(last)
    files = [*(path.name for path in last.iterdir() if path.name != MANIFEST), MANIFEST]
    before = -1
    for name in names:
        draft = folder / f".tmp-{name}"
        synced = [place(calls, "fsync", f"{draft}/{file}>") for file in files]
        whole, renamed = place(calls, "fsync", f"{draft}>"), place(calls, "rename", f'"{draft}"')
        known = place(calls, "fsync", f"{folder}>", renamed)
        assert before < min(synced) <= max(synced) < whole < renamed < known
        before = known
    for older, newer in pairwise(names):
        gone = [number for number, (name, told) in enumerate(calls) if f"{folder}/{older}" in told and "unlink" in name]
        known = place(calls, "fsync", f"{folder}>", place(calls, "rename", f'"{folder}/.tmp-{newer}"'))
        assert gone
        assert min(gone) > known


def place(calls: list[tuple[str, str]], name: str, told: str, after: int = -1) -> int:
    """Return the number of the first such call after another; its arguments hold these words."""
    found = [n for n, (call, given) in enumerate(calls) if n > after and call.startswith(name) and told in given]
    assert found, f"no {name} of {told} after call {after}"
    return found[0]
