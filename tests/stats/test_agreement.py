"""Agreement against published worked examples, statsmodels, scikit-learn and SciPy; what is undefined stays undefined."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, spearmanr
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats import inter_rater

from personalab.stats import (
    cohens_kappa,
    fleiss_kappa,
    kendalls_w,
    krippendorff_alpha,
    mean_pairwise_kappa,
    pairwise_kappas,
)

GAP = math.nan
TABLES = st.integers(2, 5).flatmap(
    lambda items: st.lists(
        st.lists(st.integers(0, 3), min_size=items, max_size=items), min_size=2, max_size=5
    )
)
#: Zar (2010), example 20.5: wing, tail and bill of twelve birds
BIRDS = [
    [10.4, 10.8, 11.1, 10.2, 10.3, 10.2, 10.7, 10.5, 10.8, 11.2, 10.6, 11.4],
    [7.4, 7.6, 7.9, 7.2, 7.4, 7.1, 7.4, 7.2, 7.8, 7.7, 7.8, 8.3],
    [17, 17, 20, 14.5, 15.5, 13, 19.5, 16, 21, 20, 18, 22],
]
#: Kendall's three tied rankings of ten objects, as in Siegel (1956), chapter 9
TIED = [
    [1, 4.5, 2, 4.5, 3, 7.5, 6, 9, 7.5, 10],
    [2.5, 1, 2.5, 4.5, 4.5, 8, 9, 6.5, 10, 6.5],
    [2, 1, 4.5, 4.5, 4.5, 4.5, 8, 8, 8, 10],
]
#: Siegel (1956), chapter 9: three executives, six applicants
APPLICANTS = [[1, 6, 3, 2, 5, 4], [1, 5, 6, 4, 2, 3], [6, 3, 2, 5, 4, 1]]
#: Fleiss (1971): the six diagnoses of each of 30 patients
DIAGNOSES = """444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445
333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555"""
#: ten items, fourteen ratings in five categories
FOURTEEN = """0000E 02642 00356 03920 22811 77000 32630 25322 65210 02237"""
#: Krippendorff (2011): four observers, twelve units
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3],
    [GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP],
]
#: Cohen (1960): counts of two judges' three categories, kappa 29 / 59
COHEN = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]


def spelled(counts):
    """(items, categories) counts as (raters, items) ratings."""
    return np.array([np.repeat(np.arange(len(row)), row) for row in counts]).T


def of_table(table):
    """The two raters' labels behind a table of counts."""
    rows, columns = np.indices(np.shape(table))
    return np.repeat(rows.ravel(), np.ravel(table)), np.repeat(columns.ravel(), np.ravel(table))


@pytest.mark.parametrize(("ratings", "printed"), [(BIRDS, 0.924), (TIED, 0.828), (APPLICANTS, 0.16)])
def test_w_of_the_textbooks(ratings, printed):
    assert kendalls_w(ratings) == pytest.approx(printed, abs=0.5 * 10 ** -len(str(printed)[2:]))


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_w_is_friedmans_statistic_scaled(ratings):
    w = kendalls_w(ratings)
    raters, items = np.shape(ratings)
    if items < 3 or math.isnan(w):
        assert items < 3 or all(len(set(row)) == 1 for row in ratings)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chi = friedmanchisquare(*np.transpose(ratings)).statistic
        assert w == pytest.approx(chi / raters / (items - 1)) and -1e-12 <= w <= 1 + 1e-12


def test_w_of_two_raters_is_spearmans_rho_halved_and_raised():
    rng = np.random.default_rng(0)
    ratings = np.array([rng.permutation(9), rng.permutation(9)])
    assert kendalls_w(ratings) == pytest.approx((1 + spearmanr(*ratings).statistic) / 2)


def test_w_leaves_out_items_that_a_rater_left_out():
    gaps = np.array(BIRDS)
    gaps[1, 3] = gaps[0, 7] = GAP
    assert kendalls_w(gaps) == kendalls_w(np.delete(BIRDS, [3, 7], axis=1))


