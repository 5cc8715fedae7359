"""The layer groups of a run, as Live shows them."""

from __future__ import annotations

from typing import Any

import pytest

from screens import layers
from screens.feed import Curve, Trace
from store.events import Event
from workbench.text import width

PEAK = 1e-4


def group(name: str, size: int, share: float = 1.0, learning: int | None = None) -> dict[str, Any]:
    """Return a row of a stage; `share` is that of the peak rate, 0 where the group is frozen."""
    learning = (size if share else 0) if learning is None else learning
    return {"name": name, "trainable": share > 0, "rate": PEAK * share, "size": size, "learning": learning}


def trace_of(groups: list[dict[str, Any]], *, until: str = "", rate: float = PEAK / 2) -> Trace:
    """Return a run whose newest stage has these groups, from the bottom up, and whose rate is `rate` now."""
    total = sum(each["size"] for each in groups)
    rows = [each | {"share": each["size"] / total} for each in groups]
    stage = Event(1, 1, 0.0, 0, "stage", "info", "", {"groups": rows, "until": until})
    config = {"training.learning_rate": str(PEAK)}
    return Trace(1, 1, False, {"train/rate": Curve([1], [0.0], [rate])}, [stage], config=config)


def table(trace: Trace, *, ascii: bool = False) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in layers.table_lines(trace, ascii=ascii)]


def strip(trace: Trace, cells: int = 78, *, ascii: bool = False) -> list[str]:
    lines = layers.strip_lines(trace, cells, active=True, ascii=ascii)
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def stack(depth: int, *, learn: int, decay: float = 1.0) -> list[dict[str, Any]]:
    """Return embeddings, `depth` layers and a head of which the top `learn` groups learn."""
    names = ["embeddings", *(f"layer {number}" for number in range(depth)), "head"]
    return [
        group(name, 100, decay ** (len(names) - 1 - place) if place >= len(names) - learn else 0.0)
        for place, name in enumerate(names)
    ]


def test_the_rate_is_the_one_of_now_and_the_next_change_is_told() -> None:
    trace = trace_of(
        [group("embeddings", 600, 0), group("layer 0", 190, 0), group("layer 1", 190, 0.5), group("head", 20)],
        until="until step 120",
    )
    assert table(trace) == [
        "                 rate     share",
        "● head           5e-05    2.0 %",
        "● layer 1        2.5e-05   19 %",
        "○ layer 0        frozen    19 %",
        "○ embeddings     frozen    60 %",
        "  so until step 120",
    ]
    assert strip(trace) == [
        "layers ●●○○  21 % of the weights learn until step 120",
        "       head 5e-05 2.0 % · layer 1 2.5e-05 19 % · frozen 79 %",
    ]


def test_before_the_first_update_there_is_no_rate_yet() -> None:
    trace = trace_of(stack(1, learn=3))
    trace.curves.clear()
    assert table(trace)[1].split() == ["●", "head", "—", "33", "%"]


def test_adapters_tell_how_much_of_a_group_learns() -> None:
    trace = trace_of(
        [group("embeddings", 6000, 1, 1), *(group(f"layer {n}", 10_000, 1, 31) for n in range(12)), group("head", 50)]
    )
    assert table(trace) == [
        "               rate     share learn",
        "● head         5e-05    <.1 %   all",
        "● layers 0-11  5e-05     95 % 0.3 %",
        "● embeddings   5e-05    4.8 % <.1 %",
    ]
    assert strip(trace, 90) == [
        "layers ●●●●●●●●●●●●●●  0.3 % of the weights learn",
        "       head <.1 % · layers 0-11 95 % (0.3 % of it) · embeddings 4.8 % (<.1 % of it)",
    ]


def test_encoder_and_decoder_are_told_apart() -> None:
    names = ["embeddings", *(f"encoder {n}" for n in range(6)), *(f"decoder {n}" for n in range(6)), "head"]
    trace = trace_of([group(name, 100, 1.0 if place > 8 else 0.0) for place, name in enumerate(names)])
    assert [line[2:16].strip() for line in table(trace)[1:]] == [
        "head", "decoder 2-5", "decoder 0-1", "encoder 0-5", "embeddings",
    ]  # fmt: skip


@pytest.mark.parametrize("depth", [2, 6, 12, 24])
def test_two_stacks_at_different_rates_stay_readable(depth: int) -> None:
    names = ["embeddings", *(f"encoder {n}" for n in range(depth)), *(f"decoder {n}" for n in range(depth)), "head"]
    trace = trace_of([group(name, 100, 0.95 ** (len(names) - place)) for place, name in enumerate(names)])
    assert len(table(trace)) <= layers.MOST_ROWS + 2
    assert strip(trace)[1].startswith("head 4.8e-05 · decoder ≤4.5e-05 · encoder ≤")
    assert not strip(trace)[1].endswith("…")


@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("decay", [1.0, 0.95])
@pytest.mark.parametrize("depth", [0, 1, 6, 12, 24, 46])
def test_any_number_of_groups_stays_readable(depth: int, decay: float, ascii: bool) -> None:
    for learn in (1, depth // 2 + 1, depth + 2):
        trace = trace_of(stack(depth, learn=learn, decay=decay), until="until step 1 234")
        assert len(table(trace, ascii=ascii)) <= layers.MOST_ROWS + 2
        assert max(width(line) for line in table(trace, ascii=ascii)) <= 35
        lines = strip(trace, ascii=ascii)
        assert len(lines) == 2
        assert lines[0].endswith("learn until step 1 234")
        assert max(map(width, lines)) <= 78
        assert not any(line.endswith("…") for line in lines)
        if ascii:
            assert not set("".join(lines)) & set("●○×≤")


def test_many_layers_at_different_rates_share_a_row_that_names_the_highest() -> None:
    trace = trace_of(stack(24, learn=26, decay=0.9))
    assert table(trace)[2].split() == ["●", "layers", "0-23", "≤4.5e-05", "92", "%"]


def test_a_run_without_a_stage_shows_nothing() -> None:
    trace = Trace(1, 1, False)
    assert table(trace) == strip(trace) == []


def test_a_stage_of_an_earlier_version_is_shown_as_far_as_it_goes() -> None:
    stage = Event(1, 1, 0.0, 0, "stage", "info", "", {"groups": [{"name": "head", "trainable": True, "rate": PEAK}]})
    assert strip(Trace(1, 1, False, events=[stage]))[0].startswith("layers ●")
