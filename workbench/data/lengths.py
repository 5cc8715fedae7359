"""What the length limit would destroy, and what the tokenizer does not know, told before a model is loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.data.features import Example, Feature
from workbench.data.findings import Finding, warning
from workbench.data.prepare import Prepared
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

EXAMINED = 2000
"""Training rows that are made tokens, evenly taken from all."""

UNKNOWN = 0.01
"""Share of unknown tokens from which on it is said."""

KEPT = 0.99
"""Share of the rows that the length that is proposed would keep whole."""


def length_findings(recipe: Recipe, data: Prepared) -> Iterator[Finding]:
    """Yield what the recipe's length limit cuts, and how much the tokenizer does not know. Loads a tokenizer."""
    examined = [_some(data, each.name) for each in data.sets]
    tokenizer, longest = _tokenizer(recipe, data, [example for examples, _ in examined for example in examples])
    limit = min(recipe.training.max_length, longest)
    for each, (examples, rows) in zip(data.sets, examined, strict=True):
        features = data.task.encode(tokenizer, examples, limit)
        found = *_cut(data, examples, rows, features, limit, longest), *_unknown(tokenizer, features)
        yield from (replace(finding, where=each.train_file) for finding in found)


def _some(data: Prepared, source: str) -> tuple[list[Example], int]:
    """Return examples of training of a set, evenly taken from all, and how many it has."""
    own = [example for example in data.train if example.source == source]
    return own[:: max(1, len(own) // EXAMINED)][:EXAMINED], len(own)


def _cut(
    data: Prepared,
    examples: Sequence[Example],
    rows: int,
    features: Sequence[Feature],
    limit: int,
    longest: int,
) -> Iterator[Finding]:
    own: dict[int, list[Feature]] = defaultdict(list)
    for feature in features:
        own[feature.example].append(feature)
    lost: dict[str, list[int]] = defaultdict(list)
    for place, example in enumerate(examples):
        what = data.task.lost(example, own[place])
        if what:
            lost[what].append(example.row)
    of = sorted(max((each.info.get("of", 0) for each in own[place]), default=0) for place in range(len(examples)))
    keeps = of[min(len(of) - 1, int(KEPT * len(of)))] if of else 0
    for what, losing in lost.items():
        share = f"{len(losing)} of {len(examples)} rows" + (" examined" if len(examples) < rows else "")
        remedy = f"training.max_length = {min(keeps, longest)} keeps 99 % of the rows whole."
        if keeps > longest:
            remedy = f"99 % of the rows need {keeps} tokens, this backbone takes {longest}: split the texts."
        yield warning("truncation", f"{share} lose the {what} at {limit} tokens", losing, remedy)


def _unknown(tokenizer: PreTrainedTokenizerBase, features: Sequence[Feature]) -> Iterator[Finding]:
    if tokenizer.unk_token_id is None:
        return
    known = sum(len(feature.ids) for feature in features)
    unknown = sum(feature.ids.count(tokenizer.unk_token_id) for feature in features)
    if known and unknown / known >= UNKNOWN:
        what = f"{unknown / known:.1%} of the tokens are unknown to this backbone"
        yield warning("unknown-tokens", what, remedy="Is the text in a language or script that it was trained on?")


def _tokenizer(recipe: Recipe, data: Prepared, examples: Sequence[Example]) -> tuple[PreTrainedTokenizerBase, int]:
    """Return the backbone's tokenizer and how many tokens it takes; for a size, one trained on the rows examined."""
    from workbench.models.backbones import find_backbone
    from workbench.training.architectures import LONGEST
    from workbench.training.model import build_tokenizer, load_config, longest_of

    tokenizer = build_tokenizer(recipe, data.task, examples)
    if recipe.backbone.name.startswith("size:"):
        return tokenizer, LONGEST
    return tokenizer, longest_of(load_config(find_backbone(recipe)), tokenizer)
