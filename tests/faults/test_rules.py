"""Rules of security that the code keeps, read from its syntax: no net, no shell, no pickles, no code of models."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("workbench", "screens", "store")
NO_MODULE = {
    *("socket", "socketserver", "http", "xmlrpc", "ssl", "ftplib", "urllib.request", "requests", "httpx", "aiohttp"),
    *("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "kernels", "runpy", "pty"),
}
NO_CALL = {
    *("eval", "exec", "compile", "os.system", "os.popen", "torch.load", "torch.save", "tempfile.mktemp", "yaml.load"),
    *("asyncio.start_server", "asyncio.start_unix_server", "asyncio.create_subprocess_shell"),
    *("os.path.commonprefix", "zipfile.ZipFile", "tarfile.open"),
}
NO_METHOD = {"save_state", "load_state", "register_for_checkpointing", "extractall"}
STARTS = {"subprocess.Popen", "subprocess.run", "subprocess.call", "subprocess.check_output", "subprocess.check_call"}
REMOVES = {"workbench/training/publish.py", "workbench/models/handover.py", "workbench/models/parents.py"}
"""Who deletes folders: of checkpoints, models and drafts, in run folders that were named by their uid."""

Found = Iterator[tuple[ast.AST, str]]


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def breaches(module: Path) -> Found:
    """Yield what breaks a rule, with its place in the tree."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        yield from ((node, f"imports {name}") for name in names if {name, name.split(".")[0]} & NO_MODULE)
        if isinstance(node, ast.Call):
            yield from ((node, words) for words in _of_call(node, module))


def _of_call(call: ast.Call, module: Path) -> Iterator[str]:
    name = ast.unparse(call.func)
    method, given = name.rpartition(".")[2], {each.arg: each.value for each in call.keywords}
    if name in NO_CALL or ("." in name and method in NO_METHOD):
        yield f"calls {name}"
    if "shell" in given:
        yield "names a shell"
    if name in STARTS and not isinstance(call.args[0], ast.List):
        yield "starts a process with what is no list of words"
    if name in STARTS and not {"stdin", "input"} & given.keys() and module.name != "new_dialogs.py":
        yield "starts a process that has the terminal"
    if method == "from_pretrained" and ast.unparse(given.get("trust_remote_code", ast.Constant(None))) != "False":
        yield "loads without trust_remote_code=False"
    if method == "rmtree" and str(module.relative_to(ROOT)) not in REMOVES:
        yield "deletes a folder"
    if method == "startswith" and call.args and ast.unparse(call.args[0]).startswith(("str(", "os.fspath(")):
        yield "compares paths as texts: is_relative_to does not take /data-secret for a part of /data"


def test_no_module_breaks_a_rule() -> None:
    found = [
        f"{module.relative_to(ROOT)}:{node.lineno} {words}" for module in modules() for node, words in breaches(module)
    ]  # type: ignore[attr-defined]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import socket",
        "from http.server import HTTPServer",
        "import pickle as p",
        "eval('1')",
        "import torch\ntorch.load(file)",
        "accelerator.save_state(folder)",
        "subprocess.run(words, shell=False)",
        "subprocess.run(command, stdin=None)",
        "subprocess.run(['ls'])",
        "AutoModel.from_pretrained(folder)",
        "AutoModel.from_pretrained(folder, trust_remote_code=True)",
        "AutoModel.from_pretrained(folder, trust_remote_code=trusted, **options)",
        "shutil.rmtree(name)",
        "path.startswith(str(root))",
    ],
)
def test_a_breach_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr("tests.faults.test_rules.ROOT", tmp_path)
    (tmp_path / "module.py").write_text(code)
    assert [words for _, words in breaches(tmp_path / "module.py")] != []


def test_there_is_much_to_read() -> None:
    assert len(modules()) > 150
