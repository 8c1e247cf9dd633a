"""Captions: word range, verbatim elements, determinism, template shares, and templates that always fill."""

import itertools
import re
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalab.records import CATEGORIES, OPTIONAL_CATEGORIES
from personalab.vptt.bench.grammar import load
from personalab.vptt.bench.grammar.captions import (
    BODY,
    SENTENCE,
    SLOTS,
    Material,
    caption,
    scenario,
    template_shares,
)
from personalab.vptt.bench.grammar.templates import fill, parse, templates
from personalab.world.words import parse as parse_phrase

KINDS = ("activity", "appreciation", "shared", "selfie")
#: fewest templates per family, over all its scopes
FEWEST = {
    "light": 40,
    "place": 40,
    "detail": 44,
    "dress": 26,
    "colour_mood": 40,
    "habit": 40,
    "frame": 40,
    "coda": 30,
}
FEWEST_SCENES = {"activity": 32, "appreciation": 28, "shared": 28, "selfie": 24}
CONTEXT = {
    "city": "Porto",
    "neighbourhood": "Bonfim",
    "country": "Portugal",
    "occupation": "archivist",
    "interest": "birdwatching",
    "preference": "prefers warm window light to flash",
    "camera": "a borrowed digital camera",
    "season": "harvest time",
    "companion": "two old classmates",
    "person": "Inês",
}
OFFERED = [
    category for category in (*CATEGORIES, *OPTIONAL_CATEGORIES) if category not in ("pose", "expression")
]


def material(kind: str = "activity", size: int = 2, tag: str = "") -> Material:
    """Made-up elements of four words each, all different."""
    elements = {c: [f"a{tag} {c.replace(' ', '-')} element {i}" for i in range(size)] for c in OFFERED}
    return Material(kind, elements, CONTEXT)


@st.composite
def materials(draw) -> Material:
    """Any subset of categories with one to three elements of three to eleven words."""
    word = st.text("abcdefghij", min_size=1, max_size=6)
    element = st.lists(word, min_size=3, max_size=11).map(" ".join)
    categories = draw(st.sets(st.sampled_from(OFFERED)))
    elements = {c: draw(st.lists(element, min_size=1, max_size=3)) for c in sorted(categories)}
    return Material(draw(st.sampled_from(KINDS)), elements, CONTEXT)


@settings(deadline=None, max_examples=150)
@given(materials(), st.sampled_from([(60, 90), (150, 250), (60, 86)]), st.integers(0, 2**32 - 1))
def test_length_is_in_range_and_elements_are_verbatim_and_said_once(offer, words, seed):
    text, elements, ids = caption(offer, np.random.default_rng(seed), Counter(), words)
    assert words[0] <= len(text.split()) <= words[1]
    said = [element for entries in elements.values() for element in entries]
    assert all(element in text for element in said)
    assert len(said) == len(set(said)) and len(ids) == len(set(ids))
    assert all(element in offer.elements[category] for category, es in elements.items() for element in es)
    assert "{" not in text and "[" not in text and "|" not in text and text.endswith(".")


def test_elements_not_reported_are_not_in_the_text():
    for seed in range(60):
        offer = material(KINDS[seed % 4], size=3)
        text, elements, _ = caption(offer, np.random.default_rng(seed), Counter())
        said = {element for entries in elements.values() for element in entries}
        assert {e for entries in offer.elements.values() for e in entries if e in text} == said


def test_the_same_generator_state_gives_the_same_bytes():
    def run(seed: int) -> list[str]:
        rng, used = np.random.default_rng(seed), Counter()
        return [caption(material(kind), rng, used).text for kind in KINDS * 3]

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_a_caption_opens_on_its_scene_and_tells_of_frame_and_person():
    for seed in range(40):
        kind = KINDS[seed % 4]
        _, _, ids = caption(material(kind), np.random.default_rng(seed), Counter(), (150, 250))
        families = [name.split(".")[0] for name in ids]
        assert ids[0].startswith(f"scene.{kind}.") and families.count("scene") == 1
        assert {"frame", "habit"} <= set(families[:4]) and set(families) & set(BODY)
        assert ("dress" in families) <= (kind in ("activity", "selfie"))


def test_no_template_fills_more_than_5_percent_of_600_captions():
    written = []
    for persona in range(20):
        rng, used = np.random.default_rng([3, persona]), Counter()
        for post in range(30):
            kind = KINDS[[0, 0, 1, 2, 3, 1, 2][post % 7]]
            written.append(caption(material(kind, 1, f"{persona}-{post}"), rng, used))
    shares = template_shares(c.templates for c in written)
    assert shares.iloc[0] == shares.max() <= 0.05
    assert shares.sum() * len(written) == pytest.approx(sum(len(c.templates) for c in written))


def test_a_persona_repeats_no_template_while_others_are_left():
    rng, used = np.random.default_rng(0), Counter()
    for kind in KINDS * 5:
        caption(material(kind, 3), rng, used)
    assert max(used.values()) == 1


def test_template_shares_by_hand():
    shares = template_shares([["a", "b"], ["a", "a"], ["c"]])
    assert shares.round(6).to_dict() == {"a": 0.666667, "b": 0.333333, "c": 0.333333}
    assert template_shares([]).empty


