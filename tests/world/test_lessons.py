"""Lessons of the world's users: what is shown, what is to be learnt."""

import numpy as np
import pytest

from personalab.backends import templates
from personalab.world import lessons, users, words


@pytest.fixture
def user():
    return users.draw_user(np.random.default_rng(9))


@pytest.mark.parametrize("shots", [0, 1, 3, 5])
@pytest.mark.parametrize("persona", ["description", "about", ""])
def test_a_rewriting_lesson_shows_what_it_was_asked_to_show(user, shots, persona):
    lesson = lessons.rewriting(user, np.random.default_rng(0), shots, persona)
    assert len(lesson.fields["history"]) == shots
    assert bool(lesson.fields["persona"]) == bool(persona)
    assert (lesson.fields["persona"] == user.about) == (persona == "about")
    subject, answer = words.spelt(lesson.fields["prompt"]), words.spelt(lesson.answer)
    assert subject.items() <= answer.items()
    assert lesson.answer not in lesson.fields["history"]


@pytest.mark.parametrize(
    "shots, persona", [(1, ""), (3, ""), (5, "about"), (0, "description"), (3, "description")]
)
def test_an_answer_says_nothing_that_was_not_shown(shots, persona):
    rng = np.random.default_rng(4)
    named = 0
    for _ in range(60):
        fields, answer = lessons.rewriting(users.draw_user(rng), rng, shots, persona)[1:]
        shown = [*fields["history"], *([fields["persona"]] if persona == "description" else [])]
        seen = {pair for text in [*shown, fields["prompt"]] for pair in words.spelt(text).items()}
        said = words.spelt(answer)
        assert said.items() <= seen
        assert words.spelt(fields["prompt"]).items() <= words.spelt(", ".join(answer.split(", ")[:2])).items()
        named += len(said.keys() - set(users.SUBJECT))
    assert named >= 60


def test_with_nothing_shown_the_whole_scene_is_told():
    scene = {
        "setting": "harbour",
        "object": "boat",
        "colour": "red",
        "time": "dawn",
        "palette": "teal",
        "style": "watercolor",
    }
    answer = lessons.answer("a boat, a quay", scene, [], np.random.default_rng(0))
    assert words.spelt(answer) == scene and "boat" in answer and "a quay" in answer


def test_values_are_named_in_the_words_they_were_shown_in():
    scene = {"setting": "harbour", "time": "golden hour", "weather": "rain", "garment": "coat"}
    shown = ["a sofa, all of it low evening sun, under a clear sky"]
    answer = lessons.answer("the docks", scene, shown, np.random.default_rng(0))
    assert answer.endswith(", low evening sun") and "the docks" in answer and answer.count(",") == 1


def test_lessons_fill_their_templates_in_both_variants(user):
    rng = np.random.default_rng(1)
    for lesson in (lessons.rewriting(user, rng, 3, "about"), lessons.describing(user, rng)):
        for variant in ("brief", "full"):
            messages = templates.render(lesson.template, variant, **lesson.fields)
            assert [role for role, _ in messages] == ["system", "user"]
            shown = lesson.fields.get("history", lesson.fields.get("posts"))
            assert all(text in messages[1][1] for text in shown)


def test_a_described_user_is_described_from_the_posts_shown(user):
    lesson = lessons.describing(user, np.random.default_rng(2))
    said = words.spelt(lesson.answer)
    posts = [words.spelt(post) for post in lesson.fields["posts"]]
    assert all(
        any(post.get(a) == v for post in posts) for a, v in said.items() if a in ("time", "palette", "style")
    )
