"""The oracle of the drawn world: prompts rewritten as in ZIPP 3.2, but from the taste itself, which no method may know.

It keeps what a prompt shows and draws all that the prompt leaves open from the taste. It sees neither the person's
posts nor the held-out picture, apart from what kind of picture that is (outdoors, indoors, a portrait): its scene is
one that the person would post, seldom the one that was held out. Of people outside the drawn world it knows nothing.
"""

from collections.abc import Iterable

import numpy as np

from ..world import captions, users, words
from ..world.taste import Taste, context_of, sample


def tastes(writers: Iterable[int], seed: int) -> list[Taste]:
    """The tastes of the drawn world's people, drawn again from their numbers.

    Args:
        writers: n numbers of people, as the graph's notebook keeps them.
        seed: of the graph they post in.
    """
    return [users.draw_user(np.random.default_rng([seed, 1, int(i)])).taste for i in writers]


def completed(basic: str, original: str, taste: Taste, rng: np.random.Generator) -> str:
    """A basic prompt with everything but its subject as a taste has it.

    Args:
        basic: a short prompt, which stays as it is.
        original: the person's own prompt for the same picture; only the kind of picture is read from it.
        taste: the person's.
        rng: draws the scene.

    Returns:
        The prompt, a comma and a plain caption of the values drawn; the prompt alone if there are none.
    """
    scene = sample(taste, rng, context_of(words.spelt(original)))
    rest = {attribute: value for attribute, value in scene.items() if attribute not in users.SUBJECT}
    return f"{basic}, {captions.plain(rest)}" if rest else basic
