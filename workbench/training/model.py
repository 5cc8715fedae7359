"""Build the tokenizer and the model of a recipe."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.texts import HALF_A_PAIR
from workbench.catalog import SIZES, Size
from workbench.data.features import Example
from workbench.errors import WorkbenchError
from workbench.models.backbones import find_backbone
from workbench.models.files import read_config, refuse_unsafe
from workbench.recipe import Recipe
from workbench.tasks import Task
from workbench.training.architectures import LONGEST, fit_to, sized_config
from workbench.training.publish import refuse_damaged

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.*", "*.model", "*.spm", "*.bpe", "*tekken*")
"""Files of which a tokenizer has at least one."""

SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a folder; one without a padding token pads with its end token."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    refuse_unsafe(folder)
    if not any(list(folder.glob(name)) for name in TOKENIZER_FILES):
        raise WorkbenchError(
            "no tokenizer: none of its files is there",
            where=str(folder),
            hint=f"Copy {', '.join(TOKENIZER_FILES[:2])} beside config.json.",
        )
    # AutoTokenizer goes by the architecture beside it, even where the tokenizer was trained for these texts alone.
    kind = PreTrainedTokenizerFast if _is_plain(folder) else AutoTokenizer
    options: dict[str, Any] = {"local_files_only": True}
    if kind is AutoTokenizer and (folder / "config.json").exists():
        options["config"] = load_config(folder)
    with told_of(folder, "its tokenizer cannot be read"):
        tokenizer: PreTrainedTokenizerBase = kind.from_pretrained(folder, trust_remote_code=False, **options)
    # What is saved of it names no code either.
    tokenizer.init_kwargs.pop("auto_map", None)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _is_plain(folder: Path) -> bool:
    """Return whether a tokenizer says that it is of no model's own class."""
    try:
        said = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("tokenizer_class") in ("PreTrainedTokenizerFast", "TokenizersBackend")


def train_tokenizer(
    texts: Iterable[str], vocabulary: int, *, cased: bool = False, types: bool = True, starts: bool = True
) -> PreTrainedTokenizerBase:
    """Train a byte-level BPE tokenizer on the texts, in small letters or `cased`: equal texts, equal tokenizers.

    With `types` it tells the model which of two texts a token is of, with `starts` a text starts with a token for it.

    (WordPiece and Unigram of the same library give another vocabulary at each training.)
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL["unk"]))
    tokenizer.normalizer = normalizers.NFC() if cased else normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        # A hidden word has the blank before it in its own first piece: its mask takes that blank.
        special_tokens=[AddedToken(token, lstrip=name == "mask", special=True) for name, token in SPECIAL.items()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((HALF_A_PAIR.sub("\ufffd", text) for text in texts), trainer)
    ends = [(SPECIAL[name], tokenizer.token_to_id(SPECIAL[name])) for name in ("cls", "sep")]
    single = "[CLS] $A [SEP]" if starts else "$A [SEP]"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=f"{single} $B:1 [SEP]:1", special_tokens=ends
    )
    names = {f"{name}_token": token for name, token in SPECIAL.items()}
    inputs = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=LONGEST, model_input_names=inputs, **names
    )


def build_tokenizer(recipe: Recipe, task: Task, examples: Sequence[Example]) -> PreTrainedTokenizerBase:
    """Return the backbone's tokenizer, or one trained on the examples' texts where the recipe wants or needs that."""
    if not trains_tokenizer(recipe):
        return load_tokenizer(find_backbone(recipe))
    sized = recipe.backbone.name.startswith("size:")
    texts = (text for example in examples for text in task.texts(example))
    types, starts = task.card.family == "encoder", task.card.family != "encoder-decoder"
    if not sized:
        types = types and getattr(load_config(find_backbone(recipe)), "type_vocab_size", 0) > 1
    vocabulary = size_of(recipe).vocabulary if sized else recipe.strategy.vocabulary  # type: ignore[attr-defined]
    return train_tokenizer(texts, vocabulary, cased=task.cased, types=types, starts=starts)


def trains_tokenizer(recipe: Recipe) -> bool:
    """Return whether a tokenizer is trained on the rows: for an architecture without weights, or as the recipe says."""
    return recipe.backbone.name.startswith("size:") or getattr(recipe.strategy, "tokenizer", "kept") == "trained"


@dataclass(frozen=True)
class Built:
    """A model in 32-bit floats; `fresh` are the names of weights that are not from the backbone."""

    model: PreTrainedModel
    fresh: frozenset[str]
    notes: list[str]


def refuse_damaged_backbone(recipe: Recipe) -> None:
    """Raise a WorkbenchError where the backbone is a model that was published here and is no longer as it was."""
    if not recipe.backbone.name.startswith("size:"):
        refuse_damaged(find_backbone(recipe))


def build_model(recipe: Recipe, task: Task, tokenizer: PreTrainedTokenizerBase) -> Built:
    """Return the model of a recipe. The seed decides its fresh weights."""
    import torch

    torch.manual_seed(recipe.seed)
    if recipe.backbone.name.startswith("size:"):
        config = sized_config(task.card.family, size_of(recipe), tokenizer)
    else:
        folder = find_backbone(recipe)
        config = load_config(folder)
        if trains_tokenizer(recipe):
            fit_to(config, tokenizer)
    task.configure(config, tokenizer)
    set_dropout(config, recipe.training.dropout)
    if recipe.starts_random:
        model = task.fresh(config)
        task.begin(model)
        fresh = frozenset(name for name, _ in model.named_parameters())
        return Built(model, fresh, ["all weights are random: no pretraining is used"])
    model, info = load_weights(task, folder, config)
    new = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
    _refuse_foreign(model, folder, info)
    if new:
        task.begin(model)
    return Built(model, frozenset(new), [f"new weights, not from the backbone: {', '.join(new)}"] if new else [])


def _refuse_foreign(model: PreTrainedModel, folder: Path, info: Mapping[str, Any]) -> None:
    """Raise a WorkbenchError where the weights are not those of the architecture: it would learn from nothing."""
    body = f"{model.base_model_prefix}."
    names = {name for name, _ in model.named_parameters()}
    inner = {name for name in names if name.startswith(body)} or names
    apart = sorted(key for key, *_ in info["mismatched_keys"] if key in inner)
    if apart:
        what = f"its weights have other shapes than config.json says: {', '.join(apart[:3])}"
    elif inner <= set(info["missing_keys"]):
        what = f"none of its weights has a name that a {model.config.model_type} has"
    else:
        return
    raise WorkbenchError(what, where=str(folder), hint="Are the files of one model? Fetch or copy all of them again.")


def checkpoint_activations(model: PreTrainedModel) -> None:
    """Have the layers computed again in the backward pass, so that what they were is not kept.

    Raise a WorkbenchError where the architecture cannot.
    """
    if not model.supports_gradient_checkpointing:
        raise WorkbenchError(
            f"a {model.config.model_type} of transformers cannot compute its layers twice",
            where="training.activation_checkpointing",
            hint="Leave it out; smaller batches, and more accumulation, hold less in memory too.",
        )
    model.activation_checkpointing_enable()


def load_config(folder: Path) -> PretrainedConfig:
    """Return the configuration of a model folder, of one of transformers' own architectures; nothing of it can run.

    Raise a WorkbenchError where the folder holds what nobody should read, or nothing that says what the model is.
    """
    from transformers import CONFIG_MAPPING

    refuse_unsafe(folder)
    try:
        said = read_config(folder)
    except ValueError as error:
        raise WorkbenchError(str(error), where=str(folder)) from None
    # As AutoConfig has it.
    kind = "ministral" if said["model_type"] == "mistral" and "layer_types" in said else said["model_type"]
    if kind not in CONFIG_MAPPING:
        raise WorkbenchError(
            f"{kind} is none of transformers' own architectures",
            where=str(folder),
            hint="Code that comes with a model never runs here: pick another backbone.",
        )
    with told_of(folder, "its config.json cannot be used"):
        config: PretrainedConfig = CONFIG_MAPPING[kind].from_dict(said | {"name_or_path": str(folder)})
    return config


def options_for(folder: Path, config: PretrainedConfig | None = None) -> dict[str, Any]:
    """Return with what a model is loaded, always: this configuration, 32-bit floats, safetensors, no Hub."""
    import torch

    options = {"config": config or load_config(folder), "dtype": torch.float32}
    return options | {"use_safetensors": True, "local_files_only": True}


def load_weights(
    task: Task, folder: Path, config: PretrainedConfig | None = None
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Return a folder's model with the task's head, and transformers' loading report.

    Its weights are read into memory: as pages of the file they would change with it, and end the process with it.
    """
    options = options_for(folder, config)
    with told_of(folder, "its weights cannot be read"):
        model, info = task.load(folder, **options)
    for each in (*model.parameters(), *model.buffers()):
        each.data = each.data.clone()
    return model, info