@pytest.mark.parametrize("family", [*FEWEST, "scene", "scenario"])
def test_every_template_fills_to_a_sentence(family):
    """Every slot is known; with short and with long fillers some choice of alternatives has 8 to 26 words."""
    known = set(SLOTS) | set(CONTEXT)
    for kind in KINDS:
        for template in templates(family, kind):
            assert template.needs <= known, template
            assert len(template.needs & SLOTS.keys()) <= 2, template
            least, most = (
                sum(count(part) if isinstance(part, tuple) else filler for part in template.parts)
                for count, filler in ((_least, 3), (_most, 6))
            )
            assert least <= SENTENCE[1] and most >= SENTENCE[0], template


def _least(part: tuple[str, ...]) -> int:
    return min(len(text.split()) for text in part)


def _most(part: tuple[str, ...]) -> int:
    return max(len(text.split()) for text in part)


def test_templates_obey_the_rules_of_their_file():
    families = load("captions")
    lines = [
        (family, line) for family, scopes in families.items() for scope in scopes.values() for line in scope
    ]
    assert len({line for _, line in lines}) == len(lines), "one line stands twice"
    for family, line in lines:
        slots = re.findall(r"\{(\w+)\}", line)
        assert len(slots) == len(set(slots)), line
        assert not re.search(r"\[[^\]]*[{\[]|\{[^}]*[\[|]", line), f"a slot inside alternatives: {line}"
        assert not re.search(r"\b(he|she|his|her|hers|him|stunning|testament|essence)\b", line), line
        if family != "scenario":
            first = re.match(r"\{(\w+)\}", line)
            assert line.endswith(".") and not (first and first[1] in SLOTS), line


def test_families_are_large_enough():
    families = load("captions")
    sizes = {family: sum(map(len, scopes.values())) for family, scopes in families.items()}
    assert all(sizes[family] >= fewest for family, fewest in FEWEST.items()), sizes
    scenes = {kind: len(lines) for kind, lines in families["scene"].items()}
    assert all(scenes[kind] >= fewest for kind, fewest in FEWEST_SCENES.items()), scenes


@pytest.mark.parametrize("kind", KINDS)
def test_scenarios_are_short_and_many(kind):
    lines = [scenario(material(kind, 3), np.random.default_rng(seed)) for seed in range(200)]
    assert all(8 <= len(line.split()) <= 16 for line in lines)
    assert len(set(lines)) >= 20 and lines[0] == scenario(material(kind, 3), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("archivist", "An archivist"),
        ("nurse", "A nurse"),
        ("university clerk", "A university clerk"),
        ("uninvited guest", "An uninvited guest"),
        ("hourly worker", "An hourly worker"),
        ("MRI technician", "An MRI technician"),
        ("UX designer", "A UX designer"),
        ("urban planner", "An urban planner"),
    ],
)
def test_articles_follow_the_sound(value, expected):
    template = parse("t", "A {occupation} looks up.")
    sentence, values = fill(template, {"occupation": [value]}, np.random.default_rng(0))
    assert sentence == f"{expected} looks up." and values == {"occupation": value}


def test_bad_input_says_what_was_expected():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 26 words wide"):
        caption(material(), rng, Counter(), (60, 70))
    with pytest.raises(ValueError, match="kind 'party'"):
        caption(material("party"), rng, Counter())
    with pytest.raises(ValueError, match="Give it more"):
        caption(Material("shared", {}, {}), rng, Counter(), (2000, 2100))
    with pytest.raises(ValueError, match="no scenario"):
        scenario(Material("selfie", {}, {}), rng)


def test_phrases_come_apart():
    assert parse_phrase("a red boat | object=boat, colour=red") == (
        "a red boat",
        {"object": "boat", "colour": "red"},
    )
    assert parse_phrase("the hour after rain") == ("the hour after rain", {})
    for bad in ("", " | a=b", "a boat | object", "a boat | =boat"):
        with pytest.raises(ValueError, match="expected"):
            parse_phrase(bad)
    with pytest.raises(FileNotFoundError, match="captions"):
        load("no such file")


def test_character_lists_are_long_and_distinct():
    fewest = {
        "traits": 60,
        "values": 30,
        "tone": 24,
        "lifestyle": 30,
        "daily_rhythm": 24,
        "posting_habit": 24,
        "camera": 20,
        "pets": 20,
        "travel": 24,
        "home": 24,
        "companions": 20,
        "seasons": 12,
    }
    lists = load("character")
    assert "no pets" in lists["pets"]
    for name, size in fewest.items():
        assert len(set(lists[name])) == len(lists[name]) >= size, name
        assert all(isinstance(entry, str) and entry == entry.strip() for entry in lists[name]), name
    assert len({entry for entries in lists["household"].values() for entry in entries}) >= 16
    for banded in ("household", "career_stage"):
        ages = [tuple(map(int, band.split("-"))) for band in lists[banded]]
        assert ages[0][0] == 18 and ages[-1][1] >= 100
        assert all(low == high + 1 for (_, high), (low, _) in itertools.pairwise(ages))


def test_500_captions_take_less_than_a_second_or_so():
    """The floor is 500 a second; the bound leaves room for a busy machine."""
    start = time.process_time()
    rng, used = np.random.default_rng(0), Counter()
    for i in range(500):
        caption(material(KINDS[i % 4]), rng, used)
    assert time.process_time() - start < 3
