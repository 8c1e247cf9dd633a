"""Thresholds, re-ranking and the baselines, against enumeration, scikit-learn and cases worked by hand."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from personalab.vptt.feedback import evaluate, linear
from personalab.vptt.feedback.model import Pairs

pairs = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]), st.sampled_from([0.0, 0.5, 1.0])),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(pairs)
def test_no_two_thresholds_class_more_examples_right(rows):
    scores, labels = np.array(rows).T
    best = (evaluate.classes(scores, evaluate.fit_thresholds(scores, labels)) == labels).sum()
    cuts = [0.0, 0.15, 0.25, 0.35, 0.45, 1.0]
    every = [
        evaluate.classes(scores, evaluate.Thresholds(a, b)) for i, a in enumerate(cuts) for b in cuts[i:]
    ]
    assert best == max((guess == labels).sum() for guess in every)


def test_thresholds_of_a_clear_case_lie_midway():
    found = evaluate.fit_thresholds(np.array([0.1, 0.2, 0.5, 0.6, 0.9]), np.array([0, 0, 0.5, 0.5, 1]))
    assert found == pytest.approx((0.35, 0.75))
    assert evaluate.classes(np.array([0.3, 0.35, 0.74, 0.75]), found).tolist() == [0, 0.5, 0.5, 1]


def test_scores_that_are_not_finite_are_an_error():
    with pytest.raises(ValueError, match="finite"):
        evaluate.fit_thresholds(np.array([0.1, np.nan]), np.array([0.0, 1.0]))


@settings(deadline=None)
@given(pairs, st.data())
def test_reranking_is_the_mean_over_all_sets_of_candidates(rows, data):
    scores, labels = np.array(rows).T
    k = data.draw(st.integers(1, len(rows)))
    sets = [np.array(some) for some in combinations(range(len(rows)), k)]
    won = [labels[some][scores[some] == scores[some].max()].mean() for some in sets]
    if len(set(scores)) == len(scores):
        assert evaluate.reranked(scores, labels, k) == pytest.approx(np.mean(won))
    else:  # ties are shared over the whole tied group, which a permutation of equal scores does not change
        again = np.array([evaluate.reranked(scores[::-1], labels[::-1], k)])
        assert evaluate.reranked(scores, labels, k) == pytest.approx(again[0])


def test_reranking_with_equal_scores_or_one_candidate_is_random_choice():
    labels = np.array([0, 0, 1, 0.5])
    assert evaluate.reranked(np.ones(4), labels, 3) == pytest.approx(0.375)
    assert evaluate.reranked(labels, labels, 1) == pytest.approx(0.375)


def test_the_best_possible_choice_of_the_papers_mix_by_hand():
    """20, 10, 20 of 50, two candidates: none aligned in C(30,2) sets, none aligned or neutral in C(20,2)."""
    labels = np.repeat([1, 0.5, 0], [20, 10, 20])
    by_hand = (1225 - 435) / 1225 + 0.5 * (435 - 190) / 1225
    assert evaluate.reranked(labels, labels, 2) == pytest.approx(by_hand)


def test_more_candidates_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="k is 4"):
        evaluate.reranked(np.ones(3), np.ones(3), 4)


def test_one_persona_by_hand():
    rows = pd.DataFrame(
        {"persona": 3, "kind": ["aligned", "aligned", "neutral", "misaligned"], "label": [1, 1, 0.5, 0]}
    )
    got = evaluate.per_persona(rows, np.array([0.9, 0.5, 0.5, 0.3]), evaluate.Thresholds(0.4, 0.8), k=2).iloc[
        0
    ]
    assert got["accuracy"] == 0.75 and got["aligned accuracy"] == 0.5 and got["misaligned accuracy"] == 1
    assert got["mae"] == pytest.approx((0.1 + 0.5 + 0 + 0.3) / 4) and got["gap"] == pytest.approx(0.7 - 0.3)
    assert got["random"] == pytest.approx(0.625) and got["oracle"] == pytest.approx((5 * 1 + 0.5) / 6)


def some_pairs(n: int = 60, t: int = 2, d: int = 4) -> Pairs:
    rng = np.random.default_rng(n)
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)  # noqa: E731
    labels = rng.choice([0.0, 0.5, 1.0], n)
    return Pairs(
        unit(rng.normal(size=(3, t, d))), rng.integers(3, size=n), unit(rng.normal(size=(n, d))), labels
    )


def test_the_cosine_is_that_of_the_nearest_vector_and_its_line_is_least_squares():
    train = some_pairs()
    by_hand = [max(train.profiles[p] @ x) for p, x in zip(train.persona, train.prompts, strict=True)]
    np.testing.assert_allclose(linear.cosine(train), by_hand)
    line = np.polyfit(by_hand, train.labels, 1)
    np.testing.assert_allclose(linear.fit_cosine(train)(train), np.polyval(line, by_hand).clip(0, 1))


def test_ridge_is_scikit_learns_with_the_penalty_that_validation_prefers():
    train, validation, test = some_pairs(60), some_pairs(40), some_pairs(30)
    fits = {a: Ridge(a).fit(linear.features(train), train.labels) for a in (0.1, 1000.0)}
    errors = {
        a: np.mean((fit.predict(linear.features(validation)) - validation.labels) ** 2)
        for a, fit in fits.items()
    }
    want = fits[min(errors, key=errors.get)].predict(linear.features(test)).clip(0, 1)
    np.testing.assert_allclose(linear.fit_ridge(train, validation, alphas=(0.1, 1000.0))(test), want)


def test_the_products_of_the_features_sum_to_the_scaled_dot_product():
    one = some_pairs(t=1)
    np.testing.assert_allclose(linear.features(one)[:, 8:].sum(1), 2 * linear.cosine(one))


def test_the_prompt_alone_scores_the_same_text_alike_for_everybody():
    train = some_pairs()
    score = linear.fit_ridge(train, some_pairs(40), linear.prompt_alone)
    np.testing.assert_array_equal(score(train), score(train._replace(persona=(train.persona + 1) % 3)))
