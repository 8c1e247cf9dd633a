"""The template rewriter: what it may never do, whatever it is shown."""

import itertools
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalab.backends.chat import Answer
from personalab.backends.composer import Composer, Request, split_sentences
from personalab.records import CATEGORIES, Persona
from personalab.vptt import bench, compose
from personalab.vptt.bench import seeds
from personalab.vptt.score import novelty

PROMPT = "A photo of a place that I like."
CAPTIONS = (
    "Two fishermen mend green nets beside the slate-grey harbour wall. A kettle steams on the old iron stove.",
    "Morning fog drifts over the wooden footbridge near our mill! Who left a copper lantern under the willow?",
)
SHARES = st.floats(0, 1)
PHRASES = st.text(max_size=40) | st.sampled_from(
    ["red boat", "a {} brace", "It is my own.", "...", " ", "one. two. three"]
)
REQUESTS = st.builds(
    Request,
    prompt=PHRASES,
    summary=PHRASES,
    captions=st.lists(PHRASES | st.sampled_from(CAPTIONS), max_size=5).map(tuple),
    elements=st.dictionaries(st.sampled_from(CATEGORIES) | st.just("mood"), st.lists(PHRASES, max_size=4)),
    max_words=st.integers(0, 60),
)


def write(request: Request, copying: float = 0.5) -> str:
    answer = Composer(copying).complete([request])[0]
    assert answer.reason is None and answer.text is not None
    return answer.text


@pytest.fixture(scope="module")
def personas() -> list[Persona]:
    return list(bench.generate(seeds.parse_lines(bench.own_seeds(40)).kept, 12))


@given(REQUESTS, SHARES)
def test_no_answer_is_longer_than_allowed_and_each_begins_with_the_prompt(request, copying):
    words = write(request, copying).split()
    asked = request.prompt.split()
    assert len(words) <= request.max_words
    assert words[: len(asked)] == asked[: request.max_words]


@given(REQUESTS, SHARES)
def test_the_same_request_gives_the_same_answer_alone_or_in_a_batch(request, copying):
    composer = Composer(copying)
    other = Request("Another prompt.", captions=CAPTIONS)
    assert composer.complete([other, request, request])[1:] == [Answer(write(request, copying))] * 2


def test_the_answer_does_not_depend_on_the_seed_of_pythons_hashes():
    code = (
        "from personalab.backends.composer import *\n"
        f"r = Request({PROMPT!r}, captions={CAPTIONS!r}, elements={{'objects': ['a {{}} brace', 'net']}})\n"
        "print(*[Composer(c).complete([r, r]) for c in (0, .3, 1)])"
    )
    run = [sys.executable, "-c", code]
    printed = {subprocess.check_output(run, env={"PYTHONHASHSEED": str(seed)}) for seed in (0, 1, 2)}
    assert len(printed) == 1


@pytest.mark.parametrize("copying", [-0.01, 1.01, float("nan"), float("inf")])
def test_copying_is_a_share(copying):
    with pytest.raises(ValueError, match=r"copying is .*; expected a share between 0 and 1"):
        Composer(copying)


@given(SHARES)
def test_a_request_that_shows_nothing_gives_the_prompt(copying):
    assert write(Request(PROMPT), copying) == PROMPT
    assert (
        write(Request(PROMPT, summary=" \n", captions=("", "  "), elements={"objects": []}), copying)
        == PROMPT
    )
    assert Composer(copying).complete([]) == []


# ---- captions


def test_copying_spans_from_all_new_to_word_for_word():
    shown = Request(PROMPT, captions=CAPTIONS)
    assert write(shown, 1) == " ".join([PROMPT, *CAPTIONS])
    values = [novelty(write(shown, copying), CAPTIONS) for copying in (0, 0.5, 1)]
    assert values[0] == 1 and values[0] > values[1] > values[2]


@given(
    st.lists(st.lists(st.integers(3, 14), min_size=1, max_size=4), min_size=1, max_size=4),
    st.lists(
        st.sampled_from([" ", " ", " the ", "-", "-", ", ", "’s ", " and of "]), min_size=200, max_size=200
    ),
)
@settings(max_examples=50, deadline=None)
def test_copying_nothing_leaves_no_trigram_of_any_caption(lengths, joints):
    """Captions of different words, joined by spaces, hyphens, stop words and apostrophes."""
    fresh = (f"word{i}" for i in range(10_000))
    glue = iter(joints)
    captions = tuple(
        " ".join("".join(next(fresh) + next(glue, " ") for _ in range(n)).strip(" -,") + "." for n in caption)
        for caption in lengths
    )
    text = write(Request(PROMPT, captions=captions, max_words=10_000), 0)
    assert novelty(text, captions) == 1
    names = set(re.findall(r"word\d+", " ".join(captions)))
    assert set(re.findall(r"word\d+", text.lower())) == names, "the words themselves are all taken over"


