"""Tests of shares against SciPy and statsmodels, and what the user study of ZIPP can and cannot show."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from personalab.stats import answers_needed, benjamini_hochberg, exact_test, holm, power, share_interval

PRINTED = Path(__file__).resolve().parents[2] / "params" / "printed"
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=10)


def test_two_printed_comparisons_are_not_clearly_below_one_percent():
    """ZIPP Table 15 says p < .01 for all five: false for 56 % of 125, and for 58 % of 250 but for 146 wins, 58.4 %."""
    with open(PRINTED / "zipp_table15_user_study.csv") as file:
        rows = [(int(row["win_pct_a"]), int(row["n"])) for row in csv.DictReader(file)]
    counts = {(pct, n): [w for w in range(n + 1) if abs(100 * w / n - pct) <= 0.5] for pct, n in rows}
    above = {row: [w for w in wins if exact_test(w, row[1]) >= 0.01] for row, wins in counts.items()}
    assert all(counts.values()) and len(counts) == 5
    assert {row: wins for row, wins in above.items() if wins} == {(56, 125): [70], (58, 250): [144, 145]}
    assert counts[56, 125] == [70] and counts[58, 250] == [144, 145, 146]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_intervals_are_those_of_statsmodels(wins, others):
    n = wins + others
    for method, peer in [("exact", "beta"), ("wilson", "wilson")]:
        interval = share_interval(wins, n, method, 0.9)
        if n:
            low, high = proportion_confint(wins, n, 0.1, peer)
            assert interval == pytest.approx((wins / n, low, high), abs=1e-9)
        else:
            assert np.isnan(interval).all() and math.isnan(exact_test(0, 0))


def test_corrections_are_those_of_statsmodels():
    p = [0.001, 0.2, 0.013, 0.013, 0.9, 0.049, 0.0, 1.0, 0.03]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(P_VALUES, st.floats(0.01, 0.99))
def test_holm_rejects_step_by_step(p, alpha):
    """The smallest p-value against alpha / m, the next against alpha / (m - 1), until one fails."""
    rejected = 0
    for rank, value in enumerate(sorted(p)):
        if value * (len(p) - rank) > alpha:
            break
        rejected += 1
    assert (holm(p) <= alpha).sum() == rejected
    assert (holm(p) >= benjamini_hochberg(p) - 1e-12).all()


def test_a_test_not_made_does_not_count():
    for correct in (holm, benjamini_hochberg):
        adjusted = correct([0.01, math.nan, 0.04])
        assert adjusted[[0, 2]] == pytest.approx(correct([0.01, 0.04])) and math.isnan(adjusted[1])
        assert len(correct([])) == 0 and np.isnan(correct([math.nan])).all()
        with pytest.raises(ValueError, match="0 to 1"):
            correct([0.2, 1.2])
    given_p = np.array([0.04, 0.01])
    holm(given_p)
    assert given_p.tolist() == [0.04, 0.01]


@pytest.mark.parametrize("against", [0.5, 0.25])
@pytest.mark.parametrize("n", [0, 1, 5, 6, 37, 100])
def test_power_sums_the_counts_that_the_test_rejects(n, against):
    rejected = [w for w in range(n + 1) if n and binomtest(w, n, against).pvalue <= 0.05]
    assert power(0.7, n, 0.05, against) == pytest.approx(binom.pmf(rejected, n, 0.7).sum() if rejected else 0)
    assert power(against, n, 0.05, against) <= 0.05


def test_power_reaches_an_alpha_that_is_hit_exactly():
    # five of five: p = 2 / 32
    assert power(1.0, 5, alpha=0.0625) == 1 and power(1.0, 5, alpha=0.06) == 0


def test_power_agrees_with_simulated_studies():
    wins = np.random.default_rng(0).binomial(125, 0.6, 4000)
    p = {w: exact_test(w, 125) for w in set(wins.tolist())}
    assert power(0.6, 125) == pytest.approx(np.mean([p[w] <= 0.05 for w in wins.tolist()]), abs=0.03)


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from([0.05, 0.2, 0.36, 0.62, 0.7, 0.85, 1.0]),
    st.sampled_from([0.05, 0.01, 1e-4]),
    st.sampled_from([0.3, 0.8, 0.95]),
    st.sampled_from([0.5, 0.25]),
)
def test_answers_needed_is_the_last_tooth_of_the_saw(share, alpha, wanted, against):
    n = answers_needed(share, alpha, wanted, against)
    assert power(share, n - 1, alpha, against) < wanted
    assert all(power(share, m, alpha, against) >= wanted for m in range(n, n + 150))


def test_the_saw_has_teeth():
    """Power does not grow with every answer: a number of answers may be enough and the next one not."""
    reached = [power(0.7, n) >= 0.8 for n in range(answers_needed(0.7))]
    assert any(reached) and not reached[-1]


def test_known_numbers_of_answers():
    assert answers_needed(1.0) == 6  # 2 / 2^6 is the first p-value below .05
    assert answers_needed(0.6) == answers_needed(0.4)
    # the normal approximation: (1.96 sqrt(.25) + .84 sqrt(.24))^2 / .1^2 = 194
    assert 194 <= answers_needed(0.6) <= 215


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: exact_test(3, 2), "wins from 0 to n"),
        (lambda: exact_test(1.5, 2), "whole numbers"),
        (lambda: exact_test(1, 2, against=1.5), "against is 1.5"),
        (lambda: share_interval(1, 2, "wald"), "'wald'"),
        (lambda: share_interval(1, 2, level=95), "level 95"),
        (lambda: power(0.6, -1), "whole numbers"),
        (lambda: power(6, 10), "share is 6"),
        (lambda: power(0.6, 10, alpha=5), "alpha is 5"),
        (lambda: answers_needed(0.501), "from 0.5"),
        (lambda: answers_needed(0.6, wanted=1), "wanted power 1"),
    ],
)
def test_errors_say_what_was_got(call, why):
    with pytest.raises(ValueError, match=why):
        call()
