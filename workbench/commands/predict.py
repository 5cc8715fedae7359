"""workbench predict"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from workbench.commands.common import find_run, json_option, pass_home, print_json, reading
from workbench.errors import WorkbenchError
from workbench.inference.client import Client
from workbench.paths import Home
from workbench.text import number, plain

CHUNK = 256


@click.command(epilog='Example: workbench predict 3 "not bad at all" --json')
@click.argument("run", metavar="RUN")
@click.argument("texts", metavar="TEXT...", nargs=-1)
@click.option("--file", "file", type=click.Path(path_type=Path), help="Ask about each line of a file (- for stdin).")
@json_option
@pass_home
def command(home: Home, run: str, texts: tuple[str, ...], file: Path | None, as_json: bool) -> None:
    """Ask a run's best model: the answers are those that evaluation would have given."""
    if bool(texts) == bool(file):
        raise WorkbenchError("name texts, or a file with --file", hint='Example: workbench predict 3 "not bad"')
    with reading(home) as store:
        found = find_run(store, run)
    client = Client(home)
    answers: list[dict[str, Any]] = []
    try:
        for chunk in _chunks(texts if file is None else _lines(file)):
            for text, answer in zip(chunk, client.answer(found, chunk), strict=True):
                row = {"text": text, "step": answer.step, **answer.output}
                if as_json:
                    answers.append(row)
                else:
                    click.echo(_line(row))
    finally:
        client.close()
    if as_json:
        print_json(answers)


def _line(row: dict[str, Any]) -> str:
    label = row["label"]
    cut = f"  (cut: {row['tokens']} of {row['of']} tokens)" if row["of"] > row["tokens"] else ""
    return f"{plain(label)}  {number(row['scores'][label], 4)}  {plain(row['text'])}{cut}"


def _lines(file: Path) -> Iterator[str]:
    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            yield from (line.rstrip("\r\n") for line in stream)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise WorkbenchError(f"cannot read the texts: {reason}", where=str(file)) from error


def _chunks(texts: Iterable[str]) -> Iterator[Sequence[str]]:
    source = iter(texts)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
