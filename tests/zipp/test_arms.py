"""Arms are compared on equal pictures; intervals are over people."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as reference

from personalab.zipp.arms import Arms


def table(people=30, prompts=2, seeds=3, gain=1.0, rng=None):
    rng = rng or np.random.default_rng(0)
    rows = [
        (card, arm, f"u{u}", 10 * u + p, s, base + (gain if arm == "own" else 0.0) + rng.normal(0, 0.1))
        for card in ("one", "other")
        for u in range(people)
        for base in [rng.normal(5.0, 2.0)]
        for p in range(prompts)
        for s in range(seeds)
        for arm in ("none", "own")
    ]
    return pd.DataFrame(rows, columns=["card", "arm", "user", "prompt", "seed", "score"])


def test_a_difference_is_paired_by_hand():
    rows = [("one", arm, "u", 0, s, v) for arm, s, v in (("a", 0, 3.0), ("a", 1, 9.0), ("b", 0, 1.0))]
    arms = Arms(pd.DataFrame(rows, columns=["card", "arm", "user", "prompt", "seed", "score"]), "one")
    assert arms.difference("a", "b", "score").estimate == 2.0, "the picture that b lacks is out"
    assert arms.lift("a", "b", "score").estimate == pytest.approx(200.0)
    assert arms.mean("a", "score").estimate == 6.0
    assert arms.preferred("a", "b", "score") == 1.0 and arms.preferred("a", "a", "score") == 0.5


def test_intervals_agree_with_a_paired_t_interval_over_people():
    scores = table(people=200)
    found = Arms(scores, "one", 4000).difference("own", "none", "score")
    means = scores[scores["card"] == "one"].pivot_table(index="user", columns="arm", values="score")
    wanted = reference.ttest_rel(means["own"], means["none"]).confidence_interval()
    assert found.low == pytest.approx(wanted.low, abs=0.005) and found.high == pytest.approx(
        wanted.high, abs=0.005
    )


def test_people_are_drawn_and_not_pictures():
    """Three times the seeds of the same people add next to nothing to what is known of a mean over people."""
    few, many = (Arms(table(seeds=n), "one").mean("none", "score") for n in (1, 9))
    assert many.high - many.low > 0.7 * (few.high - few.low)


def test_generators_are_apart_and_unknown_arms_are_named():
    arms = Arms(table(), "other")
    assert arms.names() == ["none", "own"] and set(arms.of("own")["card"]) == {"other"}
    with pytest.raises(KeyError, match="own"):
        arms.of("oracle")


def test_the_same_seed_gives_the_same_interval():
    assert Arms(table(), "one").lift("own", "none", "score") == Arms(table(), "one").lift(
        "own", "none", "score"
    )


def test_tables_hold_the_same_intervals_and_a_row_for_what_is_missing():
    arms = Arms(table(), "one", 200)
    means = arms.means(["own", "oracle"], "score")
    assert means["arm"].tolist() == ["own", "oracle"] and means["pictures"].tolist() == [180, 0]
    assert tuple(means.loc[0, ["estimate", "low", "high"]]) == tuple(arms.mean("own", "score"))
    assert means.loc[1, ["estimate", "low", "high"]].isna().all()
    pairs = {"does it help?": ("own", "none"), "how far?": ("oracle", "own")}
    for found, single in ((arms.differences, arms.difference), (arms.lifts, arms.lift)):
        rows = found(pairs, "score")
        assert rows.index.tolist() == list(pairs) and rows["pictures"].tolist() == [180, 0]
        assert tuple(rows.iloc[0, 1:]) == tuple(single("own", "none", "score"))
        assert rows.iloc[1, 1:].isna().all()


def test_tables_of_nothing_keep_their_columns():
    arms = Arms(table(), "one")
    assert arms.means([], "score").columns.tolist() == ["arm", "pictures", "estimate", "low", "high"]
    assert arms.lifts({}, "score").columns.tolist() == ["pictures", "estimate", "low", "high"]


def test_arms_without_a_picture_in_common_have_no_difference():
    scores = table(people=4)
    apart = scores[(scores["arm"] == "own") == (scores["seed"] == 0)]
    rows = Arms(apart, "one", 20).differences({"x": ("own", "none")}, "score")
    assert rows["pictures"].tolist() == [0] and rows[["estimate", "low", "high"]].isna().all(axis=None)


def test_a_gain_over_nothing_is_undefined():
    scores = table(people=3)
    scores.loc[scores["arm"] == "none", "score"] = 0.0
    assert all(np.isnan(Arms(scores, "one", 20).lift("own", "none", "score")))
