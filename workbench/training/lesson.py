"""What a teacher says of the rows of training: told once, before the first update, and kept in the run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.data.encoding import collate, encode
from workbench.data.features import Feature
from workbench.errors import WorkbenchError
from workbench.inference.loaded import load_model
from workbench.inference.scoring import score
from workbench.models.backbones import find_model
from workbench.models.parents import PREFIX, kept_model
from workbench.strategies.distil import Options
from workbench.tasks.pooling import choose_pooling, vectors_of
from workbench.text import count
from workbench.training.events import Noted
from workbench.training.model import load_tokenizer, longest_input, options_for, told_of
from workbench.training.publish import refuse_damaged

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from workbench.training.job import Job

CHUNK = 512
"""Rows between two looks at the clock; within them, texts of like length are read together."""

BATCH = 32
TELL_SECONDS = 5.0
"""Seconds between two words on how far the teacher is."""

SETTING = "strategy.teacher"


@dataclass(frozen=True)
class Lesson:
    """`told` are the teacher's numbers for each row of training (rows, numbers): logits, or vectors of length 1."""

    told: torch.Tensor
    vectors: bool

    def loss(
        self, job: Job, batch: dict[str, torch.Tensor], features: Sequence[Feature], numbers: Sequence[int]
    ) -> torch.Tensor:
        """Return the task's loss of a batch mixed with how far the student is from what the teacher told.

        `numbers` are those of the rows. A row weighs as much as it has items, so that the mean over items is one over
        rows too.
        """
        import torch
        from torch.nn.functional import cosine_similarity

        said: list[torch.Tensor] = []
        heard = job.model.base_model if self.vectors else job.model

        def hear(_module: Any, _inputs: Any, output: Any) -> None:
            said.append(output.last_hidden_state if self.vectors else output.logits)

        with heard.register_forward_hook(hear):
            own = job.data.task.loss(job.model, batch, job.recipe.training.label_smoothing)
        told = self.told[torch.tensor(numbers)].to(own.device)
        if self.vectors:
            apart = 1 - cosine_similarity(mean_of(said[0], batch["attention_mask"]), told)
        else:
            apart = _apart(job, said[0].float(), told)
        items = torch.tensor([float(feature.items) for feature in features], device=own.device)
        weight = _options(job).weight
        blended: torch.Tensor = (1 - weight) * own + weight * (apart * items).sum()
        return blended


def learn(job: Job, stop: Callable[[], bool]) -> Iterator[Noted]:
    """Let the teacher tell its numbers for every row, unless the run folder has them; say how far it is.

    Where it is to `stop` on the way there is no lesson, and a later attempt has it told from the first row on.
    """
    import torch
    from safetensors.torch import load_file, save_file

    file, vectors = job.folder / "lesson.safetensors", job.data.task.card.pretraining
    with job.accelerator.main_process_first():
        if not file.exists():
            yield Noted(0, "teacher", f"reading the teacher, {_options(job).teacher}")
            told: list[torch.Tensor] = []
            since = time.monotonic()
            # Loading a model may draw numbers: a later attempt, which does not load it, must go on from the same ones.
            with torch.random.fork_rng():
                for part in _vectors(job) if vectors else _outputs(job):
                    told.append(part)
                    if stop():
                        return
                    if time.monotonic() - since > TELL_SECONDS:
                        since = time.monotonic()
                        rows = f"{count(sum(map(len, told)))} of {count(len(job.train))} rows"
                        yield Noted(0, "teacher", f"the teacher has read {rows}")
            whole = torch.cat(told)
            beside = file.with_name(f".{file.name}")
            save_file({"told": narrowed(whole, job.model.config.hidden_size) if vectors else whole}, beside)
            beside.replace(file)
    job.lesson = Lesson(load_file(file)["told"], vectors)


def narrowed(vectors: torch.Tensor, width: int) -> torch.Tensor:
    """Return vectors (rows, numbers) as vectors of `width` numbers whose cosines are as near as may be to theirs.

    They are turned to their principal axes, of which the first are kept; too short ones are filled up with zeros.
    """
    import torch
    from torch.nn.functional import normalize, pad

    if width >= vectors.shape[1]:
        return pad(vectors, (0, width - vectors.shape[1]))
    wide = vectors.double()
    axes = torch.linalg.eigh(wide.T @ wide).eigenvectors[:, -width:]
    return normalize(wide @ axes, dim=-1).float()


