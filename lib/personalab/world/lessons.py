"""What the world's users teach a language model: rewriting short prompts their way, and describing people.

A lesson is a template's name, the fields that fill it and the answer to be learnt. In rewriting, a user's taste is in
no field: it shows through the history, or, where there is a description, through what recurred in other pictures of
the same user. The answer is a scene of that user told as far as it can be known: the subject first, then what earlier
prompts or the description name as well, in their words. Where nothing was shown, it tells the whole scene.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import captions, users
from .scenes import Scene
from .words import spelt, wordings

#: Numbers of earlier prompts that a rewriter is shown -> share of lessons; one prompt shows a single context.
SHOTS = {0: 0.1, 1: 0.15, 2: 0.1, 3: 0.35, 5: 0.3}
_FEWEST, _MOST = 6, 10
_MAX_WORDS = 70


class Lesson(NamedTuple):
    """A template of params/prompts, its fields, and the answer."""

    template: str
    fields: Mapping[str, Any]
    answer: str


def rewriting(
    user: users.User, rng: np.random.Generator, shots: int | None = None, persona: str | None = None
) -> Lesson:
    """One short prompt and what this user made of it (ZIPP 3.2).

    Args:
        shots: earlier prompts shown; drawn from SHOTS if None.
        persona: "description" (what recurs in ten other pictures), "about" (the user's own words) or "" (nothing);
            drawn if None.
    """
    shots = int(rng.choice(list(SHOTS), p=list(SHOTS.values()))) if shots is None else shots
    persona = str(rng.choice(["description", "about", ""], p=[0.4, 0.2, 0.4])) if persona is None else persona
    scene, *earlier = users.write(user, 1 + shots, rng)
    short, _ = users.prompts(scene, rng)
    texts = {
        "description": lambda: users.describe(users.write(user, 10, rng), rng),
        "about": lambda: user.about,
    }
    fields = {
        "persona": texts[persona]() if persona else "",
        "history": [users.prompts(one, rng)[1] for one in earlier],
        "prompt": short,
        "max_words": _MAX_WORDS,
    }
    shown = [*fields["history"], *([fields["persona"]] if persona == "description" else [])]
    return Lesson("zipp_rewrite", fields, answer(short, scene, shown, rng))


def answer(short: str, scene: Scene, shown: Sequence[str], rng: np.random.Generator) -> str:
    """The short prompt's subject in its words, then the rest of the scene as far as a text of `shown` names it.

    Without anything shown the whole scene is told.
    """
    known = {pair for text in shown for pair in spelt(text).items()} if shown else scene.items()
    told = {a: v for a, v in scene.items() if (a, v) in known and a not in users.SUBJECT}
    subject = users.subject_of(scene)
    worded = {a: _as_written(a, v, short, rng) for a, v in subject.items()}
    colour = {"colour": told.pop("colour")} if "colour" in told else {}
    rest = [
        captions.spoken(a, v)[wordings()[a][v].index(_as_written(a, v, " ".join(shown), rng))]
        for a, v in told.items()
    ]
    start = captions.caption(subject | colour, rng, longer=0, worded=worded)
    return ", ".join([start, *(rest[i] for i in rng.permutation(len(rest)))])


def _as_written(attribute: str, value: str, text: str, rng: np.random.Generator) -> str:
    """The longest wording of a value that stands in a text, with or without its article; a usual one if none does."""
    words = wordings()[attribute][value]
    found = [word for word in words if re.sub("^(a|an|the) ", "", word) in text.lower()]
    return max(found, key=len) if found else words[int(rng.integers(min(4, len(words))))]


def describing(user: users.User, rng: np.random.Generator) -> Lesson:
    """Some prompts of a user, and the paragraph about what recurs in them (ZIPP 3.1)."""
    scenes = users.write(user, int(rng.integers(_FEWEST, _MOST + 1)), rng)
    posts = [users.prompts(scene, rng)[1] for scene in scenes]
    return Lesson("zipp_persona", {"posts": posts}, users.describe(scenes, rng))
