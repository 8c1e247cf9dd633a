"""Tastes: hand-worked probabilities, the oracle's closed forms, and people told apart by their own posts."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from personalab.vptt.bench import generate, own_seeds
from personalab.vptt.bench.seeds import parse_lines
from personalab.world import taste as tastes
from personalab.world.scenes import INDOOR, PLAIN, consistent
from personalab.world.taste import CONTEXTS, VISIBLE, context_of, match, plausibility, sample, taste, taste_of
from personalab.world.words import attributes

SCENES = st.fixed_dictionaries({}, optional={a: st.sampled_from(v) for a, v in attributes().items()})
POSTS = st.lists(st.lists(SCENES, max_size=3), max_size=5)


@pytest.fixture(scope="module")
def personas():
    return list(generate(parse_lines(own_seeds(40)).kept, 16, seed=1))


# --- the distribution


@given(POSTS, st.lists(SCENES, max_size=3))
def test_probabilities_sum_to_1_and_indoor_and_outdoor_settings_exclude_each_other(posts, general):
    found = taste(posts, general)
    assert found.contexts.shape == (3,) and found.contexts.sum() == pytest.approx(1)
    for attribute, p in found.values.items():
        assert p.shape == (3, len(attributes()[attribute])) and (p >= 0).all()
        assert p.sum(axis=1) == pytest.approx(1)
    inside = np.array([value in INDOOR for value in attributes()["setting"]])
    outdoor, indoor, portrait = found.values["setting"]
    assert (outdoor[inside] == 0).all() and (indoor[~inside] == 0).all()
    assert (outdoor[~inside] > 0).all() and (indoor[inside] > 0).all() and (portrait > 0).all()


def test_counts_by_hand():
    """Two outdoor posts at night, one indoor at dawn: each context takes over 0.3 of the others' counts."""
    posts = [
        [{"setting": "beach"}, {"time": "night"}],
        [{"time": "night"}],
        [{"setting": "cafe", "time": "dawn"}],
    ]
    found = taste(posts)
    assert found.contexts == pytest.approx(np.array([2.5, 1.5, 0.5]) / 4.5)
    dawn, night = (attributes()["time"].index(value) for value in ("dawn", "night"))
    counts = np.zeros((3, 5))
    counts[0, night], counts[0, dawn] = 2, 0.3
    counts[1, night], counts[1, dawn] = 0.6, 1
    counts[2, night], counts[2, dawn] = 0.6, 0.3
    weight = (counts + 0.15) ** 1.5
    assert found.values["time"] == pytest.approx(weight / weight.sum(axis=1, keepdims=True))
    # what all three left open is plain: style thrice, weather twice, for it is not seen in the cafe
    for attribute, own in (("style", [2, 1, 0]), ("weather", [2, 0, 0])):
        photo, other = (np.array(own) + 0.3 * (sum(own) - np.array(own)) + 0.15) ** 1.5, 0.15**1.5
        row = attributes()[attribute].index(PLAIN[attribute])
        expected = photo / (photo + (len(attributes()[attribute]) - 1) * other)
        assert found.values[attribute][:, row] == pytest.approx(expected)


def test_general_words_count_in_every_context():
    found = taste([], [{"style": "sketch"}])
    # one of its own, three tenths of one from each of two other contexts
    shared = np.where(np.array(attributes()["style"]) == "sketch", 1.75**1.5, 0.15**1.5)
    assert found.values["style"] == pytest.approx(np.tile(shared / shared.sum(), (3, 1)))
    assert found.contexts == pytest.approx(np.full(3, 1 / 3))


def test_the_order_of_posts_does_not_matter(personas):
    posts = [[p.implies.get(e, {}) for v in post.elements.values() for e in v]
             for p in personas[:3] for post in p.posts]  # fmt: skip
    one, other = taste(posts), taste(posts[::-1])
    assert np.array_equal(one.contexts, other.contexts)
    assert all(np.array_equal(one.values[a], other.values[a]) for a in one.values)


