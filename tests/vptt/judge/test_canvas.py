"""Canvases: the same pictures give the same bytes, and every tile lies where the layout says, under its number."""

import subprocess
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from personalab.backends.pictures import png
from personalab.vptt.judge import canvas
from personalab.vptt.judge.canvas import (
    box,
    input_canvas,
    methods_canvas,
    profile_canvas,
    shuffled,
    swapped,
)

METHODS = ("Baseline", "Summary", "Captions", "Elements", "VPRAG")


def plain(colour: tuple[int, int, int], height: int = 64, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def colours(n: int) -> list[tuple[int, int, int]]:
    return [(20 * i, 255 - 20 * i, 10 + i) for i in range(n)]


def test_ten_posts_fill_the_grid_row_by_row():
    """By hand: tiles of 256 at 8 + 264 column and 48 + 304 row."""
    shown = profile_canvas([plain(colour) for colour in colours(10)])
    assert shown.shape == (616, 1328, 3) and shown.dtype == np.uint8
    for i, colour in enumerate(colours(10)):
        left, top = 8 + 264 * (i % 5), 48 + 304 * (i // 5)
        assert (shown[top : top + 256, left : left + 256] == colour).all()
        assert box(i, 5, 256) == (left, top, left + 256, top + 256)
        strip = shown[top - 40 : top, left : left + 256]
        assert (strip < 100).any() and (strip[:, :80] == 255).all(), "a number in the middle of its strip"
    gaps = shown[:, [*range(8), *range(264, 272), *range(1320, 1328)]]
    assert (gaps == 255).all()


def test_numbers_and_labels_differ_and_hang_on_nothing_but_the_place():
    strips = [profile_canvas([plain(colour)] * 10)[8:48] for colour in ((0, 0, 0), (200, 9, 9))]
    np.testing.assert_array_equal(*strips)
    numbers = {strips[0][:, 8 + 264 * i : 264 + 264 * i].tobytes() for i in range(5)}
    row = methods_canvas({label: plain((9, 9, 9)) for label in "ABCDE"})[8:48]
    labels = {row[:, 8 + 392 * i : 392 + 392 * i].tobytes() for i in range(5)}
    assert len(numbers) == len(labels) == 5


def test_posts_are_numbered_from_one_to_ten():
    """The number over a post is drawn as the same number over a larger tile, around the middle of its strip."""
    shown = profile_canvas([plain((9, 9, 9))] * 10)
    for i in range(10):
        left, top, *_ = box(i, 5, 256)
        number = methods_canvas({str(i + 1): plain((9, 9, 9))})[8:48, 8 + 192 - 30 : 8 + 192 + 30]
        np.testing.assert_array_equal(shown[top - 40 : top, left + 98 : left + 158], number)


@pytest.mark.parametrize("n", [1, 4, 9])
def test_fewer_posts_leave_the_last_places_white_and_the_canvas_as_large(n):
    shown = profile_canvas([plain((10, 20, 30))] * n)
    assert shown.shape == (616, 1328, 3)
    for i in range(10):
        left, top, right, bottom = box(i, 5, 256)
        tile = shown[top - 40 : bottom, left:right]
        assert (tile == 255).all() == (i >= n)


@pytest.mark.parametrize("n", [1, 4, 5])
def test_the_methods_stand_in_one_row_from_left_to_right(n):
    shown = methods_canvas({label: plain(colour) for label, colour in zip("ABCDE", colours(n), strict=False)})
    assert shown.shape == (440, 392 * n + 8, 3)
    for i, colour in enumerate(colours(n)):
        assert (shown[48:432, 8 + 392 * i : 392 + 392 * i] == colour).all()


@pytest.mark.parametrize(("height", "width"), [(1344, 768), (96, 168), (7, 7)])
def test_a_picture_is_shown_whole_in_its_own_shape_in_the_middle_of_its_tile(height, width):
    shown = input_canvas(plain((0, 128, 0), height, width))[48:432, 8:392]
    rows, columns = (np.flatnonzero((shown != 255).any(axis=(axis, 2))) for axis in (1, 0))
    wanted = np.array([height, width]) * 384 / max(height, width)
    np.testing.assert_allclose([len(rows), len(columns)], wanted, atol=1)
    for found in (rows, columns):
        assert abs(found[0] - (383 - found[-1])) <= 1
    assert (shown[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == (0, 128, 0)).all()


def test_the_same_pictures_make_the_same_bytes_and_others_make_others():
    rng = np.random.default_rng(0)
    posts = [rng.integers(0, 256, (40 + i, 64, 3), np.uint8) for i in range(10)]
    first, again = (png(profile_canvas([post.copy() for post in posts])) for _ in range(2))
    assert first == again
    assert png(profile_canvas(posts[::-1])) != first
    posts[3][5, 5] ^= 255
    assert png(profile_canvas(posts)) != first


@pytest.mark.parametrize("n", [0, 11])
def test_no_posts_or_more_than_ten_are_refused(n):
    with pytest.raises(ValueError, match=f"got {n} posts; expected 1 to 10"):
        profile_canvas([plain((0, 0, 0))] * n)


def test_what_is_no_picture_is_refused_with_its_place():
    with pytest.raises(ValueError, match="at 'B' is no picture"):
        methods_canvas({"A": plain((0, 0, 0)), "B": np.zeros((4, 4, 3))})
    with pytest.raises(ValueError, match="no pictures"):
        methods_canvas({})


# ---- labels


@given(st.text(), st.sampled_from(["generation", "editing"]), st.integers(0, 2**32), st.permutations(METHODS))
def test_the_order_is_the_users_own_and_the_same_however_the_methods_are_given(user, task, seed, methods):
    order = shuffled(methods, user, task, seed)
    assert order == shuffled(METHODS, user, task, seed)
    assert list(order) == list("ABCDE") and sorted(order.values()) == sorted(METHODS)


def test_over_users_every_order_is_equally_frequent():
    orders = Counter(tuple(shuffled(METHODS, f"u{i}", "generation", 0).values()) for i in range(6000))
    counts = [orders[order] for order in permutations(METHODS)]
    assert sum(counts) == 6000 and chisquare(counts).pvalue > 0.001


def test_user_task_and_seed_each_change_the_order_for_most():
    def share(change) -> float:
        same = [shuffled(METHODS, f"u{i}", "editing", 0) == change(i) for i in range(300)]
        return 1 - np.mean(same)

    for change in (
        lambda i: shuffled(METHODS, f"v{i}", "editing", 0),
        lambda i: shuffled(METHODS, f"u{i}", "generation", 0),
        lambda i: shuffled(METHODS, f"u{i}", "editing", 1),
    ):
        assert share(change) > 0.95


def test_the_order_is_that_of_the_published_hash():
    """coreutils' sha256sum as the peer."""

    def digest(method: str) -> str:
        text = f'["u", "editing", 0, "{method}"]'
        return subprocess.run(["sha256sum"], input=text, capture_output=True, text=True).stdout.split()[0]

    wanted = sorted(METHODS, key=digest)
    assert list(shuffled(METHODS, "u", "editing", 0).values()) == wanted


@pytest.mark.parametrize("methods", [[], ["a", "a"], [f"m{i}" for i in range(11)]])
def test_no_methods_too_many_or_one_twice_are_refused(methods):
    with pytest.raises(ValueError, match="expected 1 to 10 different ones"):
        shuffled(methods, "u", "editing", 0)


@given(st.integers(1, 10), st.text())
def test_in_the_second_order_every_method_stands_elsewhere(n, user):
    order = shuffled([f"m{i}" for i in range(n)], user, "generation", 0)
    second = swapped(order)
    assert list(second) == list(order) == list(canvas.LABELS[:n])
    assert sorted(second.values()) == sorted(order.values())
    assert n == 1 or all(second[label] != order[label] for label in order)
