"""Damage the newest checkpoint in every way, resume, and hold the end against a run that was never touched.

Equal means bit for bit: weights, optimiser, random state, averaged weights, progress, published model, logged numbers.

    python -m tests.faults.damages
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of
from workbench.training.events import Event, Logged, Noted, Started
from workbench.training.loop import Control
from workbench.training.publish import MANIFEST, step_folders

FILES = (
    *("model.safetensors", "optimiser.safetensors", "random.safetensors", "average.safetensors", "state.json"),
    MANIFEST,
)
OLDER, NEWER = 4, 6


def empty(file: Path, older: Path) -> None:
    os.truncate(file, 0)


def halve(file: Path, older: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip(file: Path, older: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def remove(file: Path, older: Path) -> None:
    file.unlink()


def swap(file: Path, older: Path) -> None:
    """Put the file of an older checkpoint in its place: whole in itself, and foreign here."""
    shutil.copyfile(older / file.name, file)


def forget(file: Path, older: Path) -> None:
    """Leave the file out of the manifest and delete it: what remains fits the manifest."""
    listing = file.with_name(MANIFEST)
    manifest = json.loads(listing.read_text())
    del manifest[file.name]
    listing.write_text(json.dumps(manifest))
    file.unlink()


HARMS: dict[str, Callable[[Path, Path], None]] = {
    "empty": empty, "half": halve, "bit flipped": flip, "missing": remove, "foreign": swap,
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """A run that went to its end, and one that stopped after its sixth update, to be damaged in copies."""

    root: Path
    whole: Told
    stopped: Path


def prepare(root: Path) -> Bench:
    """Train both."""
    data = write_jsonl(root / "rows.jsonl", toy_rows(40))
    training = {"epochs": 2, "batch_size": 4, "accumulation": 2, "dropout": 0.1, "average": 0.9}
    made = recipe_of(
        tiny_backbone(root / "backbone"), data, training=training, checkpoint={"every": 2}, evaluation={"every": 3}
    )
    folders = [root / name for name in ("whole", "stopped")]
    for folder in folders:
        folder.mkdir()

    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == NEWER:
            control.stop.set()

    whole = run_of(made, folders[0])
    run_of(made, folders[1], stop)
    return Bench(root, whole, folders[1])


def cases(forgotten: bool = True) -> Iterator[tuple[str, str]]:
    """Yield every file with every harm; `forgotten` ones are left out of the manifest as well."""
    yield from ((file, harm) for file in FILES for harm in HARMS)
    if forgotten:
        yield from ((file, "forgotten") for file in FILES if file not in (MANIFEST, "average.safetensors"))


def faults_of(bench: Bench, file: str, harm: str) -> list[str]:
    """Damage one file of a copy, resume it, and return what was not as promised."""
    folder = Path(shutil.copytree(bench.stopped, bench.root / f"{harm}-{file}".replace(" ", "-")))
    newer, older = (folder / "checkpoints" / f"step-{step:08d}" for step in (NEWER, OLDER))
    (forget if harm == "forgotten" else HARMS[harm])(newer / file, older)
    resumed = run_of(bench.whole.recipe, folder)
    faults = differing(bench.whole, resumed, OLDER)
    if not any(newer.name in note.text and "damaged" in note.text for note in resumed.all(Noted)):
        faults.append("the damage was not told")
    if len(list(newer.parent.glob(f"bad-{newer.name}-*"))) != 1:
        faults.append("the damaged one was not set aside")
    shutil.rmtree(folder)
    return [f"{file} {harm}: {fault}" for fault in faults]


def differing(whole: Told, resumed: Told, since: int) -> list[str]:
    """Return what a resumed run has otherwise than one that went through, having begun after update `since`."""
    faults = []
    if resumed.all(Started)[0].step != since:
        faults.append(f"it went on from {resumed.all(Started)[0].step}, not {since}")
    parts = {path.name: path for path in step_folders(whole.folder / "checkpoints")[-1].iterdir()}
    last = step_folders(resumed.folder / "checkpoints")[-1]
    faults += [name for name, path in parts.items() if _content(path) != _content(last / name)]
    models = [max((each.folder / "models").glob("step-*")) for each in (whole, resumed)]
    if len({(model.name, (model / "model.safetensors").read_bytes()) for model in models}) > 1:
        faults.append("published model")
    if _logged(whole, since) != _logged(resumed, since):
        faults.append("logged numbers")
    return faults


def _content(path: Path) -> Any:
    """Return what a file says, less the seconds that training took."""
    if path.name == "state.json":
        return json.loads(path.read_text()) | {"seconds": 0}
    if path.name == MANIFEST:
        return sorted(json.loads(path.read_text()))
    return path.read_bytes()


def _logged(told: Told, since: int) -> list[tuple[int, str, str]]:
    return [
        (event.step, name, value.hex())
        for event in told.all(Logged)
        for name, value in event.values.items()
        if event.step > since and name != "train/examples_per_second"
    ]


def every_damage(root: Path) -> tuple[int, list[str]]:
    """Return how many damages were done, and all that was not as promised."""
    bench, faults, done = prepare(root), [], 0
    for file, harm in cases():
        faults += faults_of(bench, file, harm)
        done += 1
    return done, faults


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    root = Path(tempfile.mkdtemp(prefix="damages-"))
    try:
        done, faults = every_damage(root)
    finally:
        shutil.rmtree(root)
    print(*faults, f"{done} damages, {len(faults)} broken promises", sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