@pytest.mark.parametrize(
    ("scene", "context"),
    [
        ({}, "outdoor"),
        ({"setting": "forest"}, "outdoor"),
        ({"setting": "cafe"}, "indoor"),
        ({"setting": "cafe", "garment": "suit"}, "portrait"),
        ({"garment": "suit"}, "portrait"),
    ],
)
def test_context_by_hand(scene, context):
    assert context_of(scene) == context


# --- the oracle


@given(SCENES)
def test_nothing_is_more_plausible_than_anything_to_someone_without_taste(scene):
    assert plausibility(scene, taste([])) == pytest.approx(0, abs=1e-12)


def share(count: float, values: int, of: float = 0.0) -> float:
    """Probability of one of some values, named `count` times; the first of the others was named `of` times."""
    one, other, rest = ((n + 0.15) ** 1.5 for n in (count, of, 0))
    return one / (one + other + (values - 2) * rest)


def test_plausibility_by_hand():
    """Twelve settings lie outdoors; five times, five weathers, seven palettes and six styles were left plain."""
    found = taste([[{"setting": "beach"}]])
    plain = sum(log2(n * share(1, n)) for n in (5, 5, 7, 6))
    beach, castle = share(1, 12), share(0, 12, of=1)
    assert plausibility({"setting": "beach"}, found) == pytest.approx((log2(12 * beach) + plain) / 5)
    assert plausibility({"setting": "castle"}, found) == pytest.approx((log2(12 * castle) + plain) / 5)
    # indoors a beach is impossible, weather unseen, and three tenths of the plain counts are taken over
    inside = sum(log2(n * share(0.3, n)) for n in (5, 7, 6)) / 4
    assert plausibility({"setting": "cafe"}, found) == pytest.approx(inside)


def test_a_scene_without_a_setting_is_judged_by_the_rest():
    found = taste([[{"time": "night"}]])
    night, day = (log2(5 * p) for p in (share(1, 5), share(0, 5, of=1)))
    plain = sum(log2(n * share(1, n)) for n in (5, 7, 6))
    assert plausibility({"time": "night"}, found) == pytest.approx((night + plain) / 4)
    assert plausibility({}, found) == pytest.approx((day + plain) / 4)


@given(SCENES, POSTS)
def test_invisible_values_do_not_count(scene, posts):
    assert plausibility(scene, taste(posts)) == plausibility(consistent(scene), taste(posts))


def test_posts_held_back_are_more_plausible_to_their_author(personas):
    """A taste from each persona's even posts, scenes from the odd ones."""
    own, held = [], []
    for persona in personas:
        posts = [[persona.implies.get(e, {}) for v in post.elements.values() for e in v]
                 for post in persona.posts]  # fmt: skip
        own.append(taste(posts[::2]))
        held.append([dict(pair for implied in post for pair in implied.items()) for post in posts[1::2]])
    scores = np.array([[np.mean([plausibility(s, t) for s in scenes]) for t in own] for scenes in held])
    others = scores[~np.eye(len(scores), dtype=bool)]
    assert np.diag(scores).mean() > others.mean() + 0.5
    assert (scores.argmax(axis=1) == np.arange(len(scores))).mean() > 0.5


def test_drawn_scenes_suit_their_own_person_best(personas):
    found = [taste_of(persona) for persona in personas[:6]]
    rng = np.random.default_rng(0)
    drawn = [[sample(t, rng) for _ in range(40)] for t in found]
    scores = np.array([[np.mean([plausibility(s, t) for s in scenes]) for t in found] for scenes in drawn])
    assert (scores.argmax(axis=1) == np.arange(6)).all() and (np.diag(scores) > 0).all()


# --- match


def test_match_in_closed_form_for_one_hot_readings(personas):
    found = [taste_of(persona) for persona in personas[:4]]
    rng = np.random.default_rng(0)
    picks = {a: rng.integers(len(attributes()[a]), size=4) for a in VISIBLE}
    flat = taste([])
    hot = {a: np.eye(len(attributes()[a]))[picks[a]] for a in VISIBLE}
    expected = []
    for n, t in enumerate(found):
        lifts = []
        for a in VISIBLE:
            own, none = (
                sum(t.contexts[c] * s.values[a][c, picks[a][n]] for c in range(3)) for s in (t, flat)
            )
            lifts.append(log2(max(own, 1e-3) / none))
        expected.append(sum(lifts) / 4)
    assert match(hot, found) == pytest.approx(expected)


