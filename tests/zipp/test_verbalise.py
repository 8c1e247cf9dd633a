"""Shares, budgets and contexts against hand-worked cases and invariants, and on real comments."""

import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from personalab.zipp import selection
from personalab.zipp.reddit import items
from personalab.zipp.verbalise import Context, budgets, context, importance, terms


def words(text: str) -> int:
    return len(text.split())


TEXT = st.lists(st.sampled_from("red boat fog in the harbour [removed] . at dawn".split()), max_size=12).map(
    " ".join
)


def frame(*rows: tuple[int, int, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["subreddit", "score", "text"])


def test_importance_is_each_users_attention_over_its_sum():
    shares = importance(np.array([1.0, 3.0, 2.0]), np.array([0, 2, 2, 3]))
    assert shares.tolist() == [0.25, 0.75, 1.0]


def test_heads_are_averaged_before_shares_are_taken():
    heads = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    assert importance(heads, np.array([0, 2, 4])).tolist() == pytest.approx([2 / 3, 1 / 3, 0.5, 0.5])


def test_with_a_temperature_scores_may_be_negative_and_go_through_a_softmax():
    scores = np.array([0.3, -0.2, 0.9, 0.1])
    expected = np.concatenate([softmax(scores[:3] / 0.07), [1.0]])
    assert importance(scores, np.array([0, 3, 4]), temperature=0.07) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scores", "indptr", "temperature", "said"),
    [
        ([0.5, -0.1], [0, 2], None, "temperature for cosines"),
        ([0.5, np.nan], [0, 2], 1.0, "finite"),
        ([0.5, 0.5], [0, 2], 0.0, "above 0"),
        ([0.5, 0.5], [0, 3], None, "0 to 2 scores"),
    ],
)
def test_importance_refuses_what_has_no_shares(scores, indptr, temperature, said):
    with pytest.raises(ValueError, match=said):
        importance(np.array(scores), np.array(indptr), temperature)


def test_budgets_are_floors_over_the_largest_shares_and_equal_shares_go_by_index():
    assert budgets(np.array([0.2, 0.5, 0.3]), 11).tolist() == [2, 5, 3]
    assert budgets(np.array([0.25] * 4), 100, most=2).tolist() == [25, 25, 0, 0]
    assert budgets(np.array([0.29, 0.71]), 100).tolist() == [29, 71], (
        "a share that is exact in decimals loses nothing"
    )


def test_what_the_subreddits_past_the_fiftieth_would_have_had_is_not_given_out():
    given_out = budgets(np.full(64, 1 / 64), 4096)
    assert given_out.sum() == 50 * 64 and (given_out > 0).sum() == 50


@pytest.mark.parametrize("shares", [[0.5, 0.6], [-0.1, 0.5], [np.nan, 0.5]])
def test_budgets_refuses_what_are_no_shares(shares):
    with pytest.raises(ValueError, match="shares that sum to"):
        budgets(np.array(shares))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80), st.integers(0, 10_000), st.integers(0, 60))
def test_budgets_never_give_out_more_than_there_is(scores, budget, most):
    shares = importance(np.array(scores), np.array([0, len(scores)]))
    out = budgets(shares, budget, most)
    assert out.sum() <= budget and (out > 0).sum() <= most and (out >= 0).all()


ITEMS = frame(
    (0, 5, "a grey cat sleeps on the stairs"),
    (0, 9, "[removed]"),
    (1, 3, "we rowed out before the fog came in"),
    (1, 8, "the oars are of ash and very old"),
    (2, 1, "nobody asked for this but here it is"),
    (7, 1, "of a subreddit that has no share at all"),
)
NAMES = ["cats", "rowing", "asides", *"defgh"]


def test_a_context_holds_the_most_important_subreddits_first_within_their_budgets():
    got = context(ITEMS, NAMES, {0: 0.3, 1: 0.6, 2: 0.1}, words, budget=40)
    assert [name for name, _ in got.texts] == ["rowing", "rowing", "cats"]
    assert got.texts[0][1] == "the oars are of ash and very old"
    assert got.subreddits == {"rowing": 0.6, "cats": 0.3}
    assert got.dropped == {"removed": 1, "no room": 1, "subreddit without budget": 1}
    assert got.tokens == 8 + 8 + 7