@contextmanager
def told_of(folder: Path, what: str) -> Iterator[None]:
    """Raise whatever goes wrong with a folder's files as a WorkbenchError that names the folder; memory is no file."""
    try:
        yield
    except (WorkbenchError, MemoryError):
        raise
    except Exception as error:
        if "can't allocate memory" in str(error) or type(error).__name__ == "OutOfMemoryError":
            raise
        words = f"{what}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise WorkbenchError(words, where=str(folder), hint="Fetch or copy the model again.") from error


def longest_input(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many tokens the model takes at most."""
    return longest_of(model.config, tokenizer)


def longest_of(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many tokens a model of this configuration takes at most."""
    positions = getattr(config, "max_position_embeddings", None) or 10**6
    offset = 2 if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer") else 0
    return int(min(positions - offset, tokenizer.model_max_length))


def size_of(recipe: Recipe) -> Size:
    """Return the size of an architecture that a recipe names instead of a backbone."""
    return SIZES[recipe.backbone.name.removeprefix("size:")]


def set_dropout(config: PretrainedConfig, dropout: float | None) -> None:
    """Set every dropout of a configuration, where there is one to set."""
    if dropout is None:
        return
    for name in _dropouts(config):
        setattr(config, name, dropout)
    # Decoders that tag tokens read this one, take 0.1 without it, and do not have it by default.
    config.classifier_dropout = dropout


def has_dropout(config: PretrainedConfig) -> bool:
    """Return whether a model of this configuration drops anything."""
    return any(_dropouts(config).values())


def _dropouts(config: PretrainedConfig) -> dict[str, float]:
    """Return what an architecture's configuration calls its dropouts, with the shares; whole layers are not dropped."""
    settings = vars(config).items()
    return {
        name: value
        for name, value in settings
        if ("dropout" in name or name.endswith("pdrop"))
        and isinstance(value, (int, float))
        and not isinstance(value, bool)
    }
