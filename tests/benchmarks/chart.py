"""Print what a redraw of a chart of 100 by 20 cells costs: python -m tests.benchmarks.chart"""

from __future__ import annotations

import math
import random
import time

from workbench.chart.plot import Series, plot

CELLS = (100, 20)
SIZES = ((200, 1), (2_000, 3), (10_000, 1), (10_000, 3))
ROUNDS = 9


def curve(points: int, seed: int) -> Series:
    """Return a noisy falling loss."""
    chance = random.Random(seed)
    values = [0.2 + math.exp(-5 * i / points) + chance.gauss(0, 0.05) for i in range(points)]
    return Series(f"run {seed}", list(range(points)), values, f"series-{seed + 1}")


def cost(points: int, lines: int, log_y: bool, symbols: str) -> float:
    """Return the least CPU time in milliseconds of one redraw."""
    series = [curve(points, seed) for seed in range(lines)]
    best = math.inf
    for _ in range(ROUNDS):
        start = time.process_time()
        plot(series, *CELLS, log_y=log_y, symbols="ascii" if symbols == "ascii" else "braille")
        best = min(best, time.process_time() - start)
    return best * 1000


def main() -> None:
    """Print one line per size."""
    print(f"CPU ms per redraw, {CELLS[0]}x{CELLS[1]} cells, best of {ROUNDS}")
    print(f"{'points x lines':>16}  {'linear':>7}  {'log':>7}  {'ascii':>7}")
    for points, lines in SIZES:
        costs = [cost(points, lines, *kind) for kind in ((False, "braille"), (True, "braille"), (False, "ascii"))]
        print(f"{points:>12} x {lines}  " + "  ".join(f"{one:7.2f}" for one in costs))


if __name__ == "__main__":
    main()
