"""What each method shows, concatenation, and the mismatched control."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.vptt import bench, compose
from personalab.vptt.bench import seeds


@pytest.fixture(scope="module")
def persona():
    (seed,) = seeds.parse_lines([b'{"persona": "A potter from Kyoto who loves hiking"}']).kept
    return bench.make_persona(seed, 0)


@pytest.fixture(scope="module")
def retrieval(persona):
    rising = np.linspace(0, 1, len(persona.posts))
    return SimpleNamespace(similarities=rising, elements={"objects": ["a brass lamp"], "lighting": []})


def test_each_method_sees_what_the_paper_says_and_nothing_else(persona, retrieval):
    shown = {m: compose.request(m, "a photo", persona, retrieval) for m in compose.METHODS}
    assert shown["Baseline"] is None
    sees = {
        method: (bool(r.demographics), bool(r.summary), len(r.captions), sum(map(len, r.elements.values())))
        for method, r in shown.items()
        if r
    }
    assert sees == {
        "Persona Only": (True, False, 0, 0),
        "BRAG": (False, False, 30, 0),
        "VPRAG": (False, True, 0, 1),
        "Comb.": (False, True, 30, 1),
    }


def test_persona_only_never_sees_captions_elements_or_preferences(persona, retrieval):
    request = compose.request("Persona Only", "a photo", persona, retrieval)
    text = repr(request)
    assert persona.demographics.city in text
    hidden = [*persona.captions, *persona.preferences, *(e for v in persona.elements.values() for e in v)]
    assert not [part for part in hidden if part in text]


def test_all_four_get_the_same_prompt_and_limit(persona, retrieval):
    requests = [compose.request(m, "a photo", persona, retrieval, max_words=90) for m in compose.METHODS[1:]]
    assert {(r.prompt, r.max_words) for r in requests} == {("a photo", 90)}


def test_top_captions_are_the_most_similar_first(persona, retrieval):
    request = compose.request("BRAG", "a photo", persona, retrieval, top_captions=3)
    assert list(request.captions) == persona.captions[:-4:-1]


def test_unknown_method_is_named(persona, retrieval):
    with pytest.raises(ValueError, match="'RAG' is unknown; expected one of"):
        compose.request("RAG", "a photo", persona, retrieval)


def test_concatenation_appends_exactly_the_phrases():
    text = compose.concatenate("A garden.", ["a red bench", "wet stone", "evening light"])
    assert text == "A garden, a red bench, wet stone, evening light"
    with pytest.raises(ValueError, match="at most 5"):
        compose.concatenate("A garden", ["one two three", "four"], max_words=5)


@given(st.integers(2, 200), st.integers(0, 2**32 - 1))
def test_mismatch_is_a_single_cycle(n, seed):
    other = compose.mismatch(n, np.random.default_rng(seed))
    assert sorted(other) == list(range(n))
    seen, at = set(), 0
    while at not in seen:
        seen.add(at)
        at = int(other[at])
    assert len(seen) == n


def test_mismatch_needs_two():
    with pytest.raises(ValueError, match="at least 2"):
        compose.mismatch(1, np.random.default_rng(0))
