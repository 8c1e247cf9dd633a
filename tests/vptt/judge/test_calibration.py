"""Calibration: scikit-learn's own maps, never falling, within 0 to 5, and never measured on what they were fitted on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.isotonic import IsotonicRegression

from personalab.vptt.judge import evaluate, fit, halves, reliability

_HALVES = st.integers(0, 10).map(lambda k: k / 2)
_PAIRS = st.lists(st.tuples(_HALVES, st.floats(0, 5)), min_size=2, max_size=40).map(np.array)
GRID = np.linspace(-1, 6, 141)


def drawn(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores in halves of a judge that is too kind and bends, people's ratings, and cases of five rows."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 5, n)
    scores = np.round(2 * np.clip(5 * np.sqrt(truth / 5) + rng.normal(0, 0.3, n), 0, 5)) / 2
    ratings = np.clip(truth + rng.normal(0, 0.3, n), 0, 5)
    return scores, ratings, np.arange(n) // 5


@given(_PAIRS)
def test_isotonic_is_scikit_learns_and_never_falls(pairs):
    calibration = fit(*pairs.T)
    peer = IsotonicRegression(out_of_bounds="clip").fit(*pairs.T)
    np.testing.assert_allclose(calibration(GRID), peer.predict(GRID), atol=1e-12)
    assert (np.diff(calibration(GRID)) >= -1e-12).all()
    assert (calibration(GRID) >= 0).all() and (calibration(GRID) <= 5).all()


def test_isotonic_by_hand():
    """Pool adjacent violators: 1, 3, 2, 5 becomes 1, 2.5, 2.5, 5; between them straight lines, beyond them level."""
    calibration = fit([1, 2, 3, 4], [1, 3, 2, 5])
    np.testing.assert_allclose(calibration([0, 1, 1.5, 2, 3, 3.5, 4, 9]), [1, 1, 1.75, 2.5, 2.5, 3.75, 5, 5])
    assert calibration.n == 4


@given(_PAIRS)
def test_a_line_is_least_squares_unless_that_falls_and_then_the_mean(pairs):
    x, y = pairs.T
    found = fit(x, y, "linear")(GRID)
    slope, offset = np.polyfit(x, y, 1) if np.ptp(x) else (0.0, y.mean())
    wanted = slope * GRID + offset if slope > 0 else np.full(len(GRID), y.mean())
    np.testing.assert_allclose(found, np.clip(wanted, 0, 5), atol=1e-6)
    assert (np.diff(found) >= -1e-9).all()


def test_missing_scores_stay_missing_and_missing_pairs_are_left_out():
    calibration = fit([1, 2, np.nan, 4, 5], [1, 2, 3, np.nan, 5])
    assert calibration.n == 3
    found = calibration([[np.nan, 2], [1, np.nan]])
    np.testing.assert_array_equal(np.isnan(found), [[True, False], [False, True]])
    assert np.isnan(calibration([np.nan])).all() and calibration([]).shape == (0,)


@given(
    st.lists(st.sampled_from("abcdefghij"), min_size=2).filter(lambda c: len(set(c)) > 1), st.integers(0, 99)
)
def test_no_case_is_on_both_sides_and_half_of_the_cases_are_fitted_on(cases, seed):
    mask = halves(cases, np.random.default_rng(seed))
    fitted, tested = (
        {case for case, m in zip(cases, mask, strict=True) if m == side} for side in (True, False)
    )
    assert not fitted & tested and len(fitted) == len(set(cases)) // 2
    np.testing.assert_array_equal(mask, halves(np.array(cases), np.random.default_rng(seed)))


def test_the_errors_are_those_of_the_other_half_alone():
    """Ratings on the measured side are changed: the map stays as it was."""
    scores, ratings, cases = drawn()
    found = evaluate(scores, ratings, cases, np.random.default_rng(3))
    other = np.where(found.fitted, ratings, 5 - ratings)
    again = evaluate(scores, other, cases, np.random.default_rng(3))
    np.testing.assert_array_equal(found.calibration(GRID), again.calibration(GRID))
    gap = found.calibration(scores[~found.fitted]) - ratings[~found.fitted]
    wanted = [np.abs(gap).mean(), np.sqrt((gap**2).mean()), gap.mean()]
    np.testing.assert_allclose(
        found.errors.loc["calibrated", ["mae", "rmse", "bias"]].to_numpy(float), wanted
    )
    raw = (scores - ratings)[~found.fitted]
    assert found.errors.loc["raw", "bias"] == pytest.approx(raw.mean())
    assert found.n_fit + found.n_test == 400 and found.n_test == (~found.fitted).sum()


@pytest.mark.parametrize("kind", ["isotonic", "linear"])
def test_calibration_takes_a_kind_judges_bias_away_and_keeps_its_order(kind):
    scores, ratings, cases = drawn(2000)
    found = evaluate(scores, ratings, cases, np.random.default_rng(0), kind)
    raw, calibrated = (found.errors.loc[row] for row in ("raw", "calibrated"))
    assert raw["bias"] > 0.5 and abs(calibrated["bias"]) < 0.1 and calibrated["rmse"] < 0.6 * raw["rmse"]
    gaps = (found.reliability["mean_score"] - found.reliability["mean_rating"]).abs()
    assert found.reliability["n"].sum() == found.n_test
    assert (gaps < (0.2 if kind == "isotonic" else 0.8)).all()
    assert spearmanr(found.calibration(scores), scores).statistic > 0.999


def test_what_lacks_a_score_or_a_rating_is_counted_and_nothing_is_lost():
    scores, ratings, cases = drawn(100)
    scores[[3, 50, 51]], ratings[[3, 7, 90]] = np.nan, np.nan
    found = evaluate(scores, ratings, cases, np.random.default_rng(0))
    assert (found.no_score, found.no_rating) == (3, 2)
    assert found.n_fit + found.n_test + found.no_score + found.no_rating == 100


def test_the_reliability_table_by_hand():
    found = reliability([0, 0.5, 1.0, 4.9, 5, 2, np.nan], [1, 2, 0, 4, 5, np.nan, 3])
    assert found["n"].tolist() == [2, 1, 0, 0, 2]
    assert found["low"].tolist() == [0, 1, 2, 3, 4] and found["high"].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(found["mean_score"], [0.25, 1, np.nan, np.nan, 4.95])
    np.testing.assert_allclose(found["mean_rating"], [1.5, 0, np.nan, np.nan, 4.5])


@given(_PAIRS, st.integers(1, 20))
def test_every_pair_is_in_one_bin_whose_bounds_hold_it(pairs, bins):
    found = reliability(*pairs.T[::-1].clip(0, 5), bins=bins)
    assert len(found) == bins and found["n"].sum() == len(pairs)
    known = found[found["n"] > 0]
    assert (known["mean_score"] >= known["low"] - 1e-9).all() and (
        known["mean_score"] <= known["high"] + 1e-9
    ).all()
    assert np.average(known["mean_rating"], weights=known["n"]) == pytest.approx(pairs[:, 0].mean())


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: fit([1, 2], [1, 2, 3]), "expected \\(n,\\) both"),
        (lambda: fit([1, 2], [1, 6]), "1 ratings outside 0 to 5"),
        (lambda: fit([1, np.inf], [1, 2]), "1 infinite scores"),
        (lambda: fit([1, np.nan], [1, 2]), "got 1 pairs"),
        (lambda: fit([1, 2], [1, 2], "cubic"), "kind is 'cubic'; expected 'isotonic' or 'linear'"),
        (lambda: halves(["a", "a"], np.random.default_rng(0)), "got 1 cases"),
        (lambda: halves(np.array(["a", None, "b"], object), np.random.default_rng(0)), "1 rows without one"),
        (lambda: reliability([6], [1]), "1 scores outside 0 to 5"),
        (lambda: reliability([1], [1], 0), "got 0 bins"),
        (lambda: evaluate([1, 2], [1, 2], ["a"], np.random.default_rng(0)), "got 1 cases for 2 rows"),
    ],
)
def test_bad_input_is_refused_with_what_was_got(call, error):
    with pytest.raises(ValueError, match=error):
        call()
