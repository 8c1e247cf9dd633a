"""What someone would post: a distribution over the world's attributes that depends on the kind of picture.

A taste is read from words: every element, preference or interest names the attribute values it implies, and the
values named most are posted most; what a post leaves open (light, weather, palette, style) counts as plain. Outdoor
pictures, indoor pictures and portraits have distributions of their own (one person likes markets by day and reading
rooms at night), which share part of their counts. The oracle, `plausibility`, compares a picture's true scene with a
taste; it sees no pixels and no features.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..records import Persona
from .scenes import INDOOR, PLAIN, Scene, consistent
from .words import attributes

CONTEXTS = ("outdoor", "indoor", "portrait")
#: Attributes that every picture has, whatever is in it.
VISIBLE = ("setting", "time", "palette", "style")
#: How much of the other contexts' counts each context takes over.
_SHARED = 0.3
#: Count added to every value: what was never named stays possible.
_PRIOR = 0.15
#: Exponent of the counts: above 1 what is named often is posted more often still.
_SHARPNESS = 1.5
#: Share of drawn pictures that show an object, or name the floor.
_PRESENT = {"object": 0.9, "material": 0.6}


class Taste(NamedTuple):
    """Shares of the contexts (3,), and for each attribute the probabilities (3, values) of its values."""

    contexts: np.ndarray
    values: dict[str, np.ndarray]


def taste(posts: Sequence[Iterable[Mapping[str, str]]], general: Iterable[Mapping[str, str]] = ()) -> Taste:
    """The taste behind some posts.

    Args:
        posts: for each post the implied values of its elements.
        general: implied values of what is not tied to a post (preferences, interests).

    Returns:
        Probabilities that sum to 1 over the values of each attribute in each context; indoor settings have
        none outdoors, and the reverse.
    """
    counts = {a: np.zeros((len(CONTEXTS), len(values))) for a, values in attributes().items()}
    shares = np.full(len(CONTEXTS), 0.5)
    for post in posts:
        named = [pair for implied in post for pair in implied.items()]
        scene = dict(named)
        context = CONTEXTS.index(context_of(scene))
        shares[context] += 1
        left_open = consistent({"setting": scene.get("setting", "")} | PLAIN).items() - {("setting", "")}
        _add(counts, named + [(a, v) for a, v in left_open if a not in scene], context)
    _add(counts, [pair for implied in general for pair in implied.items()], slice(None))
    return Taste(shares / shares.sum(), {a: _probabilities(a, count) for a, count in counts.items()})


def taste_of(persona: Persona) -> Taste:
    """A persona's taste, from what its posts' elements, its preferences and its interests imply."""
    posts = [
        [persona.implies.get(e, {}) for elements in post.elements.values() for e in elements]
        for post in persona.posts
    ]
    words = [*persona.preferences, *persona.demographics.interests]
    return taste(posts, [persona.implies.get(word, {}) for word in words])


def context_of(scene: Mapping[str, str]) -> str:
    """The kind of picture: a portrait shows a person's clothes, else the setting decides."""
    if "garment" in scene:
        return "portrait"
    return "indoor" if scene.get("setting") in INDOOR else "outdoor"


def sample(taste: Taste, rng: np.random.Generator, context: str | None = None) -> Scene:
    """A scene that this person would post, in a given context or in one drawn from their own shares.

    Raises ValueError when `context` is not one of `CONTEXTS`.
    """
    if context is not None and context not in CONTEXTS:
        raise ValueError(f"got context {context!r}; expected one of {CONTEXTS}, or None to draw one")
    row = CONTEXTS.index(context) if context else int(rng.choice(len(CONTEXTS), p=taste.contexts))
    scene = {
        a: values[int(rng.choice(len(values), p=taste.values[a][row]))]
        for a, values in attributes().items()
        if rng.random() < _PRESENT.get(a, 1.0) and (a != "garment" or CONTEXTS[row] == "portrait")
    }
    return consistent(scene)


def plausibility(scene: Mapping[str, str], taste: Taste) -> float:
    """The oracle: mean over a scene's attributes of log2 p(value | context) times the number of values.

    0 is what someone without any taste would post, positive is more like this person than that, in bits per
    attribute. What a scene leaves open counts as its plain value; an absent object, person, floor or colour
    counts nothing.
    """
    row = CONTEXTS.index(context_of(scene))
    bits = []
    for attribute, value in consistent(PLAIN | dict(scene)).items():
        p = taste.values[attribute][row]
        allowed = np.count_nonzero(p)
        share = p[attributes()[attribute].index(value)]
        bits.append(np.log2(max(share, 1e-6) * allowed))
    return float(np.mean(bits))


def recovered(named: Mapping[str, str], taste: Taste, context: str, over: Sequence[str]) -> float:
    """What a text's values tell of a taste: mean over the attributes `over` of log2 p(value | context) times the number
    of values, in bits. An attribute that the text leaves open counts 0.

    Args:
        named: attribute -> value, say from `words.spelt`.
        context: one of CONTEXTS.
    """
    row = CONTEXTS.index(context)
    shares = [(taste.values[a][row], attributes()[a].index(named[a])) for a in over if a in named]
    return float(sum(np.log2(max(p[i], 1e-6) * len(p)) for p, i in shares) / len(over))


def match(probabilities: Mapping[str, np.ndarray], tastes: Sequence[Taste]) -> np.ndarray:
    """How well n pictures, as a judge reads them, match n tastes: bits per attribute, (n,).

    For each attribute that every picture has (VISIBLE), sum over its values of P(value) log2(t(value) / u(value)) with
    the judge's probabilities P, the taste t and no taste u, both mixed over contexts in the person's own shares; 0 is
    what somebody without any taste gets for any picture. Shares below a thousandth count as a thousandth.

    Args:
        probabilities: attribute -> (n, values), from `reading.read`.
        tastes: one per picture.
    """
    parts, none = [], taste([])
    for attribute in VISIBLE:
        mixed = np.stack([one.contexts @ one.values[attribute] for one in tastes])
        flat = np.stack([one.contexts @ none.values[attribute] for one in tastes])
        lift = np.log2(np.maximum(mixed, 1e-3) / flat)
        parts.append((probabilities[attribute] * lift).sum(axis=1))
    return np.mean(parts, axis=0)


def _add(counts: dict[str, np.ndarray], named: Iterable[tuple[str, str]], context: int | slice) -> None:
    for attribute, value in named:
        counts[attribute][context, attributes()[attribute].index(value)] += 1


def _probabilities(attribute: str, counts: np.ndarray) -> np.ndarray:
    """(3, values) counts as probabilities."""
    shared = counts + _SHARED * (counts.sum(axis=0) - counts)
    weight = (shared + _PRIOR) ** _SHARPNESS
    if attribute == "setting":
        inside = np.array([value in INDOOR for value in attributes()["setting"]])
        weight[0, inside] = 0
        weight[1, ~inside] = 0
    return weight / weight.sum(axis=1, keepdims=True)