def test_fleiss_of_the_paper_and_of_the_textbook_table():
    diagnoses = np.array([list(row) for row in DIAGNOSES.split()]).T
    counts = [[int(c, 16) for c in row] for row in FOURTEEN.split()]
    assert diagnoses.shape == (6, 30) and fleiss_kappa(diagnoses) == pytest.approx(0.430, abs=5e-4)
    assert np.shape(spelled(counts)) == (14, 10) and fleiss_kappa(spelled(counts)) == pytest.approx(
        0.210, abs=5e-4
    )


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_fleiss_is_that_of_statsmodels(ratings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = inter_rater.fleiss_kappa(inter_rater.aggregate_raters(np.transpose(ratings))[0])
    assert fleiss_kappa(ratings) == pytest.approx(peer, nan_ok=True)


def test_fleiss_lets_raters_change_but_not_their_number():
    """Fleiss' patients were each seen by six of more psychiatrists; where a rating is lost, say so."""
    full, spread = np.array([[1, 2, 1, 3], [1, 2, 3, 3]]), np.full((4, 5), GAP)
    spread[:2, :2], spread[2:, 2:4] = full[:, :2], full[:, 2:]
    assert fleiss_kappa(spread) == fleiss_kappa(full)
    spread[0, 0] = GAP
    with pytest.raises(ValueError, match=r"from 1 to 2 ratings.*krippendorff_alpha"):
        fleiss_kappa(spread)


@pytest.mark.parametrize(("level", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_krippendorffs_example(level, printed):
    assert krippendorff_alpha(OBSERVERS, level) == pytest.approx(printed, abs=5e-4)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_alpha_without_gaps_is_fleiss_with_a_small_sample_term(ratings):
    """Nominal alpha = kappa + (1 - kappa) / number of ratings."""
    kappa = fleiss_kappa(ratings)
    assert krippendorff_alpha(ratings) == pytest.approx(kappa + (1 - kappa) / np.size(ratings), nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_interval_alpha_is_a_ratio_of_variances(ratings):
    """Squared differences of all pairs are twice the variance: within items against all together."""
    ratings = np.array(ratings, dtype=float)
    alpha = krippendorff_alpha(ratings, "interval")
    if np.ptp(ratings) == 0:
        assert math.isnan(alpha)
    else:
        assert alpha == pytest.approx(1 - ratings.var(axis=0, ddof=1).mean() / ratings.var(ddof=1))
        assert krippendorff_alpha(7 * ratings - 3, "interval") == pytest.approx(alpha)
        assert krippendorff_alpha(np.exp(ratings), "ordinal") == krippendorff_alpha(ratings, "ordinal")


def test_alpha_leaves_lonely_ratings_out():
    lonely = np.hstack([OBSERVERS, [[GAP], [9], [GAP], [GAP]]])
    for level in ("nominal", "ordinal", "interval"):
        assert krippendorff_alpha(lonely, level) == krippendorff_alpha(OBSERVERS, level)


def test_cohens_kappa_of_his_example():
    a, b = of_table(COHEN)
    assert cohens_kappa(a, b) == pytest.approx(29 / 59)
    assert cohens_kappa(a, b) == pytest.approx(inter_rater.cohens_kappa(np.array(COHEN)).kappa)
    names = np.array(["personality", "neurosis", "psychosis"])
    assert cohens_kappa(names[a], names[b].tolist()) == cohens_kappa(a, b)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_cohens_kappa_is_scikit_learns_over_the_whole_scale(weights, pairs):
    a, b = np.transpose(pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = cohen_kappa_score(a, b, weights=weights, labels=range(6))
    assert cohens_kappa(a, b, weights) == pytest.approx(peer, nan_ok=True)
    assert cohens_kappa(a / 2, b / 2, weights) == pytest.approx(peer, nan_ok=True)


def test_three_experts_have_a_mean_of_three_kappas():
    ratings = np.random.default_rng(0).integers(1, 6, (3, 40)).astype(float)
    ratings[0, :5] = GAP
    pairs = [(0, 1), (0, 2), (1, 2)]
    peer = [cohen_kappa_score(*ratings[list(p)][:, 5 if 0 in p else 0 :].astype(int)) for p in pairs]
    kappas = pairwise_kappas(ratings)
    assert [kappas[p] for p in pairs] == pytest.approx(peer) and np.isnan(np.diag(kappas)).all()
    assert mean_pairwise_kappa(ratings) == pytest.approx(np.mean(peer))
    assert mean_pairwise_kappa(ratings[:2], "linear") == cohens_kappa(*ratings[:2], "linear")


def test_a_pair_without_kappa_is_left_out_of_the_mean_and_seen():
    ratings = [[1, 2, 1, GAP], [1, 2, 2, 1], [GAP, GAP, GAP, 1]]
    kappas = pairwise_kappas(ratings)
    assert np.isnan(kappas[2]).all() and mean_pairwise_kappa(ratings) == kappas[0, 1]


ALL = (kendalls_w, mean_pairwise_kappa, fleiss_kappa, krippendorff_alpha)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("statistic", ALL)
@pytest.mark.parametrize("ratings", [[[1, 2, 3]], [[2, 2], [2, 2]], [[], []], [[GAP, 1], [1, GAP]]])
def test_undefined_is_nan_not_zero(statistic, ratings):
    if statistic is fleiss_kappa and np.isnan(ratings).any():
        ratings = np.full((2, 2), GAP)
    assert math.isnan(statistic(ratings))


@pytest.mark.parametrize("statistic", ALL)
@pytest.mark.parametrize("ratings", [[1, 2, 3], np.zeros((0, 4)), np.zeros((2, 2, 2)), [[1, 2], [1]]])
def test_ratings_of_another_shape_are_refused(statistic, ratings):
    with pytest.raises(ValueError, match="raters, items"):
        statistic(ratings)


@pytest.mark.parametrize("statistic", ALL)
def test_infinite_ratings_are_refused(statistic):
    with pytest.raises(ValueError, match="infinite"):
        statistic([[1, math.inf], [1, 2]])


def test_words_are_refused_where_numbers_are_needed():
    words = [["low", "high", None], ["low", "mid", "mid"]]
    assert krippendorff_alpha(words) == krippendorff_alpha([[0, 1, GAP], [0, 2, 2]])
    for call in (lambda: kendalls_w(words), lambda: krippendorff_alpha(words, "ordinal")):
        with pytest.raises(ValueError, match="numbers"):
            call()
    with pytest.raises(ValueError, match="numbers"):
        cohens_kappa(*words, weights="linear")


def test_names_of_levels_and_weights_are_checked():
    with pytest.raises(ValueError, match="'ratio'"):
        krippendorff_alpha(OBSERVERS, "ratio")
    with pytest.raises(ValueError, match="'squared'"):
        cohens_kappa([1, 2], [1, 2], "squared")
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        cohens_kappa([1, 2], [1, 2, 3])


def test_plain_floats_come_out_of_tensors_too():
    ratings = torch.tensor([[1.0, 2, 3, 1], [1, 2, 2, 3], [2, 2, 3, 1]])
    for statistic in ALL:
        assert type(statistic(ratings)) is float
        assert statistic(ratings) == statistic(ratings.numpy()) == statistic(list(ratings))
    assert type(cohens_kappa(ratings[0], ratings[1])) is float
