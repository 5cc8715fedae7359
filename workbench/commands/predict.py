"""workbench predict"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import click

from store import predictions
from store.runs import Run
from workbench.answers import asked, line_of
from workbench.catalog import TASKS
from workbench.commands.common import find_run, json_option, pass_home, print_json, reading
from workbench.data.locating import FORMATS
from workbench.errors import WorkbenchError
from workbench.inference.client import Answer, Client
from workbench.paths import Home
from workbench.text import count, plain

CHUNK = 256
TABLES = tuple(f".{ending}{packed}" for ending, kind in FORMATS.items() if kind != "text" for packed in ("", ".gz"))
"""Endings of files whose rows have columns; the lines of any other are texts."""

Asked = dict[str, Any]


@click.command(epilog='Example: workbench predict 3 "not bad at all" --json')
@click.argument("run", metavar="RUN")
@click.argument("texts", metavar="TEXT...", nargs=-1)
@click.option("--file", type=click.Path(path_type=Path), help="Ask about each row or line of a file (- for stdin).")
@click.option("--out", type=click.Path(path_type=Path), help="Write the answers to a new file, a line of JSON each.")
@json_option
@pass_home
def command(home: Home, run: str, texts: tuple[str, ...], file: Path | None, out: Path | None, as_json: bool) -> None:
    """Ask a run's best model: the answers are those that evaluation would have given.

    Each TEXT is asked about; of a task with several fields, such as a question and its context, one TEXT is given
    for each field. The columns of a FILE are found as those of the training file were.
    """
    if bool(texts) == bool(file):
        raise WorkbenchError("name texts, or a file with --file", hint='Example: workbench predict 3 "not bad"')
    with reading(home) as store:
        found = find_run(store, run)
        fields = predictions.fields_of(store, found.eval_set) or required(found.task)
    told: list[dict[str, Any]] = []
    with closing(Client(home)) as client, _new_file(out) as sink:
        for row, answer in _answered(client, found, _rows(found, fields, texts, file), file):
            line = _json(found, row, answer)
            if sink is not None:
                sink.write(json.dumps(line, ensure_ascii=False) + "\n")
            elif as_json:
                told.append(line)
            else:
                click.echo(_words(found, row, answer))
    if out is not None:
        click.echo(f"Written: {plain(str(out))}", err=True)
    elif as_json:
        print_json(told)


def required(task: str) -> list[str]:
    """Return the roles that a model of a task has to be asked with."""
    return [role for role, card in TASKS[task].roles.items() if card.asked and card.required and card.in_prompts]


def _rows(run: Run, fields: Sequence[str], texts: Sequence[str], file: Path | None) -> Iterable[Asked]:
    if file is not None:
        return ({fields[0]: line} for line in _lines(file))
    if len(fields) == 1:
        return [{fields[0]: text} for text in texts]
    if len(required(run.task)) <= len(texts) <= len(fields):
        return [dict(zip(fields, texts, strict=False))]
    raise WorkbenchError(
        f"{run.task} is asked with {' and '.join(fields)}, a TEXT for each; got {len(texts)}",
        hint="Several are asked at once from a file with these columns: --file FILE.jsonl",
    )


def _answered(client: Client, run: Run, rows: Iterable[Asked], file: Path | None) -> Iterator[tuple[Asked, Answer]]:
    """Yield each row with its answer, and say on stderr how far a long file is."""
    if file is None or not str(file).lower().endswith(TABLES):
        source = iter(rows)
        while chunk := list(islice(source, CHUNK)):
            yield from zip(chunk, client.answer(run, chunk), strict=True)
        return
    done = 0
    for chunk, answers, of in client.answer_file(run, str(file.absolute())):
        yield from zip(chunk, answers, strict=True)
        done += len(chunk)
        if of > CHUNK:
            click.echo(f"{count(done)} of {count(of)} rows answered", err=True)


def _json(run: Run, row: Asked, answer: Answer) -> dict[str, Any]:
    """Return a row with its answer: what was asked keeps its name where the answer has the same one."""
    judged = {} if answer.loss is None else {"loss": answer.loss, "correct": answer.correct}
    said = {"step": answer.step, "pred": answer.pred, "score": answer.score, **judged, **answer.output}
    return {**row, **said, **_asked(run, row)}


def _words(run: Run, row: Asked, answer: Answer) -> str:
    output = answer.output
    read = len(output.get("pieces", ()))
    cut = f"  (cut: {read} of {output['of']} tokens)" if output.get("of", 0) > read else ""
    return f"{line_of(answer.pred, answer.score)}  {plain(asked(_asked(run, row)))}{cut}"


def _asked(run: Run, row: Asked) -> Asked:
    return {role: value for role, value in row.items() if TASKS[run.task].roles[role].asked}


def _lines(file: Path) -> Iterator[str]:
    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            yield from (line.rstrip("\r\n") for line in stream)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise WorkbenchError(f"cannot read the texts: {reason}", where=str(file)) from error


@contextmanager
def _new_file(path: Path | None) -> Iterator[TextIO | None]:
    """Open a new file for the person alone; one that is there stays, and a half-written one says so by its name."""
    if path is None:
        yield None
        return
    beside = path.with_name(f"{path.name}.part")
    try:
        if path.exists():
            raise FileExistsError(17, "there is such a file already")
        with open(beside, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as sink:
            yield sink
        beside.rename(path)
    except OSError as error:
        raise WorkbenchError(f"cannot write the answers: {error.strerror}", where=str(path)) from error
