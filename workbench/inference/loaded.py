"""A published model, ready to answer exactly as evaluation did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.data.encoding import encode
from workbench.errors import WorkbenchError
from workbench.inference.scoring import score
from workbench.tasks import TASKS, Task
from workbench.training.model import load_tokenizer
from workbench.training.publish import newest_readable, step_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Loaded:
    """`step` is the update after which the model was saved; `threads` what evaluation computed with."""

    task: Task
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    max_length: int
    step: int
    threads: int

    def answer(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Return the answer to each text, with its tokens: `pieces` as the tokenizer has them, `tokens` their number.

        `of` is how many the whole text has: what is beyond the limit is cut.
        """
        import torch

        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        encoded = encode(self.tokenizer, texts, self.max_length)
        lengths = self._whole_lengths(texts, encoded)
        pad_id = self.tokenizer.pad_token_id
        logits = score(self.model, encoded, pad_id, self.max_length)
        return [
            {**self.task.answer(row).output, "tokens": len(ids), "of": whole, "pieces": self._pieces(ids)}
            for row, ids, whole in zip(logits, encoded, lengths, strict=True)
        ]

    def _whole_lengths(self, texts: Sequence[str], encoded: Sequence[list[int]]) -> list[int]:
        """Return how many tokens each text has in all; only those at the limit are counted anew."""
        return [
            len(encode(self.tokenizer, [text], None)[0]) if len(ids) >= self.max_length else len(ids)
            for text, ids in zip(texts, encoded, strict=True)
        ]

    def _pieces(self, ids: list[int]) -> list[str]:
        return [piece.replace("Ġ", "▁") for piece in self.tokenizer.convert_ids_to_tokens(ids)]


def load(run_folder: Path) -> Loaded:
    """Load the newest published model of a run; raise a WorkbenchError where there is none."""
    import torch

    folder = newest_readable(run_folder / "models")
    if folder is None and newest_step(run_folder) is not None:
        raise WorkbenchError(
            f"its model of step {newest_step(run_folder)} is damaged: the files are not those of its manifest",
            hint="Put the files back from a copy, or train the recipe again.",
        )
    if folder is None:
        raise WorkbenchError(
            "no model to ask yet: the first is saved at the first evaluation", hint="Wait, or pick another run."
        )
    described = json.loads((folder / "workbench.json").read_text(encoding="utf-8"))
    task = TASKS[described["task"]].from_description(described)
    device = "cuda" if described["device"] == "cuda" and torch.cuda.is_available() else "cpu"
    model, _ = task.load(
        str(folder), dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
    )
    torch.nn.Module.to(model, device)
    model.eval()
    threads, max_length = described["threads"], described["max_length"]
    return Loaded(task, load_tokenizer(folder), model, max_length, step_of(folder), threads)


def newest_step(run_folder: Path) -> int | None:
    """Return the step of the newest published model without verifying it, or None."""
    return max((step_of(folder) for folder in (run_folder / "models").glob("step-*")), default=None)
