"""Whatever the net does, a message comes within ten seconds, the wait can be ended, and no process is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.conftest import workbench
from tests.data.fake_hub import FakeHub, serving
from tests.making import toy_rows, write_jsonl
from workbench.box.health import examine
from workbench.catalog import STARTER_FOLDER
from workbench.data import report
from workbench.errors import WorkbenchError
from workbench.models import hub
from workbench.models.backbones import find_backbone
from workbench.models.hub import fetch_missing
from workbench.paths import Home
from workbench.recipe import Recipe, parse

COMMIT = "3" * 40
WAIT = 120.0


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


@contextmanager
def refused() -> Iterator[str]:
    """Give the address of a port at which nobody listens."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def unknown() -> Iterator[str]:
    """Give a name that no host can have."""
    yield "no-such-host.invalid"


@contextmanager
def silent() -> Iterator[str]:
    """Give the address of a socket that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=50)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def dripping() -> Iterator[str]:
    """Give the address of a server that answers with one byte a second."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=50)) as listening:

        def drip(taken: socket.socket) -> None:
            with closing(taken):
                try:
                    for byte in (
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{" * 9
                    ):
                        taken.sendall(bytes([byte]))
                        time.sleep(1)
                except OSError:
                    return

        def serve() -> None:
            try:
                while True:
                    threading.Thread(target=drip, args=(listening.accept()[0],), daemon=True).start()
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def recipe_on(name: str, folder: Path) -> Recipe:
    rows = write_jsonl(folder / "rows.jsonl", toy_rows(20))
    return parse({"task": "sentiment", "data": str(rows), "backbone": name, "strategy": "full"})


@pytest.mark.parametrize("harm", [refused, unknown, silent, dripping])
def test_a_hub_that_does_not_answer_is_named_within_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[], Iterator[str]]
) -> None:
    assert hub.LOOK_UP_SECONDS <= 9
    monkeypatch.setattr(hub, "LOOK_UP_SECONDS", 3.0)
    with harm() as host:  # type: ignore[attr-defined]
        monkeypatch.setenv("HF_ENDPOINT", f"http://someone:hf_NOTTOBESEENANYWHERE@{host}")
        begun = time.monotonic()
        with pytest.raises(WorkbenchError) as error:
            fetch_missing(recipe_on("some/bert", tmp_path), tmp_path / "cache")
        took = time.monotonic() - begun
    assert took < 10
    assert host in error.value.what
    assert error.value.where == "backbone.name: some/bert"
    assert f"models--some--bert of a box that has it into {tmp_path / 'hf' / 'hub'}" in error.value.hint
    assert "NOTTOBESEEN" not in str(error.value)
    assert not children()


def test_the_wait_can_be_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with silent() as host:
        monkeypatch.setenv("HF_ENDPOINT", f"http://{host}")
        begun = time.monotonic()
        with pytest.raises(WorkbenchError, match="cancelled"):
            fetch_missing(recipe_on("some/bert", tmp_path), tmp_path, cancelled=lambda: time.monotonic() - begun > 1)
    assert not children()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 1), (signal.SIGKILL, -signal.SIGKILL)])
def test_who_asks_the_hub_goes_with_the_command_that_waits(tmp_path: Path, number: signal.Signals, code: int) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(recipe_on("some/bert", tmp_path).to_toml(), encoding="utf-8")
    with silent() as host:
        env = os.environ | {"HF_ENDPOINT": f"http://{host}", "WORKBENCH_HOME": str(tmp_path / "home")}
        words = [sys.executable, "-m", "workbench", "train", str(file), "--check"]
        command = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        try:
            assert command.stderr is not None
            assert command.stderr.readline() == f"asking {host} for some/bert …\n"
            child = the_child_of(command.pid)
            command.send_signal(number)
            assert command.wait(WAIT) == code
            assert gone(child)
        finally:
            command.kill()
            command.wait()