def test_match_is_linear_in_the_readings(personas):
    found = [taste_of(persona) for persona in personas[:4]]
    rng = np.random.default_rng(1)
    one, other = ({a: rng.dirichlet(np.ones(len(attributes()[a])), 4) for a in VISIBLE} for _ in range(2))
    mixed = {a: 0.3 * one[a] + 0.7 * other[a] for a in VISIBLE}
    assert match(mixed, found) == pytest.approx(0.3 * match(one, found) + 0.7 * match(other, found))


def test_no_picture_matches_someone_without_taste():
    rng = np.random.default_rng(0)
    read = {a: rng.dirichlet(np.ones(len(attributes()[a])), 9) for a in VISIBLE}
    flat = [tastes.Taste(rng.dirichlet(np.ones(3)), taste([]).values) for _ in range(9)]
    assert match(read, flat) == pytest.approx(np.zeros(9), abs=1e-12)


# --- sample


@pytest.mark.parametrize("context", CONTEXTS)
def test_drawn_scenes_follow_the_distribution(personas, context):
    found = taste_of(personas[0])
    rng = np.random.default_rng(0)
    drawn = [sample(found, rng, context) for _ in range(1500)]
    assert {context_of(scene) for scene in drawn} == {context}
    assert all(consistent(scene) == scene for scene in drawn)
    for attribute in (*VISIBLE, "object", "material"):
        p = found.values[attribute][CONTEXTS.index(context)]
        values = [scene[attribute] for scene in drawn if attribute in scene]
        counts = np.array([values.count(value) for value in attributes()[attribute]])
        assert (counts[p == 0] == 0).all()
        rare = p * len(values) < 5  # gathered in one cell
        observed = [*counts[~rare], counts[rare].sum()]
        expected = np.array([*p[~rare], p[rare].sum()]) * len(values)
        kept = expected > 0
        assert chisquare(np.array(observed)[kept], expected[kept]).pvalue > 1e-3, attribute
        present = {"object": 0.9, "material": 0.6}.get(attribute, 1.0)
        assert abs(len(values) / 1500 - present) < 4 * np.sqrt(present * (1 - present) / 1500) + 1e-9


def test_contexts_are_drawn_in_their_shares():
    found = tastes.Taste(np.array([0.2, 0.5, 0.3]), taste([]).values)
    rng = np.random.default_rng(0)
    names = [context_of(sample(found, rng)) for _ in range(1500)]
    assert chisquare([names.count(c) for c in CONTEXTS], 1500 * found.contexts).pvalue > 1e-3


def test_an_unknown_context_is_refused():
    with pytest.raises(ValueError, match=r"got context 'moon'; expected one of .*'portrait'"):
        sample(taste([]), np.random.default_rng(0), "moon")


def test_recovered_bits_by_hand():
    """A favourite of probability .5 among 4 values is worth 1 bit, one of .125 costs 1, what is left open nothing."""
    values = {a: np.full((3, len(v)), 1 / len(v)) for a, v in attributes().items()}
    n = len(attributes()["time"])
    values["time"][0] = [2 / n, 0.5 / n, *[(1 - 2.5 / n) / (n - 2)] * (n - 2)]
    made = tastes.Taste(np.full(3, 1 / 3), values)
    likely, unlikely = attributes()["time"][:2]
    over = ["time", "palette"]
    assert np.isclose(tastes.recovered({"time": likely}, made, "outdoor", over), 0.5)
    assert np.isclose(tastes.recovered({"time": unlikely}, made, "outdoor", over), -0.5)
    assert tastes.recovered({"setting": "beach"}, made, "outdoor", over) == 0
    assert np.isclose(tastes.recovered({"time": likely}, made, "indoor", over), 0)
