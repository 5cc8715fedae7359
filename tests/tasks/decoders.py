"""What the tests of the decoders' tasks share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.making import BAD, GOOD, VOCABULARY, tiny_model
from workbench.data.features import IGNORED, Feature
from workbench.tasks.causal_pretraining import CausalPretraining
from workbench.tasks.instructions import Instructions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

POSITIONS = 160
KINDS = ("gpt2", "llama", "qwen2", "gemma")
CHATML = (
    "{% for each in messages %}<|im_start|>{{ each.role }}\n{{ each.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ROWS = [
    {"instruction": "Say good", "input": "", "response": "so good"},
    {"instruction": "Turn around", "input": "a bad day", "response": "a good day"},
    {"instruction": "What was it?", "input": None, "response": "what a bad film this was, so cold and so very rude"},
    {"instruction": "x", "response": "y"},
    {"instruction": "kind of good", "input": "so kind", "response": "so warm\n\nto all of us"},
]
TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "good?"},
    {"role": "assistant", "content": "so good"},
    {"role": "user", "content": "and the film?"},
    {"role": "assistant", "content": "bad"},
]


def bert_like_tokenizer() -> PreTrainedTokenizerBase:
    """Return a tokenizer that puts [CLS] before a text and [SEP] after it, as those made for `size:` do."""
    from workbench.training.model import train_tokenizer

    return train_tokenizer([*GOOD, *BAD], VOCABULARY, cased=True, types=False)


def bare_tokenizer() -> PreTrainedTokenizerBase:
    """Return a tokenizer that adds nothing to a text and pads with its end token, as GPT-2's does."""
    from tokenizers.processors import ByteLevel

    tokenizer = bert_like_tokenizer()
    tokenizer.backend_tokenizer.post_processor = ByteLevel(trim_offsets=False)
    tokenizer.eos_token = tokenizer.pad_token = "[SEP]"
    return tokenizer


def chat_tokenizer(template: str = CHATML) -> PreTrainedTokenizerBase:
    """Return a tokenizer with a chat template, whose turns end with a token of their own."""
    tokenizer = bert_like_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = template
    return tokenizer


def decoder(kind: str, **options: Any) -> PreTrainedModel:
    """Return a tiny model of one of KINDS that writes, in evaluation mode, with weights large enough to matter."""
    import torch

    positions = {"n_positions" if kind == "gpt2" else "max_position_embeddings": POSITIONS}
    model = tiny_model(kind, auto="AutoModelForCausalLM", **positions | options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8 if parameter.dim() > 1 else 1)
    return model.eval()


def instructions(**options: Any) -> Instructions:
    """Return the task with some options."""
    return Instructions(Instructions.Options(**options), {})


def pretraining(**options: Any) -> CausalPretraining:
    """Return the task with some options."""
    return CausalPretraining(CausalPretraining.Options(**options), {})


def learned_text(tokenizer: PreTrainedTokenizerBase, feature: Feature) -> str:
    """Return the labelled tokens of a feature as text, special tokens included."""
    return str(tokenizer.decode([label for label in feature.labels if label != IGNORED]))