FILES = {path.name: path.read_bytes() for path in (STARTER_FOLDER / "tiny").iterdir()}
CODE = {"modeling_evil.py": b"raise SystemExit", "pytorch_model.bin": b"pickled"}


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch, slow: float = 0) -> Iterator[str]:
    """Give the host that has a model, with code and pickled weights beside what is needed; it may take its time."""
    monkeypatch.setattr(hub, "LOOK_UP_SECONDS", WAIT)
    with serving(FakeHub("some/bert", {"main": COMMIT}, {COMMIT: FILES | CODE}, kind="models", slow=slow)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        yield served.address.removeprefix("http://")


def test_a_model_is_fetched_once_without_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, recipe = tmp_path / "recipe.toml", recipe_on("some/bert", tmp_path)
    file.write_text(recipe.to_toml(), encoding="utf-8")
    told: list[str] = []
    with served(monkeypatch) as host:
        assert fetch_missing(recipe, tmp_path / "cache", told=told.append) == {}
    assert told[0] == f"asking {host} for some/bert …"
    fetched = find_backbone(recipe)
    assert {path.name for path in fetched.iterdir()} == FILES.keys() - {"README.md", "recipe.toml"}
    assert (fetched / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    with silent() as host:
        monkeypatch.setenv("HF_ENDPOINT", f"http://{host}")
        said = workbench("train", file, "--check", home=tmp_path / "home")
    assert (said.returncode, said.stderr) == (0, "")


def test_a_download_that_crawls_is_told_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "STALLED_SECONDS", 3.0)
    told: list[str] = []
    with served(monkeypatch, slow=1) as host, pytest.raises(WorkbenchError, match=f"{host} sent nothing for 3 s"):
        fetch_missing(recipe_on("some/bert", tmp_path), tmp_path, told=told.append)
    assert told[0] == f"asking {host} for some/bert …"
    assert told[-1].startswith(f"fetching some/bert from {host}: ")
    assert told[-1].endswith(" of 6.3 MiB")
    assert not children()
    with pytest.raises(WorkbenchError, match="not in the cache"):
        fetch_missing(recipe_on("some/bert", tmp_path), tmp_path)


def children() -> list[psutil.Process]:
    """Return the processes that ask the Hub and are still there."""
    found = psutil.Process().children(recursive=True)
    alive = [each for each in found if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in alive if "workbench.models.fetching" in each.cmdline()]


def the_child_of(pid: int) -> psutil.Process:
    deadline = time.monotonic() + WAIT
    while not (found := psutil.Process(pid).children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found[0]


def gone(process: psutil.Process) -> bool:
    deadline = time.monotonic() + WAIT
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_data_that_nobody_gives_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_on("size:tiny", tmp_path)
    named = recipe.model_copy(update={"data": recipe.data.model_copy(update={"train": "hub:some/set"})})
    with refused() as host:
        monkeypatch.setenv("HF_ENDPOINT", f"http://{host}")
        (finding,) = report.check(named, tmp_path / "cache").findings
    assert (finding.level, finding.where) == ("error", "hub:some/set")
    assert finding.what.startswith(f"neither the Hub nor the cache in {tmp_path / 'cache'} gives it: {host}")


def test_data_of_the_cache_are_told_as_such() -> None:
    fields = ("columns", "notes", "preview"), ("types", "chosen", "labels")
    told = {name: [] for name in fields[0]} | {name: {} for name in fields[1]}
    told |= {"rows": 2, "validation_rows": 1, "encoding": "", "updates": 1, "evaluation_every": 1, "parameters": None}
    answer = json.dumps({"findings": [], "report": told})
    checked = report._decode(answer, 0, {"hub:some/set": "host did not answer within 9 s"}, Path("/cache"))
    assert checked.report is not None
    assert checked.report.notes == ["hub:some/set is what the cache has: host did not answer within 9 s"]


def test_the_doctor_says_that_the_hub_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with refused() as address:
        monkeypatch.setenv("HF_ENDPOINT", f"http://{address}")
        found = [each for each in examine(Home(tmp_path / "home"), ask_hub=True) if each.subject == "Hub"]
    assert [each.level for each in found] == ["warn"]
    assert address in found[0].found


def test_the_doctor_hears_a_hub_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(monkeypatch):
        found = [each for each in examine(Home(tmp_path / "home"), ask_hub=True) if each.subject == "Hub"]
    assert [each.level for each in found] == ["ok"]
