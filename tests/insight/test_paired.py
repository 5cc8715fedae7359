"""The paired test against values worked out by hand."""

import pytest

from workbench.insight.paired import mcnemar, paired_test


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 32),
        (6, 0, 2 / 64),
        (0, 6, 2 / 64),
        (8, 1, 2 * (1 + 9) / 512),
        (10, 2, 2 * (1 + 12 + 66) / 4096),
        (3, 3, 1.0),
    ],
)
def test_mcnemar_equals_the_sign_test_worked_out_by_hand(better: int, worse: int, p: float) -> None:
    assert mcnemar(better, worse) == pytest.approx(p, rel=1e-12)


def test_mcnemar_of_thousands_of_examples_neither_overflows_nor_underflows_to_nonsense() -> None:
    assert mcnemar(5000, 5000) == 1.0
    assert mcnemar(5150, 4850) == pytest.approx(0.00278, abs=2e-4)  # normal approximation with continuity, z = 2.99
    assert mcnemar(3000, 0) == 0.0


def test_only_examples_both_answered_are_counted() -> None:
    baseline = {0: True, 1: False, 2: False, 3: True, 9: True}
    other = {0: True, 1: True, 2: True, 3: False, 8: True}
    test = paired_test(baseline, other)
    assert test is not None
    assert (test.examples, test.better, test.worse, test.discordant) == (4, 2, 1, 3)
    assert test.p == 1.0
    assert not test.significant


def test_no_common_examples_make_no_test() -> None:
    assert paired_test({1: True}, {2: True}) is None
