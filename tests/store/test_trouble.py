"""Files that are older, newer, read-only, on the network or locked: read as far as they can be, never harmed."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from store import file_system, runs
from store.connection import Store, StoreError, is_current, open_store, prepare, read_store
from store.schema import APPLICATION_ID, VERSION, _migrations
from store.upkeep import back_up, damages
from store.write_lock import holder_words
from tests.store.support import add_run, get

ROOT = Path(__file__).resolve().parents[2]


def make_first_schema(path: Path) -> None:
    from sqlite_utils import Database

    made = sqlite3.connect(path, isolation_level=None)
    made.execute("PRAGMA journal_mode=WAL")
    _migrations().apply(Database(made, strict=True), stop_before="fields_of_examples")
    made.execute("INSERT INTO eval_example VALUES('set', 0, 'a \"text\"', 'good')")
    made.execute(f"PRAGMA application_id={APPLICATION_ID}")
    made.execute("PRAGMA user_version=1")
    made.close()


def examples(path: Path) -> tuple[int, str]:
    looked = sqlite3.connect(path)
    try:
        version = looked.execute("PRAGMA user_version").fetchone()[0]
        return version, looked.execute("SELECT input FROM eval_example").fetchone()[0]
    finally:
        looked.close()


def test_an_older_store_is_copied_before_it_is_migrated(tmp_path: Path) -> None:
    path, copy = tmp_path / "workbench.db", tmp_path / "workbench.v1.db"
    make_first_schema(path)
    prepare(path)
    assert examples(path) == (VERSION, '{"text":"a \\"text\\""}')
    assert examples(copy) == (1, 'a "text"')
    assert copy.stat().st_mode & 0o777 == 0o600
    before = copy.read_bytes()
    shutil.copy(copy, path)
    prepare(path)
    assert copy.read_bytes() == before
    assert len(list(tmp_path.glob("workbench.v1*.db"))) == 2


DIE = """
import os, signal, sys
from pathlib import Path
from store import schema
from store.connection import prepare
made = schema._migrations()
apply = made.apply
def die(db, **options):
    apply(db, **options)
    os.kill(os.getpid(), signal.SIGKILL)
