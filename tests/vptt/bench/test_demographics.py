"""26 attributes for any seed: what is stated stays, gender is never drawn, ethnicity decides nothing else."""

import copy

import numpy as np
import pytest

from personalab.records import Demographics
from personalab.vptt.bench import demographics, grammar
from personalab.vptt.bench.demographics import complete, sample, summary
from personalab.vptt.bench.gazetteer import Place, _cities, _named, region_of, regions
from personalab.vptt.bench.seeds import Seed, parse

NOTHING = Seed(1, "Someone", None, None, None, "unknown", None, ())
COUNTRIES = sorted({country for region in regions().values() for country in region["countries"]})


def person(seed: Seed, number: int = 0) -> tuple[Demographics, str, str, dict[str, str]]:
    return complete(seed, np.random.default_rng([7, number]))


def test_there_are_26_attributes_and_all_are_filled():
    d, *_ = person(NOTHING)
    assert len(Demographics.model_fields) == 26
    assert all(value or value == 0 for value in d.model_dump().values())


def test_the_same_generator_state_gives_the_same_person():
    assert person(NOTHING, 3) == person(NOTHING, 3)
    assert person(NOTHING, 3) != person(NOTHING, 4)


@pytest.mark.parametrize("gender", ["woman", "man", "non-binary", "unknown"])
def test_gender_is_never_drawn(gender):
    for i in range(60):
        d, _, _, sources = person(NOTHING._replace(gender=gender), i)
        assert d.gender == gender
        assert sources["gender"] == ("unknown" if gender == "unknown" else "seed")


def test_stated_facts_are_kept_and_marked():
    seed = parse("A 34-year-old woman from Leeds who works as a beekeeper and loves chess and jazz")
    for i in range(40):
        d, region, family, sources = person(seed, i)
        assert (d.age, d.gender, d.occupation, d.city, d.country) == (
            34,
            "woman",
            "beekeeper",
            "Leeds",
            "United Kingdom",
        )
        assert d.interests[:2] == ["chess", "jazz"] and 5 <= len(d.interests) <= 8
        assert (region, family) == (region_of(seed.place), seed.family)
        assert set(sources.values()) == {"seed"}


def test_what_is_not_stated_is_marked_as_drawn_and_varies():
    people = [person(NOTHING, i) for i in range(60)]
    assert all(set(sources.values()) == {"sampled", "unknown"} for *_, sources in people)
    for field in ("country", "occupation", "name", "age", "ethnicity", "home"):
        assert len({getattr(d, field) for d, *_ in people}) > 4, field
    assert all(5 <= len(d.interests) <= 8 and len(set(d.interests)) == len(d.interests) for d, *_ in people)
    assert {n for d, *_ in people for n in [len(d.interests)]} == {5, 6, 7, 8}


def test_more_than_eight_stated_interests_are_cut_and_none_is_lost_below():
    keys = tuple(grammar.load("interests"))
    assert len(person(NOTHING._replace(interests=keys[:12]))[0].interests) == 8
    for n in range(1, 9):
        names = [grammar.load("interests")[key]["name"] for key in keys[:n]]
        assert person(NOTHING._replace(interests=keys[:n]), n)[0].interests[:n] == names


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("A 71-year-old baker", (71, 71)),
        ("A young baker", (20, 32)),
        ("A college student", (19, 24)),
        ("A retired colonel", (62, 84)),
        ("A baker", (23, 66)),
    ],
)
def test_ages_stay_in_their_band(text, band):
    ages = {person(parse(text), i)[0].age for i in range(80)}
    assert band[0] <= min(ages) <= max(ages) <= band[1] and (len(ages) > 5 or band[0] == band[1])


def test_a_drawn_place_is_uniform_over_cities():
    """Chi-square of 4,000 draws over the cities: mean n - 1, sd sqrt(2 (n - 1)); within four sd above."""
    rng = np.random.default_rng(0)
    drawn = [demographics.settle(None, rng)[0] for _ in range(4000)]
    cities = [(city["country"], city["city"]) for region in regions().values() for city in region["cities"]]
    counts = np.array([sum((p.country, p.city) == city for p in drawn) for city in cities])
    expected = len(drawn) / len(cities)
    assert counts.sum() == 4000
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert chi2 < len(cities) - 1 + 4 * np.sqrt(2 * (len(cities) - 1))


