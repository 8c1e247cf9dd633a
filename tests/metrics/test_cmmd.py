"""CMMD against the published formula on full matrices, closed forms and hand-worked cases."""

import math
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist

from personalab.metrics import FloorWarning, cmmd, cmmd_floor, cmmd_per_group

pytestmark = pytest.mark.filterwarnings("ignore::personalab.metrics.FloorWarning")
SETS = hnp.arrays(float, st.tuples(st.integers(2, 6), st.just(3)), elements=st.floats(-20, 20))


def plain(x, y, estimator="biased", sigma=10.0, scale=1000.0):
    """Jayasumana et al. 2024, all pairs at once, distances by SciPy."""
    kernel = {
        (i, j): np.exp(-cdist(a, b, "sqeuclidean") / (2 * sigma**2))
        for i, a in enumerate((x, y))
        for j, b in enumerate((x, y))
    }
    means = []
    for i, side in enumerate((x, y)):
        own = kernel[i, i]
        m = len(side)
        means.append(own.mean() if estimator == "biased" else (own.sum() - np.trace(own)) / (m * (m - 1)))
    return scale * (sum(means) - 2 * kernel[0, 1].mean())


def unit(n, d, seed, shift=0.0):
    x = np.random.default_rng(seed).normal(size=(n, d)) / math.sqrt(d)
    x[:, 0] += 1
    x[:, 1] += shift
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@settings(deadline=None)
@given(SETS, SETS, st.floats(0.5, 30))
def test_it_is_the_formula(estimator, x, y, sigma):
    assert cmmd(x, y, estimator, sigma) == pytest.approx(plain(x, y, estimator, sigma), abs=1e-8)


def test_two_points_by_hand():
    # |a - b|^2 = 25, so k = exp(-25 / 200); one point a side: 1 + 1 - 2 k
    assert cmmd([[3.0, 4.0]], [[0.0, 0.0]]) == pytest.approx(1000 * (2 - 2 * math.exp(-1 / 8)))
    # x = {0, 2}, y = {1, 1}, sigma 1: k(0, 2) = e^-2, k(0, 1) = e^-1/2
    x, y = [[0.0], [2.0]], [[1.0], [1.0]]
    assert cmmd(x, y, sigma=1, scale=1) == pytest.approx((2 + 2 * math.exp(-2)) / 4 + 1 - 2 * math.exp(-0.5))
    assert cmmd(x, y, "unbiased", 1, 1) == pytest.approx(math.exp(-2) + 1 - 2 * math.exp(-0.5))


def test_blocks_and_float32_change_nothing_that_shows(monkeypatch):
    # the package's `cmmd` is the function; its module is found by name
    monkeypatch.setattr(sys.modules["personalab.metrics.cmmd"], "BLOCK", 64)
    x, y = unit(300, 24, 0), unit(200, 24, 1, 0.1)
    for estimator in ("biased", "unbiased"):
        truth = plain(x, y, estimator)
        assert cmmd(x, y, estimator) == pytest.approx(truth, rel=1e-9)
        assert cmmd(np.float32(x), np.float32(y), estimator) == pytest.approx(truth, rel=1e-6)
    far = 10 * x - 300, 10 * y - 300
    assert cmmd(*map(np.float32, far)) == pytest.approx(plain(*far), rel=1e-5), (
        "digits of an offset are not lost"
    )
    assert cmmd(x, y) - cmmd(x, y, "unbiased") == pytest.approx(cmmd_floor(x, y))


def test_the_unbiased_one_finds_the_truth_of_gaussians():
    # E k of two points whose difference is N(delta, 2 I) in d dimensions with sigma s:
    # (s^2 / (s^2 + 2))^(d/2) exp(-|delta|^2 / (2 (s^2 + 2)))
    d, delta, s = 4, 2.0, 3.0
    own = (s**2 / (s**2 + 2)) ** (d / 2)
    truth = 2 * own * (1 - math.exp(-(delta**2) / (2 * (s**2 + 2))))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3000, d)), rng.normal(size=(2500, d))
    y[:, 0] += delta
    assert cmmd(x, y, "unbiased", s, 1.0) == pytest.approx(truth, rel=0.05)


