"""The bridge between text and attributes: parsing, reading as spelt, grounding by MiniLM, coverage, grades."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalab.backends import embed
from personalab.vptt.bench.gazetteer import regions
from personalab.world.words import Grounder, attributes, coverage, grade, parse, spelt, wordings


@pytest.fixture(scope="module")
def minilm():
    """The real MiniLM, which embeds every text once."""
    model, known = embed.load("minilm"), {}

    def encode(texts):
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(missing, model(missing), strict=True))
        return np.stack([known[text] for text in texts]) if len(texts) else np.empty((0, 384), np.float32)

    return encode


@pytest.fixture(scope="module")
def annotated() -> list[tuple[str, dict[str, str]]]:
    """Every phrase of the region files, taken apart."""
    phrases = []
    for region in regions().values():
        phrases += [phrase for city in region["cities"] for phrase in city["landmarks"]]
        phrases += [phrase for group in region["elements"].values() for phrase in group]
    return [parse(phrase) for phrase in phrases]


# --- the vocabulary itself


def test_values_and_wordings_are_plain_distinct_strings():
    for attribute, values in wordings().items():
        words = [word for group in values.values() for word in group]
        assert all(isinstance(word, str) and word for word in [*values, *words]), attribute
        assert all(len(group) == len(set(group)) for group in values.values()), attribute
        assert not [word for word, n in Counter(words).items() if n > 1], attribute


def test_attributes_keep_the_files_order():
    assert list(attributes()) == list(wordings())
    assert attributes()["time"] == ("dawn", "day", "golden hour", "night", "neon")


def test_the_plain_wording_of_every_value_is_read_as_that_value():
    """ "cobbles" and other words may stand under two attributes, never so the first wording of a value."""
    for attribute, values in wordings().items():
        for value, words in values.items():
            assert spelt(words[0]).get(attribute) == value, words[0]


# --- parse


def test_parse_by_hand():
    assert parse("a red boat on the quay | object=boat, colour = red,setting=harbour") == (
        "a red boat on the quay",
        {"object": "boat", "colour": "red", "setting": "harbour"},
    )
    assert parse("  plain text  ") == ("plain text", {})
    assert parse("text |") == ("text", {})


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        ("a boat | object=ship", "object=ship.*expected one of.*'boat'"),
        ("a boat | thing=boat", "thing=boat.*expected one of.*'setting'"),
        ("a boat | object", "'object' is unknown"),
        ("a boat | object=boat, object=car", "names object twice"),
    ],
)
def test_parse_refuses(phrase, message):
    with pytest.raises(ValueError, match=message):
        parse(phrase)


@given(st.dictionaries(st.sampled_from(sorted(attributes())), st.integers(0, 99)))
def test_parse_undoes_writing(picks):
    implied = {a: attributes()[a][i % len(attributes()[a])] for a, i in picks.items()}
    tail = ", ".join(f"{a}={v}" for a, v in implied.items())
    assert parse(f"some text | {tail}") == ("some text", implied)


# --- spelt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red brick wall", {"material": "brick"}),
        ("a red bicycle against brick", {"material": "brick", "object": "bicycle", "colour": "red"}),
        ("two ferries in sea fog", {"weather": "fog", "object": "boat"}),
        ("BRUSHES on a workbench", {"setting": "workshop", "object": "tools"}),
        ("window panes", {}),
        ("under neon in the rain", {"time": "neon", "weather": "rain"}),
        ("a market by the river", {"setting": "market"}),
        ("after dark", {"time": "night"}),
        ("dark pillars", {}),
        ("a flat stone", {"material": "stone"}),
        ("scarred redwood and blueprints", {}),
        ("a greyscale poster of a kitten", {"palette": "monochrome", "object": "cat", "style": "flat"}),
        ("a black-and-white photograph", {"palette": "monochrome", "style": "photo"}),
        ("", {}),
    ],
)
def test_spelt_by_hand(text, expected):
    assert spelt(text) == expected


@given(st.text(max_size=200))
def test_spelt_gives_only_legal_values_for_any_text(text):
    for attribute, value in spelt(text).items():
        assert value in attributes()[attribute]


def test_spelt_reads_the_grammars_phrases_with_precision_of_four_fifths(annotated):
    """A floor against regressions, no estimate: the wordings were mended on these same phrases."""
    row = grade("spelt", [values for _, values in annotated], [spelt(text) for text, _ in annotated])
    assert row["precision"] >= 0.8 and row["recall"] >= 0.55


# --- Grounder


def test_grounding_finds_what_no_wording_spells(minilm):
    ground = Grounder(minilm)
    text = "an old motorcar, a wide shoreline, a snowy-haired crowd of puppies"
    assert spelt(text) == {"weather": "snow"} | {"object": "dog"}
    [read] = ground(["an old motorcar, the edge of the ocean"])
    assert spelt("an old motorcar, the edge of the ocean") == {}
    assert read["object"] == "car" and read["setting"] == "beach"


def test_what_is_spelt_is_never_overruled(minilm, annotated):
    texts = [text for text, _ in annotated[:60]]
    for text, read in zip(texts, Grounder(minilm)(texts), strict=True):
        assert spelt(text).items() <= read.items()


def test_a_lower_threshold_reads_at_least_as_much(minilm, annotated):
    texts = [text for text, _ in annotated[:60]]
    sizes = [sum(map(len, Grounder(minilm, t)(texts))) for t in (0.4, 0.5, 0.6, 1.01)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[-1]
    assert sizes[-1] == sum(len(spelt(text)) for text in texts)


def test_texts_without_clauses(minilm):
    ground = Grounder(minilm)
    assert ground(["", "   ", "...", "red"]) == [{}, {}, {}, {"colour": "red"}]
    assert ground([]) == []


def test_order_and_company_of_texts_do_not_matter(minilm, annotated):
    texts = [text for text, _ in annotated[:40]]
    ground = Grounder(minilm)
    assert ground(texts[::-1]) == ground(texts)[::-1]
    assert [ground([text])[0] for text in texts[:5]] == ground(texts)[:5]


def test_the_nearest_wording_of_an_attribute_wins():
    """With rows made by hand: the clause lies nearer to the second value's wording."""
    words = [(a, v, w) for a, values in wordings().items() for v, group in values.items() for w in group]
    index = {word: i for i, (_, _, word) in reversed(list(enumerate(words)))}

    def encode(texts):
        rows = np.zeros((len(texts), len(words)))
        for row, text in zip(rows, texts, strict=True):
            if text == "nothing known":
                row[index["a boat"]], row[index["a car"]] = 0.6, 0.8
            else:
                row[index[text]] = 1
        return rows

    assert Grounder(encode, 0.55)(["nothing known"]) == [{"object": "car"}]
    assert Grounder(encode, 0.85)(["nothing known"]) == [{}]


