"""Rankings against SciPy, a statsmodels regression, an iteration by hand and a published league."""

import math
import warnings
from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from personalab.stats import bradley_terry, spearman, top_two_agreement

#: Agresti (2002), table 10.10: Milwaukee, Detroit, Toronto, New York, Boston, Cleveland, Baltimore in 1987
LEAGUE = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ]
)
POINTS = 400 / math.log(10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=20))
def test_spearman_is_scipys(pairs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = spearmanr(*np.transpose(pairs)).statistic
    assert spearman(*np.transpose(pairs)) == pytest.approx(peer, nan_ok=True)


@pytest.mark.filterwarnings("error")
def test_spearman_edges():
    assert spearman([1, 2, math.nan, 9], [3, 1, 7, 0]) == -1
    for x, y in [([1, 1, 1], [1, 2, 3]), ([1, 2], [1, 2]), ([], []), ([1, 2, math.nan], [1, 2, 3])]:
        assert math.isnan(spearman(x, y))
    assert type(spearman(torch.tensor([1, 2, 3]), torch.tensor([1.0, 2, 9], requires_grad=True))) is float
    for x, y, why in [([1, 2, 3], [1, 2], "pairs"), ([1, 2, math.inf], [1, 2, 3], "infinite")]:
        with pytest.raises(ValueError, match=why):
            spearman(x, y)


def test_strengths_of_agrestis_league():
    logits = (bradley_terry(LEAGUE, LEAGUE + LEAGUE.T) - 1500) / POINTS
    assert logits.mean() == pytest.approx(0, abs=1e-9)
    assert logits - logits[-1] == pytest.approx([1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0], abs=0.005)


def regression(wins):
    """Log odds, mean 0, of a binomial regression on +1 and -1."""
    k = len(wins)
    rows = [(i, j) for i in range(k) for j in range(i) if wins[i, j] + wins[j, i]]
    design = np.array([np.eye(k)[i] - np.eye(k)[j] for i, j in rows])[:, 1:]
    counts = np.array([[wins[i, j], wins[j, i]] for i, j in rows])
    fit = sm.GLM(counts, design, family=sm.families.Binomial()).fit(tol=1e-12, maxiter=500)
    logits = np.append(0, fit.params)
    return logits - logits.mean()


@pytest.mark.parametrize("seed", range(5))
def test_strengths_are_those_of_a_regression_and_of_the_iteration(seed):
    rng = np.random.default_rng(seed)
    wins = rng.integers(1, 40, (6, 6)).astype(float)
    wins[0, 1] = wins[1, 0] = 0  # two that never met
    np.fill_diagonal(wins, 0)
    found = bradley_terry(wins, wins + wins.T)
    assert found == pytest.approx(1500 + POINTS * regression(wins), abs=1e-3)
    p = np.ones(6)
    for _ in range(2000):
        p = wins.sum(axis=1) / ((wins + wins.T) / np.add.outer(p, p)).sum(axis=1)
        p /= p.sum()
    assert found == pytest.approx(1500 + POINTS * (np.log(p) - np.log(p).mean()), abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_two_methods_differ_by_the_logarithm_of_their_odds(won, lost):
    wins = np.array([[0, won], [lost, 0]])
    first, second = bradley_terry(wins, wins + wins.T)
    assert first - second == pytest.approx(400 * math.log10(won / lost), abs=1e-3)
    assert first + second == pytest.approx(3000)


def test_strengths_move_with_the_methods_and_ties_count_half():
    order = np.random.default_rng(0).permutation(7)
    mixed = LEAGUE[np.ix_(order, order)]
    assert bradley_terry(mixed, mixed + mixed.T) == pytest.approx(
        bradley_terry(LEAGUE, LEAGUE + LEAGUE.T)[order]
    )
    assert bradley_terry([[0, 5.5], [5.5, 0]], [[0, 11], [11, 0]]) == pytest.approx([1500, 1500])
    own = np.full((7, 7), 13)  # a diagonal is not read
    assert (bradley_terry(LEAGUE, own) == bradley_terry(LEAGUE, LEAGUE + LEAGUE.T)).all()


def test_a_planted_order_is_found():
    rng = np.random.default_rng(0)
    strengths = np.array([1700.0, 1580, 1500, 1420, 1300])
    chance = 1 / (1 + 10 ** ((strengths[None] - strengths[:, None]) / 400))
    upper = np.triu(rng.binomial(4000, chance), 1)
    wins = upper + np.tril(4000 - upper.T, -1)
    assert bradley_terry(wins, wins + wins.T) == pytest.approx(strengths, abs=15)


@pytest.mark.parametrize(
    ("wins", "named"),
    [
        ([[0, 3, 2], [0, 0, 1], [0, 1, 0]], r"rows \[0\] were never beaten by rows \[1, 2\]"),
        ([[0, 3, 1], [1, 0, 2], [0, 0, 0]], r"rows \[0, 1\] were never beaten by rows \[2\]"),
        (
            np.kron(np.eye(2), [[0, 1], [2, 0]]),
            r"\[0, 1\] were never beaten by rows \[2, 3\]|\[2, 3\] .*\[0, 1\]",
        ),
    ],
)
def test_strengths_without_a_finite_estimate_are_refused_by_name(wins, named):
    with pytest.raises(ValueError, match=named):
        bradley_terry(wins, np.add(wins, np.transpose(wins)))


@pytest.mark.parametrize(
    ("wins", "matches", "why"),
    [
        ([1, 2], [1, 2], "expected \\(k, k\\)"),
        ([[0]], [[0]], "at least 2"),
        ([[0, 1], [1, 0]], [[0, 3], [3, 0]], "half a win"),
        ([[0, -1], [1, 0]], [[0, 0], [0, 0]], "negative"),
        ([[0, math.nan], [1, 0]], [[0, 2], [2, 0]], "not finite"),
    ],
)
def test_results_that_cannot_be_are_refused(wins, matches, why):
    with pytest.raises(ValueError, match=why):
        bradley_terry(wins, matches)


def test_top_two_by_hand():
    human = [[1, 2, 9, 3], [5, 1, 2, 3], [4, 0, 4, 1], [1, 2, 3, math.nan]]
    metric = [[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4], [0.9, 0.1, 0.2, 0.5], [1, 1, 1, 1]]
    # second; last; tied for best and one of the two among the first two; incomplete
    assert top_two_agreement(metric, human) == pytest.approx((1 + 0 + 0.5) / 3)
    assert top_two_agreement([[3, 2, 2, 1]], [[0, 1, 0, 0]]) == 0.5
    assert top_two_agreement([[3, 3, 3, 1]], [[0, 1, 0, 0]]) == pytest.approx(2 / 3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=10))
def test_top_two_gains_nothing_by_ties_or_by_the_order_of_methods(scores):
    human = np.random.default_rng(0).integers(0, 6, (len(scores), 4))
    metric, order = np.array(scores), [2, 0, 3, 1]
    share = top_two_agreement(metric, human)
    assert share == pytest.approx(top_two_agreement(metric[:, order], human[:, order]))
    broken = [top_two_agreement(metric + 0.1 * np.array(noise), human) for noise in permutations(range(4))]
    assert share == pytest.approx(np.mean(broken))
    assert top_two_agreement(np.zeros_like(metric), human) == 0.5


def test_top_two_edges():
    assert math.isnan(top_two_agreement([[1, math.nan]], [[1, 2]]))
    assert math.isnan(top_two_agreement(np.zeros((0, 3)), np.zeros((0, 3))))
    with pytest.raises(ValueError, match="cases, methods"):
        top_two_agreement([[1, 2]], [[1, 2, 3]])
