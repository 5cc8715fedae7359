"""The table of promises names tests that there are, and all 32 promises."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

from tests.faults.all import Part, go_through, report

ROOT = Path(__file__).parents[2]
TABLE = re.sub(r"<!--.*?-->", "", (ROOT / "tests/faults/README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
ROWS = {line.split("|")[1].strip(): line for line in TABLE.splitlines() if line.startswith("| R")}
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@lru_cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_promise_has_its_row() -> None:
    assert list(ROWS) == [f"R{number}" for number in range(1, 33)]


@pytest.mark.parametrize("promise", ROWS)
def test_every_test_of_a_promise_is_there(promise: str) -> None:
    named = NAMED.findall(ROWS[promise])
    assert named
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []


def test_the_long_form_counts_and_tells_what_broke() -> None:
    once = ("timeit", "-n1", "-r1")
    kept = Part("kept", (*once, "print('7 kills in 2 runs: 0 parts differ')"), seeded=False)
    broken = Part("broken", (*once, "raise SystemExit('a promise')"), seeded=False)
    go_through([kept, broken], 0.0, 1)
    assert (kept.turns, kept.faults, kept.failed) == (1, 7, [])
    assert (broken.turns, len(broken.failed)) == (1, 1)
    told = "\n".join(report([kept, broken]))
    assert "a promise" in told
