"""Diversity and the Vendi score against closed forms and a plain double loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.metrics import adjusted_rand_score

from personalab.metrics import diversity, diversity_per_group, kinds_reached, own_kinds, vendi_score


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(0, 99), st.floats(1e-3, 1e3))
def test_mean_distance_is_scipys_and_length_does_not_count(n, seed, factor):
    x = np.random.default_rng(seed).normal(size=(n, 4))
    assert diversity(x) == pytest.approx(pdist(x, "cosine").mean())
    assert diversity(factor * torch.tensor(x)) == pytest.approx(diversity(x))


@pytest.mark.parametrize(("n", "d"), [(1, 3), (4, 9), (9, 9), (30, 4)])
def test_copies_count_as_one(n, d):
    copies = np.tile(np.arange(1.0, d + 1), (n, 1))
    assert vendi_score(copies) == pytest.approx(1)
    assert diversity(copies) == pytest.approx(0 if n > 1 else math.nan, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("copies", [1, 3])
def test_rows_at_right_angles_count_one_each_however_often_they_come(copies):
    rows = np.tile(np.eye(5), (copies, 1))
    assert vendi_score(rows) == pytest.approx(5)
    assert diversity(np.eye(5)) == pytest.approx(1)


def test_two_rows_at_an_angle_by_hand():
    # cosine c: eigenvalues (1 +- c) / 2
    c = 0.6
    shares = np.array([(1 + c) / 2, (1 - c) / 2])
    rows = [[1.0, 0.0], [c, 0.8]]
    assert vendi_score(rows) == pytest.approx(math.exp(-(shares * np.log(shares)).sum()))
    assert diversity(rows) == pytest.approx(1 - c)
    assert diversity([[1.0], [-1.0]]) == pytest.approx(2)


def test_per_group_and_what_is_undefined():
    x = np.random.default_rng(0).normal(size=(7, 3))
    table = diversity_per_group(x, ["b"] * 3 + ["a"] * 3 + ["c"])
    assert table.n.to_dict() == {"a": 3, "b": 3, "c": 1}
    assert table.diversity["a"] == pytest.approx(diversity(x[3:6])) and math.isnan(table.diversity["c"])
    assert table.vendi["b"] == pytest.approx(vendi_score(x[:3])) and table.vendi["c"] == pytest.approx(1)
    assert math.isnan(diversity(x[:0])) and math.isnan(vendi_score(x[:0]))


def galleries(k, seed, people=("a", "b"), copies=4):
    """People whose pictures lie close about k axes each; (rows, owners, axis of each row)."""
    rng = np.random.default_rng(seed)
    axes = np.tile(np.arange(k), copies * len(people))
    rows = np.eye(9)[axes] + rng.normal(0, 0.03, (len(axes), 9))
    return rows * rng.uniform(0.5, 2, (len(axes), 1)), np.repeat(people, copies * k), axes


@settings(deadline=None, max_examples=15)
@given(st.integers(2, 4), st.integers(0, 99))
def test_the_groups_of_a_gallery_are_the_planted_ones(k, seed):
    rows, owners, axes = galleries(k, seed)
    kinds = own_kinds(rows, owners, k, seed)
    assert sorted(kinds) == ["a", "b"]
    assert all(adjusted_rand_score(axes[owners == name], kinds[name].labels_) == 1 for name in kinds)
    assert np.allclose(kinds_reached(rows, owners, kinds), k)


def test_a_collapse_reaches_one_kind_and_shares_are_counted_by_entropy():
    rows, owners, axes = galleries(3, 0)
    kinds = own_kinds(rows, owners, 3)
    one, lopsided = rows[axes == 0][:4], np.concatenate([rows[axes == 1][:3], rows[axes == 2][:1]])
    found = kinds_reached(np.concatenate([one, lopsided]), ["b"] * 4 + ["a"] * 4, kinds)
    assert list(found.index) == ["a", "b"] and found["b"] == pytest.approx(1)
    assert found["a"] == pytest.approx(math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25))))


def test_who_has_too_few_pictures_or_none_is_left_out():
    rows, owners, _ = galleries(3, 1, ("a", "b", "c"))
    rows[owners == "c"] = rows[owners == "c"][0]
    kinds = own_kinds(rows, owners, 3)
    assert sorted(kinds) == ["a", "b"]
    assert list(kinds_reached(rows[:4], ["a", "a", "c", "d"], kinds).index) == ["a"]
    assert kinds_reached(rows[:0], [], kinds).empty


@pytest.mark.parametrize("measure", [diversity, vendi_score])
def test_rows_without_direction_are_told(measure):
    with pytest.raises(ValueError, match="1 of 2 rows of zeros"):
        measure([[0.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="1 of 2 rows with NaN"):
        measure([[math.nan, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"expected \(n, d\)"):
        measure([1.0, 2.0])
