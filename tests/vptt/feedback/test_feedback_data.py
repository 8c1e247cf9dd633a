"""Prompts for feedback simulation: what is held out, that classes cannot be told without the profile, parts."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from personalab.vptt.feedback import data


def people(n: int, n_posts: int = 12) -> list[SimpleNamespace]:
    """n personas whose posts show four of forty things of their own; neighbours share one thing."""
    rng = np.random.default_rng(0)
    out = []
    for i in range(n):
        things = [f"thing {j:02} of {i:02}" for j in range(40)] + [f"what {i // 2:02} share"]
        posts = [SimpleNamespace(elements={"objects": rng.choice(things, 4).tolist(), "actions": ["walking"]})
                 for _ in range(n_posts)]  # fmt: skip
        out.append(SimpleNamespace(posts=posts))
    return out


@pytest.fixture(scope="module")
def made():
    personas, rng = people(24), np.random.default_rng(1)
    held = [data.hold_out(p.posts, 8, rng) for p in personas]
    world = data.world(personas, held, rng)
    likeness = rng.random((24, 24))
    part = data.parts(24, rng)
    return personas, held, world, part, data.examples(world, part, likeness, rng)


def test_what_prompts_name_no_kept_post_shows(made):
    personas, held, *_ = made
    for persona, one in zip(personas, held, strict=True):
        kept = {e for i in one.kept for texts in persona.posts[i].elements.values() for e in texts}
        assert len(one.elements) >= 8 and one.kept and kept.isdisjoint(one.elements)
        assert "walking" not in one.elements, "a gerund does not fit the frames"


def test_too_few_posts_for_what_is_to_be_held_out_are_named():
    with pytest.raises(ValueError, match="12 posts do not hold 500"):
        data.hold_out(people(1)[0].posts, 500, np.random.default_rng(0))


def test_every_persona_has_twenty_aligned_twenty_misaligned_and_ten_neutral_prompts(made):
    *_, examples = made
    counts = examples.groupby(["persona", "kind"]).size().unstack()
    assert (
        (counts["aligned"] == 20).all()
        and (counts["misaligned"] == 20).all()
        and (counts["neutral"] == 10).all()
    )
    assert examples.groupby("kind")["label"].unique().map(list).to_dict() == {
        "aligned": [1.0], "neutral": [0.5], "misaligned": [0.0]
    }  # fmt: skip


def test_aligned_and_misaligned_prompts_are_the_same_texts_within_each_part(made):
    """So whatever reads the prompt alone, words or frames, scores the two classes exactly alike."""
    *_, examples = made
    for _, rows in examples.groupby("part"):
        texts = {kind: sorted(some["text"]) for kind, some in rows.groupby("kind")}
        assert texts["aligned"] == texts["misaligned"]


def test_frames_do_not_tell_the_classes(made):
    """A classifier that sees only the frame is no better than the largest class, 40 per cent."""
    *_, examples = made
    firsts = [frame.split("{")[0].strip() for frame in data.FRAMES]
    bag = np.array(
        [[first in text if first else False for first in firsts] for text in examples["text"]], float
    )
    guess = cross_val_predict(LogisticRegression(), bag, examples["kind"], cv=5)
    assert (guess == examples["kind"]).mean() < 0.45


def test_misaligned_prompts_name_nothing_that_the_persona_posts(made):
    personas, _, _, _, examples = made
    for i, rows in examples[examples["kind"] == "misaligned"].groupby("persona"):
        own = {e for post in personas[i].posts for texts in post.elements.values() for e in texts}
        assert not any(e in text for e in own - {"walking"} for text in rows["text"])


def test_neutral_prompts_of_the_parts_share_no_thing(made):
    _, _, world, _, _ = made
    named = [
        {t for t in data.THINGS for text in pool if t in text.lower()} for pool in world.neutral.values()
    ]
    assert all(named) and not (named[0] & named[1] or named[0] & named[2] or named[1] & named[2])


@settings(deadline=None)
@given(st.integers(6, 400), st.integers(0, 10))
def test_parts_split_personas_without_overlap_in_the_papers_proportions(n, seed):
    part = data.parts(n, np.random.default_rng(seed))
    sizes = [int((part == name).sum()) for name in data.PARTS]
    assert sum(sizes) == n and min(sizes) >= 2
    if n == 200:
        assert sizes == [130, 20, 50]


def test_two_hundred_personas_split_as_in_the_paper_and_five_are_too_few():
    part = data.parts(200, np.random.default_rng(0))
    assert [int((part == name).sum()) for name in data.PARTS] == [130, 20, 50]
    with pytest.raises(ValueError, match="at least 6"):
        data.parts(5, np.random.default_rng(0))


def test_no_persona_is_in_two_parts(made):
    *_, examples = made
    assert (examples.groupby("persona")["part"].nunique() == 1).all()


def test_donors_are_a_permutation_of_others_that_do_not_clash_and_lie_far():
    likeness = np.array([[1.0, 0.9, 0.1, 0.1], [0.9, 1, 0.1, 0.1], [0.1, 0.1, 1, 0.9], [0.1, 0.1, 0.9, 1]])
    clash = np.zeros((4, 4), bool)
    clash[0, 2] = True
    for seed in range(10):
        assert data.donors(likeness, clash, np.random.default_rng(seed)).tolist() == [
            3,
            2,
            *_rest(seed, likeness, clash),
        ]


def _rest(seed: int, likeness: np.ndarray, clash: np.ndarray) -> list[int]:
    """0 and 1 in either order: what is left for the other two."""
    rest = data.donors(likeness, clash, np.random.default_rng(seed)).tolist()[2:]
    assert sorted(rest) == [0, 1]
    return rest


def test_somebody_without_a_donor_is_an_error():
    with pytest.raises(ValueError, match="no donor"):
        data.donors(np.eye(2), np.ones((2, 2), bool), np.random.default_rng(0))


def test_same_seed_same_prompts(made):
    personas, held, *_ = made
    one, two = (data.world(personas, held, np.random.default_rng(5)) for _ in range(2))
    assert one.aligned == two.aligned and one.neutral == two.neutral


def test_too_few_phrases_are_an_error():
    with pytest.raises(ValueError, match="3 phrases make 1 prompts"):
        data.prompts(["a", "b", "c"], 2, np.random.default_rng(0))
