"""The data doctor: everything that is wrong or doubtful about a recipe's data, before a model is loaded."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.data.features import Example
from workbench.data.findings import SHOWN, Finding, warning
from workbench.data.lengths import length_findings
from workbench.data.prepare import Prepared, digest, prepare
from workbench.data.rows import ROWS, Problem
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.tasks import Task
from workbench.text import plural

RARE = 5
"""Examples of a label below which it can hardly be learned."""

IMBALANCE = 20
"""How many times as frequent as the rarest label the commonest may be before it is said."""

BROKEN = re.compile("\ufffd|Ã[\u0080-\u00bf]|â€|Â[\u00a0-\u00bf]")
"""What text looks like that was read in a wrong encoding once: U+FFFD, or UTF-8 read as Latin-1 or cp1252."""

HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff]")
"""Characters that are not seen but are tokens: controls, zero widths, direction marks."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found, errors first; `data` is what the recipe's data come to, None where they cannot be used."""

    findings: list[Finding]
    data: Prepared | None


def examine(recipe: Recipe, cache: Path) -> Diagnosis:
    """Examine the data of a recipe as a run would read them; whatever is wrong is a finding, never an exception."""
    problems: list[Problem] = []
    try:
        data = prepare(recipe, cache, problems)
        findings = [*doubts(data), *length_findings(recipe, data)]
        return Diagnosis(findings, data)
    except WorkbenchError as error:
        told = [] if error.code == ROWS else [Finding(error.code, "error", error.what, error.where, remedy=error.hint)]
        return Diagnosis([*_row_errors(problems), *told], None)


def _row_errors(problems: Sequence[Problem]) -> Iterator[Finding]:
    """Yield the rows that cannot be used, those with the same kind of problem together."""
    kinds: dict[tuple[str, str, str], list[Problem]] = defaultdict(list)
    for problem in {(each.where, each.row): each for each in problems}.values():
        kinds[problem.where, problem.column, problem.problem.code].append(problem)
    for (where, column, code), listed in kinds.items():
        first, rows = listed[0].problem, tuple(each.row for each in listed[:SHOWN])
        what = f"column {column!r} {first.what}"
        yield Finding(code, "error", what, where, rows, len(listed), first.hint)


def doubts(data: Prepared) -> Iterator[Finding]:
    """Yield what is doubtful about examples that can be used, set by set."""
    known: dict[str, str] = {}
    for each in data.sets:
        train, validation = (
            [example for example in part if example.source == each.name] for part in (data.train, data.validation)
        )
        apart = each.validation_file != each.train_file
        first = train if apart else sorted([*train, *validation], key=lambda example: example.row)
        for finding in (*_rows(data.task, first), *_repeated(train), *_merged_twice(train, known)):
            yield replace(finding, where=each.train_file)
        for finding in _rows(data.task, validation) if apart else ():
            yield replace(finding, where=each.validation_file)
        known |= {digest(example.fields): each.name for example in train}
    for finding in _golds(data):
        yield replace(finding, where=", ".join(each.train_file for each in data.sets))
    for each in data.sets:
        validation = [example for example in data.validation if example.source == each.name]
        shared = [example.row for example in validation if digest(example.fields) in known]
        if shared:
            what = f"{len(shared)} of {len(validation)} evaluation rows stand in the training rows too"
            yield replace(
                warning("overlap", what, shared, "The scores flatter: remove them."), where=each.validation_file
            )


def _merged_twice(examples: Sequence[Example], known: Mapping[str, str]) -> Iterator[Finding]:
    """Yield rows of a set that stand in another set too; `known` is what the sets before ask → the set's name."""
    again = [(example.row, known[asked]) for example in examples if (asked := digest(example.fields)) in known]
    if again:
        sets = ", ".join(sorted({name for _, name in again}))
        what = f"{plural(len(again), 'row')}: what a row of {sets} asks already"
        rows = [row for row, _ in again]
        yield warning("duplicates", what, rows, "They count double; remove them if that is not meant.")


def _rows(task: Task, examples: Sequence[Example]) -> Iterator[Finding]:
    """Yield what is doubtful about the examples of a file."""
    yield from _texts(examples)
    yield from _mended(examples)
    yield from task.doubts(examples)


def _texts(examples: Sequence[Example]) -> Iterator[Finding]:
    """Yield texts that were damaged on their way or hold what is not seen."""
    texts = [(each.row, " ".join(_strings(each.fields))) for each in examples]
    broken = [row for row, text in texts if BROKEN.search(text)]
    if broken:
        what = (
            f"{plural(len(broken), 'row')}: text that was read in a wrong encoding once, by its look (Ã¼, â€™, \ufffd)"
        )
        yield warning("mojibake", what, broken, "Make the file again from its source, as UTF-8.")
    hidden = [row for row, text in texts if HIDDEN.search(text)]
    if hidden:
        what = f"{plural(len(hidden), 'row')}: control or invisible characters"
        yield warning("invisible", what, hidden, "They are kept; remove them where they mean nothing.")


def _mended(examples: Sequence[Example]) -> Iterator[Finding]:
    """Yield rows that break a rule and were read all the same."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for example in examples:
        if example.mended:
            kinds[example.mended].append(example.row)
    for what, rows in kinds.items():
        yield warning("mended", f"{plural(len(rows), 'row')}: {what}", rows, "Mend them if that is not meant.")


def _repeated(examples: Sequence[Example]) -> Iterator[Finding]:
    """Yield rows that stand there more than once, and those of them that contradict each other."""
    alike: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        alike[digest(example.fields)].append(example)
    groups = [group for group in alike.values() if len(group) > 1]
    again = sorted(each.row for group in groups for each in group[1:])
    if again:
        what = f"{plural(len(again), 'row')}: what another row asks already"
        yield warning("duplicates", what, again, "They count double; remove them if that is not meant.")
    torn = [group for group in groups if len({digest(each.gold) for each in group}) > 1]
    rows = sorted(each.row for group in torn for each in group)
    if rows:
        what = f"{plural(len(rows), 'row')}: what another row asks, with another right answer"
        yield warning("contradictions", what, rows, "No model can learn both: decide for one.")


def _golds(data: Prepared) -> Iterator[Finding]:
    """Yield labels that are rare, or far rarer than others."""
    counts = data.task.count_golds(data.train)
    rare = [f"{label} {number}" for label, number in counts.items() if number < RARE]
    if rare:
        what = f"{len(rare)} of {len(counts)} labels have fewer than {RARE} training rows: {', '.join(rare[:10])}"
        yield warning("rare-label", what, remedy="They can hardly be learned: find more rows, or join labels.")
    seen = [number for number in counts.values() if number]
    if len(seen) > 1 and max(seen) > IMBALANCE * min(seen):
        most, least = (pick(counts, key=lambda label: counts[label]) for pick in (max, min))
        what = f"the labels are uneven: {most} {counts[most]}, {least} {counts[least]}"
        yield warning("imbalance", what, remedy='Accuracy flatters then: set evaluation.metric = "macro_f1".')
    held_out = Counter(data.task.count_golds(data.validation))
    unmeasured = [label for label, number in counts.items() if number and not held_out[label]]
    if counts and unmeasured:
        what = f"{len(unmeasured)} labels have no evaluation row: {', '.join(unmeasured[:10])}"
        yield warning("unmeasured-label", what, remedy="What the model does with them will not be known.")


def _strings(fields: dict[str, object]) -> Iterator[str]:
    for value in fields.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (each for each in value if isinstance(each, str))
