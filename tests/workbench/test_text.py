"""Text is harmless and exactly as wide as it says."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from workbench import text
from workbench.text import fit, middle, plain, redact, table, width

ANY = st.text(st.characters(), max_size=60) | st.text("aé日\u0301\u200d👩💻\ufe0f\u200b\x1b\n\t\u202e", max_size=40)
FORMAT_THAT_IS_SEEN = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
JOINERS = set("\u200c\u200d")


@given(ANY, st.none() | st.integers(0, 20))
def test_nothing_that_drives_or_hides_survives(value: str, limit: int | None) -> None:
    shown = plain(value, limit)
    bad = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert bad <= FORMAT_THAT_IS_SEEN | JOINERS
    assert limit is None or width(shown) <= limit


@given(ANY)
def test_plain_text_is_left_alone_the_second_time(value: str) -> None:
    assert plain(plain(value)) == plain(value)


@given(ANY, st.integers(0, 30), st.sampled_from(["left", "right"]))
def test_fit_is_exactly_as_wide_as_asked(value: str, cells: int, align: text.Align) -> None:
    assert width(fit(plain(value), cells, align)) == cells


@given(ANY, st.integers(0, 30))
def test_middle_is_never_wider(value: str, cells: int) -> None:
    assert width(middle(plain(value), cells)) <= cells


@given(st.text(st.characters(exclude_categories=("Cn", "Co", "Cs")), max_size=30))
def test_widths_are_those_the_screen_counts(value: str) -> None:
    assert width(plain(value)) == cell_len(plain(value))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("[CLS] the [MASK] [/red]", "[CLS] the [MASK] [/red]"),
        ("\x1b]0;x\x07", "␛]0;x␇"),
        ("a\r\nb\tc\rd", "a⏎b c␍d"),
        ("\x7f\x9b31m", "␡\\x9b31m"),
        ("\u202eevil\u2069", "\\u202eevil\\u2069"),
        ("pay\u200bpal \ufeff", "pay\\u200bpal \\ufeff"),
        ("\ud800", "\\ud800"),
        ("a\u2028b", "a\\u2028b"),
        ("👩\u200d💻 ❤\ufe0f", "👩\u200d💻 ❤"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\u200db", "a\\u200db"),
        ("\u0301x", "◌\u0301x"),
        ("x\U000e0041", "x\\U000e0041"),
        (None, "None"),
    ],
)
def test_hidden_characters_are_shown(value: object, shown: str) -> None:
    assert plain(value) == shown


def test_newlines_stay_where_asked_for() -> None:
    assert plain("a\r\nb", newlines=True) == "a\nb"


def test_a_cut_counts_cells_and_costs_no_more_than_what_is_shown() -> None:
    assert plain("日本語テキスト", 6) == "日本…"
    assert plain("x" * 3_000_000, 5) == "xxxx…"
    assert len(plain("a" + "\u0301" * 1_000_000, 10)) < 200
    assert middle("/home/me/very/long/path/file.json", 17) == "/home/me…ile.json"


def test_numbers_read_as_people_write_them() -> None:
    values = (None, 0.9213, 1.24e-5, 2e-4, 9.9996, 123.456, 0.0, math.nan, -math.inf, 5210, -0.5)
    shown = ("—", "0.921", "1.2e-05", "2e-04", "10.00", "123.5", "0", "nan", "-inf", "5 210", "-0.500")
    assert tuple(map(text.number, values)) == shown
    assert [text.signed(v) for v in (0.01, -0.003, 0.0, None)] == ["+0.010", "−0.003", "±0", "—"]
    assert [text.quantity(v) for v in (340, 67_349, 22_700_000, 109e6, 999_960)] == [
        "340", "67.3 k", "22.7 M", "109 M", "1 M",
    ]  # fmt: skip
    assert [text.size(v) for v in (512, 3.2 * 2**30, 103 * 2**30, None)] == ["512 B", "3.2 GiB", "103 GiB", "—"]
    assert [text.rate(v) for v in (14.6, 233, 0.0521, None)] == ["14.6 it/s", "233 it/s", "0.0521 it/s", "—"]


def test_times_read_as_people_say_them() -> None:
    lengths = (0.34, 12, 59.7, 506, 3723, 200_000, None, math.inf)
    assert [text.duration(v) for v in lengths] == ["340 ms", "12 s", "1:00", "8:26", "1:02:03", "2 d 7 h", "—", "—"]
    passed = (5, 360, 7300, 3 * 86_400, 40 * 86_400, 800 * 86_400, -60)
    assert [text.ago(0, v) for v in passed] == ["now", "6m", "2h", "3d", "5w", "2y", "now"]


def test_a_bar_is_full_only_at_the_end_and_empty_only_at_the_start() -> None:
    assert [text.bar(v, 4) for v in (0, 0.01, 0.5, 0.99, 1, 7, None)] == [
        "▱▱▱▱", "▰▱▱▱", "▰▰▱▱", "▰▰▰▱", "▰▰▰▰", "▰▰▰▰", "▱▱▱▱",
    ]  # fmt: skip
    assert text.bar(0.5, 4, ascii=True) == "##--"


def test_plural_and_table() -> None:
    assert (text.plural(1, "run"), text.plural(5210, "run"), text.plural(0, "entry", "entries")) == (
        "1 run", "5 210 runs", "0 entries",
    )  # fmt: skip
    lines = table([["a", "日本", "1"], ["bbb", "x"]], ["run", "name", "n"], ["left", "left", "right"])
    assert lines == ["run  name  n", "a    日本  1", "bbb  x"]
    assert table([]) == []


@pytest.mark.parametrize(
    "line",
    [
        "loading with hf_SECRETSECRETSECRETSECRET now",
        "https://me:SECRET@host/x",
        "id AKIASECRETSECRETSECR",
        "HF_TOKEN=SECRET",
        "token=SECRET&x=1",
        '{"api_key": "SECRET SECRET"}',
        "password: SECRET",
        "client-secret='SECRET x'",
        "WANDB_API_KEY=SECRET",
        "Authorization: Bearer SECRETSECRET",
    ],
)
def test_secrets_are_hidden(line: str) -> None:
    assert "SECRET" not in redact(line)
    assert "•••" in redact(line)


@pytest.mark.parametrize("line", ["pad_token=[PAD]", "num_memory_tokens=8", "query, key: value", "goal_key=eval_loss"])
def test_words_of_the_field_are_no_secrets(line: str) -> None:
    assert redact(line) == line


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (1.0, "100 %"),
        (0.344, "34 %"),
        (0.0996, "10 %"),
        (0.003, "0.3 %"),
        (0.00046, "0.046 %"),
        (1e-6, "< 0.01 %"),
        (0.0, "0 %"),
        (None, "—"),
    ],
)
def test_a_share_is_said_in_per_cent(share: float | None, words: str) -> None:
    assert text.percent(share) == words