def test_what_it_does_not_depend_on():
    x, y = unit(40, 6, 0), unit(30, 6, 1, 0.5)
    value = cmmd(x, y)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    assert cmmd(y, x) == pytest.approx(value)
    assert cmmd(x[::-1], y[::-1]) == pytest.approx(value)
    assert cmmd(x @ turn + 100, y @ turn + 100) == pytest.approx(value, rel=1e-9)
    assert cmmd(5 * x, 5 * y, sigma=50.0) == pytest.approx(value)
    assert cmmd(2 * x, 2 * y) > 2 * value, "features are not normalised"
    assert cmmd(x, x) == pytest.approx(0, abs=1e-9)
    assert cmmd(torch.tensor(x), y) == pytest.approx(value) and isinstance(value, float)


def test_on_unit_rows_it_is_nearly_ten_times_the_squared_gap_of_the_means():
    x, y = unit(500, 32, 0), unit(400, 32, 1, 0.4)
    assert cmmd(x, y) == pytest.approx(10 * ((x.mean(0) - y.mean(0)) ** 2).sum(), rel=0.03)


def test_the_floor_is_what_two_samples_of_one_distribution_score_on_average():
    rng = np.random.default_rng(0)
    scores, floors = zip(
        *(
            (cmmd(x, y), cmmd_floor(x, y))
            for x, y in ((rng.normal(size=(27, 5)), rng.normal(size=(20, 5))) for _ in range(200))
        ),
        strict=True,
    )
    assert np.mean(scores) == pytest.approx(np.mean(floors), rel=0.03)


def test_few_rows_are_warned_of_with_the_size_of_the_floor():
    x = unit(120, 8, 0)
    with pytest.warns(FloorWarning, match=f"27 and 120 rows.*about {cmmd_floor(x[:27], x):.3g}"):
        cmmd(x[:27], x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cmmd(x[:100], x)
        cmmd(x[:27], x, "unbiased")


@pytest.mark.parametrize(
    ("x", "y", "more", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), {}, "x has width 2 and y 4"),
        (np.ones((1, 2)), np.ones((3, 2)), {"estimator": "unbiased"}, "at least 2"),
        (np.ones((0, 2)), np.ones((3, 2)), {}, "at least 1"),
        (np.ones(3), np.ones((3, 2)), {}, r"x has shape \(3,\)"),
        ([[1.0, math.nan]], np.ones((3, 2)), {}, "x has 1 of 1 rows with NaN"),
        (np.ones((3, 2)), [[1.0, 1.0], [math.inf, 1.0]], {}, "y has 1 of 2 rows.*first is row 1"),
        (np.ones((3, 2)), np.ones((3, 2)), {"estimator": "v"}, "'biased' or 'unbiased'"),
        (np.ones((3, 2)), np.ones((3, 2)), {"sigma": 0}, "positive"),
    ],
)
def test_bad_input_is_told(x, y, more, message):
    with pytest.raises(ValueError, match=message):
        cmmd(x, y, **more)


def test_per_group_is_cmmd_of_each_and_loses_nobody():
    x, y = unit(9, 4, 0), unit(8, 4, 1)
    table = cmmd_per_group(x, y, ["b"] * 4 + ["a"] * 4 + ["c"], ["a"] * 5 + ["b"] + ["d"] * 2)
    assert table.index.tolist() == ["a", "b", "c", "d"]
    assert table.n_x.sum() == 9 and table.n_y.sum() == 8
    assert table.biased["a"] == pytest.approx(cmmd(x[4:8], y[:5]))
    assert table.unbiased["a"] == pytest.approx(cmmd(x[4:8], y[:5], "unbiased"))
    assert table.floor["a"] == pytest.approx(cmmd_floor(x[4:8], y[:5]))
    assert table.biased["b"] == pytest.approx(cmmd(x[:4], y[5:6]))
    assert table[["unbiased", "floor"]].loc[["b", "c", "d"]].isna().all(axis=None)
    with pytest.raises(ValueError, match="8 labels for 9 rows"):
        cmmd_per_group(x, y, ["a"] * 8, ["a"] * 8)
