"""The kinds of private span, their marks, and the word lists of scrub.yaml that the finders share."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

#: what can be cut out, strongest first; the mark is the kind in square brackets
KINDS = ("email", "url", "user", "phone", "place", "name")


class Span(NamedTuple):
    """text[start:end] names something private of this kind."""

    start: int
    end: int
    kind: str


_LETTERS = re.compile(r"[^\W\d_]+")


def vocabulary(text: str) -> set[str]:
    """The distinct words of a text in lower case, letters only: the finders' cheap pre-test."""
    return set(_LETTERS.findall(text.lower()))


@cache
def rules() -> dict[str, str]:
    """scrub.yaml, read once; a list of words becomes the alternatives of an expression."""
    raw = yaml.safe_load(Path(__file__).with_name("scrub.yaml").read_text(encoding="utf-8"))
    return {key: "|".join(dict.fromkeys(value.split())) for key, value in raw.items()}


@cache
def words(key: str) -> frozenset[str]:
    """One list of scrub.yaml as a set."""
    return frozenset(word.lower() for word in rules()[key].split("|"))
