"""The data doctor: each broken data set has its finding by name, with file, row and remedy, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.support import call
from tests.data.broken import DOUBTS, FILES, ROWS, Broken, texts
from tests.making import tiny_backbone, write_jsonl
from workbench.data.doctor import examine
from workbench.data.findings import Finding, refusal
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe, anchor, parse


def written(folder: Path, broken: Broken) -> Recipe:
    """Write a broken data set and return a recipe that reads it."""
    for name, content in broken.files.items():
        if isinstance(content, str):
            (folder / name).write_text(content, encoding="utf-8")
        elif isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            write_jsonl(folder / name, content)
    data = {"train": broken.source or next(iter(broken.files))}
    if "validation.jsonl" in broken.files:
        data["validation"] = "validation.jsonl"
    tables: dict[str, Any] = {"task": {"name": broken.task}, "training": {}}
    for path, value in broken.settings.items():
        table, _, key = path.rpartition(".")
        tables[table or "task"][key] = value
    return parse(anchor({"data": data, "backbone": "size:tiny", "strategy": "full", **tables}, folder))


def found(folder: Path, broken: Broken) -> Finding:
    findings = examine(written(folder, broken), folder / "cache").findings
    codes = [finding.code for finding in findings]
    assert broken.code in codes, codes
    return findings[codes.index(broken.code)]


def test_there_are_many() -> None:
    everything = [*FILES, *ROWS, *DOUBTS]
    assert len(everything) >= 50
    assert len({broken.name for broken in everything}) == len(everything)


@pytest.mark.parametrize("broken", [*FILES, *ROWS], ids=lambda broken: broken.name)
def test_what_cannot_be_used_has_its_name(tmp_path: Path, broken: Broken) -> None:
    finding = found(tmp_path, broken)
    assert finding.level == "error"
    assert broken.words in finding.what
    assert str(tmp_path) in finding.where
    assert finding.rows == (broken.rows or finding.rows)


@pytest.mark.parametrize("broken", DOUBTS, ids=lambda broken: broken.name)
def test_what_is_doubtful_has_its_name_and_a_remedy(tmp_path: Path, broken: Broken) -> None:
    finding = found(tmp_path, broken)
    assert finding.level == "warning"
    assert broken.words in finding.words
    assert finding.rows == (broken.rows or finding.rows)
    assert finding.remedy
    assert finding.where.startswith(str(tmp_path)) or not finding.rows


def test_sound_data_have_no_finding(tmp_path: Path) -> None:
    sound = Broken("sound", {"train.jsonl": texts(40), "validation.jsonl": texts(10, 50)}, "", "")
    diagnosis = examine(written(tmp_path, sound), tmp_path / "cache")
    assert diagnosis.findings == []
    assert diagnosis.data is not None


def test_rows_of_both_files_are_told(tmp_path: Path) -> None:
    bad = Broken(
        "both",
        {"train.jsonl": [*texts(4), {"text": "", "label": 1}], "validation.jsonl": [{"text": "x", "label": 9}]},
        "",
        "",
    )
    findings = examine(written(tmp_path, bad), tmp_path / "cache").findings
    assert [(each.code, Path(each.where).name, each.rows) for each in findings] == [
        ("empty", "train.jsonl", (5,)),
        ("unseen-label", "validation.jsonl", (1,)),
    ]
    refused = refusal(findings)
    assert isinstance(refused, WorkbenchError)
    assert "is empty (row 5)" in refused.what


def test_tokens_that_a_backbone_does_not_know_are_counted(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder = tiny_backbone(tmp_path / "model")
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "number": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)
    train = write_jsonl(tmp_path / "train.jsonl", texts(20))
    recipe = parse({"task": "sentiment", "data": str(train), "backbone": str(folder), "strategy": "full"})
    (finding,) = [each for each in examine(recipe, tmp_path / "cache").findings if each.code == "unknown-tokens"]
    assert finding.what.startswith("75.0% of the tokens are unknown")


def test_the_command_says_the_same_with_an_exit_code(tmp_path: Path) -> None:
    bad = write_jsonl(tmp_path / "bad.jsonl", [*texts(6), {"text": "", "label": 1}])
    shown = call("data", "check", bad, "--task", "sentiment", home=tmp_path / "home")
    assert shown.exit_code == 1
    assert "✗ empty: column 'text' is empty (row 7)" in shown.stdout
    good = write_jsonl(tmp_path / "good.jsonl", texts(40))
    told = call("data", "check", good, "--task", "sentiment", "--json", home=tmp_path / "home")
    assert told.exit_code == 0
    assert json.loads(told.stdout)["report"]["rows"] == 36
    assert call("data", "check", good, home=tmp_path / "home").exit_code == 2
