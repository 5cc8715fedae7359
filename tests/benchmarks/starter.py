"""Make the backbone that ships, and print what it is worth.

Writes the sentences, trains the recipe beside the weights, then trains both on 200 labels of the starter sentiment set
with five seeds each, as the demo does.

    python -m tests.benchmarks.starter --home DIR [--worth]
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from store.connection import read_store
from tests.shared import MINILM, SHARED
from workbench.catalog import STARTER_FOLDER
from workbench.commands import demo
from workbench.commands.follow import follow
from workbench.insight import group_words
from workbench.insight.groups import read_group
from workbench.paths import Home
from workbench.recipe import load
from workbench.supervision import queue

DATA = SHARED / "data"
SHORTEST, LONGEST = 12, 300
"""Characters of a sentence."""

ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
WIKITEXT = ((" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."), ("<unk>", "it"))


def sentences() -> Iterator[str]:
    """Yield the sentences of every set whose licence lets weights be made of it."""
    for row in _rows("goemotions/train.jsonl.gz"):
        yield row["text"].replace("[NAME]", "they").replace("[RELIGION]", "church")
    paragraphs = set()
    for row in _rows("squad-flat/train.jsonl.gz"):
        yield row["question"]
        if row["context"] not in paragraphs:
            paragraphs.add(row["context"])
            yield from ENDS.split(row["context"])
    for line in (DATA / "wikitext2-small" / "train.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.strip().startswith("="):
            yield from ENDS.split(_plain(line))
    for row in _rows("dolly-short/train.jsonl.gz"):
        yield from (row["instruction"], *ENDS.split(row["response"]))
    for row in json.loads((DATA / "instruct-1100" / "train.json").read_text(encoding="utf-8")):
        for key in ("instruction", "input", "output"):
            yield from ENDS.split(row[key])
    for line in (DATA / "wnut17-jsonl" / "train.jsonl").read_text(encoding="utf-8").splitlines():
        yield " ".join(json.loads(line)["tokens"])


def write_texts(file: Path) -> int:
    """Write each sentence once, in a random order that is always the same; return how many there are."""
    trimmed = (" ".join(text.split()) for text in sentences())
    kept = list(dict.fromkeys(text for text in trimmed if SHORTEST <= len(text) <= LONGEST))
    random.Random(0).shuffle(kept)
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return len(kept)


def make(home: Home) -> None:
    """Carry out the recipe that lies beside the weights."""
    texts = home.root / "texts.txt"
    print(f"{write_texts(texts)} sentences", flush=True)
    settings = [f'data.train="{texts}"', f'strategy.teacher="{MINILM}"']
    run = follow(home, queue.submit(home, load(STARTER_FOLDER / "tiny" / "recipe.toml", settings)))
    print(f"made by run #{run.id}: {home.run_folder(run.uid) / 'models'}")


def _plain(line: str) -> str:
    for mark, meant in WIKITEXT:
        line = line.replace(mark, meant)
    return re.sub(r" ([.,;:!?)])", r"\1", line).replace("( ", "(").replace(" 's", "'s")


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--worth", action="store_true", help="only print what the shipped weights are worth")
    options = parser.parse_args()
    home = Home(options.home.resolve()).create()
    if not options.worth:
        make(home)
    ended = [follow(home, run) for run in demo.submit(home)]
    with read_store(home.store) as store:
        print(group_words.as_text(read_group(store, str(ended[0].grp))))


if __name__ == "__main__":
    main()
