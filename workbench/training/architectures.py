"""Small architectures to train from nothing, one for each family: what a `size:` backbone is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.catalog import Size

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

LONGEST = 512
"""Positions that a small architecture has."""


def sized_config(family: str, size: Size, tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    """Return the configuration of a small BERT (encoder), Llama (decoder) or mBART (encoder-decoder)."""
    return FAMILIES[family](size, tokenizer)


def fit_to(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give an architecture that has no weights yet the vocabulary and the special tokens of another tokenizer."""
    config.vocab_size = len(tokenizer)
    special = {**_ends(tokenizer), "cls_token_id": tokenizer.cls_token_id, "sep_token_id": tokenizer.sep_token_id}
    for name, token in special.items():
        if getattr(config, name, None) is not None:
            setattr(config, name, token)
    if config.is_encoder_decoder:
        config.decoder_start_token_id = tokenizer.sep_token_id
        if hasattr(config, "decoder_vocab_size"):
            config.decoder_vocab_size = len(tokenizer)


def _encoder(size: Size, tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    from transformers import BertConfig

    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.hidden,
        pad_token_id=tokenizer.pad_token_id,
    )


def _decoder(size: Size, tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.hidden,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        **_ends(tokenizer),
    )


def _encoder_decoder(size: Size, tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    from transformers import MBartConfig

    # Unlike BART it norms before each layer, and so bears a high rate from the start.
    return MBartConfig(
        vocab_size=len(tokenizer),
        d_model=size.hidden,
        encoder_layers=size.layers,
        decoder_layers=size.layers,
        encoder_attention_heads=size.heads,
        decoder_attention_heads=size.heads,
        encoder_ffn_dim=4 * size.hidden,
        decoder_ffn_dim=4 * size.hidden,
        max_position_embeddings=LONGEST,
        # The default of 0.02 is for wide models: narrow ones learn slower from it.
        init_std=size.hidden**-0.5,
        # The end of a text starts the next, as mBART has it.
        decoder_start_token_id=tokenizer.sep_token_id,
        forced_eos_token_id=None,
        **_ends(tokenizer),
    )


def _ends(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    return {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }


FAMILIES = {"encoder": _encoder, "decoder": _decoder, "encoder-decoder": _encoder_decoder}
