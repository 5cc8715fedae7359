"""After real runs with secrets all around: no file has one, no process of ours saw one, and nobody else gets in."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.commands.support import call
from tests.making import toy_rows, write_jsonl
from tests.workbench.supervision.support import end_all
from workbench.box.health import examine
from workbench.paths import Home, exposures

CANARY = "Canary" + "0123456789" * 3
SECRETS = {
    "HF_TOKEN": f"hf_{CANARY}",
    "HUGGING_FACE_HUB_TOKEN": f"hf_{CANARY}",
    "WANDB_API_KEY": CANARY,
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "DB_PASSWORD": CANARY,
    "WORKBENCH_SECRET": CANARY,
    "SSH_AUTH_SOCK": f"/tmp/{CANARY}",
    "HF_ENDPOINT": f"http://me:{CANARY}@127.0.0.1:9",
}
OURS = ("shepherd.py", "workbench.training.worker", "tests.faults.leaky_worker", "workbench.inference.host")
"""What stands in the command lines of the processes that are not to see a secret."""


DONE = (
    (("train", "{root}/own.toml", "--wait"), 0),
    (("train", "{root}/hub.toml"), 2),
    (("leak", "{root}/own.toml"), 1),
    (("predict", "1", "--file", "{root}/rows.jsonl", "--out", "{root}/home/answers.jsonl"), 0),
    *((words, 0) for words in (("ls",), ("show", "1", "--json"), ("show", "2"), ("log", "1"), ("log", "2", "--raw"))),
)
"""What is done in the home, a command each, and its exit code."""


@dataclass
class Lived:
    """A home that was lived in; `said` is what its commands said, `seen` part of OURS → what the process was given."""

    home: Home
    said: str = ""
    seen: dict[str, str] = field(default_factory=dict)


class Watcher(threading.Thread):
    """Looks at the environment and the command line of every process of this test, again and again."""

    def __init__(self, lived: Lived) -> None:
        super().__init__(daemon=True)
        self.lived, self.over = lived, threading.Event()

    def end(self) -> None:
        self.over.set()
        self.join()

    def run(self) -> None:
        while not self.over.wait(0.1):
            for process in psutil.process_iter(["cmdline"]):
                words = " ".join(process.info["cmdline"] or ())
                name = next((each for each in OURS if each in words), None)
                if name is not None:
                    self._look(process.pid, name, words)

    def _look(self, pid: int, name: str, words: str) -> None:
        try:
            given, limits = (
                Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
                for name in ("environ", "limits")
            )
        except OSError:
            return
        if f"WORKBENCH_HOME={self.lived.home.root}" in given:
            self.lived.seen[name] = self.lived.seen.get(name, "") + words + given + limits


@pytest.fixture(scope="module")
def lived() -> Iterator[Lived]:
    """Train, fail, ask, look and write, as somebody does whose shell is full of secrets and whose umask is 0."""
    # Not where pytest keeps its folders, which nobody else can enter anyway.
    root = Path(tempfile.mkdtemp(prefix="lived-"))
    root.chmod(0o755)
    lived = Lived(Home(root / "home"))
    (root / "hf").mkdir()
    (root / "hf" / "token").write_text(f"hf_{CANARY}")
    rows = write_jsonl(root / "rows.jsonl", toy_rows(24))
    for name, backbone in (("own", "starter:tiny"), ("hub", "some/model")):
        training = "[training]\nepochs=1\nmax_length=16\n[hardware]\ndevice='cpu'\nthreads=1\n"
        text = f'task="sentiment"\ndata="{rows}"\nbackbone="{backbone}"\nstrategy="full"\n{training}'
        (root / f"{name}.toml").write_text(text)
    watcher = Watcher(lived)
    watcher.start()
    try:
        for words, code in DONE:
            lived.said += _do(lived.home, [word.format(root=root) for word in words], code)
        watcher.end()
        yield lived
    finally:
        watcher.end()
        end_all(lived.home)
        shutil.rmtree(root)


def _do(home: Home, words: list[str], code: int) -> str:
    env = os.environ | SECRETS | {"WORKBENCH_HOME": str(home.root), "WORKBENCH_SLOTS": "cpu", "OMP_NUM_THREADS": "1"}
    env |= {"HF_HOME": str(home.root.parent / "hf")}
    if words[0] == "leak":
        words, env = ["train", *words[1:], "--wait"], env | {"WORKBENCH_WORKER_MODULE": "tests.faults.leaky_worker"}
    done = subprocess.run(
        [sys.executable, "-m", "workbench", *words],
        env=env, umask=0, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_no_file_of_the_home_has_a_secret(lived: Lived) -> None:
    files = [path for path in lived.home.root.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


def test_no_command_says_a_secret(lived: Lived) -> None:
    assert CANARY not in lived.said
    assert "127.0.0.1:9" in lived.said
    assert "401 for https://•••@host" in lived.said


def test_no_background_process_is_given_a_secret(lived: Lived) -> None:
    assert lived.seen.keys() == set(OURS)
    assert [name for name, given in lived.seen.items() if CANARY in given] == []
    # It was looked for where it would be.
    assert all("HF_HUB_OFFLINE=1" in given for given in lived.seen.values())


def test_no_background_process_leaves_its_memory_in_a_file(lived: Lived) -> None:
    assert [name for name, seen in lived.seen.items() if not re.search("Max core file size +0 ", seen)] == []


def test_folders_and_files_are_for_their_owner_alone(lived: Lived) -> None:
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in [lived.home.root, *lived.home.root.rglob("*")]}
    folders = {path: mode for path, mode in modes.items() if path.is_dir()}
    assert {path: oct(mode) for path, mode in folders.items() if mode != 0o700} == {}
    files = {path: mode for path, mode in modes.items() if path not in folders}
    assert {path: oct(mode) for path, mode in files.items() if mode not in (0o600, 0o400)} == {}
    published = [path for path in files if "models" in path.relative_to(lived.home.root).parts]
    assert published
    assert {files[path] for path in published} == {0o400}


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="another user can be only with root")
def test_another_user_can_neither_read_nor_write(lived: Lived) -> None:
    store, run = lived.home.store, next(lived.home.runs.iterdir())

    def denied(*words: str | Path) -> bool:
        other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *map(str, words)]
        done = subprocess.run(other, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode != 0 and "ermission denied" in done.stderr

    assert not denied("ls", lived.home.root.parent)
    for path in (lived.home.root, run):
        assert denied("ls", path)
        assert denied("touch", path / "new")
    for path in (store, run / "recipe.toml", run / "log.txt"):
        assert denied("cat", path)
        assert denied("cp", "/dev/null", path)
        assert denied("rm", path)


@pytest.mark.parametrize(
    ("folder", "mode", "words"),
    [
        ("home", 0o755, "is open to other users (mode 755)"),
        ("home", 0o770, "is open to other users (mode 770)"),
        ("", 0o777, "can be written by other users"),
    ],
)
def test_a_home_that_others_can_reach_is_warned_of(tmp_path: Path, folder: str, mode: int, words: str) -> None:
    home = Home(tmp_path / "place" / "home").create()
    assert exposures(home.root) == []
    place = tmp_path / "place" / folder
    place.chmod(mode)
    (finding,) = [each for each in examine(home) if each.subject == "home"]
    assert (finding.level, words in finding.found, "chmod" in finding.remedy) == ("bad", True, True)
    said = call("train", "nothing.toml", home=home.root)
    assert f"warning: {place} {words}" in said.stderr
    place.chmod(0o700)


@pytest.mark.skipif(os.getuid() != 0, reason="folders are given away only by root")
@pytest.mark.parametrize("folder", ["home", ""])
def test_a_home_of_somebody_else_is_warned_of(tmp_path: Path, folder: str) -> None:
    home = Home(tmp_path / "place" / "home").create()
    os.chown(tmp_path / "place" / folder, 65534, 65534)
    assert any("belongs to another user" in what for what, _ in exposures(home.root))
    assert any(each.level == "bad" for each in examine(home) if each.subject == "home")


def test_a_shared_folder_with_the_sticky_bit_is_no_danger(tmp_path: Path) -> None:
    home = Home(tmp_path / "place" / "home").create()
    (tmp_path / "place").chmod(0o1777)
    assert exposures(home.root) == []
