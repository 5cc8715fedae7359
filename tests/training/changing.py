"""Which tensors a run changes at each update, and which a strategy's description says; run by torchrun with a folder,
it trains every pair of strategy and architecture in as many processes as there are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.making import tiny_backbone, toy_rows, write_jsonl
from tests.training.support import recipe_of
from workbench.training import loop
from workbench.training.events import Logged
from workbench.training.job import Job
from workbench.training.loop import Control, train

if TYPE_CHECKING:
    import torch

ARCHITECTURES = ("bert", "distilbert", "deberta-v2", "modernbert", "gpt2", "t5")
UPDATES = 6
PER_EPOCH = 3
TRAINING = {
    "batch_size": 4,
    "accumulation": 2,
    "epochs": 2,
    "learning_rate": 1e-2,
    "warmup": 0.0,
    "schedule": "constant",
}


@dataclass(frozen=True)
class Case:
    """A strategy's table, and what its description says of a tensor: (name, group names, group number, update)."""

    table: dict[str, Any]
    says: Callable[[str, list[str], int, int], bool]


def top(count: int) -> Callable[[str, list[str], int, int], bool]:
    """Say that the head and some layers below it learn."""
    return lambda _name, groups, number, _step: number >= len(groups) - 1 - count and groups[number] != "embeddings"


def opened(groups: list[str], number: int, count: int) -> bool:
    """Say that the head learns, and as many groups below it as were opened."""
    return number >= len(groups) - 1 - count


def in_head(groups: list[str], number: int) -> bool:
    """Say whether a group is the head."""
    return number == len(groups) - 1


NORM = re.compile(r"norm|ln_|layer_norm", re.IGNORECASE)
ADAPTER = re.compile(r"\.(lora_A|lora_B|lora_magnitude_vector|ia3_l)\.")


def adapted(name: str, groups: list[str], number: int, _step: int) -> bool:
    """Say that the head learns, and what adapters add to the layers."""
    return in_head(groups, number) or bool(ADAPTER.search(name))


CASES: dict[str, Case] = {
    "full": Case({"name": "full"}, lambda *_: True),
    "scratch": Case({"name": "scratch"}, lambda *_: True),
    "layer-decay": Case({"name": "layer-decay"}, lambda *_: True),
    "head": Case({"name": "head"}, lambda _name, groups, number, _step: in_head(groups, number)),
    "top-layers": Case({"name": "top-layers", "top": 1}, top(1)),
    "top-layers-frozen": Case({"name": "top-layers", "frozen": 0}, top(99)),
    "bias": Case(
        {"name": "bias"}, lambda name, groups, number, _step: in_head(groups, number) or name.endswith("bias")
    ),
    "norms": Case(
        {"name": "norms"}, lambda name, groups, number, _step: in_head(groups, number) or bool(NORM.search(name))
    ),
    "lora": Case({"name": "lora"}, adapted),
    "dora": Case({"name": "lora", "variant": "dora"}, adapted),
    "pissa": Case({"name": "lora", "variant": "pissa"}, adapted),
    "ia3": Case({"name": "ia3"}, adapted),
    "gradual": Case(
        {"name": "gradual", "unfrozen_by": 0.5},
        lambda _name, groups, number, step: opened(groups, number, step * (len(groups) - 1) // 3),
    ),
    "gradual-epochs": Case(
        {"name": "gradual", "by": "epochs"},
        lambda _name, groups, number, step: opened(groups, number, step // PER_EPOCH),
    ),
    "gradual-steps": Case(
        {"name": "gradual", "by": "steps", "every": 2},
        lambda _name, groups, number, step: opened(groups, number, step // 2),
    ),
    "pretrain-first": Case(
        {"name": "pretrain-first", "texts": "starter:masked-pretraining", "then": "bias"},
        lambda name, groups, number, _step: in_head(groups, number) or name.endswith("bias"),
    ),
}


def run(kind: str, case: Case, folder: Path) -> Iterator[tuple[int, Job, dict[str, torch.Tensor]]]:
    """Train, and yield after each update its number (from 0), the run, and the tensors as they were before it."""
    rows = folder / "rows.jsonl"
    recipe = recipe_of(folder / kind, rows, strategy=case.table, training=TRAINING, evaluation={"every": PER_EPOCH})
    place = folder / f"{kind}-{'-'.join(map(str, case.table.values())).replace(':', '-')}"
    place.mkdir(exist_ok=True)
    jobs: list[Job] = []
    build = loop.build
    loop.build = lambda *inputs: jobs.append(build(*inputs)) or jobs[-1]  # type: ignore[func-returns-value]
    before: dict[str, torch.Tensor] = {}
    try:
        for event in train(recipe, place, folder / "cache", Control()):
            if jobs and not before:
                before = copied(jobs[0])
            if isinstance(event, Logged):
                yield event.step - 1, jobs[0], before
                before = copied(jobs[0])
    finally:
        loop.build = build


def copied(job: Job) -> dict[str, torch.Tensor]:
    """Return a copy of every parameter."""
    return {name: parameter.detach().clone() for name, parameter in job.model.named_parameters()}


def changed(job: Job, before: dict[str, torch.Tensor]) -> set[str]:
    """Return the names of the parameters that are not what they were, to the bit."""
    import torch

    return {name for name, each in job.model.named_parameters() if not torch.equal(each.detach(), before[name])}


def said(job: Job, case: Case, step: int) -> set[str]:
    """Return the names of the parameters that learn in an update, as the strategy's description has it."""
    groups = [group.name for group in job.groups]
    return {
        name
        for number, group in enumerate(job.groups)
        for name in group.parameters
        if case.says(name, groups, number, step)
    }


def prepare(folder: Path, kinds: tuple[str, ...] = ARCHITECTURES) -> None:
    """Write the rows and the backbones."""
    write_jsonl(folder / "rows.jsonl", toy_rows(27))
    for kind in kinds:
        tiny_backbone(folder / kind, kind)


def main(folder: Path) -> None:
    """Train every pair, and write what each process saw: what changed wrongly at each update, and a hash of all."""
    rank = os.environ["RANK"]
    seen: dict[str, list[Any]] = {}
    for kind in ARCHITECTURES:
        for name, case in CASES.items():
            for step, job, before in run(kind, case, folder):
                digest = hashlib.sha256(b"".join(each.numpy().tobytes() for each in copied(job).values())).hexdigest()
                wrong = sorted(changed(job, before) ^ said(job, case, step))
                seen.setdefault(f"{kind} {name}", []).append([step, job.accelerator.num_processes, wrong, digest])
    (folder / f"seen-{rank}.json").write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
