"""The store's file: made once by many, refused where it is not ours, written one at a time."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from store import predictions
from store.connection import Store, StoreError, is_current, open_store, prepare, prepare_apart, read_store
from store.schema import APPLICATION_ID, VERSION, _migrations
from tests.store.support import add_run, get

ROUNDS = 6


def schema(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '_sqlite%' ORDER BY name")
    found = rows.fetchall()
    connection.close()
    return found


def test_eight_processes_make_a_fresh_store_at_once(tmp_path: Path, made: Path) -> None:
    files = [tmp_path / f"{number}" / "workbench.db" for number in range(ROUNDS)]
    for file in files:
        file.parent.mkdir()
    raced = subprocess.run([sys.executable, "-m", "tests.store.racing", *map(str, files)], capture_output=True)
    assert (raced.returncode, raced.stderr) == (0, b"")
    for file in files:
        assert schema(file) == schema(made)
        with open_store(file) as store:
            assert store.query("PRAGMA integrity_check")[0][0] == "ok"
            assert store.query("SELECT count(*) FROM _sqlite_migrations")[0][0] == VERSION
            assert add_run(store) == 1


def test_the_store_is_its_owners_alone(tmp_path: Path) -> None:
    prepare(tmp_path / "workbench.db")
    assert (tmp_path / "workbench.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "write.lock").stat().st_mode & 0o777 == 0o600


def test_making_it_again_changes_nothing(store: Store, path: Path) -> None:
    add_run(store)
    before = store.connection.execute("PRAGMA schema_version").fetchone()[0]
    prepare(path)
    assert store.connection.execute("PRAGMA schema_version").fetchone()[0] == before
    assert len(store.query("SELECT 1 FROM run")) == 1


def test_a_store_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    from sqlite_utils import Database

    path = tmp_path / "workbench.db"
    connection = sqlite3.connect(path, isolation_level=None)
    _migrations().apply(Database(connection, strict=True), stop_before="fields_of_examples")
    connection.execute("INSERT INTO eval_example VALUES('set', 0, 'a \"text\"', 'good')")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("PRAGMA user_version=1")
    connection.close()
    prepare(path)
    with open_store(path) as store:
        assert predictions.random_example(store, "set") == ({"text": 'a "text"'}, "good")


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipe(soup TEXT)")
    connection.commit()
    connection.close()


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE run(id INTEGER)")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION + 1}")
    connection.commit()
    connection.close()


def corrupt(path: Path) -> None:
    path.write_bytes(b"not a database, but longer than the header of one. " * 40)


def folder(path: Path) -> None:
    path.mkdir()


def contents(path: Path) -> dict[str, bytes | None]:
    return {file.name: file.read_bytes() if file.is_file() else None for file in path.parent.iterdir()}


@pytest.mark.parametrize(
    ("make", "words"),
    [(foreign, "another program"), (newer, "newer workbench"), (corrupt, "not a readable"), (folder, "not a readable")],
)
@pytest.mark.parametrize("opened_by", [prepare, read_store, is_current])
def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(
    tmp_path: Path, make: object, words: str, opened_by: object
) -> None:
    path = tmp_path / "workbench.db"
    make(path)  # type: ignore[operator]
    before = contents(path)
    with pytest.raises(StoreError, match=words):
        opened_by(path)  # type: ignore[operator]
    assert contents(path) == before


def test_an_empty_file_becomes_the_store_and_cannot_be_read_before(tmp_path: Path) -> None:
    path = tmp_path / "workbench.db"
    path.touch()
    assert not is_current(path)
    with pytest.raises(StoreError, match="older"):
        read_store(path)
    prepare(path)
    with read_store(path) as store:
        assert store.query("SELECT * FROM run") == []


def test_a_store_that_cannot_be_made_apart_says_why(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"could not be made: .*(Error|No such)"):
        prepare_apart(tmp_path / "no such folder" / "workbench.db")


def test_reading_writes_nothing(path: Path) -> None:
    with read_store(path) as store, pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.connection.execute("DELETE FROM run")


ADD_ONE = """
import sys
from pathlib import Path
from store.connection import open_store
with open_store(Path(sys.argv[1])) as store:
    for _ in range(150):
        with store.write() as connection:
            step = connection.execute("SELECT step FROM run").fetchone()[0]
            connection.execute("UPDATE run SET step=?", (step + 1,))
"""


def test_two_processes_that_read_and_write_lose_no_update(store: Store, path: Path) -> None:
    run_id = add_run(store)
    writers = [subprocess.Popen([sys.executable, "-c", ADD_ONE, str(path)], env=dict(os.environ)) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert get(store, run_id).step == 300


def test_a_writer_waits_for_the_file_lock(store: Store, path: Path) -> None:
    written = threading.Event()

    def write() -> None:
        add_run(store)
        written.set()

    with path.with_name("write.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        writer = threading.Thread(target=write)
        writer.start()
        assert not written.wait(0.2)
    assert written.wait(10)
    writer.join()


def fail_half_way(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE run SET step=9")
    connection.execute("UPDATE no_such_table SET step=9")


def test_a_write_that_fails_leaves_nothing_behind(store: Store) -> None:
    run_id = add_run(store)
    with pytest.raises(sqlite3.OperationalError), store.write() as connection:
        fail_half_way(connection)
    assert get(store, run_id).step == 0
    with store.write() as connection:
        connection.execute("UPDATE run SET step=7")
    assert get(store, run_id).step == 7


def leave_an_orphan(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA defer_foreign_keys=ON")
    connection.execute("UPDATE run SET parent_id=99")


def test_a_commit_that_fails_leaves_no_transaction_open(store: Store) -> None:
    run_id = add_run(store)
    with pytest.raises(sqlite3.IntegrityError), store.write() as connection:
        leave_an_orphan(connection)
    with store.write() as connection:
        connection.execute("UPDATE run SET step=7")
    assert (get(store, run_id).step, get(store, run_id).parent_id) == (7, None)


def end_by_itself(connection: sqlite3.Connection) -> None:
    connection.execute("ROLLBACK")
    raise OSError("full")


def test_the_error_of_a_transaction_that_ended_by_itself_is_told(store: Store) -> None:
    with pytest.raises(OSError, match="full"), store.write() as connection:
        end_by_itself(connection)


def test_the_data_version_tells_of_the_commits_of_others(store: Store, path: Path) -> None:
    with read_store(path) as reader:
        first = reader.data_version()
        assert reader.data_version() == first
        add_run(store)
        assert reader.data_version() != first
