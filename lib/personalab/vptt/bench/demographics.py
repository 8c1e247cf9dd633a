"""d of P = (d, E, C): a seed's stated facts, completed by the grammar to 26 attributes (VPTT 9.2.2).

What the seed states is kept and marked "seed"; everything else is drawn and marked "sampled". A drawn place is
uniform over the grammar's cities, so no country dominates by default. Gender is never drawn: unless the seed
states it, it is "unknown". Nothing but the ethnicity field itself depends on ethnicity.
"""

from typing import Any

import numpy as np

from ...records import Demographics
from . import grammar
from .gazetteer import Place, region_of, regions
from .seeds import Seed


def complete(seed: Seed, rng: np.random.Generator) -> tuple[Demographics, str, str, dict[str, str]]:
    """Demographics, region key, occupation family, and the source of the four facts a seed can state.

    Args:
        seed: the facts as stated.
        rng: draws the rest; same seed and generator state, same person.
    """
    place, region = settle(seed.place, rng)
    family, occupation = _occupation(seed, rng)
    interests = _interests(seed, family, rng)
    age = int(rng.integers(*_age_band(seed, family), endpoint=True))
    sources = {
        "place": "seed" if seed.place else "sampled",
        "occupation": "seed" if seed.occupation else "sampled",
        "gender": "seed" if seed.gender != "unknown" else "unknown",
        "interests": "seed" if seed.interests else "sampled",
    }
    fields = {
        "age": age,
        "gender": seed.gender,
        "occupation": occupation,
        "interests": [grammar.load("interests")[key]["name"] for key in interests],
        "name": _name(place, region, seed.gender, rng),
        **_where(place, region, rng),
        **_work(family, age, rng),
        **_character(age, rng),
    }
    return Demographics(**fields), region, family, sources


def summary(d: Demographics) -> str:
    """S_p: d as one paragraph, the text behind Emb(P)."""
    first = d.name.split()[0]
    gender = "" if d.gender == "unknown" else f" {d.gender}"
    return (
        f"{d.name} is a {d.age}-year-old{gender} from {d.city}, {d.country}, by occupation {d.occupation}. "
        f"{first} {d.household}, in {d.home} in {d.neighbourhood}, and the workplace is {d.workplace}. "
        f"{d.career_stage.capitalize()}, with {d.education}, {first} is {_listed(d.traits)} and cares about "
        f"{d.values}. Interests are {_listed(d.interests)}. {first} {d.lifestyle}, {d.travel}, and has {d.pets}; "
        f"the daily rhythm is {d.daily_rhythm}. {first} {d.posting_habit}, with {d.camera}: {d.tone}."
    )


def _listed(items: list[str]) -> str:
    return ", ".join(items[:-1]) + f" and {items[-1]}" if len(items) > 1 else items[0]


def pick(rng: np.random.Generator, items: Any) -> Any:
    """One of `items`, uniformly."""
    items = list(items)
    return items[rng.integers(len(items))]


def sample(rng: np.random.Generator, items: Any, n: int) -> list[Any]:
    """n different ones of `items` (fewer if there are fewer), in random order."""
    items = list(items)
    return [items[i] for i in rng.permutation(len(items))[:n]]


def settle(stated: Place | None, rng: np.random.Generator) -> tuple[Place, str]:
    """A place with a city, and the key of its region: what is not stated is drawn, each city of the grammar alike."""
    if stated is None:
        cities = [(city, key) for key, region in regions().items() for city in region["cities"]]
        city, key = pick(rng, cities)
        return Place(city["country"], city["city"]), key
    inside = [
        (city["city"], key)
        for key, region in regions().items()
        for city in region["cities"]
        if city["country"] == stated.country
    ]
    if stated.city or stated.state or not inside:
        return stated._replace(city=stated.city or stated.state or stated.country), region_of(stated)
    city, region = pick(rng, inside)
    return stated._replace(city=city), region


def ethnicities() -> tuple[str, ...]:
    """The nine groups of the grammar (VPTT 9.2.2)."""
    return tuple(next(iter(regions().values()))["ethnicity"])


def draw_ethnicity(region: str, rng: np.random.Generator) -> str:
    """A group by its share among the region's people."""
    shares = regions()[region]["ethnicity"]
    weights = np.array(list(shares.values()), float)
    return list(shares)[rng.choice(len(shares), p=weights / weights.sum())]


def _where(place: Place, region: str, rng: np.random.Generator) -> dict[str, str]:
    entry = regions()[region]
    listed = {city["city"]: city for city in entry["cities"]}
    ethnicity = draw_ethnicity(region, rng)
    near = listed.get(place.city, {}).get("neighbourhoods") or [
        "the old quarter",
        "the edge of town",
        "the station district",
    ]
    return {
        "country": place.country,
        "city": place.city or place.country,
        "region": entry["label"],
        "neighbourhood": pick(rng, near),
        "language": pick(rng, entry["countries"][place.country].get("languages") or ["English"]),
        "ethnicity": ethnicity,
    }


def _name(place: Place, region: str, gender: str, rng: np.random.Generator) -> str:
    tables = regions()[region]["names"]
    table = (
        tables.get(place.country) or grammar.load("names").get(place.country) or next(iter(tables.values()))
    )
    given = table[gender] if gender in ("woman", "man") else table["woman"] + table["man"]
    return f"{pick(rng, given)} {pick(rng, table['family'])}"


def _occupation(seed: Seed, rng: np.random.Generator) -> tuple[str, str]:
    """(family, title): the seed's own, else a family with an interest the seed states, else any."""
    families = grammar.load("occupations")
    if seed.family:
        return seed.family, seed.occupation
    fitting = [key for key, entry in families.items() if set(entry["interests"]) & set(seed.interests)]
    family = pick(rng, fitting or families)
    return family, seed.occupation or pick(rng, families[family]["titles"])


def _interests(seed: Seed, family: str, rng: np.random.Generator) -> list[str]:
    """5 to 8 keys: the stated ones first, two that go with the occupation, the rest drawn."""
    n = int(rng.integers(5, 9))
    known = grammar.load("interests")
    usual = sample(rng, grammar.load("occupations")[family]["interests"], 2)
    return list(dict.fromkeys([*seed.interests, *usual, *sample(rng, known, n)]))[
        : max(n, len(seed.interests[:8]))
    ][:8]


def _age_band(seed: Seed, family: str) -> tuple[int, int]:
    if seed.age:
        return seed.age
    return (19, 27) if "student" in family else (62, 84) if "retire" in family else (23, 66)


def _work(family: str, age: int, rng: np.random.Generator) -> dict[str, str]:
    entry = grammar.load("occupations")[family]
    return {
        "industry": entry["industry"],
        "workplace": pick(rng, entry["workplaces"]),
        "education": pick(rng, entry["education"]),
        "career_stage": pick(rng, _of_age(grammar.load("character")["career_stage"], age)),
    }


def _of_age(bands: dict[str, list[str]], age: int) -> list[str]:
    """The entries of the band, written "25-34", that holds the age."""
    return next(entries for band, entries in bands.items() if age <= int(band.split("-")[1]))


def _character(age: int, rng: np.random.Generator) -> dict[str, Any]:
    character = grammar.load("character")
    single = (
        "values",
        "tone",
        "lifestyle",
        "daily_rhythm",
        "posting_habit",
        "camera",
        "pets",
        "travel",
        "home",
    )
    drawn = {key: pick(rng, character[key]) for key in single}
    household = pick(rng, _of_age(character["household"], age))
    return {
        "traits": sample(rng, character["traits"], int(rng.integers(4, 8))),
        "household": household,
    } | drawn
