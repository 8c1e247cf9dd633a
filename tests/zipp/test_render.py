"""Pictures of prompts, seed by seed: what is missing is NaN, and nothing is made twice."""

import numpy as np
import pytest

from personalab.zipp.render import picture_features


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
