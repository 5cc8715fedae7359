"""A home in which every text attacks the terminal that shows it, and what an app may send to a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

from store import points, predictions, runs
from store.connection import Store, open_store
from tests.making import write_jsonl
from tests.screens.seed import NOW, seed
from workbench.paths import Home

ATTACKS = (
    "\x1b[35;5;123mSGR\x1b[0;35;5m",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]0;EVIL\x07\x1b[2J\x1b[6n\x1bP+q544e\x1b\\\x1bc\x1b_Gevil\x1b\\",
    "\x9b31m\x9d52;c;ZQ==\x9c\x90q\x9c",
    "\u202eevil\u2066\u2069\u200f\u061c",
    "pay\u200b\u2060\ufeff\u00adpal",
    "[/red][link=http://evil]x[/link][@click=app.quit]q[/][bold",
    "a\x00b\x07\x08\x7f\r\x0b\x0c\x0e\x0f",
    "e" + "\u0301" * 300,
    "long " + "x" * 5000,
)
"""Texts, each of which would do something to a terminal or to a widget that takes it for its own markup."""

TEXT = "".join(ATTACKS[:9]) + ATTACKS[9][:40]
SURROGATE = "\ud800\udfff"
FILE = "".join(char for char in TEXT if char not in "/\0")[:60]
"""An attack that can be the name of a file."""

_SEQUENCES = re.compile(
    rb"\x1b\[\?(?:7|25|1000|1002|1003|1004|1005|1006|1015|1016|1049|2004|2026|2031|2048)(?:;\d+)*[hl]"  # modes
    rb"|\x1b\[\?(?:2026|2048)\$p"  # which modes are there
    rb"|\x1b\[[0-9;]*[HABCDJK]"  # cursor, erase
    rb"|\x1b\[[0-9;:]*m"  # colours
    rb"|\x1b\[[<>=]\d*u|\x1b\[\?u|\x1b\[>1u"  # the protocol of keys
    rb"|\x1b\[\?996n|\x1b\[c|\x1b\[14t|\x1b\[16t|\x1b\[18t"  # questions to the terminal
    rb"|\x1b\]22;[a-z-]*\x1b\\|\x1b\]22;[a-z-]*\x07"  # the pointer's shape
    rb"|\x1b_Gi=\d+[^\x1b]*\x1b\\"
)
"""What the app itself writes between texts."""


def hostile_home(root: Path) -> Home:
    """Fill a home and a folder of data beside it, `root`/files, with texts that attack."""
    home = seed(root / "home", finished=4)
    rows = [{"text": f"{number} {TEXT}", "label": f"{'good' if number % 2 else 'bad'} {TEXT}"} for number in range(24)]
    data = write_jsonl(root / "files" / f"{FILE}.jsonl", rows)
    (root / "files" / FILE).mkdir()
    with open_store(home.store) as store:
        for run in runs.listing(store):
            _spoil(store, home, run.id, data)
        with store.write() as connection:
            texts = [(index, json.dumps({"text": f"{TEXT} {SURROGATE}"}), TEXT) for index in range(20)]
            predictions.add_examples(connection, TEXT, texts)
            connection.execute("UPDATE event SET text=? || text", (TEXT,))
            connection.execute("UPDATE checkpoint SET path=?", (TEXT,))
    return home


def _spoil(store: Store, home: Home, run_id: int, data: Path) -> None:
    run = runs.get(store, run_id)
    assert run is not None
    recipe = f"name = {json.dumps(TEXT[:150])}\n" + re.sub("^name = .*\n", "", run.recipe, count=1)
    recipe = re.sub("(?m)^train = .*$", lambda _: f"train = {json.dumps(str(data))}", recipe)
    recipe = re.sub('(?m)^name = "/models/.*$', 'name = "starter:tiny"', recipe)
    said = {"label": TEXT, "scores": {TEXT: 0.75, f"{TEXT} 2": 0.25}, "text": f"{TEXT}{SURROGATE}"}
    with store.write() as connection:
        connection.execute(
            """UPDATE run SET name=?, backbone=?, dataset=?, grp=?, note=?, host=?, error=?, eval_set=?, recipe=?,
                versions=? WHERE id=?""",
            (
                f"{run_id} {TEXT}",
                f"/{TEXT}",
                TEXT,
                TEXT,
                TEXT,
                TEXT,
                TEXT,
                TEXT,
                recipe,
                json.dumps({TEXT: TEXT}),
                run_id,
            ),
        )
        connection.execute(
            "UPDATE config SET text=? WHERE run_id=? AND path IN ('data.train', 'backbone.name', 'task.text')",
            (f"/{run_id}{TEXT}", run_id),
        )
        points.append(connection, run_id, [(f"eval@{TEXT}/accuracy", 50, NOW, 0.5)], {})
        answers = [(index, TEXT, 0.75, 0.3, index % 2 == 0, said) for index in range(20)]
        predictions.replace(connection, run_id, run.best_step or 0, TEXT, answers)
    lines = "\n".join(ATTACKS).encode("utf-8", "surrogatepass")
    (home.run_folder(run.uid) / "log.txt").write_bytes(lines + b"\n\xff\xfe \x1b[35;5;123m\n" + lines)


def hostile_cache(folder: Path) -> Path:
    """Make a cache of the Hub whose models have names and descriptions that attack; return its HF_HOME."""
    for number, config in enumerate(
        ({"model_type": TEXT}, {"model_type": "bert", "quantization_config": {"quant_method": TEXT}})
    ):
        model = folder / "hub" / f"models--evil--{number}{FILE}"
        (model / "refs").mkdir(parents=True)
        (model / "refs" / "main").write_text("a" * 40)
        (model / "snapshots" / ("a" * 40)).mkdir(parents=True)
        (model / "snapshots" / ("a" * 40) / "config.json").write_text(json.dumps(config))
    return folder


def driving(raw: bytes) -> set[str]:
    """Return what among the bytes sent to a terminal is neither visible text nor what the app itself writes."""
    rest = _SEQUENCES.sub(b"", raw).decode("utf-8", "replace")
    hidden = re.compile(
        "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
    )
    found = {repr(rest[max(0, match.start() - 5) : match.end() + 12]) for match in hidden.finditer(rest)}
    return found | {
        repr(attack)
        for attack in ("35;5;123", "35;5m", "ZXZpbA", "]8;;http")
        if f"\x1b[{attack}" in raw.decode("utf-8", "replace")
    }
