"""The doctor: every check has its finding, and everything it finds says how to mend it."""

from __future__ import annotations

import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from store.connection import prepare
from tests.commands.support import call
from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.screens.opening import opened
from tests.screens.support import screen_text
from workbench.box import health, login, telemetry
from workbench.box import machine as box
from workbench.box.health import examine
from workbench.box.login import Policy, policy
from workbench.box.machine import Finding
from workbench.paths import Home
from workbench.recipe import parse
from workbench.supervision import lost_gpus

SESSION = "0::/user.slice/user-1000.slice/session-7.scope\n"
MANAGER = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n"
KILLS = 'b true\nas 0\nas 1 "nobody"'


def program(folder: Path, name: str, script: str) -> None:
    """Put a program on the path that says what a host's own would."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say what the kernel and logind of a host say; `None` takes the program away."""

    def made(groups: str, manager: str | None, linger: str | None) -> None:
        (tmp_path / "groups").write_text(groups)
        monkeypatch.setattr(login, "CONTROL_GROUPS", tmp_path / "groups")
        for name, script in (("busctl", manager), ("loginctl", linger)):
            if script is not None:
                program(tmp_path / "bin", name, script)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return made


def says(text: str) -> str:
    return "\n".join(f"echo '{line}'" for line in text.splitlines())


@pytest.mark.parametrize(
    ("groups", "manager", "linger", "expected", "words"),
    [
        ("0::/\n", says(KILLS), says("no"), Policy(""), ""),
        (SESSION, says(KILLS), says("no"), Policy("session", True, False), "first `loginctl enable-linger`, then"),
        (SESSION, says(KILLS), says("yes"), Policy("session", True, True), "start it outside the session"),
        (SESSION, says('b false\nas 0\nas 1 "root"'), says("no"), Policy("session", False, False), ""),
        (SESSION, says('b true\nas 0\nas 2 "root" "ME"'), says("no"), Policy("session", False, False), ""),
        (SESSION, says('b true\nas 1 "somebody"\nas 0'), says("no"), Policy("session", False, False), ""),
        (SESSION, says('b true\nas 1 "ME"\nas 0'), says("no"), Policy("session", True, False), "enable-linger"),
        (SESSION, None, None, Policy("session"), ""),
        (SESSION, "echo nonsense", "exit 1", Policy("session"), ""),
        ("4:name=systemd:" + SESSION[3:], says(KILLS), None, Policy("session", True), "systemd-run --user --scope"),
        (MANAGER, None, says("no"), Policy("user", None, False), "loginctl enable-linger"),
        (MANAGER, None, says("yes"), Policy("user", None, True), ""),
        (MANAGER, None, None, Policy("user"), ""),
    ],
)
def test_what_logging_out_does_is_known(
    host: Any, groups: str, manager: str | None, linger: str | None, expected: Policy, words: str
) -> None:
    me = login.getpass.getuser()
    host(groups, manager.replace("ME", me) if manager else None, linger)
    found = policy()
    assert found == expected
    assert bool(words) == bool(found.warning[0])
    assert words in found.warning[1]


def test_a_logind_that_hangs_is_not_waited_for(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "SECONDS", 0.2)
    host(SESSION, "exec /bin/sleep 600", "exec /bin/sleep 600")
    assert policy() == Policy("session")
    (found,) = box.logout()
    assert (found.level, found.found) == ("warn", "systemd does not say what it does at logout")


def recipe_file(folder: Path) -> Path:
    rows = write_jsonl(folder / "rows.jsonl", toy_rows(20))
    made = {"task": "sentiment", "data": str(rows), "backbone": str(tiny_backbone(folder / "b")), "strategy": "full"}
    (folder / "recipe.toml").write_text(parse(made).to_toml(), encoding="utf-8")
    return folder / "recipe.toml"


def test_the_first_run_is_preceded_by_the_warning(host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SLOTS", "none")
    host(SESSION, says(KILLS), says("no"))
    file, home = recipe_file(tmp_path), tmp_path / "home"
    first = call("train", file, home=home)
    assert "warning: logging out of this session kills all it started, training too" in first.stderr
    assert "It goes on when you log out" not in first.stdout
    assert login.unsaid(Home(home)) == ""
    assert [each.level for each in box.logout()] == ["warn"]


async def test_the_plan_of_a_first_run_warns(host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host(SESSION, says(KILLS), says("no"))
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    async with opened(home, (120, 40), "2") as (app, pilot):
        for _ in range(600):
            if "logging out of this session" in " ".join(screen_text(app).split()):
                break
            await pilot.pause(0.1)
        else:
            pytest.fail(screen_text(app))


def finding(home: Home, subject: str) -> Finding:
    return next(each for each in examine(home) if each.subject == subject)


@pytest.fixture
def plain_home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home").create()
    prepare(home.store)
    return home


def test_everything_that_is_not_well_says_how_to_mend_it(plain_home: Home) -> None:
    found = examine(plain_home)
    assert {"Python", "torch", "GPU", "logout", "limits", "temporary files", "SQLite", "home", "disk", "store"} <= {
        each.subject for each in found
    }
    assert [each for each in found if each.level != "ok" and not each.remedy] == []


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ("gpu0 Imagined GPU", "ok"),
        ("no GPU: no NVIDIA driver is installed", "warn"),
        ("gpu0 Imagined GPU, gpu1 Imagined GPU is lost", "bad"),
        ("GPU trouble: the NVIDIA driver does not answer", "bad"),
    ],
)
def test_the_gpu_is_as_the_driver_says(words: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "describe_device", lambda: words)
    (found,) = (each for each in box.device() if each.subject == "GPU")
    assert (found.level, bool(found.remedy)) == (level, level != "ok")


