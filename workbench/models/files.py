"""A model folder is looked at before any library reads it: what it holds may come from anybody. Light.

Only data are read of a folder: JSON, safetensors, the vocabulary. No code of a model ever runs, whatever its files say.
"""

from __future__ import annotations

import json
import re
import stat
import struct
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

READ = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.spm", "*.bpe", "vocab*", "*tekken*")
"""What a library may read of a folder; nothing opens the rest."""

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"

LARGEST_CONFIG = 16 * 2**20
LARGEST_TEXT = 512 * 2**20
LARGEST_HEADER = 100_000_000
MOST_LAYERS = 1000

_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_OTHERS = {"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "U32": 4, "I32": 4, "U64": 8, "I64": 8}
_LAYERS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer", "encoder_layers", "decoder_layers")
_DIMENSIONS = ("hidden_size", "d_model", "n_embd", "dim", "vocab_size")
_NO_DATA = {
    *("auto_map", "attn_implementation", "experts_implementation", "use_kernels", "kernel_config"),
    *("quantization_config", "compression_config", "distributed_config", "transformers_weights", "configuration_files"),
    *("trust_remote_code", "custom_pipelines", "custom_generate", "name_or_path"),
}
"""Keys of a config.json that name code, kernels or other files instead of saying what the model is."""
_NAMES = ("id2label", "label2id")
"""Tables whose keys are a person's own words."""
_LFS = b"version https://git-lfs"


def why_unsafe(folder: Path) -> str:
    """Return why nothing of a folder can be read, or nothing where it can: links that leave it, pipes, giant files."""
    try:
        entries = sorted({path for pattern in READ for path in folder.glob(pattern)})
        if (folder / "adapter_config.json").exists():
            return "it holds an adapter (adapter_config.json), not a model: merge it into its model first"
        for path in [*entries, *sorted(folder.glob("*/config.json"))]:
            if words := _why_unread(path, folder):
                return f"{path.name} {words}"
    except (OSError, ValueError) as error:
        return f"cannot be looked up: {error}"
    return ""


def _why_unread(path: Path, folder: Path) -> str:
    try:
        state = path.stat()
    except FileNotFoundError:
        return "is a link to nothing: fetch or copy the model again"
    if stat.S_ISDIR(state.st_mode):
        return ""
    if not stat.S_ISREG(state.st_mode):
        return "is no plain file but a pipe or a device"
    if not any(path.resolve().is_relative_to(root) for root in _roots(folder)):
        return "is a link that leaves the folder: copy the file itself there"
    largest = LARGEST_CONFIG if path.name == "config.json" else LARGEST_TEXT
    if path.suffix != ".safetensors" and state.st_size > largest:
        return f"is larger than {largest // 2**20} MiB"
    return ""


def _roots(folder: Path) -> list[Path]:
    """Return where the files of a folder may stand: in it, or among the blobs of the Hub's cache that it is of."""
    root = folder.resolve()
    repository = root.parent.parent
    cached = root.parent.name == "snapshots" and repository.name.startswith("models--")
    return [root, *([repository / "blobs"] if cached else [])]


def refuse_unsafe(folder: Path) -> None:
    """Raise a WorkbenchError where nothing of a folder can be read."""
    if words := why_unsafe(folder):
        raise WorkbenchError(words, where=str(folder), hint="Take the model from its source again, or another one.")


def read_config(folder: Path) -> dict[str, Any]:
    """Return what a config.json says the model is, without what would have a library run or fetch anything.

    Raise a ValueError, in words, where it says nothing that can be used.
    """
    try:
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("config.json is nested too deeply") from None
    except (OSError, ValueError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("model_type"), str):
        raise ValueError("no readable config.json with a model_type")
    return _data_of(said)


def is_quantized(folder: Path) -> str:
    """Return by which method a config.json says that the weights are quantized, or nothing."""
    said = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("quantization_config")
    return str(said.get("quant_method") or "?") if isinstance(said, dict) else "?" if said else ""


def _data_of(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _data_of(value) if isinstance(value, dict) and key not in _NAMES else value
        for key, value in said.items()
        if not key.startswith("_") and key not in _NO_DATA
    }


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold the weights; raise a ValueError, in words, where there are none or not all."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth"))
        raise ValueError(f"{'only pickled weights' if pickled else 'no weights'}: no *.safetensors file")
    if any(re.match(r"shard-\d", file.name) for file in found):
        raise ValueError("shards of a distributed checkpoint, not of a model")
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if not (folder / INDEX).exists():
        raise ValueError(f"neither {WEIGHTS} nor {INDEX}")
    return [folder / name for name in _shards(folder)]


