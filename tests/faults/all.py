"""Every kind of fault in turn until the time is over, then a table: the long form of the promises.

    python -m tests.faults.all [--minutes 60] [--seed 1]

Each turn is a process of its own with another seed. The first turn of each kind is always run to its end.
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from workbench.text import count, duration, table

ROOT = Path(__file__).parents[2]


@dataclass
class Part:
    """One kind of fault: its name, how a turn is started, the word behind its count, and what came of its turns."""

    name: str
    argv: tuple[str, ...]
    counted: str = "kills"
    seeded: bool = True
    turns: int = 0
    faults: int = 0
    seconds: float = 0.0
    failed: list[str] = field(default_factory=list)

    def turn(self, seed: int) -> bool:
        """Run one turn; return whether every promise was kept."""
        begun = time.monotonic()
        words = [sys.executable, "-m", *self.argv, *(("--seed", str(seed)) if self.seeded else ())]
        done = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.seconds += time.monotonic() - begun
        self.turns += 1
        self.faults += sum(map(int, re.findall(rf"^(\d+) {self.counted}\b", done.stdout, re.MULTILINE)))
        if done.returncode:
            self.failed.append(f"{self.name}, seed {seed}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return not done.returncode


def parts() -> list[Part]:
    """Return every kind of fault, each in turns of some minutes."""
    return [
        Part("kills at random moments", ("tests.faults.kills", "--kills", "24")),
        Part("storms over workers, shepherds, dispatchers", ("tests.faults.storm", "--runs", "150")),
        Part("damages to checkpoints", ("tests.faults.damages",), "damages", seeded=False),
        Part("commands at random moments", ("tests.faults.kills", "--asked", "10"), "answers"),
        Part("pairs of task and strategy, broken off", ("tests.faults.exact",), "pairs"),
        Part("memory that runs out", ("tests.faults.memory",), "places", seeded=False),
        Part("a queue of 1 000 runs", ("tests.faults.drain",), "runs", seeded=False),
        Part("kills at every failpoint", ("tests.faults.kills", "--failpoints"), seeded=False),
    ]


def go_through(given: list[Part], seconds: float, seed: int) -> None:
    """Let the parts take turns until the time is over, telling of each."""
    over = time.monotonic() + seconds
    for number, part in enumerate(itertools.cycle(given)):
        if number >= len(given) and time.monotonic() > over:
            return
        kept = part.turn(seed + number // len(given))
        print(f"{part.name}: {'kept' if kept else 'BROKEN'} ({count(part.faults)} so far)", flush=True)


def report(given: list[Part]) -> list[str]:
    """Return the table, and what was said where a promise was broken."""
    rows = [
        [part.name, count(part.turns), count(part.faults), str(len(part.failed)), duration(part.seconds)]
        for part in given
    ]
    heads = ["what", "turns", "faults", "turns that broke a promise", "time"]
    return [*table(rows, heads, ["left", "right"]), *(words for part in given for words in part.failed)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    given = parts()
    go_through(given, 60 * chosen.minutes, chosen.seed)
    print(*report(given), sep="\n")
    return 1 if any(part.failed for part in given) else 0


if __name__ == "__main__":
    sys.exit(main())
