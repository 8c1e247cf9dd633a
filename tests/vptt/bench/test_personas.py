"""VPTT-Bench by grammar: sizes, shares, coherence and reproducibility of whole personas (VPTT 9.3-9.5)."""

import itertools
import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalab.records import Persona, read_jsonl, to_jsonl
from personalab.vptt.bench import grammar
from personalab.vptt.bench import personas as bench
from personalab.vptt.bench.demographics import complete
from personalab.vptt.bench.gazetteer import Place, region_of, regions
from personalab.vptt.bench.seeds import Seed, parse_lines, seed_index
from personalab.vptt.bench.vocabulary import FACETS, choose_elements, draw_preferences, draw_vocabulary
from personalab.world.words import attributes, parse

SEEDS = parse_lines(bench.own_seeds(200)).kept
COUNTRIES = sorted({country for region in regions().values() for country in region["countries"]})
KINDS = {"activity": 0.35, "appreciation": 0.25, "shared": 0.25, "selfie": 0.15}  # VPTT 9.4


@pytest.fixture(scope="module")
def personas() -> list[Persona]:
    return list(bench.generate(SEEDS, 24, seed=1))


@pytest.fixture(scope="module")
def long_personas() -> list[Persona]:
    return list(bench.generate(SEEDS, 5, seed=1, words=(150, 250)))


@cache
def vocabulary_of(country: str, number: int = 0):
    """(demographics, region, vocabulary) of somebody about whom only the country is known."""
    rng = np.random.default_rng([5, number, COUNTRIES.index(country)])
    seed = Seed(1, "Someone", None, None, Place(country), "unknown", None, ())
    d, region, family, _ = complete(seed, rng)
    return d, region, draw_vocabulary(d, region, family, rng)


# --- vocabulary


@pytest.mark.parametrize("key", regions())
def test_facets_hold_15_to_20_entries_and_seven_tenths_are_regional(key):
    for country, number in itertools.product(regions()[key]["countries"], range(2)):
        d, region, vocabulary = vocabulary_of(country, number)
        landmarks = [phrase for city in regions()[region]["cities"] for phrase in city["landmarks"]]
        local = {parse(p)[0] for group in [*regions()[region]["elements"].values(), landmarks] for p in group}
        for categories in FACETS.values():
            entries = [entry for k in categories for entry in vocabulary.elements.get(k, ())]
            assert 15 <= len(entries) <= 20 and len(set(entries)) == len(entries)
            assert sum(entry in local for entry in entries) >= 0.7 * len(entries)
        everything = [entry for group in vocabulary.elements.values() for entry in group]
        assert vocabulary.regional == pytest.approx(sum(e in local for e in everything) / len(everything))
        assert set(everything) == set(vocabulary.implies)
        assert d.country == country


@pytest.mark.parametrize("key", regions())
def test_no_entry_names_another_country_of_the_region(key):
    """By the words of proper_nouns.yaml, read anew here; what a landmark of the own country is called is its own."""
    nouns = grammar.load("proper_nouns")
    for country, number in itertools.product(regions()[key]["countries"], range(2)):
        _, region, vocabulary = vocabulary_of(country, number)
        entry = regions()[region]
        inside = {
            parse(p)[0] for city in entry["cities"] if city["country"] == country for p in city["landmarks"]
        }
        entries = {p for group in vocabulary.elements.values() for p in group} - inside
        entries = {p for p in entries if not any(word in p for word in nouns.get(country, ()))}
        for other in set(entry["countries"]) - {country}:
            for noun in set(nouns.get(other, ())) - set(nouns.get(country, ())):
                for phrase in entries:
                    named = noun in phrase and re.search(rf"\b{re.escape(noun)}", phrase)
                    assert not named, f"{phrase!r} names {other}"


def test_landmarks_are_of_the_own_city_where_it_has_some():
    for region in regions().values():
        for city in region["cities"]:
            place = Place(city["country"], city["city"])
            chosen: set[str] = set()
            for i in range(4):
                rng = np.random.default_rng(i)
                d, key, family, _ = complete(Seed(1, "x", None, None, place, "unknown", None, ()), rng)
                chosen |= set(draw_vocabulary(d, key, family, rng).elements["background"])
            others = {
                parse(p)[0] for c in region["cities"] if c["city"] != city["city"] for p in c["landmarks"]
            }
            assert not chosen & others
            assert chosen & {parse(p)[0] for p in city["landmarks"]}


def test_vocabulary_ignores_gender_and_ethnicity():
    seed = SEEDS[0]
    d, region, family, _ = complete(seed, np.random.default_rng(0))
    drawn = [
        draw_vocabulary(d.model_copy(update=change), region, family, np.random.default_rng(1))
        for change in ({}, {"gender": "woman"}, {"gender": "man"}, {"ethnicity": "anything"}, {"name": "A B"})
    ]
    assert all(vocabulary == drawn[0] for vocabulary in drawn)


