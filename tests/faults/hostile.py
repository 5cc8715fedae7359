"""Model folders that want to run code, read other files, hang, or fill the memory; and damaged ones.

Each is made from a sound tiny model. Whatever runs of it would write a marker file.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ESCAPES = "\x1b]0;x\x07\x9b2J\u202e"


@dataclass(frozen=True)
class Place:
    """A folder that is being made hostile, and the file that would be there if anything of it ran."""

    folder: Path
    marker: Path

    @property
    def code(self) -> str:
        return f"open({str(self.marker)!r}, 'w').write('ran')\n"

    def change(self, name: str, **keys: Any) -> None:
        file = self.folder / name
        said = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        file.write_text(json.dumps(said | keys), encoding="utf-8")

    def write(self, name: str, content: str | bytes) -> None:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def pickled(self, name: str) -> None:
        self.write(name, pickle.dumps(_Runs(self.code)))

    def replace(self, name: str, target: str | Path) -> None:
        """Put a link in the place of a file."""
        (self.folder / name).unlink()
        (self.folder / name).symlink_to(target)


@dataclass(frozen=True)
class Hostile:
    """`words` are a part of what a check says; where they are empty it can be trained on all the same."""

    name: str
    make: Callable[[Place], None]
    words: str = ""


class _Runs:
    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.code,)


def weights(place: Place) -> Path:
    return place.folder / "model.safetensors"


def header_of(place: Place) -> tuple[dict[str, Any], bytes]:
    """Return the header of the weights, and the bytes behind it."""
    content = weights(place).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def put_header(place: Place, header: dict[str, Any], rest: bytes) -> None:
    written = json.dumps(header).encode()
    place.write("model.safetensors", struct.pack("<Q", len(written)) + written + rest)


def only_pickled(name: str) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        weights(place).unlink()
        place.pickled(name)

    return make


def harmless_pickle(place: Place) -> None:
    weights(place).unlink()
    place.write("pytorch_model.bin", pickle.dumps({"weight": [0.0]}))


def pickles_beside(place: Place) -> None:
    for name in (
        "pytorch_model.bin",
        "model.pt",
        "training_args.bin",
        "adapter_model.bin",
        ".metadata",
        "optimizer.pt",
    ):
        place.pickled(name)


def own_code(place: Place, **keys: Any) -> None:
    code = place.code + "from transformers import BertConfig as Config, BertForSequenceClassification as Model\n"
    for name in ("configuration_evil.py", "modeling_evil.py", "__init__.py", "sitecustomize.py"):
        place.write(name, code)
    classes = {"AutoConfig": "configuration_evil.Config", "AutoModel": "modeling_evil.Model"}
    classes |= dict.fromkeys(("AutoModelForSequenceClassification", "AutoModelForMaskedLM"), "modeling_evil.Model")
    place.change("config.json", auto_map=classes, **keys)


def own_architecture(place: Place) -> None:
    own_code(place, model_type="evil", architectures=["EvilModel"])


def own_kernels(place: Place) -> None:
    kernel = "evil/kernel:run"
    place.change(
        "config.json", attn_implementation=kernel, experts_implementation=kernel, use_kernels=True,
        _attn_implementation=kernel, _attn_implementation_internal=kernel, _experts_implementation_internal=kernel,
        kernel_config={"kernel_mapping": {"RMSNorm": kernel}}, _name_or_path="evil/model", trust_remote_code=True,
    )  # fmt: skip


def own_quantizer(place: Place) -> None:
    place.change("config.json", quantization_config={"quant_method": "evil.module:run", "modules": ["os"]})


def own_tokenizer(place: Place) -> None:
    place.write("tokenization_evil.py", place.code + "from transformers import BertTokenizer as Tokenizer\n")
    names = ["tokenization_evil.Tokenizer", "tokenization_evil.Tokenizer"]
    place.change("tokenizer_config.json", auto_map={"AutoTokenizer": names}, tokenizer_class="Tokenizer")


def legacy_tokenizer(place: Place) -> None:
    place.write("tokenization_evil.py", place.code)
    place.change("tokenizer_config.json", auto_map=["tokenization_evil.Slow", "tokenization_evil.Fast"])


def other_config(place: Place) -> None:
    own_code(place)
    shutil.copy(place.folder / "config.json", place.folder / "config.4.0.0.json")
    said = json.loads((place.folder / "config.json").read_text())
    place.write("config.json", json.dumps({**said, "configuration_files": ["config.4.0.0.json"], "auto_map": {}}))


def other_weights(place: Place) -> None:
    place.pickled("adapter_model.bin")
    place.change("config.json", transformers_weights="adapter_model.bin")


def link_out(name: str, target: str) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        outside = place.folder.parent / "outside"
        outside.mkdir(exist_ok=True)
        shutil.move(place.folder / name, outside / name)
        (place.folder / name).symlink_to(target or outside / name)

    return make


def folder_beside(place: Place) -> None:
    """A folder whose name begins with that of the model is not in it."""
    outside = place.folder.with_name(f"{place.folder.name}-secret")
    outside.mkdir()
    shutil.move(weights(place), outside / "model.safetensors")
    weights(place).symlink_to(f"../{outside.name}/model.safetensors")


def index_to(name: str) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        shutil.move(weights(place), place.folder.parent / "model.safetensors")
        shard = name.format(parent=place.folder.parent)
        place.write("model.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": {"weight": shard}}))
        place.write("other.safetensors", b"")

    return make


def pipe_for(name: str) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        (place.folder / name).unlink(missing_ok=True)
        os.mkfifo(place.folder / name)

    return make


def distributed(place: Place) -> None:
    weights(place).rename(place.folder / "shard-00001-model-00001-of-00001.safetensors")
    place.pickled(".metadata")


def huge_shape(place: Place) -> None:
    header, rest = header_of(place)
    name = next(iter(header.keys() - {"__metadata__"}))
    header[name]["shape"] = [2**40, 2**40]
    put_header(place, header, rest)


def strange_names(place: Place) -> None:
    header, rest = header_of(place)
    header[f"{ESCAPES}\0[/red]"] = {"dtype": "F32", "shape": [1], "data_offsets": [len(rest), len(rest) + 4]}
    put_header(place, header, rest + b"\0\0\0\0")
    labels = [f"good {ESCAPES}", f"[/red]\0{ESCAPES}"]
    place.change(
        "config.json", id2label=dict(enumerate(labels)), label2id={label: n for n, label in enumerate(labels)},
        architectures=[ESCAPES], problem_type=None,
    )  # fmt: skip


def sentence_modules(place: Place) -> None:
    place.write("evil.py", place.code)
    modules = [{"idx": 0, "name": "0", "path": "", "type": "evil.Model"}, {"idx": 1, "path": "..", "type": "os.system"}]
    place.write("modules.json", json.dumps(modules))
    place.write("1_Pooling/config.json", json.dumps({"pooling_mode_evil": True}))


def adapter(place: Place) -> None:
    place.write("adapter_config.json", json.dumps({
        "peft_type": "LORA", "base_model_name_or_path": "evil/model", "r": 8,
        "auto_mapping": {"base_model_class": "Model", "parent_library": "modeling_evil"},
    }))  # fmt: skip


def own_generation(place: Place) -> None:
    place.write("custom_generate/generate.py", place.code + "def generate(model, **_):\n    return None\n")
    place.write("custom_generate/requirements.txt", "evil\n")
    place.change("generation_config.json", custom_generate="evil/generate", trust_remote_code=True)


def template(place: Place) -> None:
    reach = "{{ ().__class__.__mro__[1].__subclasses__() }}{{ cycler.__init__.__globals__.os.system('true') }}"
    place.change("tokenizer_config.json", chat_template=reach)
    place.write("chat_template.jinja", reach)
    place.write("additional_chat_templates/evil.jinja", reach)


HOSTILE = (
    Hostile("a harmless pickle alone", harmless_pickle, "only pickled weights"),
    Hostile("a pickle that runs code alone", only_pickled("pytorch_model.bin"), "only pickled weights"),
    Hostile("a .pt that runs code alone", only_pickled("model.pt"), "only pickled weights"),
    Hostile("pickles beside the weights", pickles_beside),
    Hostile("code of its own for an architecture that is known", own_code),
    Hostile("code of its own for an architecture that is not", own_architecture, "evil"),
    Hostile("kernels of the Hub", own_kernels),
    Hostile("a quantizer of its own", own_quantizer, "its weights are quantized (evil.module:run)"),
    Hostile("a tokenizer of its own", own_tokenizer),
    Hostile("a tokenizer of its own, named as once", legacy_tokenizer),
    Hostile("another config.json for this version", other_config),
    Hostile("a config.json that names pickled weights", other_weights),
    Hostile("weights that link out", link_out("model.safetensors", ""), "a link that leaves the folder"),
    Hostile("a tokenizer that links out", link_out("tokenizer.json", "/etc/passwd"), "a link that leaves the folder"),
    Hostile("weights that link to a folder with a longer name", folder_beside, "a link that leaves the folder"),
    Hostile("a link to nothing", link_out("model.safetensors", "nothing"), "a link to nothing"),
    Hostile("an index that goes up", index_to("../model.safetensors"), "no file beside it"),
    Hostile("an index that names any path", index_to("{parent}/model.safetensors"), "no file beside it"),
    Hostile("an index of what is not there", index_to("one.safetensors"), "one.safetensors is missing"),
    Hostile("a pipe for weights", pipe_for("model.safetensors"), "no plain file but a pipe or a device"),
    Hostile("a pipe for config.json", pipe_for("config.json"), "no plain file but a pipe or a device"),
    Hostile("a pipe for a template", pipe_for("chat_template.jinja"), "no plain file but a pipe or a device"),
    Hostile(
        "a device for a vocabulary", lambda place: (place.folder / "vocab.txt").symlink_to("/dev/zero"), "no plain"
    ),
    Hostile("shards of a distributed checkpoint", distributed, "shards of a distributed checkpoint"),
    Hostile(
        "a huge header", lambda place: place.write("model.safetensors", struct.pack("<Q", 2**62)), "no safetensors"
    ),
    Hostile("a huge shape", huge_shape, "not as many as its shape"),
    Hostile("a huge size", lambda place: place.change("config.json", hidden_size=2**40), "hidden_size 1099511627776"),
    Hostile(
        "endless layers", lambda place: place.change("config.json", num_hidden_layers=10**9), "more than any model"
    ),
    Hostile("a huge config.json", lambda place: place.write("config.json", b" " * 100 * 2**20 + b"{}"), "larger than"),
    Hostile("a deep config.json", lambda place: place.write("config.json", "[" * 10**5), "nested too deeply"),
    Hostile("a deep tokenizer", lambda place: place.write("tokenizer_config.json", "[" * 10**5), "cannot be read"),
    Hostile("names that drive a terminal", strange_names),
    Hostile("modules of sentence-transformers", sentence_modules),
    Hostile("an adapter of another model", adapter, "it holds an adapter"),
    Hostile("a way to generate of its own", own_generation),
    Hostile("a chat template that reaches out", template),
)


def truncated(place: Place) -> None:
    weights(place).write_bytes(weights(place).read_bytes()[:-100])


def flipped(place: Place) -> None:
    """Turn one bit of the header around."""
    content = bytearray(weights(place).read_bytes())
    content[8 + content[8:].index(b"F32")] ^= 2
    weights(place).write_bytes(content)


def typed(kind: str, width: int) -> Callable[[Place], None]:
    def make(place: Place) -> None:
        header, rest = header_of(place)
        for name, entry in header.items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                sides = [(end - start) // width]
                entry |= {"dtype": kind, "shape": sides if kind == "U8" else entry["shape"]}
        put_header(place, header, rest)

    return make


def turned(place: Place) -> None:
    """Turn a table of weights on its side: as many numbers, another shape."""
    header, rest = header_of(place)
    name = next(name for name in header if name.endswith("word_embeddings.weight"))
    header[name]["shape"].reverse()
    put_header(place, header, rest)


def renamed(place: Place) -> None:
    header, rest = header_of(place)
    put_header(place, {name if name == "__metadata__" else f"x.{name}": each for name, each in header.items()}, rest)


DAMAGED = (
    Hostile("truncated", truncated, "bytes of weights are announced"),
    Hostile("empty", lambda place: place.write("model.safetensors", b""), "model.safetensors is empty"),
    Hostile("a bit of the header flipped", flipped, "damaged weights"),
    Hostile(
        "a pointer of Git LFS",
        lambda place: place.write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
        "a pointer of Git LFS",
    ),
    Hostile("whole numbers", typed("I32", 4), "most of its weights are whole numbers"),
    Hostile("a type nobody knows", typed("F4", 4), "has the type F4"),
    Hostile("bytes", typed("U8", 1), "most of its weights are whole numbers"),
    Hostile("a table on its side", turned, "other shapes than config.json says"),
    Hostile("names of another architecture", renamed, "none of its weights has a name"),
    Hostile("a missing shard", index_to("model-00002-of-00002.safetensors"), "is missing, which"),
)


def made(hostile: Hostile, sound: Path, root: Path) -> Place:
    """Make a folder hostile below `root`, from a sound one."""
    name = "".join(char if char.isalnum() else "-" for char in hostile.name)
    place = Place(root / name / "model", root / name / "marker")
    shutil.copytree(sound, place.folder)
    hostile.make(place)
    return place
