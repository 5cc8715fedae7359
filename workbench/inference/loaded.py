"""A published model, ready to answer exactly as evaluation did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import recipe as recipes
from workbench.data.columns import choose_columns
from workbench.data.features import Example, Feature, RowProblem
from workbench.data.rows import column_like, rows_of
from workbench.data.sources import read
from workbench.errors import WorkbenchError
from workbench.inference.scoring import answers_to
from workbench.models.parents import begun_with
from workbench.tasks import TASKS, Task
from workbench.tasks.answer import Answer
from workbench.tasks.task import Watch
from workbench.training.model import build_model, load_tokenizer, load_weights, refuse_damaged_backbone
from workbench.training.publish import newest_readable, step_folders, step_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Loaded:
    """`step` is the update after which the model was saved, 0 before the first; `threads` what evaluation used;
    `columns` maps role → column of the training file."""

    task: Task
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    max_length: int
    step: int
    threads: int
    columns: dict[str, str]

    def read(self, file: str, cache: Path) -> list[dict[str, Any]]:
        """Return the rows of a file (role → value), its columns found as those of the training file were."""
        table = read(file, cache)
        roles = self.task.card.roles
        optional = {
            role: replace(card, required=card.required and card.asked and card.in_prompts)
            for role, card in roles.items()
        }
        named = {role: getattr(self.task.options, role) or column_like(role, self.columns, table) for role in roles}
        known = {
            role: column if column in table.columns or roles[role].asked else None for role, column in named.items()
        }
        return list(rows_of(table, choose_columns(optional, known, table.columns, table.where, table.types)))

    def answer(
        self, rows: Sequence[dict[str, Any]], watch: Watch | None = None, before: int = 0
    ) -> list[dict[str, Any]]:
        """Return the answer to each row (role → value): `output`, `pred`, `score`, and where the row has the right
        answer `loss` and `correct`.

        Beside the task's own, an output has its tokens: `pieces` as the tokenizer has them, `tokens` their number,
        `of` how many the whole text has: what is beyond the limit is cut, or stands in the next window. Raise a
        WorkbenchError that names the first row that cannot be asked, counted after `before` others.
        """
        import torch

        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        examples = [self._example(number, row) for number, row in enumerate(rows, before + 1)]
        questions = self.task.questions(self.tokenizer, examples, self.max_length)
        answers = answers_to(self.task, self.model, self.tokenizer, examples, questions, self.max_length, watch)
        first = {question.example: question for question in reversed(questions)}
        return [self._told(answer, first.get(number)) for number, answer in enumerate(answers)]

    def _example(self, number: int, row: dict[str, Any]) -> Example:
        roles = self.task.card.roles
        # A right answer that is left empty is one that is not known.
        known = {
            role: value
            for role, value in row.items()
            if roles[role].asked or roles[role].blank or value not in (None, "")
        }
        try:
            return self.task.example(known)
        except RowProblem as problem:
            raise WorkbenchError(f"row {number}: {problem.role} {problem.what}", hint=problem.hint) from None

    def _told(self, answer: Answer, question: Feature | None) -> dict[str, Any]:
        told: dict[str, Any] = {"pred": answer.pred, "score": answer.score, "output": dict(answer.output)}
        if answer.loss is not None:
            told |= {"loss": answer.loss, "correct": answer.correct}
        if question is not None:
            ids = question.ids
            read = {"tokens": len(ids), "of": question.info.get("of", len(ids)), "pieces": self._pieces(ids)}
            told["output"] = read | answer.output
        return told

    def _pieces(self, ids: list[int]) -> list[str]:
        return [piece.replace("Ġ", "▁") for piece in self.tokenizer.convert_ids_to_tokens(ids)]


def load(run_folder: Path, *, base: bool = False) -> Loaded:
    """Load the newest published model of a run, or with `base` the model as it was before its first update.

    Raise a WorkbenchError where there is none.
    """
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
    loaded = load_model(folder)
    if not base:
        return loaded
    recipe = begun_with(
        recipes.loads((run_folder / "recipe.toml").read_text(encoding="utf-8"), str(run_folder)), run_folder
    )
    refuse_damaged_backbone(recipe)
    model = build_model(recipe, loaded.task, loaded.tokenizer).model
    torch.nn.Module.to(model, loaded.model.device)
    return replace(loaded, model=model.eval(), step=0)


def load_model(folder: Path) -> Loaded:
    """Load a published model folder."""
    import torch

    described = json.loads((folder / "workbench.json").read_text(encoding="utf-8"))
    task = TASKS[described["task"]["name"]].from_description(described)
    model, _ = load_weights(task, folder)
    torch.nn.Module.to(model, "cuda" if described["device"] == "cuda" and torch.cuda.is_available() else "cpu")
    return Loaded(
        task=task,
        tokenizer=load_tokenizer(folder),
        model=model.eval(),
        max_length=described["max_length"],
        step=described["step"],
        threads=described["threads"],
        columns=described.get("columns", {}),
    )


def newest_step(run_folder: Path) -> int | None:
    """Return the step of the newest published model without verifying it, or None."""
    return max((step_of(folder) for folder in step_folders(run_folder / "models")), default=None)
