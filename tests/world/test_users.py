"""Invented users: tastes are distributions, words keep them hidden, descriptions follow what recurs."""

import numpy as np
import pytest

from personalab.world import captions, taste, users, words
from personalab.world.scenes import INDOOR

LOOKS = ("time", "weather", "palette", "style")


def drawn(i, n=0):
    rng = np.random.default_rng([4, i])
    user = users.draw_user(rng)
    return user, users.write(user, n, rng), rng


def test_a_taste_is_a_distribution_over_what_a_context_allows():
    inside = np.array([value in INDOOR for value in words.attributes()["setting"]])
    for i in range(20):
        user = drawn(i)[0]
        assert np.isclose(user.taste.contexts.sum(), 1)
        for values in user.taste.values.values():
            assert np.allclose(values.sum(axis=1), 1) and (values >= 0).all()
        assert not user.taste.values["setting"][0, inside].any()
        assert not user.taste.values["setting"][1, ~inside].any()


def test_the_same_generator_gives_the_same_user_and_another_one_another():
    assert drawn(1)[0].about == drawn(1)[0].about != drawn(2)[0].about


def test_words_about_oneself_say_nothing_of_light_colours_or_style():
    for i in range(60):
        assert not set(words.spelt(drawn(i)[0].about)) & set(LOOKS)


def test_a_short_prompt_names_the_subject_alone_and_the_full_one_names_it_in_the_same_words():
    for i in range(60):
        _, (scene,), rng = drawn(i, 1)
        short, full = users.prompts(scene, rng)
        read = words.spelt(short)
        assert set(read) <= set(users.SUBJECT)
        for attribute in users.SUBJECT:
            if attribute in scene:
                assert any(words._stem(w) in full for w in words.wordings()[attribute][scene[attribute]])


def test_scenes_match_the_taste_they_come_from_better_than_somebody_elses():
    own, other = [], []
    for i in range(40):
        (user, scenes, _), stranger = drawn(i, 5), drawn(i + 40)[0]
        own += [taste.plausibility(scene, user.taste) for scene in scenes]
        other += [taste.plausibility(scene, stranger.taste) for scene in scenes]
    assert np.mean(own) > np.mean(other) + 1


def test_a_description_names_what_recurs_and_nothing_that_never_occurs():
    scene = {"setting": "beach", "time": "dawn", "palette": "pastel", "style": "sketch", "object": "boat"}
    text = users.describe([scene] * 4, np.random.default_rng(0))
    assert words.spelt(text).items() <= scene.items()
    assert {"setting", "time", "palette", "style"} <= set(words.spelt(text))
    halved = [scene, scene | {"time": "night"}, scene | {"time": "neon"}]
    assert "time" not in words.spelt(users.describe(halved, np.random.default_rng(0)))


def test_nothing_to_describe_is_an_error():
    with pytest.raises(ValueError, match="expected at least one"):
        users.describe([], np.random.default_rng(0))


def test_a_given_wording_is_used():
    text = captions.caption(
        {"setting": "beach"}, np.random.default_rng(0), worded={"setting": "a lagoon beach"}
    )
    assert "a lagoon beach" in text