def test_ethnicity_decides_nothing_else(monkeypatch):
    """With every region's shares turned round, the same draws give the same people but for that one field."""
    before = [person(NOTHING, i) for i in range(80)]
    turned = copy.deepcopy(regions())
    for region in turned.values():
        groups = list(region["ethnicity"])
        region["ethnicity"] = dict(zip(groups, reversed(region["ethnicity"].values()), strict=True))
    monkeypatch.setattr(demographics, "regions", lambda: turned)
    after = [person(NOTHING, i) for i in range(80)]
    assert sum(a[0].ethnicity != b[0].ethnicity for a, b in zip(before, after, strict=True)) > 40
    for (a, *rest), (b, *others) in zip(before, after, strict=True):
        assert a.model_copy(update={"ethnicity": ""}) == b.model_copy(update={"ethnicity": ""})
        assert rest == others
        assert summary(a) == summary(b)


def test_drawn_ethnicities_follow_the_regions_shares():
    region = regions()["andes"]
    seed = NOTHING._replace(place=Place("Peru"))
    drawn = [person(seed, i)[0].ethnicity for i in range(1500)]
    for group, share in region["ethnicity"].items():
        got = drawn.count(group) / len(drawn)
        assert abs(got - share) < 4 * np.sqrt(share * (1 - share) / len(drawn)) + 1e-3, group


def test_every_country_works():
    for country in COUNTRIES:
        d, region, *_ = person(NOTHING._replace(place=Place(country)))
        assert d.country == country and country in regions()[region]["countries"]
        assert d.region == regions()[region]["label"] and d.city and d.name and d.language
        inside = {c["city"] for key in regions().values() for c in key["cities"] if c["country"] == country}
        assert d.city in inside or (not inside and d.city == country)


def test_every_place_that_a_text_can_name_works():
    places = sorted({*_cities().values(), *_named().values()}, key=str)
    for i, place in enumerate(places[::9]):
        d, region, *_ = person(NOTHING._replace(place=place), i)
        assert d.country == place.country and d.country in regions()[region]["countries"]
        assert place.city in (None, d.city) and (place.city or place.state in (None, d.city))


def test_a_country_split_between_regions_is_drawn_from_all_of_them():
    labels = {person(NOTHING._replace(place=Place("United States")), i)[1] for i in range(60)}
    assert labels == {"north_america_north", "north_america_south"}


def test_names_are_of_the_stated_gender_and_country():
    for country in ("Peru", "Ghana", "Paraguay", "Kyrgyzstan"):
        table = regions()[region_of(Place(country))]["names"].get(country) or grammar.load("names")[country]
        for gender in ("woman", "man"):
            for i in range(20):
                name = person(NOTHING._replace(place=Place(country), gender=gender), i)[0].name
                assert any(name == f"{a} {b}" for a in table[gender] for b in table["family"]), name


def test_bands_of_household_and_career_fit_the_age():
    character = grammar.load("character")
    for i in range(100):
        d, *_ = person(NOTHING, i)
        for field in ("household", "career_stage"):
            [band] = [b for b in character[field] if int(b.split("-")[0]) <= d.age <= int(b.split("-")[1])]
            assert getattr(d, field) in character[field][band]


def test_the_summary_names_what_a_prompt_may_use():
    for i in range(40):
        d, *_ = person(NOTHING, i)
        text = summary(d)
        for value in (d.name, str(d.age), d.city, d.country, d.occupation, d.home, *d.interests, *d.traits):
            assert value in text
        assert "unknown" not in text and "  " not in text and text.endswith(".")


def test_sample_takes_different_items_and_no_more_than_there_are():
    rng = np.random.default_rng(0)
    assert sorted(sample(rng, "abc", 9)) == ["a", "b", "c"]
    assert all(len(set(sample(rng, range(10), 4))) == 4 for _ in range(50))
