"""Captions: read back by the reader of wordings, which knows nothing of how they are put together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.world.captions import caption, plain, spoken
from personalab.world.scenes import sample
from personalab.world.words import attributes, spelt, wordings

#: The one wording that names a setting when it stands alone and a floor elsewhere; read as the floor.
AMBIGUOUS = "cobbles"


@pytest.fixture(scope="module")
def scenes() -> list[dict[str, str]]:
    return [sample(np.random.default_rng([1, i])) for i in range(1000)]


def test_the_canonical_caption_reads_back_as_the_scene(scenes):
    assert all(spelt(plain(scene)) == scene for scene in scenes)


def test_the_canonical_caption_by_hand():
    scene = {
        "style": "sketch",
        "colour": "orange",
        "object": "umbrella",
        "setting": "beach",
        "material": "wood",
    }
    assert plain(scene) == "a beach, wood underfoot, an orange umbrella, a pencil sketch"
    assert plain({"colour": "red", "garment": "coat"}) == "a person in a red coat"
    assert plain({"colour": "red", "garment": "coat", "object": "fruit"}) == "red fruit, a person in a coat"
    assert plain({"colour": "red"}) == "red" and plain({}) == ""


def test_a_full_caption_names_every_value_and_nothing_that_contradicts(scenes):
    texts = [caption(scene, np.random.default_rng(i)) for i, scene in enumerate(scenes)]
    found = [scene.items() <= spelt(text).items() for scene, text in zip(scenes, texts, strict=True)]
    assert np.mean(found) >= 0.99
    assert all(ok or AMBIGUOUS in text for ok, text in zip(found, texts, strict=True))


def test_what_a_partial_caption_names_is_true(scenes):
    for i, scene in enumerate(scenes):
        text = caption(scene, np.random.default_rng(i), share=0.4)
        if AMBIGUOUS not in text:
            read = spelt(text)
            assert read and all(scene.get(a, v) == v for a, v in read.items()), text


def test_captions_have_between_1_and_60_words(scenes):
    for share in (0.0, 0.5, 1.0):
        longer = [len(caption(s, np.random.default_rng(i), share, 1.0).split()) for i, s in enumerate(scenes)]
        assert 1 <= min(longer) and max(longer) <= 60
    bare = [caption(s, np.random.default_rng(i), 0.0, 0.0) for i, s in enumerate(scenes)]
    assert all(len(spelt(text)) <= 1 for text in bare)


def test_the_share_of_named_attributes_is_the_one_asked_for(scenes):
    """The time is named with probability `share`, or alone when nothing else is (rarely, at a half)."""
    rng = np.random.default_rng(0)
    named = [spelt(caption(scene, rng, share=0.5)).get("time") == scene["time"] for scene in scenes]
    assert abs(np.mean(named) - 0.5) < 4 * np.sqrt(0.25 / len(scenes)) + 0.02


def test_no_filler_says_anything_about_the_picture(scenes):
    for i, scene in enumerate(scenes[:300]):
        short, long = (caption(scene, np.random.default_rng(i), longer=x) for x in (0.0, 1.0))
        body, _, filler = long.partition(". ")
        assert ". " not in short and body.endswith(short[-20:])
        assert len(filler.split()) >= 5 and spelt(filler) == {}


@given(st.integers(0, 2**32), st.floats(0, 1))
def test_same_seed_same_text(seed, share):
    scene = sample(np.random.default_rng(seed))
    first, again = (caption(scene, np.random.default_rng(seed), share) for _ in range(2))
    assert first == again


def test_an_empty_scene_has_no_caption():
    with pytest.raises(ValueError, match="got an empty scene; expected at least one"):
        caption({}, np.random.default_rng(0))


def test_spoken_phrases_are_read_as_their_value():
    for attribute, values in attributes().items():
        for value in values:
            phrases = spoken(attribute, value)
            wrong = [p for p in phrases if p != AMBIGUOUS and spelt(p).get(attribute) != value]
            assert not wrong, (attribute, value)
            if attribute == "colour":
                assert len(phrases) == len(attributes()["object"]) + len(attributes()["garment"])
            else:
                assert len(phrases) == len(wordings()[attribute][value])
