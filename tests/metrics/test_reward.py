"""Win rates over both orders, and the stand-in judge, by hand and by symmetry."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from personalab.metrics import STAND_IN, gallery_preference, swap_averaged_win_rate

ANSWERS = st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, math.nan])] * 2), min_size=1, max_size=20)


def test_by_hand():
    # A twice; first place twice; a tie; B twice; one order refused; both lost
    first, second = [1, 1, 0.5, 0, math.nan, math.nan], [1, 0, 0.5, 0, 1, math.nan]
    found = swap_averaged_win_rate(first, second, [None] * 4 + ["refused", None])
    assert found.win_rate == pytest.approx((1 + 0.5 + 0.5 + 0) / 4) and found.judged == 4
    assert found.missing == {"refused": 1, "neither order answered": 1}
    assert found.flip_rate == pytest.approx(1 / 4) and found.first_bias == pytest.approx(1 / 4)
    assert found.per_item == pytest.approx([1, 0.5, 0.5, 0, math.nan, math.nan], nan_ok=True)


def test_a_judge_that_sees_only_the_place_gives_each_side_half():
    found = swap_averaged_win_rate(np.ones(5), np.zeros(5))
    assert found.win_rate == 0.5 and found.flip_rate == 1 and found.first_bias == 1


@settings(deadline=None)
@given(ANSWERS)
def test_the_two_sides_share_the_wins_and_nothing_is_lost(answers):
    first, second = np.array(answers).T
    found, other = swap_averaged_win_rate(first, second), swap_averaged_win_rate(1 - second, 1 - first)
    assert found.judged + sum(found.missing.values()) == len(answers)
    assert other.missing == found.missing
    if found.judged:
        assert other.win_rate == pytest.approx(1 - found.win_rate)
        assert other.flip_rate == found.flip_rate and other.first_bias == pytest.approx(found.first_bias)
    else:
        assert math.isnan(found.win_rate) and math.isnan(found.flip_rate)


@pytest.mark.parametrize(
    ("first", "second", "reasons", "message"),
    [
        ([1, 0], [1], None, "shapes"),
        ([2], [1], None, "preference 2.0"),
        ([1], [1], [], "0 reasons for 1"),
    ],
)
def test_bad_answers_are_told(first, second, reasons, message):
    with pytest.raises(ValueError, match=message):
        swap_averaged_win_rate(first, second, reasons)


def test_the_stand_in_takes_the_picture_nearer_to_the_gallery():
    gallery = [[10.0, 0.0], [0.0, 0.1]]  # directions count, so the mean is the diagonal
    a = np.array([[1.0, 1.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    b = np.array([[1.0, 0.0], [0.0, 5.0], [0.0, 1.0], [1.0, 0.0]])
    assert gallery_preference(a, b, gallery) == pytest.approx([1, 0.5, 0, math.nan], nan_ok=True)
    assert gallery_preference(b, a, gallery) == pytest.approx([0, 0.5, 1, math.nan], nan_ok=True)
    assert isinstance(gallery_preference(torch.tensor(a), torch.tensor(b), gallery), torch.Tensor)
    assert np.isnan(gallery_preference(a, b, [[1.0, 0.0], [-1.0, 0.0]])).all()
    with pytest.raises(ValueError, match="g of at least 1"):
        gallery_preference(a, b, np.zeros((0, 2)))
    assert "not PIGReward" in STAND_IN
