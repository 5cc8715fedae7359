"""Imports point one way, and what answers a key press loads nothing heavy."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {"store": {"store"}, "workbench": {"workbench", "store"}, "screens": {"screens", "workbench", "store"}}
HEAVY = ("torch", "transformers", "datasets", "accelerate", "peft", "pandas", "sklearn")
ENTRANCE = Path("workbench/__main__.py")
"""The one file below the screens that may open one, inside a function."""


def imports_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the top package of every import, with its line; relative ones as `.`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else str(node.module).split(".")[0], node.lineno


def breaches(path: Path, source: str) -> list[str]:
    """Return the imports in a file that point the wrong way."""
    package = path.parts[0]
    tree = ast.parse(source)
    inside = {lineno for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for _, lineno in imports_of(node)}
    found = []
    for name, line in imports_of(tree):
        opens_a_screen = path == ENTRANCE and name == "screens" and line in inside
        if name == "." or (name in {*MAY_IMPORT, "tests"} - MAY_IMPORT[package] and not opens_a_screen):
            found.append(f"{path}:{line} imports {name}")
    return found


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_point_one_way(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert [breach for file in files for breach in breaches(file.relative_to(ROOT), file.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("path", "source", "count"),
    [
        ("store/a.py", "from workbench.errors import X", 1),
        ("store/a.py", "def f():\n import workbench.paths", 1),
        ("workbench/a.py", "import store.runs\nimport screens.app", 1),
        ("workbench/a.py", "def f():\n from screens import app", 1),
        ("workbench/__main__.py", "def f():\n from screens import app", 0),
        ("workbench/__main__.py", "from screens import app", 1),
        ("screens/a.py", "import workbench, store", 0),
        ("screens/a.py", "from . import rows", 1),
        ("screens/a.py", "from tests import support", 1),
    ],
)
def test_a_breach_is_seen(path: str, source: str, count: int) -> None:
    assert len(breaches(Path(path), source)) == count


@pytest.mark.parametrize(
    "module",
    [
        "screens.app",
        "workbench.commands",
        "workbench.supervision.queue",
        "workbench.catalog",
        "workbench.recipe",
        "store.runs",
    ],
)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    if not (ROOT / Path(*module.split("."))).is_dir() and importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not there yet")
    code = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    arguments = [sys.executable, "-c", code]
    answer = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []
