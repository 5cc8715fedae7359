"""What a resumed run refuses, and what it says of what it found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.making import toy_rows, write_jsonl
from tests.training.support import Told, recipe_of, run_of
from workbench.errors import WorkbenchError
from workbench.training.events import Event, Logged, Noted, Started
from workbench.training.loop import Control


@pytest.fixture
def stopped(backbone: Path, tmp_path: Path) -> Told:
    """Return a run that was stopped after its sixth update, with checkpoints at 2, 4 and 6."""
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(40))

    def stop(event: Event, control: Control) -> None:
        if isinstance(event, Logged) and event.step == 6:
            control.stop.set()

    (tmp_path / "run").mkdir()
    return run_of(recipe_of(backbone, rows, checkpoint={"every": 2}), tmp_path / "run", stop)


def warnings(told: Told) -> list[str]:
    return [note.text for note in told.all(Noted) if note.kind == "warning"]


def test_data_that_changed_since_the_beginning_are_refused(stopped: Told) -> None:
    write_jsonl(Path(stopped.recipe.data.train), [*toy_rows(39), {"text": "another text", "label": "good"}])
    with pytest.raises(WorkbenchError, match="not those that this run began with"):
        run_of(stopped.recipe, stopped.folder)


def test_a_tokenizer_that_changed_since_the_beginning_is_refused(stopped: Told) -> None:
    file = Path(stopped.recipe.backbone.name) / "tokenizer.json"
    before = file.read_text(encoding="utf-8")
    changed = json.loads(before)
    changed["normalizer"] = {"type": "Lowercase"}
    changed["pre_tokenizer"]["add_prefix_space"] = False
    file.write_text(json.dumps(changed), encoding="utf-8")
    try:
        with pytest.raises(WorkbenchError, match="tokenizer is not the one that this run began with"):
            run_of(stopped.recipe, stopped.folder)
    finally:
        file.write_text(before, encoding="utf-8")


def test_a_damaged_checkpoint_is_set_aside_and_named(stopped: Told) -> None:
    newest = max((stopped.folder / "checkpoints").glob("step-*"))
    (newest / "model.safetensors").write_bytes(b"torn")
    resumed = run_of(stopped.recipe, stopped.folder)
    assert resumed.all(Started)[0].step == 4
    assert warnings(resumed) == [f"checkpoint {newest.name} is damaged and set aside: it does not fit its manifest"]
    assert len(list(newest.parent.glob(f"bad-{newest.name}-*"))) == 1


def test_a_run_without_checkpoints_says_that_it_begins_again(stopped: Told) -> None:
    shutil.rmtree(stopped.folder / "checkpoints")
    (stopped.folder / "started.2").touch()
    resumed = run_of(stopped.recipe, stopped.folder)
    assert resumed.all(Started)[0].step == 0
    assert warnings(resumed) == ["there is no checkpoint to go on from: the run begins again at its first update"]


def test_a_resumed_run_does_not_call_its_weights_new(stopped: Told) -> None:
    assert run_of(stopped.recipe, stopped.folder).all(Started)[0].notes == []
