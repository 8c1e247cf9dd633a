"""Where a text names a person: spans only, for scrub.py to cut out (ZIPP section E.1, "names").

It knows lists of names from many countries (names.yaml), titles, introductions, signatures and the shapes of full
names; a pair of capitalised words that no dictionary knows counts as a name too. Famous and fictional people are
people. It knows no grammar, reads Latin, Greek and Cyrillic capitals only, and misses a rare surname or nickname
that stands alone. Every step is linear in the length of the text.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from .names import ANY_FAMILY, ANY_GIVEN, GIVEN, LAST, NAME, UPPER, Word, classify, lists, towns

Pair = tuple[int, int]


#: a first part -> the second parts that make the two a name
_PAIRS = {
    Word.WEAK: ANY_FAMILY | Word.UNKNOWN | GIVEN,
    Word.INITIAL: NAME | Word.INITIAL,
    Word.UNKNOWN: GIVEN | ANY_FAMILY | Word.UNKNOWN | Word.PARTICLE,
    Word.FAMILY: NAME | Word.PARTICLE,
    Word.FAMILY_WEAK: GIVEN,
    Word.PARTICLE: ANY_FAMILY | Word.UNKNOWN,
}
_PARTICLES = frozenset(
    "van von de der den di da dos das del della la le el al bin ibn ben bint ter ten e y zu abu".split()
)
_ARTICLES = frozenset("al el as ash an ar ad at".split())
_WORD = re.compile(rf"(?<![\w@#/])[{UPPER}]\w*+(?:['’-]\w++)*+")
_LOWER = re.compile(r"(?<![\w'’@/-])[a-zà-ÿ]{4,}+(?!\w)")
_DETERMINER = re.compile(r"\b(?:the|an?|this|that|no|every) \Z")
_SIGNED = re.compile(
    rf"(?m)^[ \t>]*(?:[-–—~*]{{1,3}}[ \t]?)([{UPPER}]\w{{1,20}}(?:[ \t][{UPPER}]\w{{0,20}}){{0,2}})[ \t.*]*$"
)


class Token(NamedTuple):
    """A capitalised word: where it stands and what it may be."""

    start: int
    end: int
    flags: int


def _tokens(text: str) -> list[Token]:
    """The capitalised words of a text, without possessive 's."""
    found = []
    for match in _WORD.finditer(text):
        word = match[0]
        if len(word) > 2 and word[-2:] in ("'s", "’s"):
            word = word[:-2]
        found.append(Token(match.start(), match.start() + len(word), classify(word[:40])))
    return found


def _touch(text: str, a: Token, b: Token) -> bool:
    """Whether b goes on with the name that a belongs to: one space, an initial's stop, or particles between."""
    if b.start - a.end > 14:
        return False
    gap = text[a.end : b.start]
    if gap == " " or (gap in (". ", ".") and a.flags & (Word.INITIAL | Word.TITLE)):
        return True
    if gap[:1] != " " or not gap.strip():
        return False
    if gap[-1] == "-":  # Khalid al-Mansouri
        return gap[1:-1].lower() in _ARTICLES
    return gap[-1] == " " and set(gap.split()) <= _PARTICLES


def _opens(text: str, a: Token, b: Token) -> bool:
    """Whether two touching words make a name."""
    if b.flags & Word.STOP:
        return False
    if a.flags & Word.INITIAL and text[a.end] != ".":
        return False
    if a.flags & GIVEN and not a.flags & Word.STOP:
        return True
    return any(a.flags & first and b.flags & second for first, second in _PAIRS.items())


def _alone(text: str, token: Token) -> bool:
    """Whether one word is a name by itself."""
    if token.flags & Word.UNKNOWN:
        return bool(lists().verbs.match(text, token.end))
    if token.flags & Word.CAPITAL and _DETERMINER.search(text, max(0, token.start - 6), token.start):
        return False  # "the Bill"
    return bool(token.flags & (GIVEN | Word.FAMILY)) and not token.flags & Word.STOP


def _goes_on(a: Token, b: Token) -> bool:
    """Whether b still belongs to the name that a is part of."""
    return not b.flags & Word.STOP and bool(b.flags & LAST or a.flags & Word.PARTICLE)


def _chains(text: str, tokens: list[Token]) -> Iterator[list[Token]]:
    """The runs of words that touch."""
    chain = tokens[:1]
    for a, b in pairwise(tokens):
        if _touch(text, a, b):
            chain.append(b)
        else:
            yield chain
            chain = [b]
    if chain:
        yield chain


def _in_chain(text: str, chain: list[Token]) -> Iterator[Pair]:
    """The names in one run of capitalised words, from the left."""
    at = 0
    while at < len(chain):
        token, rest = chain[at], chain[at + 1 : at + 2]
        first = at
        if rest and text[token.start : rest[0].end].lower() in towns():
            at += 2
            continue
        if rest and token.flags & (Word.TITLE | Word.RANK):
            wanted = ~Word.STOP if token.flags & Word.TITLE else LAST
            if rest[0].flags & Word.STOP or not (rest[0].flags & wanted or token.flags & Word.TITLE):
                at += 1
                continue
            first, at = at + 1, at + 2
        elif rest and _opens(text, token, rest[0]):
            at += 2
        elif _alone(text, token):
            at += 1
        else:
            at += 1
            continue
        while at < len(chain) and at - first < 6 and _goes_on(chain[at - 1], chain[at]):
            at += 1
        if any(token.flags != Word.INITIAL for token in chain[first:at]):
            yield chain[first].start, chain[at - 1].end


def _after_context(text: str, seen: set[str]) -> Iterator[Pair]:
    """A word that an introduction, a greeting or a relation announces as a name."""
    for name, pattern in lists().contexts.items():
        if seen.isdisjoint(lists().signs[name]):
            continue
        for match in pattern.finditer(text):
            word = match[1].rstrip("'’")
            flags = classify(word[:1].upper() + word[1:])
            if flags & Word.STOP:
                continue
            if word[0].isupper():
                good = flags & NAME or name == "introduced"
            else:
                good = flags & (ANY_GIVEN if name == "introduced" else Word.SURE)
            if good or name == "titled":
                end = match.start(1) + len(word)
                yield match.start(1), end - 2 if word[-2:] in ("'s", "’s") else end


def _lower_case(text: str, seen: set[str]) -> Iterator[Pair]:
    """Given names in lower case, with the surname that follows."""
    flags = lists().flags
    if seen.isdisjoint(lists().sure):
        return
    words = list(_LOWER.finditer(text))
    for at, match in enumerate(words):
        if flags.get(match[0], 0) & Word.SURE:
            after = words[at + 1] if at + 1 < len(words) else None
            close = after and text[match.end() : after.start()] == " "
            family = close and flags.get(after[0], 0) & (Word.FAMILY | Word.SURE)
            yield match.start(), (after if family else match).end()


def find_persons(text: str, seen: set[str]) -> list[Pair]:
    """Character spans (start, end) of the names of people, in no order; they may overlap. `seen` is vocabulary(text)."""
    found = [pair for chain in _chains(text, _tokens(text)) for pair in _in_chain(text, chain)]
    found += _after_context(text, seen)
    found += _lower_case(text, seen)
    for match in _SIGNED.finditer(text):
        flags = [classify(word) for word in match[1].split()]
        if flags[0] & NAME and not any(flag & Word.STOP for flag in flags):
            found.append(match.span(1))
    return found
