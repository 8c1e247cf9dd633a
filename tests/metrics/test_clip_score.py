"""CLIPScore against its formula, torch's cosine, and hand-worked cases; ZIP Lift by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from personalab.metrics import clip_score, image_alignment, zip_lift

CONVENTIONS = ("cosine", "100cos", "hessel", "zipp")
ROWS = hnp.arrays(float, st.tuples(st.integers(1, 5), st.just(3)), elements=st.floats(-10, 10, width=32))


def test_four_conventions_by_hand():
    images, texts = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[4.0, 3.0], [-2.0, 0.0]])
    assert clip_score(images, texts, "cosine") == pytest.approx([0.96, -1])
    assert clip_score(images, texts, "100cos") == pytest.approx([96, -100])
    assert clip_score(images, texts, "hessel") == pytest.approx([2.4, 0])
    assert clip_score(images, texts, "zipp") == pytest.approx([240, 0])


@settings(deadline=None)
@given(ROWS)
def test_it_is_torchs_cosine_where_rows_have_a_direction(x):
    y = np.roll(x, 1, axis=1) + 0.5
    cosine = torch.nn.functional.cosine_similarity(torch.tensor(x), torch.tensor(y), eps=1e-300).numpy()
    here = (np.abs(x).max(1) > 1e-30) & (np.abs(y).max(1) > 1e-30)
    assert clip_score(x, y, "cosine")[here] == pytest.approx(cosine[here], abs=1e-12)
    assert np.isnan(clip_score(x, y, "zipp")[(x == 0).all(1) | (y == 0).all(1)]).all()


@settings(deadline=None)
@given(ROWS, st.sampled_from(CONVENTIONS), st.floats(1e-3, 1e3))
def test_length_does_not_count_and_sides_may_change_places(x, convention, factor):
    y = x[:, ::-1] + 1
    score = clip_score(x, y, convention)
    assert clip_score(factor * x, y, convention) == pytest.approx(score, abs=1e-9, nan_ok=True)
    assert clip_score(y, x, convention) == pytest.approx(score, abs=1e-9, nan_ok=True)


def test_the_clamp_is_of_each_sample_not_of_the_mean():
    images, texts = np.eye(2), np.array([[1.0, 0.0], [0.0, -1.0]])
    assert clip_score(images, texts, "100cos").mean() == 0
    assert clip_score(images, texts, "zipp").mean() == 125


def test_rows_without_direction_are_nan_and_leave_the_others_alone():
    images = np.array([[0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0], [1.0, 1.0]])
    score = clip_score(images, np.ones((4, 2)), "zipp")
    assert np.isnan(score[:3]).all() and score[3] == pytest.approx(250)


@pytest.mark.parametrize("size", [1e-200, 1e-320, 1e200])
def test_lengths_neither_vanish_nor_overflow(size):
    assert clip_score([[size, 0]], [[size, 0]], "cosine") == pytest.approx([1])


def test_the_kind_that_goes_in_comes_out():
    x, y = np.eye(3, dtype=np.float32), np.ones((3, 3), dtype=np.float32)
    score = clip_score(x, y, "zipp")
    assert isinstance(score, np.ndarray) and score.dtype == np.float32
    tensor = clip_score(torch.tensor(x), torch.tensor(y), "zipp")
    assert tensor.dtype == torch.float32 and np.array_equal(tensor.numpy(), score)
    assert clip_score(torch.tensor(x).bfloat16(), torch.tensor(y).half(), "zipp").dtype == torch.float32
    assert isinstance(clip_score(x, torch.tensor(y), "zipp"), torch.Tensor)
    assert clip_score([[1, 0]], [[2, 0]], "cosine") == pytest.approx([1.0])
    assert clip_score(np.zeros((0, 4)), np.zeros((0, 4)), "zipp").shape == (0,)
    read_only = np.ones((2, 2))
    read_only.flags.writeable = False
    assert clip_score(read_only, read_only, "cosine") == pytest.approx([1, 1])


def test_the_gradient_is_kept():
    x = torch.tensor([[1.0, 0.0]], requires_grad=True)
    clip_score(x, torch.tensor([[1.0, 1.0]]), "cosine").sum().backward()
    assert x.grad[0].tolist() == pytest.approx([0, math.sqrt(0.5)])


@pytest.mark.parametrize(
    ("x", "y"), [((2, 3), (2, 4)), ((2, 3), (3, 3)), ((3,), (3,)), ((2, 1, 3), (2, 1, 3))]
)
def test_shapes_that_do_not_fit_are_told(x, y):
    with pytest.raises(ValueError, match=r"image features have shape .* expected \(n, d\)"):
        clip_score(np.ones(x), np.ones(y), "cosine")


def test_an_unknown_convention_is_answered_with_the_four():
    with pytest.raises(ValueError, match=r"'cos'.*'cosine', '100cos', 'hessel', 'zipp'"):
        clip_score(np.eye(2), np.eye(2), "cos")
    with pytest.raises(ValueError, match="expected numbers"):
        clip_score([["a"]], [["b"]], "cosine")
    with pytest.raises(ValueError, match="rows of one width"):
        clip_score([[1, 2], [3]], [[1, 2], [3, 4]], "cosine")


def test_image_alignment_with_own_reference_several_and_shared_ones():
    images = np.array([[1.0, 0.0], [0.0, 2.0]])
    assert image_alignment(images, images[::-1]) == pytest.approx([0, 0])
    own = np.array([[[1, 0], [0, 1]], [[0, 3], [0, 1]]])
    assert image_alignment(images, own) == pytest.approx([0.5, 1])
    assert image_alignment(images, [[[1, 0], [3, 0], [0, 1]]]) == pytest.approx([2 / 3, 1 / 3])
    assert isinstance(image_alignment(torch.tensor(images), torch.tensor(own)), torch.Tensor)
    own[1, 0] = 0
    assert np.isnan(image_alignment(images, own)).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"\(1, r, d\)"):
        image_alignment(images, np.ones((3, 2)))


def test_lift_by_hand_over_items_that_have_both():
    assert zip_lift([66, 72, 80, math.nan], [60, 60, math.nan, 50]) == pytest.approx(15)
    assert zip_lift(torch.tensor([0.3]), [0.4]) == pytest.approx(-25)
    assert math.isnan(zip_lift([1], [math.nan])) and math.isnan(zip_lift([1, 2], [0, 0]))
    with pytest.raises(ValueError, match="same items"):
        zip_lift([1, 2], [1])
