"""Effect sizes against hand-worked cases, SciPy's t statistic and bootstrap, and closed forms."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from personalab.stats import cluster_bootstrap, cohens_d, win_shares

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=20)


def test_d_by_hand():
    # variances 1 and 4 over 2 degrees of freedom each: pooled 2.5
    assert cohens_d([1, 2, 3], [2, 4, 6]) == pytest.approx(-2 / math.sqrt(2.5))
    assert cohens_d([2, 4, 6], [1, 2, math.nan, 3]) == pytest.approx(2 / math.sqrt(2.5))


@pytest.mark.filterwarnings("ignore:Precision loss")
@given(VALUES, VALUES)
def test_d_is_students_t_scaled(x, y):
    d = cohens_d(x, y)
    if math.isnan(d):
        assert np.std(x) + np.std(y) <= 1e-9
    else:
        t = stats.ttest_ind(x, y, equal_var=True).statistic
        assert d == pytest.approx(t * math.sqrt(1 / len(x) + 1 / len(y)), rel=1e-6)
        assert cohens_d(y, x) == pytest.approx(-d)


@pytest.mark.parametrize(("x", "y"), [([1], [1, 2]), ([], []), ([2, 2], [3, 3]), ([0.1] * 3, [0.3] * 3)])
def test_d_is_undefined_not_zero(x, y):
    assert math.isnan(cohens_d(x, y))


def test_win_shares_by_hand():
    scores = [[1, 2, 3], [5, 5, 1], [math.nan, 1, 0], [2, 2, 2], [math.nan] * 3]
    assert win_shares(np.array(scores)) == pytest.approx(
        np.array([1 / 2 + 1 / 3, 1 / 2 + 1 + 1 / 3, 1 + 1 / 3]) / 4
    )
    table = win_shares(pd.DataFrame(scores, columns=["a", "b", "c"]))
    assert list(table.index) == ["a", "b", "c"] and table.sum() == pytest.approx(1)
    assert np.isnan(win_shares(np.full((2, 3), np.nan))).all()
    with pytest.raises(ValueError, match="items, methods"):
        win_shares(np.zeros(3))


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=20))
def test_win_shares_do_not_depend_on_the_order_of_methods(scores):
    scores = np.array(scores, dtype=float)
    assert win_shares(scores).sum() == pytest.approx(1)
    assert win_shares(scores[:, ::-1])[::-1] == pytest.approx(win_shares(scores))


def test_bootstrap_of_single_rows_is_scipys():
    x = np.random.default_rng(0).normal(size=60)
    ours = cluster_bootstrap(x, np.arange(60), np.mean, np.random.default_rng(1), n=4000)
    peer = stats.bootstrap((x,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2))
    assert ours.estimate == x.mean()
    assert [ours.low, ours.high] == pytest.approx(list(peer.confidence_interval), abs=0.02)


def test_whole_clusters_are_drawn():
    clusters = np.repeat(["a", "b"], 3)
    seen = []

    def statistic(rows):
        seen.append(sorted(rows.tolist()))
        return rows.mean()

    interval = cluster_bootstrap(np.arange(6), clusters, statistic, np.random.default_rng(0), n=50)
    assert {tuple(rows) for rows in seen} == {(0, 0, 1, 1, 2, 2), (0, 1, 2, 3, 4, 5), (3, 3, 4, 4, 5, 5)}
    assert (interval.estimate, interval.low, interval.high) == (2.5, 1.0, 4.0)


def test_rows_that_repeat_within_clusters_carry_no_information():
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    once = cluster_bootstrap(x, np.arange(40), np.mean, np.random.default_rng(1))
    many = cluster_bootstrap(np.repeat(x, 9), np.repeat(np.arange(40), 9), np.mean, np.random.default_rng(1))
    assert tuple(many) == pytest.approx(tuple(once))


def test_same_seed_same_interval_and_two_columns():
    x = np.random.default_rng(0).normal(size=(30, 2))

    def slope(rows):
        return np.corrcoef(rows.T)[0, 1]

    first, again = (
        cluster_bootstrap(x, np.arange(30) // 3, slope, np.random.default_rng(5)) for _ in range(2)
    )
    assert first == again and first.low < first.estimate < first.high


def test_bootstrap_edges():
    alone = cluster_bootstrap([1.0, 2.0], ["a", "a"], np.mean, np.random.default_rng(0))
    assert alone.estimate == 1.5 and math.isnan(alone.low) and math.isnan(alone.high)
    with pytest.raises(ValueError, match="labels"):
        cluster_bootstrap([1.0], [1, 2], np.mean, np.random.default_rng(0))
    with pytest.raises(ValueError, match="level"):
        cluster_bootstrap([1.0, 2.0], [1, 2], np.mean, np.random.default_rng(0), level=95)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64])
def test_tensors_count_as_their_numbers(dtype):
    x, y = (torch.tensor(v, dtype=dtype) for v in ([1, 2, 3], [2, 4, 6]))
    if dtype.is_floating_point:
        x, y = x.requires_grad_(), y.requires_grad_()
    assert cohens_d(x, y) == cohens_d(list(x), tuple(y)) == pytest.approx(-2 / math.sqrt(2.5))
    assert win_shares(torch.stack([x, y], dim=1)).tolist() == [0, 1]
    interval = cluster_bootstrap(x, torch.tensor([0, 1, 2]), np.mean, np.random.default_rng(0), n=50)
    assert interval == cluster_bootstrap([1.0, 2, 3], [0, 1, 2], np.mean, np.random.default_rng(0), n=50)
