"""What the tasks share in which an encoder-decoder reads one text and writes another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from store.texts import HALF_A_PAIR
from workbench.data.encoding import CHUNK, encode, fill
from workbench.data.features import IGNORED, WIDTH_STEP, Feature
from workbench.tasks.task import Watch

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


def pair_features(
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[str],
    targets: Sequence[str | None],
    max_length: int,
    longest_output: int,
) -> list[Feature]:
    """Return one feature for each source, cut at `max_length` tokens; its labels are the tokens of the target, cut at
    `longest_output` (and at `max_length`), its items their number. `info` holds the tokenizer, for the answer is text.
    """
    known = [text for text in targets if text is not None]
    labels = iter(_encode_targets(tokenizer, known, min(longest_output, max_length)))
    features = []
    for number, (each, target) in enumerate(zip(encode(tokenizer, sources, max_length), targets, strict=True)):
        info = {"of": each.whole, "tokenizer": tokenizer}
        answer = None if target is None else next(labels)
        features.append(Feature(number, each.ids, labels=answer, items=len(answer or "-"), info=info))
    return features


def configure_writing(config: PretrainedConfig) -> None:
    """Say with which token writing starts; drop settings of generation, which transformers keeps elsewhere now."""
    for name in config._get_generation_parameters():
        delattr(config, name)
    if getattr(config, "decoder_start_token_id", None) is None:
        bos = getattr(config, "bos_token_id", None)
        config.decoder_start_token_id = config.pad_token_id if bos is None else bos


def generation_of(config: PretrainedConfig, beams: int, longest_output: int) -> GenerationConfig:
    """Return how a model writes: greedily or by beam search, never a token that fills up, nothing else of its own.

    It is saved with the model, so that a plain `generate` writes the same.
    """
    from transformers import GenerationConfig

    pad, ends = config.pad_token_id, ends_of(config)
    return GenerationConfig(
        do_sample=False,
        num_beams=beams,
        max_new_tokens=min(longest_output, _positions(config) - 1),
        suppress_tokens=None if pad in ends else [pad],
        decoder_start_token_id=config.decoder_start_token_id,
        eos_token_id=ends,
        pad_token_id=pad,
    )


def ends_of(config: PretrainedConfig) -> list[int]:
    """Return the tokens that end a text."""
    ends = config.eos_token_id
    return list(ends) if isinstance(ends, list) else [] if ends is None else [ends]


def shifted(model: PreTrainedModel, labels: torch.Tensor) -> torch.Tensor:
    """Return what the decoder reads to say the labels (rows, tokens): the same, one place later, after the start."""
    own = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    tokens: torch.Tensor = moved(model, labels) if own is None else own(labels=labels)
    return tokens


def moved(model: PreTrainedModel, labels: torch.Tensor) -> torch.Tensor:
    """Return what the decoder has read when it has written the labels: as `shifted`, started as writing starts.

    (Where a text ends with its language, as for mBART, `shifted` starts with that.)
    """
    tokens = labels.roll(1, dims=1)
    tokens[:, 0] = model.config.decoder_start_token_id
    return tokens.masked_fill(tokens == IGNORED, model.config.pad_token_id)


def read_source(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return what the encoder makes of a batch: (rows, tokens, hidden)."""
    encoder: Any = model.get_encoder()
    encoded: torch.Tensor = encoder(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], return_dict=True
    ).last_hidden_state
    return encoded


def losses_of(
    model: PreTrainedModel,
    encoded: torch.Tensor,
    mask: torch.Tensor,
    labels: torch.Tensor,
    before: torch.Tensor,
) -> list[tuple[float, int]]:
    """Return for each row the sum of its labels' negative log-likelihoods in nats, and how many labels it has.

    `mask` is that of the source, `labels` and `before`, what the decoder has read at each, are (rows, tokens).
    """
    from torch.nn.functional import cross_entropy
    from transformers.modeling_outputs import BaseModelOutput

    logits: torch.Tensor = model(
        encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
        attention_mask=mask,
        decoder_input_ids=before,
        use_cache=False,
    ).logits
    flat = cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
    sums = flat.view(labels.shape).double().sum(1).tolist()
    return list(zip(sums, (labels != IGNORED).sum(1).tolist(), strict=True))


def write(
    model: PreTrainedModel,
    encoded: torch.Tensor,
    mask: torch.Tensor,
    generation: GenerationConfig,
    watch: Watch | None,
) -> list[list[int]]:
    """Return the tokens that the model writes for each row, up to the end token, which is the last where it came."""
    import torch
    from transformers import StoppingCriteriaList
    from transformers.modeling_outputs import BaseModelOutput

    ends, pad = ends_of(model.config), model.config.pad_token_id

    def stop(tokens: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        assert watch is not None
        over = watch(_written(tokens[0].tolist(), ends, pad))
        return torch.full((len(tokens),), over, dtype=torch.bool, device=tokens.device)

    told: Any = model.generate(  # type: ignore[operator]
        encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
        attention_mask=mask,
        generation_config=generation,
        stopping_criteria=StoppingCriteriaList([stop] if watch is not None else []),
    )
    return [_written(row, ends, pad) for row in told.tolist()]


def scores_of(
    model: PreTrainedModel, encoded: torch.Tensor, mask: torch.Tensor, written: Sequence[list[int]]
) -> list[float]:
    """Return the mean log-probability of the tokens written for each row.

    Rows of like length are judged together, always as many rows, so that a row's company changes no bit.
    """
    import torch

    widest = _positions(model.config)
    widths = [min(-(-len(tokens) // WIDTH_STEP) * WIDTH_STEP, widest) for tokens in written]
    scores = [0.0] * len(written)
    for width in sorted(set(widths)):
        rows = [row for row, each in enumerate(widths) if each == width]
        full = rows + [rows[-1]] * (len(written) - len(rows))
        labels = torch.tensor([fill(written[row], width, IGNORED) for row in full], device=mask.device)
        losses = losses_of(model, encoded[full], mask[full], labels, moved(model, labels))
        for row, (total, count) in zip(rows, losses, strict=False):
            scores[row] = -total / count
    return scores


def _encode_targets(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[list[int]]:
    encoded: list[list[int]] = []
    for start in range(0, len(texts), CHUNK):
        batch = [HALF_A_PAIR.sub("\ufffd", text) for text in texts[start : start + CHUNK]]
        encoded += tokenizer(text_target=batch, truncation=True, max_length=max_length)["input_ids"]
    return encoded


def _written(tokens: Sequence[int], ends: Sequence[int], pad: int) -> list[int]:
    """Return the tokens after the one that starts, up to the first end, which stays, or to what fills up."""
    kept: list[int] = []
    for token in tokens[1:]:
        if token == pad and pad not in ends:
            break
        kept.append(token)
        if token in ends:
            break
    return kept


def _positions(config: PretrainedConfig) -> int:
    return getattr(config, "max_position_embeddings", None) or 10**6
