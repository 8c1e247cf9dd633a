"""What one English sentence states about its person: occupation, gender, age, interests (place: `gazetteer`).

Rules and the grammar's lexicon, no model. Each function answers only from words that state the fact of the person
described, and None, "unknown" or nothing at all otherwise.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from ...records import Gender
from . import grammar

_AGE = re.compile(r"\b(1[89]|[2-9]\d)[- ]year[- ]old\b")
#: pattern -> (youngest, oldest)
_AGE_WORDS = {
    "teenage": (18, 19),
    "teenager": (18, 19),
    r"high[- ]school (?:\w+ )?(?:student|senior|athlete|graduate)": (18, 19),
    r"college (?:\w+ )?(?:student|freshman|sophomore|junior|senior|athlete)": (19, 24),
    "undergraduate": (19, 23),
    "young": (20, 32),
    "millennial": (28, 42),
    "middle-aged": (42, 58),
    r"elderly(?! care)": (70, 88),
    "retired": (62, 84),
    "retiree": (62, 84),
    "grandmother": (58, 84),
    "grandfather": (58, 84),
    "baby boomer": (60, 78),
    "senior citizen": (66, 88),
    "wwii veteran": (92, 99),
}
_NOT_LIKED = re.compile(
    r"(?:n't|\b(?:not|no|never|dislik\w+|hates?|indifferent|without|little|lacks?|lacking))\b(?:(?!\b(?:but|yet)\b)[^.;,]){0,40}$"
)
_IN_A_NAME = re.compile(r"\b[A-Z][a-z]+ (?:the |of |and )?[A-Z][a-z]+")
_LIKES = re.compile(
    r"\b(?:lov|enjoy|fan\b|fans\b|passion|interest|enthusias|hobb|avid|fascinat|collect|play|admir|obsess|practi[cs]|amateur|"
    r"aficionado|buff\b|devot|dedicat|stud(?:y|ies)|speciali|research|keen|into\b|fond|appreciat|idoli|follow|learn|curious|"
    r"dream|aspir|intrigued|known for|focus|major|expert|advocat|invest|design|build|creat|writ|paint|cook|grow)"
)
#: an ending that names work, after at most two words that qualify it
_LIKE_WORK = re.compile(
    r"(?!(?:a|an|the|is|i|am|being)\b)\b(?:(?!(?:a|an|the)\b)[a-z-]+ ){0,2}(?:expert|representative|specialist|officer|executive|assistant|practitioner|operator|organi[sz]er|"
    r"administrator|supervisor|coordinator|consultant|planner|clerk|broker|commentator|analyst|agent|official|owner|worker|major|student|advisor|adviser|instructor|technician|inspector|postman|dad|mom|[a-z]+ologist|[a-z]+(?:smith|wright|keeper|maker))$"
)
_GENDER_WORDS: dict[Gender, str] = {
    "non-binary": r"non-?binary|genderqueer|agender",
    "woman": r"woman|female|lady|girl|mother|mom|mum|wife|widow|sister|daughter|grandmother|aunt|actress|waitress|businesswoman|policewoman|stay-at-home mom|housewife|queen|nun|grandma|girlfriend|spinster|saleswoman|niece|heroine|sorority|alumna|teenage girl",
    "man": r"man|male|gentleman|guy|father|dad|husband|widower|brother|son|grandfather|uncle|businessman|policeman|fisherman|salesman|king|monk|grandpa|boyfriend|bachelor|nephew|craftsman|altar boy|fraternity|postman",
}
_PRONOUNS: dict[Gender, str] = {"woman": r"she|her|herself", "man": r"he|his|him|himself"}
CUT = re.compile(
    r"\b(?<!\b[Aa] )(?<!\b[Aa]n )(?:who|whom|whose|that|which|with|seeking|specializing|specialising|working|living|looking|interested|responsible|dedicated to|aiming|struggling|eager|preparing|familiar|conducting|providing|using|teaching|studying)\b|[,;.(]"
)


def find_occupation(head: str, text: str) -> tuple[str | None, str | None]:
    """(title, family) from the head noun phrase or after "works as"; (None, None) where no work is named.

    The lexicon decides, the last and longest title first. A head it does not know but that ends like an
    occupation ("wind farm operator") is taken as it stands, without a family.
    """
    said = re.search(
        r"\b(?:work(?:s|ing|ed)? as|career as|job as|employed as|i am|i'm)\s+an?\s+([^,.;]+)", text.lower()
    )
    named = re.match(r"[A-Z][\w.'-]*(?:\s[A-Z][\w.'-]*)*, an? ([^,.;]+)", text)
    parts = [said and CUT.split(said[1])[0], head.lower(), named and CUT.split(named[1].lower())[0]]
    for part in filter(None, parts):
        titles, part = _before_preposition(part)
        found = [(match.end(), match[1]) for match in titles]
        if found:
            title = max(found, key=lambda pair: (pair[0], len(pair[1])))[1]
            return title, _titles()[title]
        if unknown := _LIKE_WORK.search(part.strip()):
            return unknown[0], None
    return None, None


def _before_preposition(part: str) -> tuple[list[re.Match[str]], str]:
    """The titles in a noun phrase and the phrase, both up to its first preposition outside a title."""
    titles = list(_titles_pattern().finditer(part))
    prepositions = [
        match.start()
        for match in re.finditer(r"(?<!\S)(?:of|for|at|in|from|to|on|by|aspiring)\b", part)
        if not any(title.start() < match.start() < title.end() for title in titles)
    ]
    end = min(prepositions, default=len(part)) or len(part)
    return [title for title in titles if title.end() <= end], part[:end]


def find_gender(head: str, text: str) -> Gender:
    """Gender only where a word states it: a gendered noun in the head, or a pronoun that can mean nobody else."""
    for gender, words in _GENDER_WORDS.items():
        if re.search(rf"(?<!\bher )(?<!\bhis )(?<!\bmy )(?<!\btheir )\b(?:{words})\b", head.lower()):
            return gender
    rest = text[len(head) :]
    somebody_else = r"\b[A-Z][a-z]+\s[A-Z][a-z]+|\b(?:the|their|an?)\s\w+'s\b|\b(?:admir\w+|lov\w+|support\w*|idoli\w+|for|all) (?:his|her)\b"
    if re.search(somebody_else, text):
        return "unknown"
    used = [gender for gender, words in _PRONOUNS.items() if re.search(rf"\b(?:{words})\b", rest.lower())]
    return used[0] if len(used) == 1 else "unknown"


def names_gender(words: str, gender: Gender) -> bool:
    """Whether one of the words states the gender: a gendered noun or a pronoun, never a name or an occupation."""
    stated = f"{_GENDER_WORDS.get(gender, '(?!)')}|{_PRONOUNS.get(gender, '(?!)')}"
    return bool(re.search(rf"\b(?:{stated})\b", words.lower()))


def find_age(text: str) -> tuple[int, int] | None:
    """(youngest, oldest) as stated of the person, before any "who" or "with", or None."""
    person = re.split(r"\b(?:who|whom|whose|that|which|with|and (?:her|his|their))\b", text.lower())[0]
    if exact := _AGE.search(person):
        return int(exact[1]), int(exact[1])
    bands = [band for words, band in _AGE_WORDS.items() if re.search(rf"\b{words}\b", person)]
    return bands[0] if bands else None


def find_interests(text: str) -> tuple[str, ...]:
    """Keys of the grammar's interests that the person is said to care for, in the order of the text.

    A word counts in the head noun phrase before its place or setting ("a chess player in Oslo") or after a word of
    liking ("who loves chess"); a subject that merely comes up ("a lawyer in a chess scandal") does not.
    """
    lower = text.lower()
    head = re.split(r"\b(?:in|at|from|on|by|near)\b", CUT.split(lower, maxsplit=1)[0])[0]
    liking = _LIKES.search(lower)
    found = [
        (match.start(), _interest_words()[match[1]])
        for match in _interest_pattern().finditer(lower)
        if (match.start() < len(head) or (liking and match.start() > liking.start()))
        and not _NOT_LIKED.search(lower[: match.start()])
        and not _IN_A_NAME.search(text[max(match.start() - 20, 0) : match.end() + 20])
    ]
    return tuple(dict.fromkeys(key for _, key in sorted(found)))


@cache
def _titles() -> dict[str, str]:
    """title -> occupation family."""
    return {
        title: family for family, entry in grammar.load("occupations").items() for title in entry["titles"]
    }


@cache
def _titles_pattern() -> re.Pattern[str]:
    return _any_of(_titles())


@cache
def _interest_words() -> dict[str, str]:
    """word or phrase -> key of the interest it names."""
    entries = grammar.load("interests").items()
    return {word.removesuffix("s"): key for key, entry in entries for word in entry["matches"]}


@cache
def _interest_pattern() -> re.Pattern[str]:
    return _any_of(_interest_words())


def _any_of(words: Mapping[str, Any]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(r"\b(" + "|".join(map(re.escape, longest_first)) + r")(?:s|es)?\b")
