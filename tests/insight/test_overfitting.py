"""When evaluation loss counts as rising for good."""

import pytest

from workbench.insight.overfitting import overfits_from, training_loss_at

FALLING = (list(range(1, 601)), [1 - step / 700 for step in range(1, 601)])


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([0.6, 0.5, 0.4, 0.45, 0.5, 0.6], 300),
        ([0.4, 0.5, 0.6, 0.7, 0.8, 0.9], 100),
        ([0.6, 0.5, 0.4, 0.401, 0.5, 0.6], 400),  # 0.401 is within 1 % of the smallest
        ([0.6, 0.4, 0.5, 0.4, 0.5, 0.6], 400),  # it came back once, so the first rise was not for good
        ([0.6, 0.5, 0.4, 0.3, 0.2, 0.3], None),  # one evaluation is no trend
        ([0.6, 0.5, 0.4, 0.45, 0.5, 0.402], None),  # it came back
        ([0.6, 0.5, 0.4, 0.3, 0.2, 0.1], None),
        ([None] * 6, None),
        ([0.6, 0.4, None, None, 0.5, 0.6], 200),
    ],
)
def test_overfitting_starts_at_the_last_evaluation_near_the_smallest(
    values: list[float | None], step: int | None
) -> None:
    assert overfits_from(([100, 200, 300, 400, 500, 600], values), FALLING) == step


def test_training_loss_that_does_not_fall_is_no_overfitting() -> None:
    rising = (FALLING[0], FALLING[1][::-1])
    assert overfits_from(([100, 200, 300, 400], [0.4, 0.5, 0.6, 0.7]), rising) is None
    assert overfits_from(([100, 200, 300, 400], [0.4, 0.5, 0.6, 0.7]), ([], [])) is None


def test_training_loss_is_the_mean_since_the_evaluation_before() -> None:
    training = ([5, 10, 15, 20], [9.0, 9.0, 0.2, 0.4])
    evaluation = ([10, 20], [0.7, 0.9])
    assert training_loss_at(evaluation, training, 20) == pytest.approx(0.3)
    assert training_loss_at(evaluation, training, 10) == pytest.approx(9.0)
    assert training_loss_at(evaluation, training, 15) is None
    assert training_loss_at(evaluation, ([], []), 20) is None
