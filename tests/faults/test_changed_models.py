"""A model that changed after it was published is found out before it is used; changed while it is used, it changes
nothing, and at most the process that answers dies."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from store.runs import Run
from tests.conftest import Finished
from tests.training.support import recipe_of, run_of
from workbench.errors import WorkbenchError
from workbench.inference.client import Client
from workbench.inference.loaded import load
from workbench.paths import Home
from workbench.training.model import load_weights
from workbench.training.publish import verify

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "workbench.json")


@pytest.fixture
def home(finished: Finished, tmp_path: Path) -> Home:
    """A copy of the home, to be spoilt."""
    return Home(Path(shutil.copytree(finished.home.root, tmp_path / "home")))


def model_of(home: Home, run: Run) -> Path:
    return max((home.run_folder(run.uid) / "models").glob("step-*"))


def flip(file: Path) -> None:
    """Turn one bit in the middle of a file around."""
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_one_bit_is_found_before_a_model_is_asked_or_begun_with(
    home: Home, finished: Finished, tmp_path: Path, name: str
) -> None:
    folder = model_of(home, finished.run)
    assert verify(folder)
    flip(folder / name)
    with pytest.raises(WorkbenchError, match=r"model of step \d+ is damaged"):
        load(home.run_folder(finished.run.uid))
    (tmp_path / "run").mkdir()
    recipe = recipe_of(folder, finished.folder / "train.jsonl")
    with pytest.raises(WorkbenchError, match="damaged since it was published"):
        run_of(recipe, tmp_path / "run")
    assert not list((tmp_path / "run").glob("checkpoints/*"))


@pytest.fixture
def client(home: Home) -> Iterator[Client]:
    with closing(Client(home)) as client:
        yield client


def test_weights_in_memory_do_not_change_with_their_file(home: Home, finished: Finished) -> None:
    """Neither those that are asked nor those that are trained: a frozen layer would, and nobody would see it."""
    task, folder = load(home.run_folder(finished.run.uid)).task, model_of(home, finished.run)
    model, _ = load_weights(task, folder)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    file = folder / "model.safetensors"
    file.chmod(0o600)
    with file.open("r+b") as stream:
        stream.write(b"\xff" * file.stat().st_size)
    assert [name for name, value in model.state_dict().items() if not value.equal(before[name])] == []


def test_a_file_that_ends_while_it_is_used_changes_no_answer_and_is_refused_afterwards(
    home: Home, finished: Finished, client: Client
) -> None:
    question = [{"text": "a good day"}]
    (before,) = client.answer(finished.run, question)
    file = model_of(home, finished.run) / "model.safetensors"
    whole = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(b"")
    (after,) = client.answer(finished.run, question)
    assert after.output == before.output
    assert client._host is not None
    client._host.send_signal(signal.SIGBUS)
    client._host.wait()
    with pytest.raises(WorkbenchError, match="damaged"):
        client.answer(finished.run, question)
    file.write_bytes(whole)
    (again,) = client.answer(finished.run, question)
    assert again.output == before.output


def test_a_process_that_dies_while_it_answers_is_told_of(finished: Finished, client: Client) -> None:
    def die(_words: str = "") -> bool:
        if client._host is not None and client._host.poll() is None:
            client._host.send_signal(signal.SIGBUS)
        return False

    with pytest.raises(WorkbenchError, match="the process that answers prompts ended"):
        client.answer(finished.run, [{"text": "a good day"}], cancelled=die)