@given(st.integers(1, 40), SHARES)
def test_the_share_of_copied_sentences_is_the_one_asked_for(n, copying):
    sentences = [f"First{i} second{i} third{i} fourth{i}." for i in range(n)]
    captions = tuple(" ".join(sentences[i : i + 3]) for i in range(0, n, 3))
    text = write(Request(PROMPT, captions=captions, max_words=10_000), copying)
    assert abs(sum(sentence in text for sentence in sentences) - copying * n) <= 0.5 + 1e-9


def test_novelty_falls_with_copying_over_a_benchs_captions(personas):
    def mean_novelty(copying: float) -> float:
        requests = [Request(PROMPT, captions=tuple(persona.captions)) for persona in personas]
        texts = [answer.text for answer in Composer(copying).complete(requests)]
        return float(np.mean([novelty(t, p.captions) for t, p in zip(texts, personas, strict=True)]))

    means = [mean_novelty(copying) for copying in (0, 0.25, 0.5, 0.75, 1)]
    assert means[0] > 0.995, "captions repeat phrases, so that a pair and its neighbour may meet by chance"
    assert all(before > after + 0.02 for before, after in itertools.pairwise(means))


def test_sentences_nearest_to_the_prompt_come_first():
    prompt = "A copper lantern on a footbridge"
    first = write(Request(prompt, captions=CAPTIONS), 1).removeprefix(prompt + " ")
    assert first.startswith("Morning fog drifts over the wooden footbridge") or first.startswith(
        "Who left a copper"
    )
    assert "copper lantern" in write(Request(prompt, captions=CAPTIONS, max_words=24), 1).removeprefix(prompt)


def test_a_sentence_of_nothing_but_small_words_leaves_no_trace():
    assert write(Request(PROMPT, captions=("It is my own. ... And this?",)), 0) == PROMPT


def test_sentences_are_cut_at_their_ends():
    text = " Fog lifts!  Who rows? At 3.30 the bell rings. It is cold"
    assert split_sentences(text) == ["Fog lifts!", "Who rows?", "At 3.30 the bell rings.", "It is cold"]


# ---- elements, demographics


def test_elements_by_hand():
    elements = {
        "lighting": ["low sun"],
        "objects": [],
        "foreground": ["red boat", "rope", "net"],
        "mood": ["calm"],
    }
    text = write(Request("A quay.", elements=elements))
    assert text == "A quay. It is lit by low sun. In front, red boat and rope. There is calm."
    assert write(Request("A quay.", elements=elements, max_words=9)) == "A quay. It is lit by low sun."


def test_no_kind_of_material_crowds_out_another():
    """One of each kind in turn: summary, elements, captions; of the summary only its opening."""
    elements = {"objects": ["an oar"], "materials": ["tarred rope"]}
    shown = Request(
        "A quay.", summary="Ana rows. She sings.", captions=("Fog lifts. Gulls cry.",), elements=elements
    )
    text = "A quay. Ana rows. Close by, an oar. Fog lifts. The surfaces are tarred rope. Gulls cry."
    assert write(shown, 1) == text


def test_persona_only_tells_of_the_person_and_nothing_of_the_posts(personas):
    one, other = personas[:2]
    text = write(compose.request("Persona Only", PROMPT, one, None))
    assert one.demographics.city in text and one.demographics.occupation in text
    with_other_posts = one.model_copy(update={"posts": other.posts, "elements": other.elements})
    assert with_other_posts.captions != one.captions
    assert write(compose.request("Persona Only", PROMPT, with_other_posts, None)) == text
    with_other_life = one.model_copy(update={"demographics": other.demographics})
    assert write(compose.request("Persona Only", PROMPT, with_other_life, None)) != text


def test_persona_only_has_grammar(personas):
    """No field is left empty or shown as a list."""
    for persona in personas:
        text = write(compose.request("Persona Only", PROMPT, persona, None, max_words=500))
        assert not set("[]{}'\"") & set(text.replace("'s", "")) and "  " not in text and " ," not in text
