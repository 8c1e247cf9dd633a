"""E of P = (d, E, C): which words a persona owns, and which of them one post can show together.

Words come from the region of the place, the occupation and the interests, never from ethnicity or gender. Phrases
that name another country of the region are left out.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...records import Demographics
from ...world import words
from . import grammar
from .demographics import sample
from .gazetteer import regions

#: VPTT 9.3: three facets with 15 to 20 entries each, and the categories they are made of
FACETS = {
    "foreground": ("foreground", "objects", "actions", "appearance"),
    "background": ("background", "environment", "lighting"),
    "atmospheric": ("materials", "palette", "mood", "time of day"),
}
#: VPTT 9.3: at least this share of the entries comes from the persona's region
REGIONAL = 0.7
#: attributes in which two elements of one post must not differ
_COHERENT = ("time", "weather")
#: settings that can stand in one picture: two settings agree if some group holds both
_TOGETHER = (
    frozenset({"living room", "kitchen", "library", "cafe", "workshop"}),
    frozenset({"city", "market", "temple", "castle", "harbour", "river", "garden", "cafe"}),
    frozenset({"beach", "mountains", "desert", "forest", "field", "river", "garden", "harbour"}),
)
WITHOUT_PERSON = ("actions", "appearance")


#: a phrase's text and what it implies, taken apart once; treat it as read-only
parse = cache(words.parse)


class Vocabulary(NamedTuple):
    """E of one persona: entries by category, and what each implies in the miniature world."""

    elements: dict[str, list[str]]
    implies: dict[str, dict[str, str]]
    regional: float


def draw_vocabulary(d: Demographics, region: str, family: str, rng: np.random.Generator) -> Vocabulary:
    """E: 15 to 20 entries per facet, at least 70 % of each from the region, the rest from work and interests.

    Regional entries come from the country itself and what the region has in common. Where those run out, a facet
    stays nearer to 15, and only below that it takes words from a neighbouring country.
    """
    home, abroad = _local(region, d.country, d.city)
    own = _own(d, family)
    elements: dict[str, list[str]] = {}
    implies: dict[str, dict[str, str]] = {}
    total = regional = 0
    for categories in FACETS.values():
        at_home, mine = (sum(len(pool.get(k, ())) for k in categories) for pool in (home, own))
        n = max(15, min(int(rng.integers(15, 21)), at_home + mine, int(at_home / REGIONAL)))
        quota = int(np.ceil(REGIONAL * n))
        local = _spread(home, categories, quota, rng)
        local += _spread(abroad, categories, quota - len(local), rng)
        chosen = local + _spread(own, categories, n - len(local), rng)
        for pool in (home, abroad):
            more = _spread(pool, categories, n - len(chosen), rng, taken=local)
            local, chosen = local + more, chosen + more
        for category, phrase in chosen:
            text, values = parse(phrase)
            elements.setdefault(category, []).append(text)
            implies[text] = values
        total, regional = total + len(chosen), regional + len(local)
    return Vocabulary(elements, implies, regional / total)


def draw_preferences(
    vocabulary: Vocabulary, rng: np.random.Generator
) -> tuple[list[str], dict[str, dict[str, str]]]:
    """15 to 20 preferences; those that agree with the vocabulary's usual attributes are drawn more often."""
    phrases = [phrase for group in grammar.load("preferences").values() for phrase in group]
    values = Counter(pair for implied in vocabulary.implies.values() for pair in implied.items())
    parsed = [parse(phrase) for phrase in phrases]
    weights = np.array([1 + sum(values[pair] for pair in implied.items()) for _, implied in parsed], float)
    chosen = rng.choice(len(parsed), size=int(rng.integers(15, 21)), replace=False, p=weights / weights.sum())
    return [parsed[i][0] for i in chosen], {parsed[i][0]: parsed[i][1] for i in chosen}


