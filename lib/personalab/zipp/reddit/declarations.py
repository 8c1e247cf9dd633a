"""Sentences that declare a sensitive attribute of their writer, removed (ZIPP section E.1).

Political or religious affiliation and sexual orientation of the writer, medical conditions and treatments of the
writer or the writer's family. Talk about these matters in general, and about other people's beliefs, stays. It goes
sentence by sentence and by phrases of the first person in English (declarations.yaml): irony, hints and other
languages pass. Every repetition in an expression is bounded, so time is linear in the length of the text.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

_SENTENCE = re.compile(r"[^.!?\n]*+(?:[.!?]++[\"'”’)\]*]*+[^\S\n]*+|\n++|$)")
_LETTERS = re.compile(r"[a-z]+")
_FIRST_PERSON = re.compile(r"(?i)\b(?:i|im|ive|me|my|mine|we|our|myself|as an?|here)\b")
#: families of diagnoses, for the pre-test
_ENDINGS = ("itis", "oma", "emia", "osis")
_SIGN = 5


class _Rules(NamedTuple):
    """Beginnings of words that a declaration has, and the frames it fits."""

    signs: frozenset[str]
    declared: re.Pattern[str]


@cache
def _rules() -> _Rules:
    """declarations.yaml, read once."""
    raw = yaml.safe_load(Path(__file__).with_name("declarations.yaml").read_text(encoding="utf-8"))
    frames, signs = raw.pop("frames"), set(raw.pop("signs").split())
    for key in ("creeds", "parties", "orientations", "states", "conditions", "treatments"):
        signs |= {_sign(expression) for expression in raw[key].split() if expression[0].isalpha()}
    lists = {key: "|".join(words.split()) for key, words in raw.items()}

    def fill(frame: str) -> str:
        frame = re.sub(r"<([a-z]+)>", lambda match: lists[match[1]], frame)
        frame = re.sub(r"<(\d)>", lambda match: rf"(?:[\w'’,-]{{1,15}}+_){{0,{match[1]}}}?", frame)
        return frame.replace("_", "[ -]")

    return _Rules(frozenset(signs), re.compile("|".join(map(fill, frames)), re.IGNORECASE))


def _sign(expression: str) -> str:
    """The letters that every match of an expression begins with, five at most: "tumou?rs" gives "tumo".

    Of "in remission" and "on dialysis" it is the second word's: the first stands in every text.
    """
    letters = re.match(r"(?:[io]n_)?([a-zá]+\??)", expression)[1]
    return (letters[:-2] if letters.endswith("?") else letters)[:_SIGN]


def _possible(text: str) -> bool:
    """A cheap pre-test: whether any word begins or ends like those of a declaration."""
    found = set(_LETTERS.findall(text.lower()))
    return not _rules().signs.isdisjoint(word[:_SIGN] for word in found) or any(map(_diagnosis, found))


def _diagnosis(word: str) -> bool:
    """Whether a word ends like the name of an illness."""
    return word.endswith(_ENDINGS)


def declares(sentence: str) -> bool:
    """Whether one sentence declares a sensitive attribute of its writer."""
    return bool(_FIRST_PERSON.search(sentence) and _possible(sentence) and _rules().declared.search(sentence))


def redact(text: str) -> tuple[str, int]:
    """The text without the sentences in which its writer declares a sensitive attribute, and how many went.

    A sentence ends at . ! ? or a line break. What stays is unchanged but for spaces at the end.
    """
    if not _possible(text):
        return text, 0
    sentences = [match[0] for match in _SENTENCE.finditer(text)]
    kept = [sentence for sentence in sentences if not declares(sentence)]
    removed = len(sentences) - len(kept)
    return ("".join(kept).rstrip(), removed) if removed else (text, 0)
