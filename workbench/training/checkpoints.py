"""Save and restore all that resuming needs: weights, optimiser, random state, progress. No pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.training.publish import Published, newest_valid, publish, step_folder

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


FILES = ("model.safetensors", "optimiser.safetensors", "random.safetensors", "state.json")
"""Without each of these nothing can be resumed; `average.safetensors` is there where weights are averaged."""


@dataclass
class Progress:
    """Where a run is: `step` updates are done, `window` of them in this epoch.

    `stale` counts the evaluations without a gain since the best, `stalls` all of them. `losses` are those of a range
    test, one an update.
    """

    step: int = 0
    epoch: int = 0
    window: int = 0
    best_value: float | None = None
    best_step: int | None = None
    stale: int = 0
    stalls: int = 0
    not_finite: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)


def save(
    parent: Path,
    model: PreTrainedModel,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    average: dict[str, torch.Tensor] | None = None,
) -> Published:
    """Publish a checkpoint; `average` are averaged weights. Call it between updates alone, without gradients."""
    from safetensors.torch import save_file

    def write(folder: Path) -> None:
        save_file(_weights(model), folder / "model.safetensors")
        save_file(_optimiser_state(model, optimiser), folder / "optimiser.safetensors")
        save_file(_random_state(), folder / "random.safetensors")
        if average:
            save_file(average, folder / "average.safetensors")
        (folder / "state.json").write_text(json.dumps(asdict(progress)), encoding="utf-8")

    return publish(step_folder(parent, progress.step), write)


def restore(
    parent: Path,
    model: PreTrainedModel,
    optimiser: torch.optim.Optimizer,
    broken: list[str],
    average: dict[str, torch.Tensor] | None = None,
) -> Progress | None:
    """Put back the newest checkpoint that verifies, and return its progress; None where there is none.

    The averaged weights are put into `average`. The names of newer ones that do not verify, and are set aside, are
    added to `broken`.
    """
    import torch
    from safetensors.torch import load_file

    folder = newest_valid(parent, broken, FILES)
    if folder is None:
        return None
    weights = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, tensor in _weights(model).items():
            tensor.copy_(weights[name])
    parameters = dict(model.named_parameters())
    for key, tensor in load_file(folder / "optimiser.safetensors").items():
        name, _, entry = key.rpartition("/")
        optimiser.state[parameters[name]][entry] = tensor.to(parameters[name].device)
    if average is not None and (folder / "average.safetensors").exists():
        for name, tensor in load_file(folder / "average.safetensors").items():
            average[name] = tensor.to(parameters[name].device)
    _restore_random(load_file(folder / "random.safetensors"))
    state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return Progress(**state)


def _weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return the parameters, tied ones once, and the buffers that are saved with a model."""
    kept = set(model.state_dict(keep_vars=True))
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in kept}
    return {name: parameter.detach() for name, parameter in model.named_parameters()} | buffers


def _optimiser_state(model: PreTrainedModel, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{name}/{entry}": value
        for name, parameter in model.named_parameters()
        for entry, value in optimiser.state.get(parameter, {}).items()
    }


def _random_state() -> dict[str, torch.Tensor]:
    import torch

    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda:{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def _restore_random(states: dict[str, torch.Tensor]) -> None:
    import torch

    torch.set_rng_state(states["cpu"])
    if not torch.equal(torch.get_rng_state(), states["cpu"]):
        raise RuntimeError("the random state did not come back")
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if f"cuda:{number}" in states:
            torch.cuda.set_rng_state(states[f"cuda:{number}"], number)
