"""Scenes: codes and back, what is left out of a picture, and how often each value is drawn."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from personalab.world.scenes import ERASING, INDOOR, PLAIN, check, consistent, decode, encode, sample
from personalab.world.words import attributes

SCENES = st.fixed_dictionaries({}, optional={a: st.sampled_from(v) for a, v in attributes().items()})


@pytest.fixture(scope="module")
def drawn() -> list[dict[str, str]]:
    return [sample(np.random.default_rng([0, i])) for i in range(6000)]


@given(st.lists(SCENES, max_size=5))
def test_decode_undoes_encode(scenes):
    codes = encode(scenes)
    assert codes.shape == (len(scenes), len(attributes())) and codes.dtype == np.int8
    assert decode(codes) == scenes
    assert np.array_equal(encode(decode(codes)), codes)


def test_codes_by_hand():
    [row] = encode([{"time": "night", "style": "dramatic"}])
    assert dict(zip(attributes(), row.tolist(), strict=True)) == {a: -1 for a in attributes()} | {
        "time": 3,
        "style": 5,
    }


@given(SCENES)
def test_consistent_is_idempotent_keeps_a_subset_and_the_vocabularys_order(scene):
    before = dict(scene)
    kept = consistent(scene)
    assert scene == before and kept.items() <= scene.items() and consistent(kept) == kept
    assert list(kept) == [a for a in attributes() if a in kept]
    assert scene.keys() - kept.keys() <= {"weather", "colour"}


@pytest.mark.parametrize(
    ("scene", "lost"),
    [
        ({"setting": "cafe", "weather": "snow"}, {"weather"}),
        ({"setting": "beach", "weather": "snow"}, set()),
        ({"weather": "snow"}, set()),
        ({"colour": "red"}, {"colour"}),
        ({"colour": "red", "object": "boat"}, set()),
        ({"colour": "red", "garment": "coat", "palette": "pastel"}, set()),
        ({"colour": "red", "garment": "coat", "palette": "sepia"}, {"colour"}),
    ],
)
def test_consistent_by_hand(scene, lost):
    assert scene.keys() - consistent(scene).keys() == lost


def test_named_values_exist():
    assert set(attributes()["setting"]) > INDOOR and set(attributes()["palette"]) > ERASING
    check(PLAIN)


def test_check_says_what_was_got_and_what_there_is():
    with pytest.raises(ValueError, match=r"object='ship' is not in this world; expected one of .*'boat'"):
        check({"time": "day", "object": "ship"})
    with pytest.raises(ValueError, match=r"thing='boat' is not in this world; expected one of .*'setting'"):
        check({"thing": "boat"})


def test_drawn_scenes_are_consistent_and_reproducible(drawn):
    assert all(consistent(scene) == scene for scene in drawn)
    assert drawn[:50] == [sample(np.random.default_rng([0, i])) for i in range(50)]


@pytest.mark.parametrize(
    ("attribute", "plain"),
    [(a, {"weather": 0.3, "palette": 0.3, "style": 0.25}.get(a, 0)) for a in attributes()],
)
def test_values_are_equally_frequent_but_for_the_plain_ones(drawn, attribute, plain):
    """Chi-square of the counts, given that the attribute is in the picture."""
    counts = Counter(scene[attribute] for scene in drawn if attribute in scene)
    values = attributes()[attribute]
    expected = np.full(len(values), (1 - plain) / len(values))
    expected[values.index(PLAIN.get(attribute, values[0]))] += plain
    observed = np.array([counts[value] for value in values])
    assert chisquare(observed, expected * observed.sum()).pvalue > 1e-3


@pytest.mark.parametrize(
    ("attribute", "share"), [("object", 0.85), ("garment", 0.6), ("material", 0.75), ("weather", 12 / 17)]
)
def test_some_attributes_are_not_in_every_picture(drawn, attribute, share):
    """Weather is seen in the 12 of 17 settings that lie outdoors."""
    found = sum(attribute in scene for scene in drawn)
    assert binomtest(found, len(drawn), share).pvalue > 1e-3
    assert all({"setting", "time", "palette", "style"} <= scene.keys() for scene in drawn)
