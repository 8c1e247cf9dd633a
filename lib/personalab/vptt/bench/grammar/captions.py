"""Captions from templates: what a patient describer would write about each of a persona's posts (VPTT 9.4).

A caption opens on its scene, says how the picture is framed and what it tells of the person, and spends the
rest on light, place, detail, dress, colour and mood. Elements go in word for word, each at most once; an
element that found no sentence is not reported, so a post never claims what its caption lacks. The module
writes sentences and measures how alike they are. It does not choose elements, keep two elements from
contradicting each other, or know any place: that is the caller's business.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from ....records import CATEGORIES, OPTIONAL_CATEGORIES
from .templates import Template, fill, templates

#: Words a finished sentence may have, both ends included.
SENTENCE = (8, 26)
#: Families that make up the body of a caption, and their weights in the draw of who comes first (light and
#: colour have fewer openings elsewhere); "frame" and "habit" come within the first four sentences.
BODY = {"light": 1.5, "place": 0.8, "detail": 0.7, "dress": 0.8, "colour_mood": 2.0}
#: slot -> category of elements that fills it
SLOTS = {category.replace(" ", "_"): category for category in CATEGORIES + OPTIONAL_CATEGORIES}
_TRIES = 12
_Stock = dict[str, list[str]]


class Material(NamedTuple):
    """What one post offers: elements by category, and circumstances by slot (city, occupation, person, ...)."""

    kind: str
    elements: Mapping[str, Sequence[str]]
    #: a value, or several of which each is said at most once per caption; "person" may recur
    context: Mapping[str, str | Sequence[str]]


class Caption(NamedTuple):
    """A caption, the elements that stand in it word for word, and its templates in order."""

    text: str
    elements: dict[str, list[str]]
    templates: list[str]


def caption(
    material: Material, rng: np.random.Generator, used: Counter[str], words: tuple[int, int] = (60, 90)
) -> Caption:
    """Describe one post in whole sentences.

    Args:
        material: the post's kind, elements and circumstances.
        rng: decides every choice; same state, same caption.
        used: the persona's templates so far, the least used come first. Updated in place.
        words: shortest and longest length in words, both allowed; at least 26 apart.

    Raises:
        ValueError: the range is narrower than a sentence, or the material cannot fill it.
    """
    low, high = words
    if high - low < SENTENCE[1]:
        raise ValueError(f"got words={words}; expected a range at least {SENTENCE[1]} words wide")
    draft = _Draft(material, rng, used, high)
    goal = int(rng.integers(low, high - SENTENCE[0] + 1))
    idle = 0
    for family in _order(material.kind, rng):
        if draft.length >= goal or idle > 2 * len(BODY):
            break
        ending = goal - draft.length < 14 and draft.length > 40 and rng.random() < 0.25
        idle = 0 if draft.add("coda" if ending else family) else idle + 1
    if draft.length < low:
        raise ValueError(
            f"the material fills {draft.length} words; expected {low} to {high}. Give it more elements or context"
        )
    used.update(draft.said)
    return Caption(" ".join(draft.sentences), draft.elements, draft.said)


def scenario(material: Material, rng: np.random.Generator) -> str:
    """One line of 8 to 16 words that says what the post is about; pass the elements its caption used.

    Raises:
        ValueError: no template of the kind can be filled to that length.
    """
    left = _stock(material, rng)
    pool = [t for t in templates("scenario", material.kind) if t.needs <= left.keys()]
    for index in rng.permutation(len(pool)):
        line, _ = fill(pool[index], left, rng)
        if 8 <= len(line.split()) <= 16:
            return line
    raise ValueError(f"no scenario of kind {material.kind!r} fits; expected more elements or context")


def template_shares(template_ids_per_caption: Iterable[Iterable[str]]) -> pd.Series:
    """Share of captions that contain each template, largest first; indexed by template, values in (0, 1]."""
    captions = [set(ids) for ids in template_ids_per_caption]
    counts = Counter(name for ids in captions for name in sorted(ids))
    shares = pd.Series(counts, dtype=float) / max(len(captions), 1)
    return shares.sort_values(ascending=False, kind="stable").rename("share of captions")


class _Draft:
    """A caption as it grows: what is said, what is left to say, and how many words stand."""

    def __init__(self, material: Material, rng: np.random.Generator, used: Counter[str], longest: int):
        self.kind, self.rng, self.used, self.longest = material.kind, rng, used, longest
        self.left = _stock(material, rng)
        self.sentences: list[str] = []
        self.said: list[str] = []
        self.elements: dict[str, list[str]] = {}
        self.openings: set[str] = set()
        self.length = 0
        self.named = self.just_named = False

    def add(self, family: str) -> bool:
        """Append a sentence of the family, if one fits; prefer one with an opening word not yet used."""
        spare = None
        for template in self._candidates(family):
            sentence, values = fill(template, self.left, self.rng)
            count = len(sentence.split())
            if not SENTENCE[0] <= count <= min(SENTENCE[1], self.longest - self.length):
                continue
            if sentence.split(" ", 1)[0] not in self.openings:
                return self._accept(template, sentence, values)
            spare = spare or (template, sentence, values)
        return self._accept(*spare) if spare else False

    def _candidates(self, family: str) -> list[Template]:
        """The family's fillable templates, least used first; of these, rather those that do not name the person
        again at once and that hold more elements."""
        left, said = set(self.left), set(self.said)
        pool = [
            (t, bonus)
            for t, bonus in _offered(family, self.kind)
            if t.needs <= left and t.id not in said and (self.named or not t.refers)
        ]
        noise = self.rng.random(len(pool)).tolist()
        ranks = [
            (self.used[t.id], self.just_named and "person" in t.needs, x - bonus)
            for (t, bonus), x in zip(pool, noise, strict=True)
        ]
        return [pool[index][0] for index in sorted(range(len(pool)), key=ranks.__getitem__)[:_TRIES]]

    def _accept(self, template: Template, sentence: str, values: dict[str, str]) -> bool:
        for slot, value in values.items():
            if slot in SLOTS:
                self.elements.setdefault(SLOTS[slot], []).append(value)
            if slot != "person":
                self.left[slot].pop(0)
        self.left = {slot: values for slot, values in self.left.items() if values}
        self.sentences.append(sentence)
        self.said.append(template.id)
        self.openings.add(sentence.split(" ", 1)[0])
        self.length += len(sentence.split())
        self.just_named = "person" in values
        self.named |= self.just_named
        return True


@cache
def _offered(family: str, kind: str) -> tuple[tuple[Template, float], ...]:
    """The family's templates for a kind of post, each with its bonus in the draw for the elements it holds."""
    return tuple((t, 0.25 * len(t.needs & SLOTS.keys())) for t in templates(family, kind))


def _order(kind: str, rng: np.random.Generator) -> Iterator[str]:
    """Families without end: the scene, then one of the body with frame and habit, then all in turn."""
    body = [family for family in BODY if templates(family, kind)]
    lots = rng.random(len(body)) ** (1 / np.array([BODY[family] for family in body]))
    body = [body[i] for i in np.argsort(-lots)]
    first = [body[0], "frame", "habit"]
    yield "scene"
    yield from (first[i] for i in rng.permutation(len(first)))
    yield from body[1:]
    while True:
        yield from ([*body, "frame", "habit"][i] for i in rng.permutation(len(body) + 2))
        yield "coda"


def _stock(material: Material, rng: np.random.Generator) -> _Stock:
    """Slot -> values in the order they will be said; no value twice, no empty slot."""
    seen: set[str] = set()
    stock: _Stock = {}
    for slot, category in SLOTS.items():
        values = [v for v in dict.fromkeys(material.elements.get(category, ())) if v not in seen]
        seen.update(values)
        stock[slot] = [values[i] for i in rng.permutation(len(values))]
    for slot, value in material.context.items():
        stock[slot] = [value] if isinstance(value, str) else list(value)
    return {slot: values for slot, values in stock.items() if values}