def test_the_default_threshold_keeps_precision(minilm, annotated):
    """On every tenth annotated phrase, the default grounder is as precise as promised and reads more than spelt."""
    texts, truth = zip(*annotated[::10], strict=True)
    row = grade("grounded", truth, Grounder(minilm)(texts))
    plain = grade("spelt", truth, [spelt(text) for text in texts])
    assert row["precision"] >= 0.8
    assert row["recall"] > plain["recall"] and row["coverage"] >= plain["coverage"]


# --- coverage and grade


def test_coverage_by_hand():
    implied = [{}, {"a": "x"}, {"a": "x", "b": "y"}, {"a": "x", "b": "y", "c": "z"}]
    assert coverage(implied) == 0.5
    assert coverage(implied, 1) == 0.75 and coverage(implied, 3) == 0.25
    assert math.isnan(coverage([]))


def test_grade_by_hand():
    """Four stated, three taken, two right: one wrong value, one value missed, one too many on the third text."""
    truth = [{"object": "boat", "colour": "red"}, {"setting": "city", "time": "day"}, {}]
    read = [{"object": "boat", "colour": "red"}, {"setting": "beach"}, {}]
    assert grade("x", truth, read) == {
        "reader": "x",
        "texts": 3,
        "precision": 2 / 3,
        "recall": 0.5,
        "coverage": pytest.approx(1 / 3),
    }
    empty = grade("x", [{}], [{}])
    assert math.isnan(empty["precision"]) and math.isnan(empty["recall"]) and empty["coverage"] == 0
    with pytest.raises(ValueError, match="zip"):
        grade("x", [{}], [])
