"""Examples a second of the workbench's loop beside HF Trainer with dynamic padding: same rows, batch, rate, updates.

Both train in this one process, turn by turn, an update each, so that they see the same machine. The clock of a turn
is wall time; the medians' ratio and the ratio of the sums are printed, with both accuracies at the end.

    python -m tests.benchmarks.speed [--rows 2000] [--epochs 1] [--threads 2] [--batches random]
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.shared import MINILM, SST2
from workbench.recipe import parse
from workbench.text import number, table

BATCH = 16
RATE = 5e-5
WARM_UP = 3


def main() -> None:
    options = _options()
    import torch
    from transformers import TrainerCallback

    torch.set_num_threads(options.threads)
    work = Path(tempfile.mkdtemp(prefix="speed-"))
    rows = _write_rows(work / "train.jsonl", options.rows)
    ours = Ours(work, options)
    clock: dict[str, list[float]] = {"trainer": [], "ours": []}

    class Turns(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.since = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock["trainer"].append(time.perf_counter() - self.since)
            began = time.perf_counter()
            ours.step()
            clock["ours"].append(time.perf_counter() - began)
            self.since = time.perf_counter()

    trainer = _trainer(rows, work, options, Turns())
    trainer.train()
    times = {name: values[WARM_UP:] for name, values in clock.items()}
    accuracy = {"trainer": _accuracy(trainer.model.eval()), "ours": ours.job.evaluate()[1]["accuracy"]}
    lines = [
        [
            name,
            str(len(clock[name])),
            number(BATCH / statistics.median(values)),
            number(BATCH * len(values) / sum(values)),
            number(accuracy[name], 3),
        ]
        for name, values in times.items()
    ]
    print("\n".join(table(lines, ["loop", "updates", "ex/s (median)", "ex/s (all)", "accuracy"])))
    median = statistics.median(times["trainer"]) / statistics.median(times["ours"])
    print(f"ratio ours / HF Trainer: {sum(times['trainer']) / sum(times['ours']):.2f} (all), {median:.2f} (medians)")


class Ours:
    """The workbench's loop, one update at a time."""

    def __init__(self, work: Path, options: argparse.Namespace) -> None:
        from workbench.training.checkpoints import Progress
        from workbench.training.job import build
        from workbench.training.loop import set_learning

        recipe = parse(
            {
                "task": "sentiment",
                "data": {"train": str(work / "train.jsonl"), "validation": str(SST2 / "validation.jsonl.gz")},
                "backbone": str(MINILM),
                "strategy": "full",
                "training": {
                    "epochs": options.epochs,
                    "learning_rate": RATE,
                    "batch_size": BATCH,
                    "weight_decay": 0.0,
                    "warmup": 0.0,
                    "batches": options.batches,
                },
                "hardware": {"device": "cpu", "threads": options.threads},
            }
        )
        self.job = build(recipe, work, work / "cache")
        self.progress = Progress()
        learning = self.job.strategy.trainable(self.job.groups, self.job.moment(self.progress))
        set_learning(self.job, learning, self.progress)
        epochs = range(int(options.epochs) + 1)
        self.windows = (window for epoch in epochs for window in self.job.windows(epoch))

    def step(self) -> None:
        from workbench.training.loop import update

        update(self.job, next(self.windows), self.progress).loss.item()
        self.progress.step += 1


def _trainer(rows: list[dict[str, Any]], work: Path, options: argparse.Namespace, turns: Any) -> Any:
    import datasets
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    data = datasets.Dataset.from_list(rows).map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=128), batched=True, remove_columns=["text"]
    )
    arguments = TrainingArguments(
        output_dir=str(work / "trainer"),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        logging_strategy="no",
    )
    model = AutoModelForSequenceClassification.from_pretrained(MINILM, num_labels=2)
    collator = DataCollatorWithPadding(tokenizer)
    return Trainer(model=model, args=arguments, train_dataset=data, data_collator=collator, callbacks=[turns])


def _accuracy(model: Any) -> float:
    from workbench.data.encoding import encode
    from workbench.inference.scoring import score
    from workbench.training.model import load_tokenizer

    with gzip.open(SST2 / "validation.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    tokenizer = load_tokenizer(MINILM)
    logits = score(model, encode(tokenizer, [row["sentence"] for row in rows], 128), tokenizer.pad_token_id, 128)
    right = sum((no < yes) == bool(row["label"]) for (no, yes), row in zip(logits, rows, strict=True))
    return right / len(rows)


def _write_rows(file: Path, count: int) -> list[dict[str, Any]]:
    import random

    with gzip.open(SST2 / "train.jsonl.gz", "rt", encoding="utf-8") as stream:
        every = [json.loads(line) for line in stream]
    rows = [{"text": row["sentence"], "label": row["label"]} for row in random.Random(0).sample(every, count)]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return rows


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", default="by length", choices=["by length", "random"])
    if not MINILM.exists() or not SST2.exists():
        raise SystemExit("needs the development data and weights (WORKBENCH_SHARED)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