def choose_elements(
    vocabulary: Vocabulary, kind: str, shown: Counter[str], rng: np.random.Generator, each: int = 1
) -> dict[str, list[str]]:
    """Up to `each` entries per category for one post: the least shown so far that contradict none chosen before.

    Categories come in random order, so that none always has the first say. Posts of kind "appreciation" show no
    person, hence no actions and no appearance.
    """
    settled: dict[str, str] = {}
    settings: set[str] = set()
    chosen: dict[str, list[str]] = {}
    categories = [k for k in vocabulary.elements if kind != "appreciation" or k not in WITHOUT_PERSON]
    for category in sample(rng, categories, len(categories)):
        entries = sample(rng, vocabulary.elements[category], len(vocabulary.elements[category]))
        taken: list[str] = []
        for entry in sorted(entries, key=shown.__getitem__):
            if len(taken) == each:
                break
            implied = vocabulary.implies[entry]
            if _agrees(implied, settled, settings):
                settled |= {key: implied[key] for key in _COHERENT if key in implied}
                settings |= {implied["setting"]} if "setting" in implied else set()
                taken.append(entry)
        if taken:
            chosen[category] = taken
    return chosen


def _agrees(implied: Mapping[str, str], settled: Mapping[str, str], settings: Set[str]) -> bool:
    """Whether an element can stand in a picture with what is settled so far: time, weather and settings."""
    if any(implied.get(key, value) != value for key, value in settled.items()):
        return False
    mine = implied.get("setting")
    return mine is None or all(mine == other or _go_together(mine, other) for other in settings)


@cache
def _go_together(one: str, other: str) -> bool:
    return any({one, other} <= group for group in _TOGETHER)


def _local(region: str, country: str, city: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The region's phrases by category: (those that fit the country, those that name another country).

    Landmarks of the city, or, where none are known, of the country's other cities, stand among the backgrounds.
    """
    entry = regions()[region]
    inside = [place for place in entry["cities"] if place["country"] == country]
    at_home = [place for place in inside if place["city"] == city] or inside
    foreign = [_names(other) for other in entry["countries"] if other != country]
    home: dict[str, list[str]] = {}
    abroad: dict[str, list[str]] = {}
    for category, phrases in entry["elements"].items():
        for phrase in phrases:
            elsewhere = any(names(phrase) for names in foreign) and not _names(country)(phrase)
            (abroad if elsewhere else home).setdefault(category, []).append(phrase)
    home["background"] = [phrase for place in at_home for phrase in place["landmarks"]] + home.get(
        "background", []
    )
    return home, abroad


@cache
def _names(country: str) -> Callable[[str], Any]:
    """Whether a phrase holds a word that ties it to the country."""
    nouns = grammar.load("proper_nouns").get(country)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, nouns))})").search if nouns else lambda phrase: None


def _own(d: Demographics, family: str) -> dict[str, list[str]]:
    """Phrases of the occupation and of each interest, by category."""
    named = {entry["name"]: entry for entry in grammar.load("interests").values()}
    sources = [
        grammar.load("occupations")[family]["elements"],
        *(named[name]["elements"] for name in d.interests),
    ]
    merged: dict[str, list[str]] = {}
    for source in sources:
        for category, phrases in source.items():
            merged.setdefault(category, []).extend(phrases)
    return merged


def _spread(
    pool: Mapping[str, Sequence[str]],
    categories: Sequence[str],
    n: int,
    rng: np.random.Generator,
    taken: Sequence[tuple[str, str]] = (),
) -> list[tuple[str, str]]:
    """n (category, phrase) pairs, the categories in turn, none of `taken`."""
    queues = [
        [(k, p) for p in sample(rng, pool.get(k, ()), len(pool.get(k, ()))) if (k, p) not in taken]
        for k in categories
    ]
    longest = max(map(len, queues))
    return [queue[j] for j in range(longest) for queue in queues if j < len(queue)][: max(n, 0)]
