"""The saved model: plain transformers and sentence-transformers load it, and make the same vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.making import TWO_SIDED, tiny_model, tiny_tokenizer
from workbench.data.features import Example
from workbench.errors import WorkbenchError
from workbench.inference.scoring import answers_to
from workbench.tasks.embeddings import Embeddings
from workbench.tasks.pooling import choose_pooling
from workbench.training.model import load_tokenizer

ENCODERS = ("bert", "mpnet", "modernbert", "roberta", "distilbert", "albert", "electra", "deberta-v2")
DECODERS = ("gpt2", "llama", "qwen2", "gemma")
KINDS = (*ENCODERS, *DECODERS)
LIMIT = 32
TEXTS = ("a good day", "bad", "so bad, so cold and so very rude to all of us " * 4, "kind of GOOD", "é 中 🦊", "a a a")


def saved(folder: Path, kind: str, pooling: str | None = None) -> Path:
    """Save a tiny model as a run does; a backbone's own pooler is part of it."""
    task, tokenizer = task_of(pooling), tiny_tokenizer(types=kind in TWO_SIDED)
    backbone = tiny_model(kind, auto="AutoModel")
    backbone.save_pretrained(folder / "backbone")
    tokenizer.save_pretrained(folder / "backbone")
    config = backbone.config
    task.configure(config, tokenizer)
    model, info = task.load(folder / "backbone", config=config)
    assert list(info["missing_keys"]) == []
    task.encode(tokenizer, [Example({"text": "x", "pair": "y"})], LIMIT)
    (folder / "model").mkdir()
    task.save(model, tokenizer, folder / "model")
    return folder / "model"


def task_of(pooling: str | None) -> Embeddings:
    return Embeddings(Embeddings.Options(pooling=pooling), {"corpus": []})  # type: ignore[arg-type]


def our_vectors(folder: Path) -> Any:
    """Return the vectors of TEXTS by a saved model, asked as evaluation does."""
    import numpy

    task, tokenizer = task_of(None), load_tokenizer(folder)
    model, _ = task.load(folder)
    examples = [Example({"text": text, "pair": text}) for text in TEXTS]
    questions = task.questions(tokenizer, examples, LIMIT)
    return numpy.stack([each.extra[0] for each in answers_to(task, model, tokenizer, examples, questions, LIMIT)])


@pytest.mark.parametrize("kind", KINDS)
def test_sentence_transformers_makes_the_same_vectors(kind: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    for pooling in ("mean", "last", *(["cls"] if kind in ENCODERS else [])):
        folder = saved(tmp_path / pooling, kind, pooling)
        mine = our_vectors(folder)
        loaded = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        if kind == "qwen2":
            # transformers reads any tokenizer beside a qwen2 as Qwen's own.
            limit, loaded[0].processor = loaded.max_seq_length, load_tokenizer(folder)
            loaded.max_seq_length = limit
        theirs = loaded.encode(list(TEXTS))
        assert mine == pytest.approx(theirs, abs=1e-6)
        assert abs(mine[0] - mine[1]).max() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_plain_transformers_has_the_same_states_and_every_weight(kind: str, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel

    folder = saved(tmp_path, kind)
    backbone = AutoModel.from_pretrained(tmp_path / "backbone")
    plain, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert (list(info["missing_keys"]), list(info["unexpected_keys"])) == ([], [])
    assert type(plain) is type(backbone)
    weights = plain.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in backbone.state_dict().items())
    tokens = load_tokenizer(folder)(list(TEXTS), padding=True, truncation=True, max_length=LIMIT, return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(plain(**tokens).last_hidden_state, backbone(**tokens).last_hidden_state)


@pytest.mark.parametrize(
    ("kind", "pooling"), [("bert", "mean"), ("modernbert", "mean"), ("gpt2", "last"), ("llama", "last")]
)
def test_the_family_says_how_to_pool_where_nobody_else_does(kind: str, pooling: str) -> None:
    assert choose_pooling(None, tiny_model(kind, auto="AutoModel").config) == pooling


@pytest.mark.parametrize("kind", DECODERS)
def test_a_decoder_cannot_pool_by_its_first_token(kind: str) -> None:
    with pytest.raises(WorkbenchError, match="sees none of the others"):
        choose_pooling("cls", tiny_model(kind, auto="AutoModel").config)


@pytest.mark.parametrize(
    ("declared", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_lasttoken": True, "word_embedding_dimension": 16, "include_prompt": True}, "last"),
        ({"pooling_mode": "cls", "embedding_dimension": 16, "include_prompt": True}, "cls"),
        ({"pooling_mode": "lasttoken"}, "last"),
    ],
)
def test_the_backbone_says_how_it_pools(declared: dict[str, Any], pooling: str, tmp_path: Path) -> None:
    from transformers import AutoConfig

    saved(tmp_path, "bert")
    folder = tmp_path / "backbone"
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(declared))
    assert choose_pooling(None, AutoConfig.from_pretrained(folder)) == pooling
    assert choose_pooling("mean", AutoConfig.from_pretrained(folder)) == "mean"


@pytest.mark.parametrize("declared", [{"pooling_mode_max_tokens": True}, {"pooling_mode": ["cls", "mean"]}, {}])
def test_a_pooling_that_is_not_known_is_told(declared: dict[str, Any], tmp_path: Path) -> None:
    from transformers import BertConfig

    config = BertConfig()
    config._name_or_path = str(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(declared))
    with pytest.raises(WorkbenchError, match="which is not known here"):
        choose_pooling(None, config)


def test_an_architecture_without_weights_reads_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    monkeypatch.chdir(tmp_path)
    assert choose_pooling(None, tiny_model("bert", auto="AutoModel").config) == "mean"


def test_a_saved_model_keeps_its_pooling(tmp_path: Path) -> None:
    from transformers import AutoConfig

    assert choose_pooling(None, AutoConfig.from_pretrained(saved(tmp_path, "bert", "cls"))) == "cls"
