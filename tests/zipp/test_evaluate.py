"""Measures of user vectors, by hand and against scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from personalab.zipp import evaluate, graph, split


def small_graph():
    """Two users, five subreddits with activities 50, 40, 30, 20, 10; user 0 is in 0 and 2, user 1 in all."""
    users, subreddits = [0, 0, 1, 1, 1, 1, 1], [0, 2, 0, 1, 2, 3, 4]
    return graph.from_edges(users, subreddits, [10, 10, 40, 40, 20, 20, 10], np.zeros(7, int), 2, 5)


def test_negatives_stand_on_both_sides_and_are_never_the_users_own():
    found, enough = evaluate.matched_negatives(small_graph(), np.array([0, 0]), np.array([3, 1]), n=2)
    assert found[0].tolist() == [1, 4] and enough.tolist() == [True, False], (
        "0 and 2 are the user's; nothing is above 1"
    )
    _, enough = evaluate.matched_negatives(small_graph(), np.array([1]), np.array([3]), n=2)
    assert not enough[0], "the user is in all of them"
    with pytest.raises(ValueError, match="even"):
        evaluate.matched_negatives(small_graph(), np.array([0]), np.array([3]), n=3)


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_popularity_alone_scores_one_half(seed):
    rng = np.random.default_rng(seed)
    u, s = np.nonzero(rng.random((60, 40)) < rng.beta(1, 4, 40))
    whole = graph.from_edges(u, s, rng.integers(1, 30, len(u)), np.zeros(len(u), int), 60, 40)
    left, targets = split.hold_out(whole, rng)
    asked = evaluate.question(left, targets.numpy(), rng, most=50)
    assert (np.diff(asked.users) > 0).all()
    popularity = np.argsort(np.argsort(-left.subreddit_total.numpy(), kind="stable"))
    scores = np.tile(-popularity.astype(float), (len(asked.users), 1))
    assert (evaluate.posting_accuracy(scores, asked.targets, asked.negatives) == 0.5).all()


def test_posting_accuracy_is_the_area_under_the_curve():
    rng = np.random.default_rng(0)
    scores = np.round(rng.normal(size=(20, 50)), 1)
    targets = rng.integers(50, size=20)
    negatives = np.stack([rng.permutation(np.delete(np.arange(50), t))[:30] for t in targets])
    found = evaluate.posting_accuracy(scores, targets, negatives)
    for i in range(20):
        shown = np.concatenate([[scores[i, targets[i]]], scores[i, negatives[i]]])
        assert found[i] == pytest.approx(roc_auc_score([1] + [0] * 30, shown))


def test_ranks_leave_out_what_a_user_is_known_for():
    scores = np.array([[9.0, 3.0, 8.0, 2.0, 3.0]])
    assert evaluate.ranks(scores, np.array([3]), small_graph(), np.array([0])).tolist() == [3.0]
    assert evaluate.ranks(scores, np.array([1]), small_graph(), np.array([0])).tolist() == [1.5], "a tie"
    assert evaluate.recall(np.array([1.5, 3.0]), 2).tolist() == [1.0, 0.0]


def test_vectors_that_are_the_taste_agree_and_random_ones_do_not():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(400, 12))
    turned = truth @ np.linalg.qr(rng.normal(size=(12, 12)))[0]
    noise = rng.normal(size=(400, 12))
    rho, group = evaluate.taste_agreement(turned, truth, rng)
    assert rho == pytest.approx(np.ones(400), abs=1e-3)
    assert np.bincount(group).tolist() == [20] * 20
    assert abs(evaluate.taste_agreement(noise, truth, rng)[0].mean()) < 0.05
    halves = (turned[:300], truth[:300]), (turned[300:], truth[300:])
    assert evaluate.taste_explained(*halves) > 0.999
    assert evaluate.taste_explained((noise[:300], truth[:300]), (noise[300:], truth[300:])) < 0.01


def test_agreement_of_one_user_is_spearmans_rho():
    rng = np.random.default_rng(3)
    vectors, truth = rng.normal(size=(9, 4)), rng.normal(size=(9, 6))
    found, group = evaluate.taste_agreement(vectors, truth, rng, size=9)
    x, y = (x - x.mean(0) for x in (vectors, truth))
    cosines = [z @ z.T / np.outer(*2 * [np.linalg.norm(z, axis=1)]) for z in (x, y)]
    for i in range(9):
        assert found[i] == pytest.approx(spearmanr(*(np.delete(one[i], i) for one in cosines)).statistic)
    assert set(group) == {0}
    assert np.isnan(evaluate.taste_agreement(np.zeros((9, 4)), truth, rng)[0]).all()


def test_attention_to_popular_by_hand():
    # user 0 gives .75 to subreddit 0, user 1 gives .5; user 2 hears nothing and counts nowhere
    found = evaluate.attention_to_popular(
        np.array([0.75, 0.25, 0.5, 0.5]),
        np.array([0, 1, 0, 2]),
        np.array([0, 2, 4, 4]),
        np.array([9, 1, 1]),
        share=1 / 3,
    )
    assert found.tolist() == [0.75, 0.5, pytest.approx(np.nan, nan_ok=True)]
    both = np.array([[1.0, 0.0, 1.0, 0.0], [0.5, 0.5, 0.0, 1.0]])
    mean = evaluate.attention_to_popular(
        both, np.array([0, 1, 0, 2]), np.array([0, 2, 4, 4]), np.array([9, 1, 1]), share=1 / 3
    )
    assert np.nanmean(mean) == pytest.approx(0.625)


def test_a_held_out_edge_is_in_no_message_graph():
    rng = np.random.default_rng(1)
    u, s = np.nonzero(rng.random((30, 12)) < 0.4)
    whole = graph.from_edges(u, s, np.ones(len(u), int), np.ones(len(u), int), 30, 12)
    left, targets = split.hold_out(whole, rng)
    for user in np.flatnonzero(targets.numpy() >= 0):
        assert targets[user] not in graph.messages(left, torch.tensor([user])).subreddits