def test_entries_that_are_not_regional_come_from_work_and_interests(personas):
    for persona in personas[:10]:
        d = persona.demographics
        families = grammar.load("occupations").values()
        [family] = [entry for entry in families if d.occupation in entry["titles"]]
        interests = [e for e in grammar.load("interests").values() if e["name"] in d.interests]
        region = regions()[region_of(Place(d.country, d.city))]
        sources = [family["elements"], region["elements"], *(e["elements"] for e in interests)]
        sources += [{"background": city["landmarks"]} for city in region["cities"]]
        known = {(k, parse(p)[0]) for source in sources for k, group in source.items() for p in group}
        assert {(k, e) for k, group in persona.elements.items() for e in group} <= known


def test_preferences_are_15_to_20_and_lean_to_what_the_vocabulary_shows():
    _, _, vocabulary = vocabulary_of("Japan")
    values = {pair for implied in vocabulary.implies.values() for pair in implied.items()}
    agreeing, draws = [], 200
    for i in range(draws):
        preferences, implies = draw_preferences(vocabulary, np.random.default_rng(i))
        assert 15 <= len(preferences) <= 20 and len(set(preferences)) == len(preferences)
        assert set(implies) == set(preferences)
        agreeing.append(np.mean([bool(values & set(implied.items())) for implied in implies.values()]))
    every = [parse(p)[1] for group in grammar.load("preferences").values() for p in group]
    assert np.mean(agreeing) > np.mean([bool(values & set(implied.items())) for implied in every])


# --- posts


def test_elements_of_a_post_agree_in_time_and_weather(personas, long_personas):
    for persona in [*personas, *long_personas]:
        for post in persona.posts:
            implied = [persona.implies[e] for group in post.elements.values() for e in group]
            for attribute in ("time", "weather"):
                assert len({values[attribute] for values in implied if attribute in values}) <= 1, post


def test_settings_of_a_post_can_stand_in_one_picture(personas, long_personas):
    """No post mixes, say, a kitchen with a beach; pairs come from the groups that vocabulary.py lists."""
    from personalab.vptt.bench.vocabulary import _TOGETHER

    for persona in [*personas, *long_personas]:
        for post in persona.posts:
            found = [persona.implies[e].get("setting") for group in post.elements.values() for e in group]
            inside = {setting for setting in found if setting}
            assert all(
                len({a, b}) == 1 or any({a, b} <= g for g in _TOGETHER) for a in inside for b in inside
            )
            assert not {"kitchen", "beach"} <= inside and not {"desert", "living room"} <= inside


def test_every_element_stands_in_its_caption_and_the_persona_owns_exactly_those(personas, long_personas):
    for persona in [*personas, *long_personas]:
        shown: dict[str, set[str]] = {}
        for post in persona.posts:
            for category, entries in post.elements.items():
                assert all(entry in post.caption for entry in entries)
                shown.setdefault(category, set()).update(entries)
        assert {category: set(entries) for category, entries in persona.elements.items()} == shown
        assert all(len(set(entries)) == len(entries) for entries in persona.elements.values())


def test_posts_of_appreciation_show_nobody(personas):
    for persona in personas:
        for post in persona.posts:
            if post.kind == "appreciation":
                assert not {"actions", "appearance"} & set(post.elements)


def test_thirty_posts_by_largest_remainder(personas):
    """30 x (.35, .25, .25, .15) = 10.5, 7.5, 7.5, 4.5: the floors leave two posts for two of the four kinds."""
    seen: dict[str, set[int]] = {kind: set() for kind in KINDS}
    for persona in personas:
        counts = Counter(post.kind for post in persona.posts)
        assert sum(counts.values()) == 30
        for kind, share in KINDS.items():
            assert counts[kind] - 30 * share in (-0.5, 0.5)
            seen[kind].add(counts[kind])
    assert all(len(both) == 2 for both in seen.values()), "equal remainders are decided by lot"


@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_kinds_stay_within_one_of_their_share(n, seed):
    counts = Counter(bench.kinds(n, np.random.default_rng(seed)))
    assert sum(counts.values()) == n
    assert all(abs(counts[kind] - n * share) < 1 for kind, share in KINDS.items())


@pytest.mark.parametrize("n", [20, 40, 100])
def test_kinds_are_exact_where_shares_are_whole(n):
    expected = {kind: round(n * share) for kind, share in KINDS.items()}
    assert Counter(bench.kinds(n, np.random.default_rng(0))) == expected


def test_captions_keep_the_word_range(personas, long_personas):
    assert all(60 <= len(c.split()) <= 90 for persona in personas for c in persona.captions)
    assert all(150 <= len(c.split()) <= 250 for persona in long_personas for c in persona.captions)


