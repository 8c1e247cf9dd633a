"""Sentence templates of the captions: how they are written down, which suit a post, how they are filled.

A template is one line of captions.yaml, with `{slot}` for what the post offers and `[one|another]` for a free
choice. This module knows nothing of captions, only of single sentences.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from . import load

_SCOPES = {
    "activity": ("any", "seen", "activity"),
    "selfie": ("any", "seen", "selfie"),
    "appreciation": ("any", "unseen", "appreciation"),
    "shared": ("any", "unseen", "shared"),
}
_THEY = re.compile(r"\b(they|their|them|themselves)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"\b[Aa] $")
_THE = ("United ", "Netherlands", "Philippines", "Czech Republic", "Dominican Republic", "Bahamas", "Gambia")


class Template(NamedTuple):
    """A sentence in parts: a tuple offers alternatives (one, for fixed text), a string names a slot."""

    id: str
    parts: tuple[str | tuple[str, ...], ...]
    needs: frozenset[str]
    #: speaks of "they" without naming the person, so the person must have been named before
    refers: bool


def parse(name: str, source: str) -> Template:
    """A template from its line in captions.yaml: `{slot}` and `[one|another]`, neither inside the other."""
    parts: list[str | tuple[str, ...]] = []
    for piece in re.split(r"(\[[^\]]*\]|\{\w+\})", source):
        if piece.startswith("{"):
            parts.append(piece[1:-1])
        elif piece:
            parts.append(tuple(piece[1:-1].split("|")) if piece.startswith("[") else (piece,))
    needs = frozenset(part for part in parts if isinstance(part, str))
    return Template(name, tuple(parts), needs, "person" not in needs and bool(_THEY.search(source)))


@cache
def templates(family: str, kind: str) -> tuple[Template, ...]:
    """The templates of a family that suit a post of this kind; empty where the family has none for it.

    Raises:
        ValueError: the kind or the family is unknown.
    """
    families = load("captions")
    if kind not in _SCOPES or family not in families:
        raise ValueError(
            f"got family {family!r}, kind {kind!r}; expected one of {list(families)} and of {list(_SCOPES)}"
        )
    return tuple(
        parse(f"{family}.{scope}.{number}", source)
        for scope in _SCOPES[kind]
        for number, source in enumerate(families[family].get(scope, ()), 1)
    )


def fill(
    template: Template, left: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> tuple[str, dict[str, str]]:
    """The sentence with a capital, and the value of each slot (elements unchanged)."""
    text, values = "", {}
    for part in template.parts:
        if isinstance(part, str):
            values[part] = value = left[part][0]
            value = f"the {value}" if part == "country" and value.startswith(_THE) else value
            an = _ARTICLE.search(text) and starts_with_vowel(value)
            text = (text[:-1] + "n " if an else text) + value
        else:
            text += part[0] if len(part) == 1 else part[int(rng.integers(len(part)))]
    return text[:1].upper() + text[1:], values


def starts_with_vowel(value: str) -> bool:
    """Whether the first word is spoken with a vowel: an engineer, an hour, an MRI; a uniform, a UX, a one-off."""
    word = value.split(" ", 1)[0]
    if word.isupper() and len(word) <= 4:
        return word[0] in "AEFHILMNORSX"
    if re.match(r"(uni(?!n)|use|usu|euro|eu|one\b|one-|once)", word, re.IGNORECASE):
        return False
    return bool(re.match(r"[aeiou]|hour|honest|heir|honour", word, re.IGNORECASE))
