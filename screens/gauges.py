"""The numbers beside the chart: evaluation, GPU, host, optimiser, layer groups; as sections, or in three lines."""

from __future__ import annotations

import textwrap

from screens import layers
from screens.details import metric_words, pace
from screens.feed import Trace
from screens.widgets.gauge import Reading, gauge_line
from screens.widgets.words import Part
from store.runs import Run
from workbench.goals import goal_of
from workbench.text import ABSENT, count, cut, fit, number, plain, rate, size, width

Lines = list[list[Part]]
GIB = 2**30


def side(run: Run, trace: Trace | None, cells: int, *, ascii: bool) -> dict[str, Lines]:
    """Return the sections of the side panel, `cells` wide, by the name of their widget; empty ones are not shown."""
    if trace is None:
        return {}
    sample = trace.samples[-1] if trace.samples else {}
    return {
        "evals": _titled("evaluation", _evaluations(run, trace), cells, ascii=ascii),
        "gpu": _titled("gpu", _gpu(trace, sample, cells, ascii=ascii), cells, ascii=ascii),
        "host": _titled("host", _host(trace, sample, cells, ascii=ascii), cells, ascii=ascii),
        "optimiser": _titled("optimiser", _optimiser(trace), cells, ascii=ascii),
        "layers": _titled("layers", layers.table_lines(trace, ascii=ascii), cells, ascii=ascii),
    }


def stats(run: Run, trace: Trace | None, cells: int, *, ascii: bool) -> Lines:
    """Return the same in three lines: the box and the optimiser, then the layer groups."""
    if trace is None:
        return []
    sample = trace.samples[-1] if trace.samples else {}
    speed = pace(run, trace) if run.active else None
    parts = [rate(speed)] if speed else []
    parts += [f"{label} {number(value)}" for label, value in _optimiser_values(trace)]
    parts += [f"cpu {sample['cpu/util']:.0f} %"] if "cpu/util" in sample else []
    parts.append(_gpu_brief(trace, sample))
    line = "   ".join(part for part in parts if part)
    lines: Lines = [[(cut(line, cells), "$foreground-muted")]] if line else []
    return [*lines, *layers.strip_lines(trace, cells, active=run.active, ascii=ascii)]


def _titled(title: str, lines: Lines, cells: int, *, ascii: bool) -> Lines:
    if not lines:
        return []
    dash = "-" if ascii else "─"
    return [[(f"{dash} ", "$rule"), (title, ""), (" " + dash * (cells - width(title) - 3), "$rule")], *lines]


def _evaluations(run: Run, trace: Trace) -> Lines:
    names = [name for name in trace.curves if name.startswith("eval/")]
    if not names:
        return []
    names.sort(key=lambda name: (name != run.goal_key, name == "eval/loss", name))
    lines: Lines = [[(fit("", 13) + fit("last", 7) + fit("best", 7) + "at", "$foreground-muted")]]
    for name in names:
        steps, values = trace.curves[name].points()
        finite = [(value, step) for value, step in zip(values, steps, strict=True) if value is not None]
        pick = max if goal_of(name) == "max" else min
        best, at = pick(finite, key=lambda pair: pair[0]) if finite else (None, None)
        style = "bold" if name == run.goal_key else ""
        cells = fit(metric_words(name), 13) + fit(number(values[-1] if values else None), 7) + fit(number(best), 7)
        lines.append([(cells + (count(at) if at is not None else ABSENT), style)])
    return lines


def _gpu(trace: Trace, sample: dict[str, float], cells: int, *, ascii: bool) -> Lines:
    if "gpu0/util" not in sample:
        said = next((event.text for event in reversed(trace.events) if event.kind == "device"), "")
        wrapped = textwrap.wrap(plain(said or "no GPU"), cells)[:3]
        return [[(line, "$foreground-muted")] for line in wrapped] if trace.events else []
    util = [one.get("gpu0/util", 0.0) / 100 for one in trace.samples]
    used, total = sample.get("gpu0/mem_used", 0.0), sample.get("gpu0/mem_total", 0.0)
    readings = [("util", Reading(util[-1], f"{sample['gpu0/util']:3.0f} %", util))]
    if total:
        readings.append(("mem", Reading(used / total, f"{used / GIB:.0f}/{total / GIB:.0f} GiB")))
    lines: Lines = [[(gauge_line(label, reading, cells, 6, ascii), "")] for label, reading in readings]
    ours = sample.get("worker/gpu")
    told = [f"ours {size(ours)}"] if ours else []
    told += [f"{sample['gpu0/temperature']:.0f} °C"] if "gpu0/temperature" in sample else []
    told += [f"{sample['gpu0/power']:.0f} W"] if "gpu0/power" in sample else []
    return [*lines, [(" · ".join(told), "$foreground-muted")]] if told else lines


def _gpu_brief(trace: Trace, sample: dict[str, float]) -> str:
    if "gpu0/util" not in sample:
        said = next((event.text for event in reversed(trace.events) if event.kind == "device"), "")
        return plain(said)
    used, total = sample.get("gpu0/mem_used", 0.0), sample.get("gpu0/mem_total", 0.0)
    memory = f" {used / GIB:.0f}/{total / GIB:.0f}G" if total else ""
    heat = f" {sample['gpu0/temperature']:.0f} °C" if "gpu0/temperature" in sample else ""
    return f"gpu0 {sample['gpu0/util']:.0f} %{memory}{heat}"


def _host(trace: Trace, sample: dict[str, float], cells: int, *, ascii: bool) -> Lines:
    lines: Lines = []
    if "cpu/util" in sample:
        history = [one.get("cpu/util", 0.0) / 100 for one in trace.samples]
        reading = Reading(sample["cpu/util"] / 100, f"{sample['cpu/util']:3.0f} %", history)
        lines.append([(gauge_line("cpu", reading, cells, 6, ascii), "")])
    if sample.get("ram/total"):
        used, total = sample.get("ram/used", 0.0), sample["ram/total"]
        reading = Reading(used / total, f"{used / GIB:.1f}/{total / GIB:.0f} GiB")
        lines.append([(gauge_line("ram", reading, cells, 6, ascii), "")])
    told = [f"ours {size(sample['worker/ram'])}"] if sample.get("worker/ram") else []
    told += [f"disk {size(sample['disk/free'])} free"] if "disk/free" in sample else []
    return [*lines, [(" · ".join(told), "$foreground-muted")]] if told else lines


def _optimiser_values(trace: Trace) -> list[tuple[str, float | None]]:
    named = (("rate", "train/rate"), ("grad", "train/grad_norm"))
    return [(label, trace.curves[name].values[-1]) for label, name in named if _has(trace, name)]


def _has(trace: Trace, name: str) -> bool:
    return bool(name in trace.curves and trace.curves[name].values)


def _optimiser(trace: Trace) -> Lines:
    values = _optimiser_values(trace)
    return [[("   ".join(f"{label} {number(value)}" for label, value in values), "")]] if values else []