def test_captions_of_a_persona_differ_and_use_its_vocabulary_widely(personas):
    most = []
    for persona in personas:
        assert len(set(persona.captions)) == 30
        shown = Counter(e for post in persona.posts for group in post.elements.values() for e in group)
        most.append(max(shown.values()))
        assert 35 <= sum(map(len, persona.elements.values())) <= 60
    assert np.mean(most) <= 10 and max(most) <= 20, "of 30 posts"


@given(
    st.integers(0, 10**6),
    st.sampled_from(["activity", "appreciation", "shared", "selfie"]),
    st.integers(1, 3),
)
@settings(deadline=None, max_examples=60)
def test_chosen_elements_are_few_fresh_and_agree(seed, kind, each):
    _, _, vocabulary = vocabulary_of(COUNTRIES[seed % len(COUNTRIES)])
    shown = Counter({e: seed % 7 for group in vocabulary.elements.values() for e in group[: seed % 5]})
    chosen = choose_elements(vocabulary, kind, shown, np.random.default_rng(seed), each)
    assert chosen and all(1 <= len(group) <= each for group in chosen.values())
    implied = [vocabulary.implies[e] for group in chosen.values() for e in group]
    for attribute in ("time", "weather"):
        assert len({values[attribute] for values in implied if attribute in values}) <= 1


# --- what a persona implies


def test_implied_attributes_are_legal_and_complete(personas):
    for persona in personas:
        texts = {e for group in persona.elements.values() for e in group}
        texts |= {*persona.preferences, *persona.demographics.interests}
        assert set(persona.implies) == texts
        for values in persona.implies.values():
            assert all(value in attributes()[attribute] for attribute, value in values.items())


def test_four_fifths_of_the_elements_can_be_drawn(personas):
    """VPTT elements with at least two attributes of the miniature world."""
    counts = [len(p.implies[e]) for p in personas for group in p.elements.values() for e in group]
    assert np.mean(np.array(counts) >= 2) >= 0.8


# --- the bench as a whole


def test_a_persona_does_not_depend_on_the_bench_around_it():
    large = list(bench.generate(SEEDS, 12, seed=3, posts=12))
    assert to_jsonl(bench.generate(SEEDS, 5, seed=3, posts=12)) == to_jsonl(large[:5])
    alone = bench.make_persona(SEEDS[seed_index(9, len(SEEDS))], 9, seed=3, posts=12)
    assert to_jsonl([alone]) == to_jsonl([large[9]])
    assert [persona.id for persona in large] == [f"p{i:05d}" for i in range(12)]


def test_same_seed_same_bytes_and_other_seed_other_bytes():
    def run(seed: int) -> bytes:
        return to_jsonl(bench.generate(SEEDS, 4, seed=seed, posts=10))

    assert run(0) == run(0) != run(1)


def test_a_persona_comes_from_the_seed_that_eq_2_names():
    for rule in ("sha256", "identity"):
        for i, persona in enumerate(bench.generate(SEEDS, 6, posts=10, rule=rule)):
            assert persona.seed == SEEDS[seed_index(i, len(SEEDS), rule)].text
    with pytest.raises(ValueError, match="'md5' is unknown"):
        next(bench.generate(SEEDS, 1, rule="md5"))


def test_personas_with_fewer_than_ten_posts_are_left_out(monkeypatch):
    whole = bench.write_posts

    def some_fail(d, vocabulary, preferences, n, *rest):
        return whole(d, vocabulary, preferences, n, *rest)[: 9 if len(d.name) % 2 else 10]

    monkeypatch.setattr(bench, "write_posts", some_fail)
    made = [bench.make_persona(SEEDS[seed_index(i, len(SEEDS))], i, posts=12) for i in range(12)]
    kept = list(bench.generate(SEEDS, 12, posts=12))
    assert [p.id for p in kept] == [p.id for p in made if len(p.posts) == 10]
    assert 0 < len(kept) < 12


def test_a_bench_of_short_galleries_keeps_them():
    assert [len(persona.posts) for persona in bench.generate(SEEDS, 3, posts=4)] == [4, 4, 4]


def test_no_seeds_is_an_error():
    with pytest.raises(ValueError, match="got no seeds"):
        next(bench.generate([], 3))


def test_the_log_holds_one_list_of_templates_per_caption():
    log: list[list[str]] = []
    personas = list(bench.generate(SEEDS, 2, posts=10, log=log))
    assert len(log) == sum(len(persona.posts) for persona in personas) == 20
    assert all(templates[0].startswith("scene.") for templates in log)


def test_a_bench_survives_its_file(personas, tmp_path):
    path = tmp_path / "personas.jsonl"
    path.write_bytes(to_jsonl(personas))
    assert read_jsonl(path, Persona).records == personas
