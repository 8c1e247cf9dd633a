"""People of the drawn world: a hidden taste, a few words about themselves, and the prompts they have written.

A taste has favourites in every context (outdoors, indoors, portraits), and contexts differ: one person likes harbours
at dawn and reading rooms at night. The words a user says about themselves name places and things, never light,
weather, colours or style: those show only in what they choose. A short prompt names a scene's subject; the user's
full prompt says all of it. `describe` puts what recurs in some scenes into a paragraph, from the scenes alone.

Nobody here is meant to be like anybody: tastes are drawn, not observed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from . import captions
from .scenes import INDOOR, Scene
from .taste import CONTEXTS, Taste, sample
from .words import attributes, wordings

#: Attribute -> (number of favourites in a context, share of the pictures that show one of them).
_FAVOURITES = {
    "setting": (2, 0.7),
    "time": (1, 0.8),
    "weather": (1, 0.75),
    "palette": (1, 0.8),
    "material": (2, 0.7),
    "object": (4, 0.75),
    "colour": (2, 0.75),
    "garment": (2, 0.8),
    "style": (1, 0.8),
}
#: Probability that a context takes over the first context's favourites of an attribute.
_SHARED = 0.5
#: What makes the subject of a scene, and so a short prompt.
SUBJECT = ("setting", "object")
_JOBS = tuple(
    "a nurse,a carpenter,a bus driver,a student of law,a retired teacher,a cook,a programmer,a gardener,a postal worker,"
    "a dentist,a violinist,a mechanic,a baker,a civil engineer,a shop owner,a librarian,a farmer,a translator,a plumber,"
    "a tailor,an accountant,a geologist,a sailor,a hairdresser,an electrician,a pharmacist,a builder,a judge,a painter of signs,"
    "a swimming coach".split(",")
)
_HOMES = (
    "in a small flat",
    "in a shared house",
    "with family",
    "alone with many books",
    "near a station",
    "by a park",
)
_FAVOURS = {
    "time": ("You are out {}.", "Your hour comes {}.", "Most of it happens {}."),
    "weather": ("You like it best {}.", "Mostly {}."),
    "palette": ("You keep to {}.", "What you show has {}."),
    "material": ("You notice {}.", "You like {} underfoot."),
    "style": ("It looks like {}.", "You think in {}."),
    "garment": ("People you show wear {}.", "Somebody in {} is often there."),
    "colour": ("Again and again {}.", "{} catches your eye."),
}


class User(NamedTuple):
    """A hidden taste, and what its owner says about themselves."""

    taste: Taste
    about: str


def draw_user(rng: np.random.Generator) -> User:
    """A user with a taste of their own; the words name two of their places and two of their things."""
    values: dict[str, np.ndarray] = {}
    for attribute, names in attributes().items():
        count, share = _FAVOURITES[attribute]
        rows = [_favoured(_allowed(attribute, context), count, share, rng) for context in CONTEXTS]
        if attribute != "setting":
            rows[1:] = [rows[0] if rng.random() < _SHARED else row for row in rows[1:]]
        values[attribute] = np.stack(rows)
        assert values[attribute].shape == (len(CONTEXTS), len(names))
    taste = Taste(rng.dirichlet(np.full(len(CONTEXTS), 3.0)), values)
    return User(taste, _about(taste, rng))


def write(user: User, n: int, rng: np.random.Generator) -> list[Scene]:
    """n scenes as this user would post them."""
    return [sample(user.taste, rng) for _ in range(n)]


def prompts(scene: Mapping[str, str], rng: np.random.Generator) -> tuple[str, str]:
    """A short prompt (the scene's place and thing, nothing of how they look) and the user's full prompt for it.

    Both name the subject in the same words; the full one says everything in the scene, in any order.
    """
    subject = subject_of(scene)
    worded = {a: _word(a, value, rng) for a, value in subject.items()}
    short = captions.caption(subject, rng, longer=0, worded=worded)
    return short, captions.caption(scene, rng, longer=0, worded=worded)


def subject_of(scene: Mapping[str, str]) -> Scene:
    """The part of a scene that a short prompt names."""
    return {a: scene[a] for a in SUBJECT if a in scene}


def describe(scenes: Sequence[Mapping[str, str]], rng: np.random.Generator) -> str:
    """A paragraph in the second person from what recurs in some scenes, in words drawn from their wordings.

    Raises:
        ValueError: no scenes.
    """
    if not scenes:
        raise ValueError("got no scenes; expected at least one to describe")
    often = {a: Counter(s[a] for s in scenes if a in s).most_common() for a in attributes()}
    places = [_word("setting", value, rng) for value, _ in often["setting"][:2]]
    things = [_word("object", value, rng) for value, _ in often["object"][:2]]
    out = [f"You are somebody who keeps coming back to {' and '.join(places)}."]
    if things:
        out.append(f"You look for {' and '.join(things)}.")
    for attribute, frames in _FAVOURS.items():
        if often[attribute] and often[attribute][0][1] * 2 >= len(scenes):
            word = _word(attribute, often[attribute][0][0], rng)
            out.append(_capital(frames[int(rng.integers(len(frames)))].format(word)))
    return " ".join(out)


def _about(taste: Taste, rng: np.random.Generator) -> str:
    places, things = (_top(taste, attribute, 2) for attribute in SUBJECT)
    here, there = (_word("setting", place, rng) for place in places)
    one, other = (_word("object", thing, rng) for thing in things)
    age, job = int(rng.integers(18, 80)), _JOBS[int(rng.integers(len(_JOBS)))]
    home = _HOMES[int(rng.integers(len(_HOMES)))]
    return f"You are {job} of {age} and live {home}. You often go to {here} or {there}, and you care for {one} and {other}."


def _favoured(allowed: np.ndarray, count: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Probabilities over an attribute's values: `share` on the favourites, the rest spread over what is allowed."""
    places = np.flatnonzero(allowed)
    weights = np.where(allowed, (1 - share) / len(places), 0.0)
    weights[rng.choice(places, count, replace=False)] += share / count
    return weights


def _allowed(attribute: str, context: str) -> np.ndarray:
    names = attributes()[attribute]
    if attribute != "setting" or context == "portrait":
        return np.ones(len(names), bool)
    return np.array([(name in INDOOR) == (context == "indoor") for name in names])


def _top(taste: Taste, attribute: str, n: int) -> list[str]:
    mixed = taste.contexts @ taste.values[attribute]
    return [attributes()[attribute][i] for i in np.argsort(-mixed, kind="stable")[:n]]


def _word(attribute: str, value: str, rng: np.random.Generator) -> str:
    """One of the first four wordings: the later ones are parts of speech that fit fewer frames."""
    words = wordings()[attribute][value][:4]
    return words[int(rng.integers(len(words)))]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
