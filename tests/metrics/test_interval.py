"""The interval of CMMD: its estimate, its coverage where the truth is known, users drawn whole."""

import math

import numpy as np
import pytest
import torch

from personalab.metrics import cmmd, cmmd_interval


def truth(delta, d=8, sigma=10.0):
    """CMMD of N(0, I) and N(delta, I): E k = (s^2 / (s^2 + 2))^(d/2) exp(-|difference of means|^2 / (2 (s^2 + 2)))."""
    return 2000 * (sigma**2 / (sigma**2 + 2)) ** (d / 2) * (1 - math.exp(-(delta**2) / (2 * (sigma**2 + 2))))


@pytest.mark.parametrize(("delta", "users"), [(0.0, None), (0.5, None), (2.0, None), (0.0, 30), (1.0, 30)])
def test_it_covers_the_truth_about_as_often_as_it_says(delta, users):
    rng, hits, rounds = np.random.default_rng(0), 0, 150
    of = None if users is None else np.repeat(np.arange(users), 4)
    for _ in range(rounds):
        x, y = rng.normal(size=(2, 60, 8))
        if users:  # the same users on both sides, half of the variance theirs
            own = np.sqrt(0.5) * rng.normal(size=(users, 8))[of]
            x, y = own + np.sqrt(0.5) * rng.normal(size=(2, len(of), 8))
        y = y + delta * np.eye(8)[0]
        low, high = cmmd_interval(x, y, rng, 200, of, of)[1:]
        hits += low <= truth(delta) <= high
    assert hits / rounds >= 0.88


def test_rows_alone_give_the_unbiased_estimate_and_the_same_bytes_for_the_same_seed():
    x, y = np.random.default_rng(0).normal(size=(2, 50, 4))
    found = cmmd_interval(x, y, np.random.default_rng(1), 100)
    assert found.estimate == pytest.approx(cmmd(x, y, "unbiased")) and found.low < found.estimate < found.high
    assert found == cmmd_interval(torch.tensor(x), y, np.random.default_rng(1), 100)
    alone = cmmd_interval(
        x, y, np.random.default_rng(1), 100, list(range(50)), [f"y{i:02d}" for i in range(50)]
    )
    assert tuple(alone) == pytest.approx(tuple(found)), "labels of one row each are as no labels"


def test_a_users_likeness_to_himself_is_no_likeness_of_the_sets():
    # each user makes one picture over and over: pairs of different users are all the evidence there is
    points = np.random.default_rng(0).normal(size=(10, 3))
    of = np.repeat(np.arange(10), 6)
    found = cmmd_interval(points[of], points[of] + 1, np.random.default_rng(0), 50, of, of)
    squares = ((points[:, None] - points) ** 2).sum(-1), ((points[:, None] - points - 1) ** 2).sum(-1)
    apart = ~np.eye(10, dtype=bool)
    own, across = (np.exp(-s[apart] / 200).mean() for s in squares)
    assert found.estimate == pytest.approx(1000 * (2 * own - 2 * across))


def test_users_of_one_side_and_of_both_and_the_order_of_rows():
    x, y = np.random.default_rng(0).normal(size=(2, 24, 3))
    of_x, of_y = np.repeat(list("abcdefgh"), 3), np.repeat(list("efghijkl"), 3)
    found = cmmd_interval(x, y, np.random.default_rng(1), 300, of_x, of_y)
    order = np.random.default_rng(2).permutation(24)
    turned = cmmd_interval(x[order], y, np.random.default_rng(1), 300, of_x[order], of_y)
    assert tuple(turned) == pytest.approx(tuple(found)) and found.low < found.estimate < found.high
    apart = cmmd_interval(x, y, np.random.default_rng(1), 300, of_x)
    assert apart.estimate != found.estimate, "without users of y nobody is on both sides"


def test_users_too_few_or_too_many_and_bad_labels():
    x = np.random.default_rng(0).normal(size=(6, 3))
    rng = np.random.default_rng(0)
    two = cmmd_interval(x, x + 1, rng, 10, [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1])
    assert np.isfinite(two.estimate) and np.isnan(two[1:]).all()
    assert np.isnan(cmmd_interval(x, x + 1, rng, 10, [0] * 6, [0] * 6)).all()
    with pytest.raises(ValueError, match="lacks 1 of 6 labels"):
        cmmd_interval(x, x, rng, 10, ["a", "b", None, "c", "d", "e"], range(6))
    with pytest.raises(ValueError, match="at most 5000"):
        cmmd_interval(np.zeros((5001, 1)), x[:, :1], rng, 10)
    with pytest.raises(ValueError, match="level"):
        cmmd_interval(x, x, rng, 10, level=95)
