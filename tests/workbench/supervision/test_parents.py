"""A run's best model as the backbone of another: found, pinned, kept, whatever becomes of the run that made it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from store import runs
from store.connection import open_store
from store.runs import Run
from tests.making import tiny_backbone
from tests.workbench.supervision.support import change, look, recipe
from workbench.catalog import RUNS_OFFERED, backbones
from workbench.data.report import inspect
from workbench.errors import WorkbenchError
from workbench.models.backbones import find_backbone
from workbench.models.parents import begun_with, looked_up
from workbench.paths import Home
from workbench.recipe import loads
from workbench.supervision import queue
from workbench.training.publish import prune, publish, step_folder, verify


@pytest.fixture(autouse=True)
def nothing_starts(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no cache"))


def publish_model(home: Home, run: Run, step: int) -> Path:
    """Publish a model of a run, as its worker does, and prune the older ones."""
    models = home.run_folder(run.uid) / "models"
    publish(step_folder(models, step), lambda folder: tiny_backbone(folder) and None, read_only=True)
    prune(models, 1)
    return step_folder(models, step)


@pytest.fixture
def parent(home: Home) -> Run:
    run = queue.submit(home, recipe("stories"))
    publish_model(home, run, 10)
    change(home, run, state="finished")
    return look(home, run)


@pytest.mark.parametrize("name", ["{0.id}", "#{0.id}", "{0.uid}", "{0.name}"])
def test_a_run_is_named_by_number_uid_or_name(home: Home, parent: Run, name: str) -> None:
    child = queue.submit(home, recipe("child", backbone=f"run:{name.format(parent)}"))
    assert loads(child.recipe).backbone.name == f"run:{parent.uid}"
    assert child.recipe_hash == loads(child.recipe).hash()
    assert (child.parent_id, child.backbone) == (parent.id, f"#{parent.id} stories")
    card = json.loads((home.run_folder(child.uid) / "run.json").read_text())
    assert card["parent_uid"] == parent.uid


def test_a_run_that_another_follows_from_is_said_by_hand_too(home: Home, parent: Run) -> None:
    other = queue.submit(home, recipe("other"))
    child = queue.submit(home, recipe("child", backbone=f"run:{parent.id}"), parent_id=other.id)
    assert child.parent_id == other.id


def test_a_child_keeps_the_model_it_was_queued_with(home: Home, parent: Run) -> None:
    child = queue.submit(home, recipe("child", backbone=f"run:{parent.id}"))
    folder = home.run_folder(child.uid)
    plan = begun_with(loads(child.recipe), folder)
    first = find_backbone(plan)
    weights = (first / "model.safetensors").read_bytes()
    original = home.run_folder(parent.uid) / "models" / "step-00000010" / "model.safetensors"
    assert (first / "model.safetensors").samefile(original)

    publish_model(home, parent, 20)
    assert not original.exists()
    assert verify(first)
    queue.delete(home, parent)
    shutil.rmtree(home.trash / parent.uid)
    assert find_backbone(plan) == first
    assert (first / "model.safetensors").read_bytes() == weights
    assert verify(first)
    assert look(home, child).parent_id is None
    with pytest.raises(WorkbenchError, match="no such run"):
        queue.submit(home, loads(child.recipe))


def test_where_links_cannot_be_made_files_are_copied(home: Home, parent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr("os.link", refuse)
    child = queue.submit(home, recipe("child", backbone=f"run:{parent.id}"))
    assert verify(home.run_folder(child.uid) / "backbone")


def test_what_is_no_backbone_is_refused_and_leaves_nothing(home: Home, parent: Run) -> None:
    empty = queue.submit(home, recipe("empty"))
    queue.stop(home, empty)
    with pytest.raises(WorkbenchError, match="no model yet"):
        queue.submit(home, recipe("child", backbone=f"run:{empty.id}"))
    for name in ("run:99", "run:nobody", "run:"):
        with pytest.raises(WorkbenchError, match="no such run"):
            queue.submit(home, recipe("child", backbone=name))
    assert list(home.moving.iterdir()) == []
    damaged = home.run_folder(parent.uid) / "models" / "step-00000010" / "config.json"
    damaged.chmod(0o600)
    damaged.write_text("{}")
    with pytest.raises(WorkbenchError, match="damaged"):
        queue.submit(home, recipe("child", backbone=f"run:{parent.id}"))
    with open_store(home.store) as store:
        assert [run.name for run in runs.listing(store)] == ["empty", "stories"]


def test_a_report_reads_the_model_that_a_run_would_begin_with(home: Home, parent: Run) -> None:
    plan = recipe("child", backbone=f"run:{parent.id}")
    folder = home.run_folder(parent.uid) / "models" / "step-00000010"
    assert looked_up(plan, home).backbone.name == str(folder)
    assert looked_up(recipe("plain"), Home(Path("/no/such/home"))) == recipe("plain")
    report = inspect(plan, home.cache)
    assert report.parameters is not None
    with pytest.raises(WorkbenchError, match="no such run"):
        inspect(recipe("child", backbone="run:99"), home.cache)
    with pytest.raises(WorkbenchError, match="no store here"):
        looked_up(plan, Home(home.root / "elsewhere"))


def test_models_of_runs_are_offered_the_newest_first(home: Home, parent: Run) -> None:
    queue.submit(home, recipe("no model"))
    later = queue.submit(home, recipe("later"))
    publish_model(home, later, 5)
    cards = [card for card in backbones(home=home) if card.where == "run"]
    assert [(card.name, card.title) for card in cards] == [
        (f"run:{later.uid}", f"#{later.id} later · best model"),
        (f"run:{parent.uid}", f"#{parent.id} stories · best model"),
    ]
    assert all((card.architecture, card.problem) == ("bert", "") and card.parameters for card in cards)
    for others in (backbones(), backbones(home=Home(home.root / "elsewhere"))):
        assert [card.where for card in others] == ["ships with this", *["made here"] * 3]


def test_no_more_models_are_offered_than_a_person_reads(home: Home, parent: Run) -> None:
    model = home.run_folder(parent.uid) / "models"
    plan = recipe("many")
    with open_store(home.store) as store:
        for number in range(RUNS_OFFERED + 5):
            uid = queue.new_uid()
            shutil.copytree(model, home.run_folder(uid) / "models")
            runs.create(
                store, plan.flat(), uid=uid, name=f"many-{number}", task="sentiment", backbone="x", strategy="full",
                dataset="x", state="finished", recipe=plan.to_toml(), recipe_hash=plan.hash(), seed=1,
            )  # fmt: skip
    cards = [card for card in backbones(home=home) if card.where == "run"]
    assert len(cards) == RUNS_OFFERED
    assert cards[0].title.startswith(f"#{parent.id + RUNS_OFFERED + 5} many-{RUNS_OFFERED + 4}")


@pytest.mark.parametrize("setting", ["masked_model", "there", "back"])
def test_a_run_that_writes_for_augmentation_is_pinned(home: Home, parent: Run, setting: str) -> None:
    plan = recipe("child")
    augment = plan.augment.model_copy(update={setting: f"run:{parent.name}"})
    child = queue.submit(home, plan.model_copy(update={"augment": augment}))
    assert getattr(loads(child.recipe).augment, setting) == f"run:{parent.uid}"
    assert child.parent_id is None
    lost = plan.augment.model_copy(update={setting: "run:nobody"})
    with pytest.raises(WorkbenchError, match=f"augment.{setting}: run:nobody: there is no such run"):
        queue.submit(home, plan.model_copy(update={"augment": lost}))