made.apply = die
schema._migrations = lambda: made
prepare(Path(sys.argv[1]))
"""


def test_a_migration_that_is_killed_leaves_the_old_store_whole(tmp_path: Path) -> None:
    path = tmp_path / "workbench.db"
    make_first_schema(path)
    killed = subprocess.run([sys.executable, "-c", DIE, str(path)], cwd=ROOT, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    assert examples(path) == (1, 'a "text"')
    prepare(path)
    assert examples(path) == (VERSION, '{"text":"a \\"text\\""}')


def test_a_newer_store_is_read_and_never_written(store: Store, path: Path) -> None:
    run_id = add_run(store)
    store.connection.execute("ALTER TABLE run ADD COLUMN mood TEXT")
    store.connection.execute(f"PRAGMA user_version={VERSION + 1}")
    with read_store(path) as read:
        assert "newer workbench" in read.warning
        assert get(read, run_id).name == "a run"
    for refuse in (open_store, prepare, is_current):
        with pytest.raises(StoreError, match="newer workbench"):
            refuse(path)  # type: ignore[operator]
    # A process that had it open when it was migrated.
    with pytest.raises(StoreError, match="newer workbench"):
        runs.move(store, run_id, "stopped", since=("queued",))
    store.connection.execute(f"PRAGMA user_version={VERSION}")
    assert get(store, run_id).state == "queued"


def test_a_newer_store_without_what_is_read_is_refused(store: Store, path: Path) -> None:
    store.connection.execute("ALTER TABLE run DROP COLUMN note")
    store.connection.execute(f"PRAGMA user_version={VERSION + 1}")
    with pytest.raises(StoreError, match="newer workbench"):
        read_store(path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Have no leave to write what is read-only: root has it in spite of modes."""
    if os.getuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shown() -> Iterator[Path]:
    """Yield a store with one run in a folder that everybody may look into and nobody may write."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workbench.db"
        prepare(path)
        with open_store(path) as store:
            add_run(store)
        Path(folder).chmod(0o755)
        path.chmod(0o644)
        yield path
        Path(folder).chmod(0o700)


def test_a_store_in_a_folder_that_cannot_be_written_is_read(shown: Path) -> None:
    shown.parent.chmod(0o555)
    with as_nobody():
        assert sorted(path.name for path in shown.parent.iterdir()) == ["workbench.db", "write.lock"]
        with read_store(shown) as store:
            assert "stale" in store.warning
            assert get(store, 1).name == "a run"
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            open_store(shown, timeout=0.1)


def test_what_stands_in_the_log_alone_is_said_to_be_missing(shown: Path) -> None:
    with open_store(shown) as store:
        add_run(store, "the second")
        copied = {name: (shown.parent / name).read_bytes() for name in ("workbench.db", "workbench.db-wal")}
    for name, content in copied.items():
        (shown.parent / name).write_bytes(content)
    (shown.parent / "workbench.db-shm").unlink(missing_ok=True)
    shown.parent.chmod(0o555)
    with as_nobody(), read_store(shown) as store:
        assert "what was written last is missing" in store.warning
        assert len(runs.listing(store)) == 1


def test_a_file_that_cannot_be_written_is_read(shown: Path) -> None:
    shown.chmod(0o444)
    with as_nobody(), read_store(shown) as store:
        assert "nothing is changed" in store.warning
        assert get(store, 1).name == "a run"


def test_a_store_that_is_whole_has_no_warning(path: Path) -> None:
    with read_store(path) as store:
        assert (store.warning, damages(store)) == ("", [])


def test_who_holds_the_store_is_named(store: Store, path: Path) -> None:
    add_run(store)
    hold = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, 2); print(flush=True); time.sleep(600)"
    words = [sys.executable, "-c", hold, str(path.with_name("write.lock"))]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        try:
            holder.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
            store.timeout = 0.05
            with pytest.raises(sqlite3.OperationalError, match=f"process {holder.pid} .*stands still.*kill -CONT"):
                runs.move(store, 1, "stopped", since=("queued",))
        finally:
            # One that stands still is not waited for.
            holder.kill()
    assert holder_words(path) == ""
    assert runs.move(store, 1, "stopped", since=("queued",))


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_nothing_is_written_to_a_file_that_is_no_longer_the_store(store: Store, path: Path, how: str) -> None:
    run_id = add_run(store)
    kept = path.rename(path.with_name("moved.db"))
    if how == "replaced":
        shutil.copy(kept, path)
    assert store.replaced
    with pytest.raises(StoreError, match="meanwhile"):
        runs.move(store, run_id, "stopped", since=("queued",))


def test_opening_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        open_store(tmp_path / "workbench.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["nfs4", "fuse.sshfs", "lustre"])
def test_a_store_on_the_network_has_no_write_ahead_log(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "workbench.db"
    prepare(path)
    with open_store(path) as store:
        add_run(store)
    monkeypatch.setattr(file_system, "file_system_of", lambda place: kind)
    assert not is_current(path)
    with open_store(path) as store, read_store(path) as reader:
        assert reader.query("SELECT 1 FROM run")
        reader.connection.execute("BEGIN")
        reader.query("SELECT 1 FROM run")
        with pytest.raises(StoreError, match="close every workbench"):
            prepare(path)
        reader.connection.execute("ROLLBACK")
    prepare(path)
    assert is_current(path)
    with open_store(path) as store:
        assert store.query("PRAGMA journal_mode")[0][0] == "delete"
        assert get(store, 1).name == "a run"
        add_run(store, "another")
    assert not path.with_name("workbench.db-wal").exists()


MOUNTS = {
    "/dev/sda1 / ext4 rw 0 0\nbox:/home /home nfs4 rw 0 0\n": [("/home/me", "nfs4", True), ("/tmp", "ext4", False)],
    "overlay / overlay rw 0 0\nme@box: /mnt/far fuse.sshfs rw 0 0\n": [("/mnt/far/x", "fuse.sshfs", True)],
    "a / ext4 rw 0 0\nlxcfs /srv fuse.lxcfs rw 0 0\nb /srv btrfs rw 0 0\n": [("/srv", "btrfs", False)],
    "a / ext4 rw 0 0\nt@o /lus\\040tre lustre rw 0 0\n": [("/lus tre/w", "lustre", True)],
}


@pytest.mark.parametrize("mounts", MOUNTS)
def test_the_file_system_is_read_from_the_kernel(mounts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path, *options: mounts)
    monkeypatch.setattr(Path, "resolve", lambda path: path)
    for place, kind, network in MOUNTS[mounts]:
        assert (file_system.file_system_of(Path(place)), file_system.is_network(kind)) == (kind, network)


def test_a_backup_is_whole_and_never_takes_the_place_of_a_file(store: Store, tmp_path: Path) -> None:
    add_run(store)
    target = tmp_path / "copy.db"
    assert back_up(store, target) == target.stat().st_size
    with read_store(target) as copy:
        assert get(copy, 1).name == "a run"
    with pytest.raises(StoreError, match="there already"):
        back_up(store, target)
    assert target.stat().st_mode & 0o777 == 0o600


HAMMER = """
import sys
from pathlib import Path
from store.connection import open_store
with open_store(Path(sys.argv[1])) as store:
    for number in range(400):
        with store.write() as connection:
            connection.execute("UPDATE run SET step=step+1, note=?", (sys.argv[2] * (number % 50 * 40),))
        if number % 20 == 0:
            store.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
