"""What a frozen body says of the rows of training: read once, and handed to the head at every update."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.strategies.groups import layer_stacks
from workbench.text import count
from workbench.training.events import Noted

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.training.job import Job

BATCH = 32
MEMORY_SHARE = 0.25
"""Share of the free memory that readings may take; where they need more, rows are read anew at each update."""

TELL_SECONDS = 5.0
"""Seconds between two words on how far the reading is."""


@dataclass
class Readings:
    """`rows` are the last layer's outputs (tokens, hidden) of each row of training; none where they have no room.

    `sizes` are how many values each layer returns beside each other, None for one that returns a tensor.
    """

    layers: list[nn.Module]
    rows: list[torch.Tensor] = field(default_factory=list)
    sizes: dict[nn.Module, int | None] = field(default_factory=dict)

    @contextmanager
    def replayed(self, job: Job, batch: dict[str, torch.Tensor], numbers: Sequence[int]) -> Iterator[None]:
        """Let the layers of the model say, for a while, what they said of the rows `numbers`, and compute nothing."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        if self.rows:
            kept = pad_sequence([self.rows[number] for number in numbers], batch_first=True)
            hidden = torch.nn.functional.pad(kept, (0, 0, 0, batch["input_ids"].shape[1] - kept.shape[1]))
        else:
            hidden = self.read(job, batch)
        for layer in self.layers:
            layer.forward = self._say(layer, hidden.to(job.accelerator.device))
        try:
            yield
        finally:
            for layer in self.layers:
                del layer.forward

    def read(self, job: Job, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the last layer's output (rows, tokens, hidden) for a batch, without dropout."""
        import torch

        said: list[torch.Tensor] = []

        def hear(layer: nn.Module, _inputs: Any, output: Any) -> None:
            self.sizes[layer] = len(output) if isinstance(output, tuple) else None
            said[:] = [output[0] if isinstance(output, tuple) else output]

        hooks = [layer.register_forward_hook(hear) for layer in self.layers]
        was_training = job.model.training
        try:
            with torch.no_grad(), job.accelerator.autocast():
                job.model.eval()(**{name: tensor for name, tensor in batch.items() if name != "labels"})
        finally:
            job.model.train(was_training)
            for hook in hooks:
                hook.remove()
        return said[0]

    def _say(self, layer: nn.Module, hidden: torch.Tensor) -> Any:
        last, size = layer is self.layers[-1], self.sizes[layer]

        def forward(*inputs: Any, **named: Any) -> Any:
            output = hidden if last else inputs[0] if inputs else named["hidden_states"]
            return output if size is None else (output, *[None] * (size - 1))

        return forward


def read(job: Job, stop: Callable[[], bool]) -> Iterator[Noted]:
    """Read every row of training once, where there is room for what is said of them; say how far it is."""
    readings = Readings([layer for stack in layer_stacks(job.model).values() for layer in stack])
    job.readings = readings
    if job.varies or not _fits(job):
        yield Noted(0, "reading", "the frozen layers read each row anew: they vary, or have no room in memory")
        return
    rows: list[Any] = [None] * len(job.train)
    order = sorted(range(len(rows)), key=lambda number: (len(job.train[number].ids), number))
    since, told = time.monotonic(), False
    for start in range(0, len(order), BATCH):
        if stop():
            return
        numbers = order[start : start + BATCH]
        batch = job.data.task.collate([job.train[number] for number in numbers], job.tokenizer)
        hidden = readings.read(job, {name: tensor.to(job.accelerator.device) for name, tensor in batch.items()})
        for number, row in zip(numbers, hidden.cpu(), strict=True):
            rows[number] = row[: len(job.train[number].ids)].clone()
        if time.monotonic() - since > TELL_SECONDS:
            since, told = time.monotonic(), True
            yield Noted(
                0, "reading", f"the frozen layers have read {count(start + len(numbers))} of {count(len(rows))}"
            )
    readings.rows = rows
    if told:
        yield Noted(0, "reading", "the frozen layers have read every row: the head learns from what they said")


def _fits(job: Job) -> bool:
    import psutil

    tokens = sum(len(feature.ids) for feature in job.train)
    return bool(tokens * job.model.config.hidden_size * 4 < psutil.virtual_memory().available * MEMORY_SHARE)
