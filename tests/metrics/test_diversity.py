"""Diversity and the Vendi score against closed forms and a plain double loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from personalab.metrics import diversity, diversity_per_group, vendi_score


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


@pytest.mark.parametrize("measure", [diversity, vendi_score])
def test_rows_without_direction_are_told(measure):
    with pytest.raises(ValueError, match="1 of 2 rows of zeros"):
        measure([[0.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="1 of 2 rows with NaN"):
        measure([[math.nan, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"expected \(n, d\)"):
        measure([1.0, 2.0])