def mean_of(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean over the tokens (rows, hidden) of the last layer's output (rows, tokens, hidden)."""
    kept = mask.unsqueeze(-1).float()
    return (hidden.float() * kept).sum(1) / kept.sum(1)


def _apart(job: Job, said: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    """Return how far each row's outputs (rows, outputs) are from the teacher's, as the task judges outputs.

    For labels it is the divergence at a temperature, times its square, which keeps the gradient's size.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits, kl_div

    kind, heat = job.model.config.problem_type, _options(job).temperature
    if kind == "regression":
        return ((said - told) / job.data.task.learned["deviation"]).square().sum(-1)
    if kind == "multi_label_classification":
        return binary_cross_entropy_with_logits(said, told.sigmoid(), reduction="none").mean(-1)
    return kl_div((said / heat).log_softmax(-1), (told / heat).log_softmax(-1), reduction="none", log_target=True).sum(
        -1
    ) * (heat * heat)


def _outputs(job: Job) -> Iterator[torch.Tensor]:
    """Yield the outputs of a teacher that was trained on the same task, in the order of the student's."""
    import torch

    folder = _folder(job)
    if not (folder / "workbench.json").exists():
        raise _refusal(job, "it was not trained here", "Train a larger model on the task first, then name run:RUN.")
    teacher, task = load_model(folder), job.data.task
    if teacher.task.card.title != task.card.title:
        raise _refusal(job, f"it learned {teacher.task.card.title}", f"Name a run of {task.card.title}.")
    mine, theirs = (each.learned.get("labels", []) for each in (task, teacher.task))
    if sorted(mine) != sorted(theirs):
        raise _refusal(job, "it knows other labels than these data have", "Train it on data with the same labels.")
    order = [theirs.index(label) for label in mine]
    teacher.model.to(job.accelerator.device)
    for start in range(0, len(job.train), CHUNK):
        examples = [job.data.train[feature.example] for feature in job.train[start : start + CHUNK]]
        asked = teacher.task.questions(teacher.tokenizer, examples, teacher.max_length)
        said = torch.tensor(score(teacher.task, teacher.model, teacher.tokenizer, asked, teacher.max_length))
        yield said[:, order] if order else said.reshape(len(examples), -1)


def _vectors(job: Job) -> Iterator[torch.Tensor]:
    """Yield the vectors that the teacher gives the texts of the rows, as the student's tokens spell them."""
    import torch
    from transformers import AutoModel

    folder = _folder(job)
    with told_of(folder, "its weights cannot be read"):
        model = AutoModel.from_pretrained(folder, trust_remote_code=False, **options_for(folder))
    torch.nn.Module.to(model, job.accelerator.device).eval()
    model.config.sentence_pooling = choose_pooling(None, model.config)
    tokenizer = load_tokenizer(folder)
    limit = longest_input(model, tokenizer)
    for start in range(0, len(job.train), CHUNK):
        rows = [feature.ids for feature in job.train[start : start + CHUNK]]
        texts = [str(job.tokenizer.decode(ids, skip_special_tokens=True)) for ids in rows]
        yield _vectors_of(model, tokenizer, texts, limit)


def _vectors_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int
) -> torch.Tensor:
    import torch

    read = encode(tokenizer, texts, limit)
    order = sorted(range(len(read)), key=lambda number: len(read[number].ids))
    vectors: list[torch.Tensor] = [torch.empty(0)] * len(read)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            numbers = order[start : start + BATCH]
            batch = collate([Feature(number, read[number].ids) for number in numbers], tokenizer)
            found = vectors_of(model, {name: tensor.to(model.device) for name, tensor in batch.items()}).cpu()
            for number, vector in zip(numbers, found, strict=True):
                vectors[number] = vector
    return torch.stack(vectors)


def _options(job: Job) -> Options:
    options = job.recipe.strategy
    assert isinstance(options, Options)
    return options


def _folder(job: Job) -> Path:
    name = _options(job).teacher
    folder = kept_model(job.folder, SETTING, name) if name.startswith(PREFIX) else find_model(name, None, SETTING)
    refuse_damaged(folder)
    return folder


def _refusal(job: Job, what: str, hint: str) -> WorkbenchError:
    return WorkbenchError(f"it cannot teach this: {what}", where=f"{SETTING}: {_options(job).teacher}", hint=hint)
