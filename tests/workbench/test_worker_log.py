"""The end of a worker's log, safe to show."""

from __future__ import annotations

from pathlib import Path

from workbench.worker_log import last_lines, read_end


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"{n:07d}\n" for n in range(1000)))
    lines, left_out = read_end(path, 84)
    assert lines == [f"{n:07d}" for n in range(990, 1000)]
    assert left_out == 8000 - 84
    assert last_lines(path, 2) == ["0000998", "0000999"]
    assert last_lines(tmp_path / "none", 2) == []
