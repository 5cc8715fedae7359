"""Which architectures can do a task, read from the installed transformers without importing it. Light."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path

TABLES = {
    "AutoModel": "MODEL_MAPPING_NAMES",
    "AutoModelForCausalLM": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "AutoModelForMaskedLM": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "AutoModelForQuestionAnswering": "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES",
    "AutoModelForSeq2SeqLM": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "AutoModelForSequenceClassification": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "AutoModelForTokenClassification": "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
}
"""Where transformers lists the architectures of each class that loads a model with a head."""

FAMILIES = {
    "AutoModel": ("encoder", "decoder"),
    "AutoModelForCausalLM": ("decoder",),
    "AutoModelForMaskedLM": ("encoder",),
}
"""The families that make sense with a class, where transformers lets others load: BERT as a writer of text."""


def why_unable(auto: str, architecture: str) -> str:
    """Return why an architecture cannot be loaded by a class of transformers, or nothing where it can.

    Nothing as well where this version of transformers does not say.
    """
    listed = _listed()
    if auto not in listed:
        return ""
    if architecture not in listed[auto]:
        return f"{architecture} has no {auto.removeprefix('AutoModelFor')} head in transformers"
    family = family_of(architecture)
    wanted = FAMILIES.get(auto, (family,))
    return "" if family in wanted else f"{architecture} is {_a(family)}, and {' or '.join(map(_a, wanted))} is needed"


def family_of(architecture: str) -> str:
    """Return whether an architecture is an encoder, a decoder or an encoder-decoder."""
    listed = _listed()
    if architecture in listed.get("AutoModelForSeq2SeqLM", ()):
        return "encoder-decoder"
    writes = architecture in listed.get("AutoModelForCausalLM", ())
    return "decoder" if writes and architecture not in listed.get("AutoModelForMaskedLM", ()) else "encoder"


def _a(family: str) -> str:
    return f"a {family}" if family == "decoder" else f"an {family}"


@cache
def _listed() -> dict[str, frozenset[str]]:
    found = importlib.util.find_spec("transformers")
    folders = found.submodule_search_locations if found else None
    try:
        source = Path((folders or [""])[0], "models", "auto", "modeling_auto.py").read_text(encoding="utf-8")
        body = ast.parse(source).body
    except (OSError, SyntaxError):
        return {}
    tables = {
        node.targets[0].id: _keys(node.value)
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return {auto: tables[name] for auto, name in TABLES.items() if tables.get(name)}


def _keys(value: ast.expr) -> frozenset[str]:
    """Return the first of each pair in OrderedDict([("bert", "BertModel"), ...])."""
    pairs = (
        value.args[0].elts if isinstance(value, ast.Call) and value.args and isinstance(value.args[0], ast.List) else []
    )
    firsts = (pair.elts[0] for pair in pairs if isinstance(pair, ast.Tuple) and pair.elts)
    return frozenset(str(first.value) for first in firsts if isinstance(first, ast.Constant))