def _shards(folder: Path) -> list[str]:
    try:
        names = sorted(set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{INDEX} cannot be read") from None
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise ValueError(f"{INDEX} names {name!r}, which is no file beside it")
        if not (folder / name).is_file():
            raise ValueError(f"{name} is missing, which {INDEX} names")
    if not names:
        raise ValueError(f"{INDEX} names no file")
    return names


def count_parameters(files: Iterable[Path], config: Mapping[str, Any]) -> int:
    """Return how many weights files hold, by their headers alone.

    Raise a ValueError, in words, where a file is damaged or cannot be of a model of this configuration.
    """
    shapes = [shape for file in files for shape in read_header(file)]
    floats = sum(prod(shape) for kind, shape in shapes if kind in _FLOATS)
    total = sum(prod(shape) for _, shape in shapes)
    if 2 * floats < total or not floats:
        raise ValueError("most of its weights are whole numbers: quantized, or no weights at all")
    sides = {side for _, shape in shapes for side in shape}
    for key in _DIMENSIONS:
        if config.get(key) is not None and config[key] not in sides:
            raise ValueError(f"config.json says {key} {config[key]!r}, and no weight has that size: of another model")
    for key in _LAYERS:
        if config.get(key) is not None and not (isinstance(config[key], int) and 0 <= config[key] <= MOST_LAYERS):
            raise ValueError(f"config.json says {key} {config[key]!r}, more than any model has")
    return total


def read_header(file: Path) -> list[tuple[str, list[int]]]:
    """Return type and shape of every tensor of a safetensors file.

    Raise a ValueError, in words, where the header and the file's length do not agree.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        begin = stream.read(8)
        if not begin:
            raise ValueError(f"damaged weights: {file.name} is empty")
        if _LFS.startswith(begin):
            raise ValueError(f"{file.name} is a pointer of Git LFS, not the weights: fetch them with git lfs pull")
        (length,) = struct.unpack("<Q", begin.ljust(8, b"\0"))
        if not 2 <= length <= min(LARGEST_HEADER, size - 8):
            raise ValueError(f"damaged weights: {file.name} has no safetensors header")
        try:
            return _tensors(json.loads(stream.read(length)), size - 8 - length)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"damaged weights: {file.name}: {error or type(error).__name__}") from None


def _tensors(header: dict[str, Any], room: int) -> list[tuple[str, list[int]]]:
    """Return type and shape of the tensors of a header that fill `room` bytes, one behind the other."""
    found, ends = [], []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        width = (_FLOATS | _OTHERS).get(kind)
        if width is None:
            raise ValueError(f"{name} has the type {kind}, which cannot be trained")
        if not all(type(side) is int and side >= 0 for side in (*shape, start, end)):
            raise ValueError(f"{name} has no shape")
        if end - start != width * prod(shape):
            raise ValueError(f"the bytes of {name} are not as many as its shape {shape} needs")
        found.append((kind, shape))
        ends.append((start, end))
    place = 0
    for start, end in sorted(ends):
        if start != place:
            raise ValueError("its tensors do not follow one another")
        place = end
    if place != room:
        raise ValueError(f"{place} bytes of weights are announced, {room} are there")
    return found
