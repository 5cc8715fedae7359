"""Labels: their names, their order, and the numbers of a model's outputs that stand for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from workbench.data.features import RowProblem

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig


def label_text(label: Any) -> str:
    """Return a label as the text it is known by: 1 and "1" are the same label, and so is 1.0."""
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label)


def label_order(label: str) -> tuple[int, int, str]:
    """Return what labels are sorted by: numbers in their order, then words in the alphabet's."""
    return (0, int(label), label) if label.isascii() and label.isdigit() else (1, 0, label)


def named_labels(found: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Return what is learned of the labels that were found; `names` are used where they fit labels 0, 1, 2, …"""
    if names and list(found) == [str(number) for number in range(len(found))] and len(names) >= len(found):
        return {"labels": list(names[: len(found)]), "numbered": True}
    return {"labels": list(found)}


def names_of_numbers(found: Iterable[str], names: Sequence[str]) -> dict[str, str]:
    """Return number → name for the labels of a set, where they are numbers that `names` has a name for."""
    learned = named_labels(sorted(found, key=label_order), names)
    return {str(number): name for number, name in enumerate(learned["labels"])} if learned.get("numbered") else {}


def numbers_of(learned: dict[str, Any]) -> dict[str, int]:
    """Return label → number of the output that stands for it, by name and, where names were given, by number."""
    labels: list[str] = learned["labels"]
    numbers = {str(number): number for number in range(len(labels))} if learned.get("numbered") else {}
    # What the rows hold are numbers then, also where a name looks like one: stars called 1, 2, 3.
    return {label: number for number, label in enumerate(labels)} | numbers


def number_of(numbers: dict[str, int], label: str, role: str) -> int:
    """Return the number of a label; raise a RowProblem where training has none like it."""
    if label not in numbers:
        known = ", ".join(list(numbers)[:20])
        raise RowProblem(
            f"holds {label!r}, a label that no training row has", role, f"Training has: {known}.", code="unseen-label"
        )
    return numbers[label]


def name_outputs(config: PretrainedConfig, labels: Sequence[str]) -> None:
    """Name the outputs in a model's configuration; their number follows from that."""
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}


def balanced(labels: Iterable[int], classes: int) -> list[float]:
    """Return a weight for each class, inverse to how often it occurs; the mean over the labels is 1.

    scikit-learn's `class_weight="balanced"`, over the classes that occur; one that does not has 1.
    """
    counts = Counter(labels)
    total = counts.total()
    return [total / (len(counts) * counts[number]) if counts[number] else 1.0 for number in range(classes)]


class ClassWeights:
    """What each class counts, kept on the device that last asked: copying it there would wait for the device."""

    def __init__(self, weights: Sequence[Any]) -> None:
        self._weights: Sequence[Any] | torch.Tensor = weights

    def beside(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the weights as a tensor beside some logits."""
        import torch

        self._weights = torch.as_tensor(self._weights, dtype=torch.float32, device=logits.device)
        return self._weights
