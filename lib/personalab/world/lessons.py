"""What the world's users teach a language model: rewriting short prompts their way, and describing people.

A lesson is a template's name, the fields that fill it and the answer to be learnt. In rewriting, a user's taste is in
no field: it shows through the history, or, where there is a description, through what recurred in other pictures of
the same user. The answer is what that user wrote.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from . import users

#: Numbers of earlier prompts that a rewriter is shown.
SHOTS = (0, 1, 2, 3, 5)
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
    shots = int(rng.choice(SHOTS)) if shots is None else shots
    persona = (
        str(rng.choice(["description", "about", ""], p=[0.5, 0.25, 0.25])) if persona is None else persona
    )
    scene, *earlier = users.write(user, 1 + shots, rng)
    short, full = users.prompts(scene, rng)
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
    return Lesson("zipp_rewrite", fields, full)


def describing(user: users.User, rng: np.random.Generator) -> Lesson:
    """Some prompts of a user, and the paragraph about what recurs in them (ZIPP 3.1)."""
    scenes = users.write(user, int(rng.integers(_FEWEST, _MOST + 1)), rng)
    posts = [users.prompts(scene, rng)[1] for scene in scenes]
    return Lesson("zipp_persona", {"posts": posts}, users.describe(scenes, rng))
