"""The journal where there is no room, and after a power cut: whole lines, in order, none lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.test_room import files_of_at_most
from workbench.training.events import Logged, Noted, Saving, Started
from workbench.training.journal import FILE, RESERVE, RESERVE_BYTES, Journal, entries_of, lines_of


def noted(number: int) -> Noted:
    return Noted(number, "note", f"event {number}")


def test_lines_for_which_there_is_no_room_wait_and_are_written_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(noted(1), 1.0)
    with files_of_at_most((tmp_path / FILE).stat().st_size + 5):
        for number in (2, 3):
            assert journal.append(noted(number), 1.0).number == number
        assert not journal.sync()
        assert [json.loads(line)[0] for line in lines_of(tmp_path)] == [1]
        assert [entry.number for entry in journal.after(0)] == [1, 2, 3]
    journal.append(noted(4), 1.0)
    assert journal.sync()
    assert [json.loads(line)[0] for line in lines_of(tmp_path)] == [1, 2, 3, 4]
    journal.close()


def test_room_is_kept_in_reserve_and_given_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert (tmp_path / RESERVE).stat().st_blocks * 512 >= RESERVE_BYTES
    journal.free_reserve()
    assert not (tmp_path / RESERVE).exists()
    assert journal.sync()
    assert (tmp_path / RESERVE).exists()
    journal.close()
    assert not (tmp_path / RESERVE).exists()


def test_a_torn_line_is_ended_and_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(Logged(7, 0.5, 1.0, {"train/loss": 0.5}), 1.0)
    journal.close()
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'[2, 1.0, "Lo')
    assert len(list(lines_of(tmp_path))) == 1
    journal = Journal(tmp_path)
    assert (journal.last, journal.reached) == (2, 7)
    assert journal.append(noted(3), 1.0).number == 3
    assert [entry.number for entry in entries_of(tmp_path)] == [1, 3]
    journal.close()


@pytest.mark.parametrize("eval_set", ["0f3a", "../outside"])
def test_evaluation_rows_stand_apart_and_once(tmp_path: Path, eval_set: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [('{"text": "é \\ud800"}', "good"), ('{"text": "b"}', None)]
    begun = Started(0, 9, 100, "cpu", eval_set, rows, {"torch": "2"}, ["a note"])
    for _ in range(2):
        journal = Journal(folder)
        journal.append(begun, 1.0)
        assert journal.append(Saving(1), 1.0).number == journal.last
        journal.close()
    first, second = (entry.event for entry in entries_of(folder))
    assert first == second == (begun if eval_set.isalnum() else Started(0, 9, 100, "cpu", eval_set, [], {"torch": "2"},
                                                                        ["a note"]))  # fmt: skip
    assert len(list(folder.glob("eval-*"))) == eval_set.isalnum()
    assert list(tmp_path.iterdir()) == [folder]
