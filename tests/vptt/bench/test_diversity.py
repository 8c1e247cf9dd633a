"""Distinct n-grams against a plain count, nearest neighbours against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from personalab.vptt.bench.diversity import distinct_ngrams, measures, nearest_neighbours

CORPUS = st.lists(st.lists(st.sampled_from("abC"), max_size=8).map(" ".join), max_size=6)


@pytest.mark.parametrize(
    ("texts", "n", "budget", "expected"),
    [
        (["a b a b a"], 2, None, 2 / 4),
        (["a b c", "A B c"], 2, None, 2 / 4),
        (["a b", "b c"], 2, None, 2 / 2),
        (["the cat sat on the mat", "the cat sat on the rug"], 4, None, 4 / 6),
        (["a b c d", "a b c d"], 2, 4, 3 / 3),
        (["a b c d", "a b c d"], 2, 6, 3 / 4),
        (["a b c d", "a b c d"], 2, 5, 3 / 3),
    ],
)
def test_distinct_ngrams_by_hand(texts, n, budget, expected):
    assert distinct_ngrams(texts, n, budget) == expected


@pytest.mark.parametrize("texts", [[], [""], ["one two three"]])
def test_nothing_to_count_is_nan(texts):
    assert math.isnan(distinct_ngrams(texts, 4))


@given(CORPUS, st.integers(1, 4), st.one_of(st.none(), st.integers(0, 30)))
def test_distinct_ngrams_equal_a_plain_count(texts, n, budget):
    cut, left = [], math.inf if budget is None else budget
    for text in texts:
        cut.append([word for i, word in enumerate(text.lower().split()) if i < left])
        left -= len(cut[-1])
    grams = [tuple(words[i : i + n]) for words in cut for i in range(len(words) - n + 1)]
    got = distinct_ngrams(texts, n, budget)
    assert got == len(set(grams)) / len(grams) if grams else math.isnan(got)


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_nearest_neighbours_equal_scikit_learns(block):
    x = np.random.default_rng(0).normal(size=(150, 16))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    distances, _ = NearestNeighbors(n_neighbors=2, metric="cosine", algorithm="brute").fit(x).kneighbors(x)
    np.testing.assert_allclose(nearest_neighbours(x, block), 1 - distances[:, 1], atol=1e-12)


def test_nearest_neighbours_edge_cases():
    same = np.ones((3, 4)) / 2
    np.testing.assert_allclose(nearest_neighbours(same), 1)
    np.testing.assert_allclose(nearest_neighbours(np.array([[1.0, 0], [-1, 0]])), -1)
    with pytest.raises(ValueError, match="got 1 row"):
        nearest_neighbours(np.ones((1, 4)))


def test_a_row_of_measures_by_hand():
    vectors = {"a b c d": [1.0, 0], "a b c e": [0.6, 0.8], "x": [0, 1.0]}
    row = measures(["a b c d", "a b c d", "a b c e", "x"], lambda t: np.array([vectors[x] for x in t]), 9)
    assert row == {
        "texts": 4,
        "words": 9,
        "distinct 4-grams": 1 / 2,
        "nearest cosine, mean": pytest.approx((1 + 1 + 0.8 + 0.8) / 4),
        "nearest cosine, 95th percentile": pytest.approx(1.0),
        "exact duplicates": 1,
    }
