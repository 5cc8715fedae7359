"""What can be picked: models in the Hub's cache and in folders, and why one of them cannot be used."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from workbench.catalog import BackboneCard, backbones, cached_snapshot, describe_backbone
from workbench.errors import WorkbenchError
from workbench.goals import goal_of
from workbench.models.backbones import find_backbone
from workbench.recipe import parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_weights(file: Path, shapes: dict[str, list[int]]) -> None:
    """Write a safetensors file of 32-bit zeros by hand."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * shape[1]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}  # type: ignore[assignment]
        at += size
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))


def make_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    write_weights(folder / "model.safetensors", {"a": [3, 5], "b": [2, 2]})
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    repository = tmp_path / "hf" / "hub" / "models--some--bert"
    make_model(repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    return repository


def card_of(folder: Path) -> BackboneCard:
    return describe_backbone(folder, str(folder), folder.name, "folder")


def test_a_cached_model_is_found_with_what_it_weighs(cache: Path) -> None:
    card = next(card for card in backbones() if card.where == "cached")
    assert (card.name, card.architecture, card.parameters, card.problem) == ("some/bert", "bert", 19, "")
    assert card.bytes == (cache / "snapshots" / COMMIT / "model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("revision", "found"),
    [(None, True), ("main", True), (COMMIT, True), ("other", False), ("..", False), ("/etc", False)],
)
def test_a_cached_revision_is_a_branch_or_a_commit(cache: Path, revision: str | None, found: bool) -> None:
    snapshot = cached_snapshot("some/bert", revision)
    assert snapshot == (cache / "snapshots" / COMMIT if found else None)


def test_a_cache_that_was_only_begun_is_passed_over(cache: Path) -> None:
    (cache / "snapshots" / COMMIT / "config.json").unlink()
    (cache.with_name("models--half--done")).mkdir()
    assert [card.where for card in backbones()] == ["ships with this", *["made here"] * 3]


def test_folders_are_found_below_and_sizes_come_last(cache: Path, tmp_path: Path) -> None:
    make_model(tmp_path / "models" / "Alpha")
    make_model(tmp_path / "models" / "zeta")
    cards = backbones((tmp_path / "models", tmp_path / "no such folder"))
    titles = ["Alpha", "some/bert", "zeta", "starter:tiny", "tiny, no weights", "mini, no weights", "small, no weights"]
    assert [card.title for card in cards] == titles


@pytest.mark.parametrize(
    "damage", [b"", b"\x08", b"not safetensors at all", struct.pack("<Q", 2**60), struct.pack("<Q", 4) + b'{"a"']
)
def test_damaged_weights_are_told(tmp_path: Path, damage: bytes) -> None:
    folder = make_model(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(damage)
    assert card_of(folder).problem.startswith("damaged weights")
    with pytest.raises(WorkbenchError, match="damaged weights"):
        find_backbone(recipe_on(folder))


def test_a_header_that_is_no_table_is_damage_too(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    for header in (b"[1, 2]", b'{"a": 5}', b'{"a": {}}', b'{"a": {"shape": "x"}}'):
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        assert card_of(folder).problem.startswith("damaged weights")


def test_pickled_weights_are_not_weights(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert card_of(folder).problem == "only pickled weights: no *.safetensors file"
    with pytest.raises(WorkbenchError, match="pickled"):
        find_backbone(recipe_on(folder))
    assert find_backbone(recipe_on(folder, "scratch")) == folder


def test_a_folder_without_weights_or_config_is_told(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    assert card_of(folder).problem == "no weights: no *.safetensors file"
    for content in ("{", "[]", "{}", "5"):
        (folder / "config.json").write_text(content, encoding="utf-8")
        assert "config.json" in card_of(folder).problem
    with pytest.raises(WorkbenchError, match="no such folder"):
        find_backbone(recipe_on(tmp_path / "nowhere"))


def recipe_on(folder: Path, strategy: str = "full") -> object:
    return parse({"task": "sentiment", "data": "x.csv", "backbone": str(folder), "strategy": strategy})


@pytest.mark.parametrize(
    ("metric", "goal"), [("eval/loss", "min"), ("loss", "min"), ("eval/mcc", "max"), ("eval/unknown", "max")]
)
def test_goals(metric: str, goal: str) -> None:
    assert goal_of(metric) == goal