def test_a_subreddit_only_context_holds_names_alone_as_long_as_they_fit():
    shares = {0: 0.3, 1: 0.5, 2: 0.2}
    got = context(ITEMS, ["about cats", "rowing", "short asides"], shares, words, budget=3, full=False)
    assert got == Context(
        [("rowing", "rowing"), ("about cats", "about cats")],
        3,
        Counter({"no room": 1}),
        {"rowing": 0.5, "about cats": 0.3},
    )


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-9, 99), TEXT), min_size=1, max_size=30),
    st.integers(0, 60), st.integers(0, 6), st.booleans(),
)  # fmt: skip
def test_no_context_passes_its_budget_or_loses_an_item(rows, budget, most, full):
    table = frame(*rows)
    share = table.groupby("subreddit").size() / len(table)
    got = context(table, NAMES, share.to_dict(), words, budget=budget, most=most, full=full)
    assert got.tokens == sum(words(text) for _, text in got.texts) <= budget
    assert len(got.texts) + sum(got.dropped.values()) == (len(table) if full else len(share))
    assert {name for name, _ in got.texts} == set(got.subreddits) and len(got.subreddits) <= most


def test_terms_are_what_one_user_says_and_the_others_do_not():
    def said(*texts):
        return Context([("a", text) for text in texts], 0, Counter(), {"a": 1.0})

    found = terms(
        [said("the boat leaks", "my boat again"), said("the garden again"), said("the kettle again"), said()],
        1,
    )
    assert found[0] == ["boat"] and found[3] == []
    assert terms([said("the of and")]) == [[]], "stop words alone give none"


def test_terms_weigh_a_subreddit_by_its_share():
    texts = [("small", "violin"), ("large", "kayak")]
    one = Context(texts, 0, Counter(), {"small": 0.1, "large": 0.9})
    assert terms([one], 1) == [["kayak"]]


def test_a_hundred_contexts_take_less_than_two_seconds_however_large_the_table():
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"word{i}" for i in range(2000)])
    n = 40_000
    told = [" ".join(row) for row in vocabulary[rng.integers(2000, size=(n, 25))]]
    table = pd.DataFrame(
        {
            "user": rng.integers(1600, size=n),
            "subreddit": rng.integers(20, size=n),
            "score": rng.integers(100, size=n),
            "text": told,
        }
    )
    begun = time.process_time()
    by_user = dict(list(table.groupby("user")))
    for user in range(100):
        share = by_user[user].groupby("subreddit").size() / len(by_user[user])
        assert context(by_user[user], vocabulary, share.to_dict(), words).tokens > 100
    assert time.process_time() - begun < 2


@pytest.fixture(scope="module")
def comments() -> pd.DataFrame:
    """A thousand real comments of two made-up users; subreddits are as they were."""
    folder = os.environ.get("PERSONALAB_DATA")
    if folder is None or not (Path(folder) / "reddit_dumps").is_dir():
        pytest.skip("PERSONALAB_DATA is not set or holds no reddit_dumps/ with the monthly dumps")
    with open(Path(folder) / "reddit_dumps" / "RC_2006-01.zst", "rb") as packed:
        lines = (
            zstandard.ZstdDecompressor(max_window_size=2**31)
            .stream_reader(packed)
            .read(1_000_000)
            .split(b"\n")[:1000]
        )
    read = [items.item(items.parse(line)) for line in lines]
    table = pd.DataFrame(
        [(one.subreddit, one.score or 0, one.text) for one in read], columns=["name", "score", "text"]
    )
    return table.assign(subreddit=pd.factorize(table["name"])[0], user=np.arange(len(table)) % 2)


@pytest.mark.parametrize("budget", [64, 512, 4096])
def test_contexts_of_real_comments_keep_the_budget_and_show_nothing_deleted(comments, budget):
    assert comments["text"].isin(["[deleted]", "[removed]"]).any()
    for _, own in comments.groupby("user"):
        share = own.groupby("subreddit").size() / len(own)
        got = context(own, list(comments["name"].unique()), share.to_dict(), words, budget=budget)
        assert budget / 2 < got.tokens == sum(words(text) for _, text in got.texts) <= budget
        assert not {text for _, text in got.texts} & set(selection.REMOVED)
        assert len(got.texts) + sum(got.dropped.values()) == len(own)
