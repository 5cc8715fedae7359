"""Translation: a text written anew in another language; summarizing is the same with other measures."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from workbench.data.features import IGNORED, Example, Feature
from workbench.data.findings import Finding
from workbench.data.sides import side_findings
from workbench.parts import Role, TaskCard, TaskOptions
from workbench.tasks.answer import Answer
from workbench.tasks.divergence import divergence_at_labels
from workbench.tasks.sequence_to_sequence import (
    configure_writing,
    ends_of,
    generation_of,
    losses_of,
    pair_features,
    read_source,
    scores_of,
    shifted,
    write,
)
from workbench.tasks.task import Task, Watch
from workbench.tasks.texts import text_of

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

LANGUAGES = ("de", "fr", "es", "it", "pt", "nl", "cs", "pl", "ro", "sv", "fi", "ru", "uk", "tr", "ar", "hi", "zh", "ja")
PAIR = {
    "source": Role(("source", "src", "en", "english", "text", "input", "sentence")),
    "target": Role(
        ("target", "tgt", "translation", "translated", "output", "reference", *LANGUAGES, "en"), asked=False
    ),
}
SUMMARIZED = {
    "source": Role(("source", "document", "article", "text", "dialogue", "content", "body", "input")),
    "target": Role(("target", "summary", "highlights", "abstract", "headline", "title", "output"), asked=False),
}
HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003134f]")
UNPARTED = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff]")
"""Letters of Thai, Lao, Khmer and Japanese, which, as Chinese, has no blanks between words."""

ROUGE = ("rouge1", "rouge2", "rougeL")


class Options(TaskOptions):
    name: Literal["translation"] = "translation"
    source: str | None = Field(None, description="Column of the text to read; found by itself where the name is usual")
    target: str | None = Field(None, description="Column of the text to write; found by itself where the name is usual")
    prefix: str = Field("", max_length=1000, description="Words before each text read, as a T5 was trained with")
    beams: int = Field(1, ge=1, le=64, description="Texts that beam search follows at once; 1 is greedy")
    longest_output: int = Field(128, ge=1, le=131_072, description="Most tokens to write; longer targets are cut")


class SummarizationOptions(Options):
    name: Literal["summarization"] = "summarization"  # type: ignore[assignment]


class Translation(Task):
    """Learns `tokenize`, how BLEU cuts texts into words: as sacrebleu's 13a, or by characters where none are parted."""

    card = TaskCard(
        "translation",
        "a text written anew in another language",
        PAIR,
        ("bleu", "chrf", "loss"),
        "bleu",
        family="encoder-decoder",
        head=False,
        starter="translation",
        remedies=("rdrop",),
        augmented=("noise",),
        unaugmented="what is written follows each word that is read",
    )
    Options: ClassVar[type[TaskOptions]] = Options
    auto = "AutoModelForSeq2SeqLM"
    cased = True

    def example(self, row: dict[str, Any]) -> Example:
        """Return the text of a row, and the one to write, blanks around it cut."""
        gold = text_of(row, "target").strip() if row.get("target") is not None else None
        return Example({"source": text_of(row, "source")}, gold or None)

    def gold_words(self, example: Example) -> str | None:
        """Return the text to write."""
        gold: str | None = example.gold
        return gold

    def texts(self, example: Example) -> list[str]:
        """Return both texts: one vocabulary serves both sides."""
        return [self._read(example), *([] if example.gold is None else [example.gold])]

    @classmethod
    def learn(cls, options: Any, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> Self:
        """Learn how the targets are cut into words; zh is sacrebleu's own way for Chinese."""
        targets = [target for row in rows if isinstance(target := row.get("target"), str)]
        letters = Counter(
            "zh" if HAN.match(char) else "char" if UNPARTED.match(char) else "13a"
            for target in targets
            for char in target
            if char.isalpha()
        )
        unparted = letters["zh"] + letters["char"] > letters["13a"]
        return cls(options, {"tokenize": ("char" if letters["char"] else "zh") if unparted else "13a"})

    def doubts(self, examples: Sequence[Example]) -> Iterator[Finding]:
        """Yield pairs whose sides seem exchanged, are the same, or do not fit each other in length."""
        yield from side_findings([(each.row, each.fields["source"], each.gold or "") for each in examples])

    def notes(self) -> list[str]:
        """Return how the metrics are computed, in sacrebleu's own signatures."""
        measures = _sacrebleu(self.learned.get("tokenize", "13a"))
        for measure in measures.values():
            # How many right answers a text has, which a signature tells, is seen in what is scored.
            measure.corpus_score(["-"], [["-"]])
        return [f"{name} is that of sacrebleu, {measure.get_signature()}" for name, measure in measures.items()]

    def configure(self, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        """Set how texts are begun and filled up."""
        super().configure(config, tokenizer)
        configure_writing(config)

    def load(self, folder: Path, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        """Return the model, which writes as the options say and not as its makers had it write."""
        model, info = super().load(folder, **options)
        return self._writing(model), info

    def fresh(self, config: PretrainedConfig) -> PreTrainedModel:
        """Return the model with random weights."""
        return self._writing(super().fresh(config))

    def encode(self, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], max_length: int) -> list[Feature]:
        """Return one feature for each example; its labels are the tokens to write."""
        sources = [self._read(example) for example in examples]
        targets = [example.gold for example in examples]
        return pair_features(tokenizer, sources, targets, max_length, self.options.longest_output)

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        """Return the summed cross-entropy of a batch's labels (rows, tokens), each after the right ones before it."""
        from torch.nn.functional import cross_entropy

        labels = batch["labels"]
        source: dict[str, Any] = {name: tensor for name, tensor in batch.items() if name != "labels"}
        logits = model(**source, decoder_input_ids=shifted(model, labels), use_cache=False).logits
        rules: dict[str, Any] = {"ignore_index": IGNORED, "reduction": "sum", "label_smoothing": smoothing}
        return cross_entropy(logits.float().flatten(0, 1), labels.flatten(), **rules)

    def divergence(self, output: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the summed divergence of the tokens to write."""
        return divergence_at_labels(output.logits, batch["labels"])

    def outputs(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], kind: str, watch: Watch | None
    ) -> list[Any]:
        """Return for each row the tokens written without the end, the mean log-probability of these and the end, and
        the loss and number of the row's labels."""
        encoded, mask = read_source(model, batch), batch["attention_mask"]
        written = write(model, encoded, mask, self._generation(model), watch)
        scores = scores_of(model, encoded, mask, written)
        labels = batch.get("labels")
        losses: list[Any] = [None] * len(written)
        if labels is not None:
            losses = losses_of(model, encoded, mask, labels, shifted(model, labels))
        ends = ends_of(model.config)
        texts = [[token for token in tokens if token not in ends] for tokens in written]
        return list(zip(texts, scores, losses, strict=True))

    def answer(self, example: Example, said: Sequence[tuple[Feature, Any]]) -> Answer:
        """Return the text written, its number of tokens, and the mean log-probability of these and the end.

        The loss is the mean negative log-likelihood of the right text's tokens.
        """
        feature, (tokens, score, loss) = said[0]
        text = feature.info["tokenizer"].decode(tokens, skip_special_tokens=True).strip()
        output = {"text": text, "written": len(tokens), "score": score}
        if loss is None:
            return Answer(text, score, output)
        total, count = loss
        return Answer(text, score, output, total / count, text == example.gold, loss)

    def metrics(self, answers: Sequence[Answer], examples: Sequence[Example]) -> dict[str, float]:
        """Return the mean loss of all tokens, as training has it without smoothing, and what the texts are worth."""
        losses = [answer.extra for answer in answers if answer.extra is not None]
        tokens = sum(count for _, count in losses)
        loss = math.fsum(total for total, _ in losses) / tokens if tokens else math.nan
        return {"loss": loss, **self.worth([answer.pred for answer in answers], [each.gold for each in examples])}

    def worth(self, said: Sequence[str], right: Sequence[str]) -> dict[str, float]:
        """Return BLEU (Papineni et al. 2002) and chrF (Popović 2015) of 0 to 100, as sacrebleu computes them."""
        measures = _sacrebleu(self.learned.get("tokenize", "13a"))
        return {name: float(measure.corpus_score(said, [right]).score) for name, measure in measures.items()}

    def _read(self, example: Example) -> str:
        source: str = example.fields["source"]
        return f"{self.options.prefix} {source}" if self.options.prefix else source

    def _generation(self, model: PreTrainedModel) -> Any:
        return generation_of(model.config, self.options.beams, self.options.longest_output)

    def _writing(self, model: PreTrainedModel) -> PreTrainedModel:
        model.generation_config = self._generation(model)
        return model


class Summarization(Translation):
    """What a text says, in short, by the same means."""

    card = TaskCard(
        "summarizing",
        "what a long text says, in short",
        SUMMARIZED,
        (*ROUGE, "loss"),
        "rougeL",
        family="encoder-decoder",
        head=False,
        max_length=512,
        remedies=("rdrop",),
        augmented=("noise",),
        unaugmented="what is written follows each word that is read",
    )
    Options = SummarizationOptions

    def doubts(self, examples: Sequence[Example]) -> Iterator[Finding]:
        """Yield nothing: the sides of a summary are of one language and unlike in length."""
        yield from ()

    def notes(self) -> list[str]:
        """Return how the metrics are computed."""
        return ["rouge is that of rouge_score, mean F-measures of 0 to 1, no stemming; it sees a-z and 0-9 alone"]

    def worth(self, said: Sequence[str], right: Sequence[str]) -> dict[str, float]:
        """Return the mean F-measures of ROUGE (Lin 2004), 0 to 1, as rouge_score computes them, without stemming."""
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer(list(ROUGE), use_stemmer=False)
        found = [scorer.score(target, text) for target, text in zip(right, said, strict=True)]
        return {name: math.fsum(each[name].fmeasure for each in found) / len(found) for name in ROUGE}


def _sacrebleu(tokenize: str) -> dict[str, Any]:
    from sacrebleu.metrics import BLEU, CHRF

    return {"bleu": BLEU(tokenize=tokenize), "chrf": CHRF()}
