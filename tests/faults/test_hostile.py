"""Nothing of a model folder ever runs, hangs or leads out of it; what cannot be used says what and where."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import workbench
from tests.faults.hostile import DAMAGED, ESCAPES, HOSTILE, Hostile, Place, made, own_code, pickles_beside
from tests.faults.hostile_worker import TRAINED
from tests.making import tiny_backbone, tiny_tokenizer, toy_rows, write_jsonl
from workbench.catalog import describe_backbone, why_unusable
from workbench.errors import WorkbenchError
from workbench.tasks.conversation import rows_of

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = (*HOSTILE, *DAMAGED)
FROM_THE_WEIGHTS = ("a table on its side", "names of another architecture", "a deep tokenizer")
"""What is only seen once a library has read the folder."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    root = tmp_path_factory.mktemp("hostile")
    sound = tiny_backbone(root / "sound")
    return {each.name: made(each, sound, root) for each in EVERYTHING}


@pytest.fixture(scope="module")
def said(places: dict[str, Place], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return for each folder what checking and training on it said, with a yes to every question."""
    rows = write_jsonl(tmp_path_factory.mktemp("rows") / "rows.jsonl", toy_rows(24))
    folders = {name: str(place.folder) for name, place in places.items()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.hostile_worker"],
        input=json.dumps({"rows": str(rows), "folders": folders}),
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_there_are_many() -> None:
    # As README.md and the table of promises say.
    assert len(HOSTILE) == 36
    assert len({each.name for each in EVERYTHING}) == len(EVERYTHING)


def test_what_runs_leaves_its_mark(tmp_path: Path) -> None:
    """Else none of what follows could fail."""
    place = Place(tmp_path, tmp_path / "marker")
    place.pickled("weights.bin")
    pickle.loads((tmp_path / "weights.bin").read_bytes())
    assert place.marker.exists()
    place.marker.unlink()
    own_code(place)
    exec((tmp_path / "modeling_evil.py").read_text().splitlines()[0])
    assert place.marker.exists()


@pytest.mark.parametrize("hostile", EVERYTHING, ids=lambda each: each.name)
def test_a_look_at_a_folder_says_what_is_wrong(places: dict[str, Place], hostile: Hostile) -> None:
    place = places[hostile.name]
    card = describe_backbone(place.folder, "it", "it", "")
    problem = why_unusable(card, "sentiment", "full")
    seen = hostile.words and hostile.name not in FROM_THE_WEIGHTS
    assert hostile.words in problem if seen else problem == ""
    assert not place.marker.exists()


@pytest.mark.parametrize("hostile", EVERYTHING, ids=lambda each: each.name)
def test_nothing_runs_and_what_cannot_be_used_is_refused(
    places: dict[str, Place], said: dict[str, list[str]], hostile: Hostile
) -> None:
    place, (checked, trained) = places[hostile.name], said[hostile.name]
    assert not place.marker.exists()
    if hostile.words:
        assert hostile.words in trained
        assert str(place.folder) in trained
    else:
        assert (checked, trained) == ("", TRAINED)
    if hostile.words and hostile.name not in FROM_THE_WEIGHTS[:2]:
        assert hostile.words in checked


def test_a_whole_run_and_its_answers_run_nothing_of_it(tmp_path: Path) -> None:
    """Through the command, the shepherd, the worker and the process that answers."""
    place = Place(tiny_backbone(tmp_path / "model"), tmp_path / "marker")
    own_code(place)
    pickles_beside(place)
    for each in HOSTILE:
        if each.name in ("a tokenizer of its own", "kernels of the Hub", "a way to generate of its own"):
            each.make(place)
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(24))
    file = tmp_path / "recipe.toml"
    file.write_text(
        f'task="sentiment"\ndata="{rows}"\nbackbone="{place.folder}"\nstrategy="full"\n[training]\nepochs=1\n'
    )
    trained = workbench("train", file, "--wait", home=tmp_path / "home")
    assert trained.returncode == 0, trained.stderr
    asked = workbench("predict", 1, "a good day", home=tmp_path / "home")
    assert asked.returncode == 0, asked.stderr
    assert not place.marker.exists()
    model = max((tmp_path / "home" / "runs").glob("*/models/step-*"))
    assert not list(model.rglob("*.py"))
    kept = [json.loads((model / name).read_text()) for name in ("config.json", "tokenizer_config.json")]
    assert not [key for said in kept for key in said if key in ("auto_map", "attn_implementation", "trust_remote_code")]


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.system('touch MARKER') }}",
        "{{ self.__init__.__globals__ }}",
        "{% set x = messages.append({}) %}",
        "{{ raise_exception.__globals__['os'] }}",
        "{% for each in range(10 ** 9) %}x{% endfor %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{{ 1 / 0 }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_template_stays_in_its_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str) -> None:
    monkeypatch.chdir(tmp_path)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template.replace("MARKER", str(tmp_path / "marker"))
    with pytest.raises(WorkbenchError, match="chat template cannot write"):
        rows_of(tokenizer, [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]], chat=True)
    assert not list(tmp_path.iterdir())


def test_a_refusal_is_shown_escaped(tmp_path: Path) -> None:
    folder = tiny_backbone(tmp_path / f"model {ESCAPES}")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    rows = write_jsonl(tmp_path / "rows.jsonl", toy_rows(8))
    file = tmp_path / "recipe.toml"
    file.write_text(f'task="sentiment"\ndata="{rows}"\nstrategy="full"\nbackbone={json.dumps(str(folder))}\n')
    refused = workbench("train", file, "--check", home=tmp_path / "home")
    assert refused.returncode == 2
    assert "only pickled weights" in refused.stderr
    assert "save_pretrained" in refused.stderr
    assert "\x1b" not in refused.stderr
