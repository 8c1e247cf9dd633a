"""The oracle draws what a prompt leaves open from the taste, and nothing else."""

import numpy as np
import pytest

from personalab.world import taste, users, words
from personalab.zipp import oracle

PEOPLE = range(12)
CAPTIONS = {"outdoor": "a lighthouse on the beach", "portrait": "a portrait, wearing a raincoat"}


def test_tastes_are_those_of_the_people_by_number():
    found = oracle.tastes([3, 5, 3], seed=11)
    alone = users.draw_user(np.random.default_rng([11, 1, 5])).taste
    assert all(np.array_equal(found[1].values[a], alone.values[a]) for a in alone.values)
    assert np.array_equal(found[0].contexts, found[2].contexts)
    assert not np.array_equal(found[0].contexts, found[1].contexts)


def test_the_basic_prompt_stays_and_its_subject_is_not_drawn_anew():
    for person, own in zip(PEOPLE, oracle.tastes(PEOPLE, seed=0), strict=True):
        text = oracle.completed("my thing", "a house", own, np.random.default_rng(person))
        assert text.startswith("my thing, ")
        assert not set(words.spelt(text)) & set(users.SUBJECT)


@pytest.mark.parametrize("context", CAPTIONS)
def test_the_kind_of_picture_is_read_from_the_original(context):
    assert taste.context_of(words.spelt(CAPTIONS[context])) == context, "the test's own caption"
    made = [
        oracle.completed("x", CAPTIONS[context], own, np.random.default_rng(0))
        for own in oracle.tastes(PEOPLE, seed=0)
    ]
    assert all(("garment" in words.spelt(text)) == (context == "portrait") for text in made)


def test_its_words_fit_their_own_taste_better_than_another():
    own = oracle.tastes(range(60), seed=1)
    rng = np.random.default_rng(2)
    named = [words.spelt(oracle.completed("x", "a house", one, rng)) for one in own]
    over = ["time", "palette", "style"]

    def fit(whose):
        return np.mean([taste.recovered(n, t, "outdoor", over) for n, t in zip(named, whose, strict=True)])

    assert fit(own) > 0.5 > fit(own[1:] + own[:1])


def test_the_same_seed_gives_the_same_words():
    (one,) = oracle.tastes([7], seed=0)
    first, second = (oracle.completed("x", "y", one, np.random.default_rng(4)) for _ in range(2))
    assert first == second
