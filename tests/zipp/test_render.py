"""Pictures of prompts, seed by seed: what is missing is NaN, and nothing is made twice."""

import numpy as np
import pytest

from personalab.zipp import render
from personalab.zipp.render import picture_features, picture_rows


def maker(log):
    def make(requests):
        log.extend(requests)
        return [
            None if request.prompt == "refused" else np.full((2, 2, 3), request.seed, np.uint8)
            for request in requests
        ]

    return make


def see(pictures):
    return np.array([[one.mean(), 1.0] for one in pictures], np.float32)


def test_every_prompt_has_its_seeds_in_order():
    log: list = []
    found = picture_features(maker(log), see, ["a", "b"], [[1, 2, 3], [4, 5, 6]])
    assert found.shape == (2, 3, 2) and np.array_equal(found[..., 0], [[1, 2, 3], [4, 5, 6]])


def test_the_same_prompt_and_seed_is_made_once():
    log: list = []
    found = picture_features(maker(log), see, ["a", "a", "b"], [[1], [1], [1]])
    assert len(log) == 2 and np.array_equal(found[0], found[1])


def test_missing_prompts_and_refused_pictures_are_missing():
    log: list = []
    found = picture_features(maker(log), see, [None, "refused", "a"], [[1], [2], [3]])
    assert np.isnan(found[:2]).all() and not np.isnan(found[2]).any()
    assert [request.prompt for request in log] == ["refused", "a"]
    assert picture_features(maker(log), see, [None], [[1, 2]]).shape == (1, 2, 0)


def test_seeds_of_another_number_are_an_error():
    with pytest.raises(ValueError, match="seeds"):
        picture_features(maker([]), see, ["a", "b"], [[1]])


def test_pictures_of_a_table_have_a_row_each():
    log: list = []
    found = picture_rows(maker(log), see, ["a", None, "b", "a", "refused"], [1, 2, 3, 1, 5])
    assert found.dtype == np.float32 and np.array_equal(found[[0, 2, 3], 0], [1, 3, 1])
    assert np.isnan(found[[1, 4]]).all()
    assert [(one.prompt, one.seed) for one in log] == [("a", 1), ("b", 3), ("refused", 5)]
    assert picture_rows(maker([]), see, [None, "refused"], [1, 2]).shape == (2, 0)
    assert picture_rows(maker([]), see, [], []).shape == (0, 0)
    with pytest.raises(ValueError, match="2 seeds for 1 prompts"):
        picture_rows(maker([]), see, ["a"], [1, 2])


def test_pictures_are_looked_at_some_at_a_time_with_the_same_result(monkeypatch):
    prompts, seeds = ["a", "b", "refused", "c", "a"], [1, 2, 3, 4, 5]
    whole = picture_rows(maker([]), see, prompts, seeds)
    held: list[int] = []

    def watched(pictures):
        held.append(len(pictures))
        return see(pictures)

    monkeypatch.setattr(render, "_AT_ONCE", 2)
    assert np.array_equal(picture_rows(maker([]), watched, prompts, seeds), whole, equal_nan=True)
    assert held == [2, 1, 1]
