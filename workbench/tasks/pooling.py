"""A text as one vector: pooled from a model's last layer, and the files that tell sentence-transformers how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from workbench.abilities import family_of
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

Pooling = Literal["mean", "cls", "last"]

ELSEWHERE: dict[Pooling, str] = {"mean": "mean_tokens", "cls": "cls_token", "last": "lasttoken"}
"""What 1_Pooling/config.json calls each after `pooling_mode_`."""

MODULES = ("Transformer", "Pooling", "Normalize")
FOLDERS = ("", "1_Pooling", "2_Normalize")
UNTRAINED = ("pooler", "pooler_activation")
"""What BERT and its kin have above the last layer for the next-sentence task: vectors are made without it."""


def choose_pooling(wanted: Pooling | None, config: PretrainedConfig) -> Pooling:
    """Return the pooling that is wanted, or the backbone's own, or the one usual for its family.

    Raise a WorkbenchError where the backbone pools in a way that is not known here, or cannot pool as wanted.
    """
    decoder = family_of(config.model_type) == "decoder"
    if wanted == "cls" and decoder:
        raise WorkbenchError(
            f"the first token of a decoder such as {config.model_type} sees none of the others",
            where="task.pooling",
            hint='Take "mean" or "last".',
        )
    kept: Pooling | None = wanted or getattr(config, "sentence_pooling", None)
    # An architecture without weights has no folder: its name is nothing, and nothing is not where Python was started.
    folder = config.name_or_path
    own = kept or (_declared(Path(folder) / "1_Pooling" / "config.json") if folder else None)
    return own or ("last" if decoder else "mean")


def vectors_of(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the vectors of a batch (rows, hidden) in 32-bit floats, each of length 1; rows are filled up on the right.

    `model.config.sentence_pooling` says how: the mean of the tokens, the first, or the last one.
    """
    import torch
    from torch.nn.functional import normalize

    inputs: dict[str, Any] = batch
    hidden, mask = model(**inputs).last_hidden_state.float(), batch["attention_mask"]
    if model.config.sentence_pooling == "mean":
        kept = mask.unsqueeze(-1).float()
        pooled = (hidden * kept).sum(1) / kept.sum(1)
    elif model.config.sentence_pooling == "cls":
        pooled = hidden[:, 0]
    else:
        pooled = hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]
    return normalize(pooled, dim=-1)


def set_pooler_aside(model: PreTrainedModel) -> PreTrainedModel:
    """Take a pooler that vectors are made without out of what is trained; `whole_state` has it again."""
    aside = {name: getattr(model, name) for name in UNTRAINED if getattr(model, name, None) is not None}
    for name in aside:
        setattr(model, name, None)
    # A dict is no module: what it holds is neither a parameter nor part of a checkpoint.
    model.set_aside = aside  # type: ignore[assignment]
    return model


def whole_state(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return the model's weights with those that were set aside, as the class of transformers names them."""
    aside: Any = model.set_aside
    return model.state_dict() | {
        f"{name}.{key}": weight for name, module in aside.items() for key, weight in module.state_dict().items()
    }


def write_modules(folder: Path, config: PretrainedConfig, max_length: int | None) -> None:
    """Write what makes a model folder one of sentence-transformers, in the words that all its versions know."""
    modules: list[dict[str, Any]] = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{module}"}
        for number, (module, path) in enumerate(zip(MODULES, FOLDERS, strict=True))
    ]
    modes = {f"pooling_mode_{word}": config.sentence_pooling == mode for mode, word in ELSEWHERE.items()}
    files: dict[str, Any] = {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": max_length, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": {}, "similarity_fn_name": "cosine"},
        "1_Pooling/config.json": {"word_embedding_dimension": config.hidden_size, **modes},
    }
    (folder / "1_Pooling").mkdir()
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _declared(file: Path) -> Pooling | None:
    """Return the pooling that a model folder of sentence-transformers declares, None where it is no such folder."""
    try:
        declared = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    modes = {key.removeprefix("pooling_mode_") for key, value in declared.items() if value is True} - {"include_prompt"}
    # Newer folders name the mode, older ones have a switch for each.
    named = declared.get("pooling_mode")
    modes |= {named} if isinstance(named, str) else set(named or ())
    known = {word: mode for mode, word in ELSEWHERE.items()} | {mode: mode for mode in get_args(Pooling)}
    found = [known.get(mode) for mode in sorted(modes)]
    if len(found) == 1 and found[0] is not None:
        return found[0]
    raise WorkbenchError(
        f"the backbone pools by {', '.join(sorted(modes)) or 'nothing'}, which is not known here",
        where=str(file),
        hint='Choose one in the recipe: [task] pooling = "mean", "cls" or "last".',
    )