@pytest.mark.parametrize(
    ("driver", "cuda", "level"),
    [("550.54.14", (12, 4), "ok"), ("550.54.14", (13, 0), "bad"), ("470.1", (12, 1), "bad"), ("470.1", (), "ok")],
)
def test_a_driver_older_than_torch_needs_is_told(
    driver: str, cuda: tuple[int, ...], level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version").write_text(
        f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {driver}  Thu Feb 22 01:44:30 UTC 2026\nGCC version: 12\n"
    )
    monkeypatch.setattr(box, "NVIDIA", tmp_path / "version")
    monkeypatch.setattr(box, "torch_cuda", lambda: cuda)
    (found,) = box._driver()
    assert (found.level, found.found.startswith(driver)) == (level, True)


def test_the_cuda_of_torch_is_that_which_torch_says() -> None:
    import torch

    said = tuple(map(int, torch.version.cuda.split("."))) if torch.version.cuda else ()
    assert box.torch_cuda() == said[:2]


LIMITED = """
import resource, sys
resource.setrlimit(getattr(resource, sys.argv[1]), (int(sys.argv[2]), resource.RLIM_INFINITY))
from workbench.box.machine import limits
for each in limits():
    print(each.level, each.subject, bool(each.remedy))
"""


@pytest.mark.parametrize(
    ("limit", "value", "told"),
    [
        ("RLIMIT_FSIZE", 2**20, "warn file size True"),
        ("RLIMIT_NOFILE", 64, "warn open files True"),
        ("RLIMIT_AS", 2**33, "warn address space True"),
        ("RLIMIT_FSIZE", resource.RLIM_INFINITY, "ok limits False"),
    ],
)
def test_limits_that_are_too_low_are_told(limit: str, value: int, told: str) -> None:
    hard = resource.getrlimit(getattr(resource, limit))[1]
    code = LIMITED.replace("resource.RLIM_INFINITY", str(hard))
    done = subprocess.run([sys.executable, "-c", code, limit, str(value)], capture_output=True, text=True, check=True)
    assert told in done.stdout.splitlines()


def test_a_temporary_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (ok,) = box.temporary_files()
    assert ok.level == "ok"
    monkeypatch.setattr(box.tempfile, "tempdir", str(tmp_path / "gone"))
    (bad,) = box.temporary_files()
    assert (bad.level, bad.found) == ("bad", "No such file or directory")
    monkeypatch.setattr(box.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(telemetry, "disk_free", lambda folder: 1000.0)
    (warn,) = box.temporary_files()
    assert warn.level == "warn"


def test_a_full_disk_is_told(plain_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "disk_free", lambda folder: 2.0**30)
    assert finding(plain_home, "disk").level == "warn"


def test_a_lost_gpu_is_told_until_its_mark_is_deleted(plain_home: Home) -> None:
    lost_gpus.leave_out(plain_home, "gpu:3", "lost by run #7: CUDA error: unknown error")
    found = finding(plain_home, "gpu:3")
    assert (found.level, found.found) == ("warn", "lost by run #7: CUDA error: unknown error")
    mark = Path(found.remedy.rpartition("rm ")[2])
    mark.unlink()
    assert lost_gpus.left_out(plain_home) == {}


def test_packages_that_are_old_or_missing_are_told(plain_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FLOORS", {"torch": (99, 0), "no-such-package": (1, 0), "safetensors": (0, 1)})
    found = {each.subject: each.level for each in examine(plain_home)}
    assert (found["torch"], found["no-such-package"], found["safetensors"]) == ("bad", "bad", "ok")


@pytest.mark.parametrize(("version", "words"), [((3, 40, 1), "WAL-reset bug"), ((3, 51, 3), "")])
def test_sqlite_is_named(
    version: tuple[int, ...], words: str, plain_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health.sqlite3, "sqlite_version_info", version)
    assert words in finding(plain_home, "SQLite").found


def test_a_home_that_others_can_read_is_told(plain_home: Home) -> None:
    assert finding(plain_home, "home").level == "ok"
    plain_home.root.chmod(0o755)
    found = finding(plain_home, "home")
    assert found.level == "bad"
    assert f"chmod 700 {plain_home.root}" in found.remedy
    assert stat.S_IMODE(plain_home.root.stat().st_mode) == 0o755


def test_a_store_that_is_damaged_is_told(plain_home: Home) -> None:
    assert finding(plain_home, "store").found.endswith(", 0 runs")
    plain_home.store.write_bytes(b"not a store" * 1000)
    found = finding(plain_home, "store")
    assert (found.level, bool(found.remedy)) == ("bad", True)
