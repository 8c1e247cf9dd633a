"""Lessons of the five methods: the answer is hidden, what it takes over is shown, the study's prompts are kept out."""

import json

import numpy as np
import pytest

from personalab.sources import ROOT
from personalab.vptt import lessons
from personalab.vptt.bench import personas, seeds


@pytest.fixture(scope="module")
def people():
    kept = seeds.parse_lines(personas.own_seeds(40, seed=7)).kept
    return list(personas.generate(kept, 6, seed=7))


def made(people, method, n=40):
    rng = np.random.default_rng(3)
    return [(people[i % 6], lessons.rewriting(people[i % 6], rng, method)) for i in range(n)]


def entries(persona):
    return {e for post in persona.posts for found in post.elements.values() for e in found}


@pytest.mark.parametrize("method", lessons.METHODS)
def test_methods_show_what_the_study_shows(people, method):
    for _, lesson in made(people, method, 12):
        shown = {name for name in ("demographics", "summary", "captions", "elements") if lesson.fields[name]}
        assert (
            shown
            == {
                "Persona Only": {"demographics"},
                "BRAG": {"captions"},
                "VPRAG": {"summary", "elements"},
                "Comb.": {"summary", "captions", "elements"},
            }[method]
        )


@pytest.mark.parametrize("method", ["BRAG", "VPRAG", "Comb."])
def test_every_element_of_an_answer_can_be_read_in_the_question(people, method):
    for persona, lesson in made(people, method):
        listed = [e for found in lesson.fields["elements"].values() for e in found]
        text = " ".join([*lesson.fields["captions"], *listed, lesson.fields["prompt"]]).lower()
        used = [e for e in entries(persona) if e in lesson.answer]
        assert len(used) >= 3 and all(e.lower() in text for e in used)


def test_no_caption_shown_is_the_hidden_post(people):
    for persona, lesson in made(people, "BRAG"):
        assert len(set(lesson.fields["captions"])) == 3 and set(lesson.fields["captions"]) < set(
            persona.captions
        )


def test_elements_stand_in_lists_of_at_most_three(people):
    for persona, lesson in made(people, "VPRAG"):
        for category, found in lesson.fields["elements"].items():
            assert 1 <= len(found) <= 3 and set(found) <= set(persona.elements[category])


def test_subjects_are_kept_and_the_studys_prompts_are_never_used(people):
    with open(ROOT / "params" / "prompts" / "vptt_study.jsonl") as file:
        study = {json.loads(line)["text"] for line in file}
    rng = np.random.default_rng(5)
    for post in people[0].posts * 40:
        prompt, opening = lessons.short_prompt(post, rng)
        subject = opening.removeprefix("A photo of ").removeprefix("A photo for ").removeprefix("This ")
        assert subject.lower() in prompt.lower() and prompt not in study
        its_own = ("cultural site", "social media", "furnish", "decorate", "live in it", "go out of my way")
        assert not any(words in prompt.lower() for words in its_own)


def test_a_persona_known_by_demographics_alone_gets_a_short_answer(people):
    for persona, lesson in made(people, "Persona Only"):
        assert (
            3 <= sum(lesson.answer.count(e) > 0 for e in entries(persona)) <= 6
        )  # five and perhaps the subject


def test_unknown_methods_and_single_posts_are_errors(people):
    with pytest.raises(ValueError, match="expected one of"):
        lessons.rewriting(people[0], np.random.default_rng(0), "Baseline")
    lone = people[0].model_copy(update={"posts": people[0].posts[:1]})
    with pytest.raises(ValueError, match="expected two"):
        lessons.rewriting(lone, np.random.default_rng(0))


def test_the_same_generator_gives_the_same_lesson(people):
    one, two = (lessons.rewriting(people[0], np.random.default_rng(8)) for _ in range(2))
    assert one == two
