"""Answers to weighted means: labels and targets that fit, several columns at once, intervals that are refused."""

import numpy as np
import pandas as pd
import pytest
from samples import read_world, real_samples

from personalab.stats import rake, raked_interval, raked_mean
from personalab.zipp.datasets import population, rapidata, weighing


@pytest.fixture(scope="module")
def world():
    return read_world()


@pytest.fixture(scope="module")
def real():
    return real_samples()


OWN = {
    "language": {"shares": {"en": 0.4, "ar": 0.1, "other": 0.5}, "merge": {"EN": "en"}},
    "profession": {"shares": {"Technology": 0.5, "other": 0.5}, "merge": {"IT": "Technology"}},
    "gender": {"Other": 0.1},
}
TARGETS = {"age": {"young": 0.4, "old": 0.6}, "sex": {"f": 0.5, "m": 0.5}}


@pytest.fixture
def hundred() -> pd.DataFrame:
    """40 young women, 30 young men, 20 old women, 10 old men."""
    age, sex = ["young"] * 70 + ["old"] * 30, ["f"] * 40 + ["m"] * 30 + ["f"] * 20 + ["m"] * 10
    return pd.DataFrame({"age": age, "sex": sex})


def test_labels_are_merged_rare_ones_become_other_and_unknown_stays():
    table = pd.DataFrame(
        {
            "country": ["EG", "IN", None, "ZZ"],
            "language": ["EN", "en", "ar", "xx"],
            "occupation": ["IT", "Technology", None, "Clown"],
        }
    )
    found = weighing.labelled(table, {"EG": "Africa", "IN": "S. Asia"}, OWN, least=2)
    assert found["language"].tolist() == ["en", "en", "other", "other"]
    assert found["region"].isna().tolist() == [False, False, True, True]
    assert found["profession"].isna().tolist() == [False, False, True, False]
    assert found["profession"].dropna().tolist() == ["Technology", "Technology", "other"]


def test_extended_targets_sum_to_one_and_fold_what_nobody_has_into_other():
    table = pd.DataFrame({"language": ["en", "other"], "profession": ["Technology", "other"]})
    census = {"gender": {"Female": 0.5, "Male": 0.5}}
    found = weighing.extended(census, OWN, table)
    assert found["gender"] == pytest.approx({"Female": 0.45, "Male": 0.45, "Other": 0.1})
    assert found["language"] == pytest.approx({"en": 0.4, "other": 0.6})
    assert all(sum(target.values()) == pytest.approx(1) for target in found.values())


def test_everybody_is_kept_or_counted_once(hundred):
    hundred.loc[:4, "age"] = None
    hundred.loc[3:9, "sex"] = "x"
    kept, dropped = weighing.known(hundred, TARGETS)
    assert len(kept) + dropped.total() == 100
    assert dict(dropped) == {"age unknown": 5, "sex x without target": 5}


def test_what_is_absent_leaves_its_share_to_the_others(hundred):
    found = weighing.present({"age": {"young": 0.2, "old": 0.3, "child": 0.5}}, hundred)
    assert found["age"] == pytest.approx({"young": 0.4, "old": 0.6})


def test_columns_raked_together_are_those_raked_one_by_one(hundred):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 3))
    weights = rake({axis: hundred[axis] for axis in TARGETS}, TARGETS).weights
    found = weighing.raked_means(values, hundred, TARGETS)
    np.testing.assert_allclose(found[0], values.mean(axis=0))
    np.testing.assert_allclose(found[1], [raked_mean(column, weights) for column in values.T])


def test_rows_that_cannot_be_raked_have_no_mean(hundred):
    assert np.isnan(weighing.raked_means(np.ones((70, 1)), hundred[:70], TARGETS)).all()


def test_nobody_has_no_mean_and_no_draws(hundred):
    nobody = hundred[:0]
    assert np.isnan(weighing.raked_means(np.ones((0, 2)), nobody, TARGETS)).all()
    assert len(weighing.resampled(np.ones((0, 2)), nobody, TARGETS, [], np.random.default_rng(0), 5)) == 0


def test_intervals_agree_with_those_of_one_column(hundred):
    """Against stats.raked_interval on the same data, another stream of draws."""
    values = np.random.default_rng(1).normal(size=(100, 1)) + (hundred["age"] == "old").to_numpy()[:, None]
    draws = weighing.resampled(values, hundred, TARGETS, range(100), np.random.default_rng(2), 1500)
    low, high = weighing.bounds(draws[:, 1], 1500)[:, 0]
    labels = {axis: hundred[axis] for axis in TARGETS}
    theirs = raked_interval(values[:, 0], labels, TARGETS, np.random.default_rng(3), 1500)
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.06)


def test_clusters_are_drawn_whole(hundred):
    """Two clusters: a draw holds each of them zero, one or two times, so only three different means can occur."""
    values, clusters = np.arange(100.0)[:, None], np.arange(100) % 2
    draws = weighing.resampled(values, hundred, TARGETS, clusters, np.random.default_rng(0), 60)
    assert len(np.unique(draws[:, 0].round(9))) == 3


def test_no_interval_from_less_than_half_of_the_draws():
    draws = np.arange(10.0)[:, None]
    assert np.isnan(weighing.bounds(draws, 21)).all() and np.isnan(weighing.bounds(draws[:0], 0)).all()
    np.testing.assert_allclose(weighing.bounds(draws, 20)[:, 0], [0.225, 8.775])


def test_subgroups_hold_those_who_answered():
    values = pd.DataFrame({"m": [1.0, 3.0, 5.0, np.nan]})
    labels = pd.DataFrame({"age": ["a", "a", None, "a"]})
    found = weighing.subgroup_means(values, labels, ["age"], np.random.default_rng(0), 50)
    assert found[["axis", "subgroup", "method", "n", "estimate"]].to_numpy().tolist() == [
        ["age", "a", "m", 2, 2.0]
    ]
    assert 1 <= found["low"].item() <= 2 <= found["high"].item() <= 3


def test_real_votes_can_be_raked_to_the_census(real, world):
    """The published sample: every margin met on the axes that the UN counts, minors and a third gender left out."""
    table = weighing.labelled(
        rapidata.read(real / "rapidata_votes").table, population.region_of(world), OWN, 1
    )
    census = population.targets(world, ("age", "gender", "region"), population.BANDS[1:])
    kept, dropped = weighing.known(table, census)
    assert len(kept) + dropped.total() == 646
    targets = weighing.present(census, kept)
    weights = rake({axis: kept[axis] for axis in targets}, targets).weights
    for axis, target in targets.items():
        got = pd.Series(weights).groupby(kept[axis].to_numpy()).sum().to_dict()
        assert got == pytest.approx(target, abs=1e-4)
