"""workbench queue"""

from __future__ import annotations

from collections.abc import Iterator

import click

from store import runs
from store.connection import Store
from store.runs import Run
from workbench.commands.common import find_run, json_option, pass_home, print_json, reading, run_json, state_words
from workbench.errors import WorkbenchError
from workbench.paths import Home
from workbench.supervision import queue
from workbench.supervision.dispatch import occupant
from workbench.supervision.lost_gpus import left_out
from workbench.supervision.slots import Slot, find_slots, fitting, overlap
from workbench.text import plain, table


@click.command("queue", epilog="Example: workbench queue 12 --first")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--first", "where", flag_value="first", help="Move RUN before all that wait.")
@click.option("--last", "where", flag_value="last", help="Move it behind all that wait.")
@click.option("--up", "where", flag_value="up", help="Move it one place up.")
@click.option("--down", "where", flag_value="down", help="Move it one place down.")
@json_option
@click.pass_context
@pass_home
def command(home: Home, ctx: click.Context, run: str | None, where: str | None, as_json: bool) -> None:
    """Show what runs and what waits, in the order in which it starts, and let the queue go on. Or move a run in it."""
    if bool(run) != bool(where):
        raise click.UsageError("to move a run, name it and say where: --first, --last, --up or --down")
    if where and ctx.find_root().params["readonly"]:
        raise WorkbenchError("--readonly moves nothing", where="queue")
    with reading(home) as store:
        if run and where:
            queue.reorder(home, find_run(store, run), where)
        barred = queue.advance(home)
        slots, waiting = list(_slots(home, store, barred)), list(_waiting(store, barred))
    if as_json:
        print_json(
            {
                "slots": [{"slot": name, "run": run and run_json(run), "words": words} for name, run, words in slots],
                "queue": [
                    {"place": place, "run": run_json(run), "device": wish, "waits_for": words}
                    for place, (run, wish, words) in enumerate(waiting, 1)
                ],
            }
        )
        return
    for line in table([[plain(name, 40), plain(words, 80)] for name, _, words in slots], ["slot", "run"]):
        click.echo(line)
    rows = [
        [str(place), str(run.id), plain(run.name, 40), wish, plain(words, 80)]
        for place, (run, wish, words) in enumerate(waiting, 1)
    ]
    lines = table(rows, ["place", "run", "name", "device", "waits for"], ["right", "right"])
    for line in ["", *lines] if rows else ["", "No run waits."]:
        click.echo(line)


def _slots(home: Home, store: Store, barred: dict[str, str]) -> Iterator[tuple[str, Run | None, str]]:
    """Yield each slot by name, the run that has it, and what it does in words."""
    lost = left_out(home)
    for slot in find_slots():
        uid = occupant(home, slot)
        run = runs.find(store, uid) if uid else None
        why_lost = next((words for name, words in lost.items() if overlap(slot.name, name)), "")
        idle = f"{why_lost}; see workbench doctor" if why_lost else barred.get(slot.name, "free")
        yield slot.name, run, f"#{run.id} {run.name}: {state_words(run)}" if run else idle


def _waiting(store: Store, barred: dict[str, str]) -> Iterator[tuple[Run, str, str]]:
    """Yield the queued runs in their order, each with its device and what it waits for."""
    waiting, slots = runs.queued(store), find_slots()
    wishes = runs.config(store, [run.id for run in waiting]).get("hardware.device", {})
    for run in waiting:
        wish = wishes.get(run.id, "auto")
        yield run, wish, waits_for(run, wish, slots, barred)


def waits_for(run: Run, wish: str, slots: list[Slot], barred: dict[str, str]) -> str:
    """Say what a queued run waits for, which may use a slot that serves its wish."""
    if run.waits:
        return f"the model of #{run.parent_id}" if run.parent_id else "the model of another run"
    fit = [slot.name for slot in slots if wish in fitting(slot, slots)]
    if not fit:
        return "a GPU; none is visible here" if wish == "gpu" else "a slot; none here is for it"
    words = ", ".join(fit)
    others = [f"{name} {barred[name]}" for name in fit if name in barred]
    return "; ".join([f"a free slot of {words}" if len(fit) > 1 else words, *others])
