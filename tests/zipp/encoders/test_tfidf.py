"""The statistical baselines against scikit-learn and cases worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array, random_array
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

from personalab.zipp.encoders import TfIdf, TfIdfNmi
from personalab.zipp.encoders import nmi as module
from personalab.zipp.encoders.nmi import signed_nmi

RNG = np.random.default_rng(0)
COUNTS = csr_array(
    random_array((60, 11), density=0.3, rng=RNG, data_sampler=lambda size: RNG.integers(1, 9, size))
)
BINARY = (COUNTS.toarray() > 0).astype(int)
FEATURES = RNG.normal(size=(11, 5))
CANDIDATES = RNG.integers(0, 11, (60, 4))


def test_weights_are_sklearns_without_its_smoothing():
    logarithms = COUNTS.copy().astype(float)
    logarithms.data = np.log1p(logarithms.data)
    peer = TfidfTransformer(norm=None, smooth_idf=False).fit(COUNTS)  # its idf is log(U / df) + 1
    expected = logarithms.multiply(peer.idf_ - 1).toarray()
    np.testing.assert_allclose(TfIdf().fit(COUNTS).weights(COUNTS).toarray(), expected, rtol=1e-12)


def test_weights_of_an_unseen_user_by_hand():
    fitted = TfIdf().fit(csr_array([[1, 0, 2, 0], [3, 1, 0, 0]]))
    weights = fitted.weights(csr_array([[7, 3, 0, 1]])).toarray()
    np.testing.assert_allclose(weights, [[0, math.log(4) * math.log(2), 0, math.log(2) * math.log(2)]])


def test_edges_stay_where_they_were():
    """Even the edge to a subreddit that everybody is in, whose weight is 0."""
    counts = csr_array([[1, 5], [2, 0]])
    for fitted in (TfIdf().fit(counts), TfIdfNmi().fit(counts)):
        weights = fitted.weights(counts)
        assert weights.indices.tolist() == counts.indices.tolist() and weights.data[0] == 0
    assert counts.data.tolist() == [1, 5, 2]


def test_embeddings_and_scores_are_cosines_of_weighted_means():
    fitted = TfIdf().fit(COUNTS)
    scores = fitted.scores(COUNTS, FEATURES, CANDIDATES)
    units = FEATURES / np.linalg.norm(FEATURES, axis=1, keepdims=True)
    for u, row in enumerate(fitted.weights(COUNTS).toarray()):
        mean = sum(weight * unit for weight, unit in zip(row, units, strict=True))
        length = np.linalg.norm(mean) or 1.0
        np.testing.assert_allclose(fitted.embed(COUNTS, units)[u], mean / length, atol=1e-12)
        np.testing.assert_allclose(scores[u], units[CANDIDATES[u]] @ mean / length, atol=1e-12)


def test_a_user_without_edges_scores_zero():
    empty = csr_array((1, 11))
    assert not TfIdf().fit(COUNTS).scores(empty, FEATURES, [[0, 1]]).any()
    assert not TfIdfNmi().fit(COUNTS).scores(empty, [[0, 1]]).any()
    assert TfIdfNmi().fit(COUNTS).weights(empty).nnz == 0


def test_another_number_of_subreddits_is_refused():
    with pytest.raises(ValueError, match="got 3 subreddits; expected the 11"):
        TfIdf().fit(COUNTS).weights(csr_array((2, 3)))


def test_relatedness_is_sklearns_nmi_with_the_sign_of_chance():
    found = TfIdfNmi().fit(COUNTS).relatedness(np.arange(11))
    for s in range(11):
        for c in range(11):
            x, y = BINARY[:, s], BINARY[:, c]
            peer = normalized_mutual_info_score(x, y)
            sign = np.sign((x * y).mean() - x.mean() * y.mean())
            np.testing.assert_allclose(found[s, c], sign * peer, atol=1e-10)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_nmi_of_any_two_indicators(pairs):
    x, y = np.array(pairs, dtype=int).T
    found = float(signed_nmi((x & y).sum(), x.sum(), y.sum(), len(x)))
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found == 0  # scikit-learn calls two constants equal, 1; here they tell nothing
    else:
        assert abs(found) == pytest.approx(normalized_mutual_info_score(x, y), abs=1e-9)
        assert abs(found) <= 1
        assert (mutual_info_score(x, y) > 1e-12) >= (abs(found) > 1e-9)


@pytest.mark.parametrize("held", [2**22, 130, 1])
def test_scores_and_importance_are_their_sums_whatever_the_block(held, monkeypatch):
    monkeypatch.setattr(module, "_HELD", held)
    fitted = TfIdfNmi().fit(COUNTS)
    tfidf, related = TfIdf().fit(COUNTS).weights(COUNTS).toarray(), fitted.relatedness(np.arange(11))
    scores, importance = fitted.scores(COUNTS, CANDIDATES), fitted.weights(COUNTS).toarray()
    for u in range(60):
        mine = np.flatnonzero(BINARY[u])
        expected = [sum(tfidf[u, s] * related[s, c] for s in mine) for c in CANDIDATES[u]]
        np.testing.assert_allclose(scores[u], expected, atol=1e-12)
        raw = {
            s: tfidf[u, s] * sum(max(related[s, o], 0) for o in mine if o != s) / max(len(mine) - 1, 1)
            for s in mine
        }
        plain = sum(raw.values()) == 0
        for s in mine:
            assert importance[u, s] == pytest.approx(tfidf[u, s] if plain else raw[s], abs=1e-12)


def test_what_goes_together_scores_higher_than_what_does_not():
    """Two circles of users with two subreddits each: the other one of the circle comes first."""
    counts = csr_array(np.kron(np.eye(2, dtype=int), np.ones((5, 2), dtype=int)))
    asked = csr_array([[1, 0, 0, 0]])
    same, other = TfIdfNmi().fit(counts).scores(asked, [[1, 2]])[0]
    assert same == pytest.approx(math.log(2) ** 2) and other == pytest.approx(-(math.log(2) ** 2))


def test_an_explicit_zero_is_no_activity():
    zeros = csr_array(([1, 0, 2, 3], [0, 1, 1, 0], [0, 2, 3, 4]), shape=(3, 2))
    clean = csr_array(zeros.toarray())
    np.testing.assert_allclose(TfIdf().fit(zeros).idf, TfIdf().fit(clean).idf)
    np.testing.assert_allclose(
        TfIdfNmi().fit(zeros).relatedness([0, 1]), TfIdfNmi().fit(clean).relatedness([0, 1])
    )


def test_counts_in_any_sparse_form_and_type():
    peer = TfIdfNmi().fit(COUNTS).scores(COUNTS, CANDIDATES)
    for form in (COUNTS.tocsc(), coo_array(COUNTS), COUNTS.astype(np.int16)):
        np.testing.assert_allclose(TfIdfNmi().fit(form).scores(form, CANDIDATES), peer)