"""


def test_writers_that_check_point_at_once_harm_nothing(store: Store, path: Path) -> None:
    add_run(store)
    words = [sys.executable, "-c", HAMMER, str(path)]
    writers = [subprocess.Popen([*words, letter], cwd=ROOT, env=dict(os.environ)) for letter in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert get(store, 1).step == 1200
    assert damages(store) == []


def opens_store(source: str) -> list[int]:
    """Return the lines in which a file is opened, copied or read that looks like the store."""
    names = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "copy", "copy2", "copyfile", "touch"}
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            text = ast.unparse(node) if called in names else ""
            if any(name in text for name in ("home.store", "store.path", "workbench.db")):
                found.append(node.lineno)
    return found


def test_no_code_opens_the_store_but_sqlite() -> None:
    """Closing such a descriptor drops the locks that SQLite holds for the whole process."""
    files = [path for package in ("store", "workbench", "screens") for path in (ROOT / package).rglob("*.py")]
    assert [f"{path}:{line}" for path in files for line in opens_store(path.read_text("utf-8"))] == []
    assert opens_store("open(home.store)\nhome.store.read_bytes()\nshutil.copy(store.path, x)\nopen(other)") == [
        1,
        2,
        3,
    ]


def test_events_of_others_than_the_worker_are_kept_in_the_folder_too() -> None:
    """What is written by `events.append` alone would be missing in a store that is made anew."""
    allowed = {"store/events.py", "store/runs.py", "workbench/training/recording.py"}
    files = [path for package in ("store", "workbench", "screens") for path in (ROOT / package).rglob("*.py")]
    users = {str(path.relative_to(ROOT)) for path in files if "events.append(" in path.read_text("utf-8")}
    assert users <= allowed


def test_a_lock_file_that_is_none_is_put_out_of_the_way(path: Path, store: Store) -> None:
    for make in (Path.mkdir, lambda lock: lock.symlink_to("/etc/hostname")):
        lock = path.with_name("write.lock")
        lock.unlink(missing_ok=True)
        make(lock)
        add_run(store)
        assert lock.is_file()
        assert not lock.is_symlink()
    assert len(list(path.parent.glob("bad-write.lock-*"))) == 2
