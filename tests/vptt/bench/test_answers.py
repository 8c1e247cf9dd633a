"""Answers of a model against their forms: what is accepted, what is refused, and what the refusal says."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import _person

from personalab.vptt.bench.answers import (
    Described,
    Facet,
    Origin,
    Person,
    Preferences,
    Scenarios,
    Unusable,
    read,
)
from personalab.vptt.bench.demographics import ethnicities
from personalab.vptt.bench.gazetteer import country_of

ORIGIN = {
    "country": "Japan", "city": "Nara", "place_basis": "guess", "place_words": "", "ethnicity": "East Asian",
    "gender": "unknown", "gender_words": "",
}  # fmt: skip
WHERE = {"ethnicities": ethnicities(), "country": country_of}
CATEGORIES = {"categories": ("objects", "mood"), "taken": {"an old red boat"}}


def entries(n, share=1.0, **change):
    made = [{"category": "mood", "text": f"entry number {i}", "regional": i < share * n} for i in range(n)]
    return json.dumps({"entries": [made[0] | change, *made[1:]]})


def test_a_right_answer_is_read_as_it_stands():
    origin = read(json.dumps(ORIGIN), Origin, WHERE)
    assert origin.model_dump() == ORIGIN


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```", " ```json {} ``` \n"])
def test_a_fence_around_the_whole_is_taken_off(fence):
    assert read(fence.replace("{}", json.dumps(ORIGIN)), Origin, WHERE).country == "Japan"


REFUSED = {
    "prose before": "Sure! " + json.dumps(ORIGIN),
    "prose after": json.dumps(ORIGIN) + " Hope that helps.",
    "two objects": json.dumps(ORIGIN) * 2,
    "a list": json.dumps([ORIGIN]),
    "cut off": json.dumps(ORIGIN)[:-5],
    "single quotes": str(ORIGIN),
    "HTML": "<html><body>502</body></html>",
    "nothing": "",
    "deep nesting": "[" * 5000,
    "a key more": json.dumps(ORIGIN | {"note": "x"}),
    "a key less": json.dumps({k: v for k, v in ORIGIN.items() if k != "city"}),
    "another type": json.dumps(ORIGIN | {"city": 3}),
    "unknown country": json.dumps(ORIGIN | {"country": "Atlantis"}),
    "unknown group": json.dumps(ORIGIN | {"ethnicity": "Martian"}),
    "unknown gender": json.dumps(ORIGIN | {"gender": "female"}),
    "line break": json.dumps(ORIGIN | {"city": "Na\nra"}),
    "markup": json.dumps(ORIGIN | {"city": "<b>Nara</b>"}),
    "template code": json.dumps(ORIGIN | {"city": "{{ 7 * 7 }}"}),
    "half a surrogate": json.dumps(ORIGIN).replace("Nara", "\\ud800"),
    "not a number": json.dumps(ORIGIN).replace('"Nara"', "NaN"),
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused_in_one_line(text):
    with pytest.raises(Unusable, match="expected") as caught:
        read(text, Origin, WHERE)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_no_text_does_worse_than_being_refused(text):
    with pytest.raises(Unusable):
        read(text, Preferences, {})


@pytest.mark.parametrize(
    "said, meant",
    [("the Netherlands", "Netherlands"), ("USA", "United States"), ("Georgia", "Georgia"), ("Macao", "Macau"),
     ("England", "United Kingdom"), ("Japan", "Japan")],
)  # fmt: skip
def test_countries_are_known_by_their_usual_names(said, meant):
    assert read(json.dumps(ORIGIN | {"country": said}), Origin, WHERE).country == meant


@pytest.mark.parametrize(
    "change", [{"age": 17}, {"age": "30"}, {"interests": ["chess"]}, {"traits": []}, {"name": " "}]
)
def test_a_person_outside_the_bounds_is_refused(change):
    right = _person("anybody")
    assert read(json.dumps(right), Person, {}).age == right["age"]
    with pytest.raises(Unusable, match=f"field {next(iter(change))}"):
        read(json.dumps(right | change), Person, {})


def test_interests_are_counted_without_repeats_and_at_most_eight_stay():
    right = _person("anybody")
    repeated = ["Chess", "chess", "maps", "tea", "kites", "CHESS"]
    with pytest.raises(Unusable, match="not 4"):
        read(json.dumps(right | {"interests": repeated}), Person, {})
    many = [f"interest {i}" for i in range(12)]
    assert read(json.dumps(right | {"interests": many}), Person, {}).interests == many[:8]


@pytest.mark.parametrize("n, kept", [(15, 15), (20, 20), (33, 20)])
def test_a_facet_has_fifteen_to_twenty_entries(n, kept):
    assert len(read(entries(n), Facet, CATEGORIES).entries) == kept


@pytest.mark.parametrize(
    "text, complaint",
    [
        (entries(14), "not 14"),
        (entries(20, share=0.65), "not 13 of 20"),
        (entries(15, category="lighting"), "one of objects, mood"),
        (entries(15, text="boat"), "2 to 12 words"),
        (entries(15, text="An old RED boat"), "not 14"),
        (entries(15, text="entry number 7"), "not 14"),
        (entries(15, regional="yes"), "entries.0.regional"),
    ],
)
def test_a_facet_that_is_short_alien_or_repeated_is_refused(text, complaint):
    with pytest.raises(Unusable, match=complaint):
        read(text, Facet, CATEGORIES)


def test_seven_in_ten_regional_entries_are_enough():
    assert len(read(entries(20, share=0.7), Facet, CATEGORIES).entries) == 20


@pytest.mark.parametrize(
    "lines, complaint",
    [
        (["one line"], "2 scenarios, not 1"),
        (["one line", "One line"], "differ"),
        (["told before", "a new one"], "differ"),
    ],
)
def test_scenarios_are_as_many_as_asked_and_new(lines, complaint):
    context = {"n": 2, "earlier": ["Told before"]}
    assert read('{"scenarios": ["one line", "a new one"]}', Scenarios, context)
    with pytest.raises(Unusable, match=complaint):
        read(json.dumps({"scenarios": lines}), Scenarios, context)


CAPTION = {
    "caption": "A red boat lies at the quay.",
    "foreground": ["a red boat"],
    "background": [],
    "atmospheric": [],
}
OFFERED = {"words": (5, 9), "entries": {"a red boat": "A red boat", "the quay": "the quay"}}


def test_shown_entries_come_in_the_spelling_of_the_vocabulary_once_and_only_if_offered():
    named = CAPTION | {"foreground": ["a RED boat ", "a whale"], "atmospheric": ["A red boat", "The Quay"]}
    answer = read(json.dumps(named), Described, OFFERED)
    assert answer.shown(OFFERED["entries"]) == ["A red boat", "the quay"]


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"caption": "A red boat."}, "5 to 9 words, not 3"),
        ({"caption": "one " * 10}, "5 to 9 words, not 10"),
        ({"foreground": ["a whale"]}, "at least one of the entries"),
        ({"foreground": "a red boat"}, "foreground"),
    ],
)
def test_captions_of_the_wrong_length_or_without_entries_are_refused(change, complaint):
    with pytest.raises(Unusable, match=complaint):
        read(json.dumps(CAPTION | change), Described, OFFERED)


def test_line_breaks_in_a_caption_become_spaces():
    broken = CAPTION | {"caption": "A red boat\n\nlies at  the quay."}
    assert read(json.dumps(broken), Described, OFFERED).caption == CAPTION["caption"]
