"""The miniature world behind the image backends: prompts read as attribute values, and scenes drawn from them.

Grounding is a reading of words by similarity: it can miss what a prompt says, and `ImageBackend.grounded` shows what
was read. The drawn renderer paints exactly that and cannot edit a picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..world import captions, draw, scenes, words
from . import weights
from .pictures import Request


def grounder(name: str, card: dict[str, Any], embed: words.Embed | None) -> words.Grounder:
    """The reader of prompts of card `name`. Raises ValueError without an encoder to read with."""
    if embed is None:
        raise ValueError(
            f"card {name} grounds prompts in words: hand over a text encoder, "
            "load(..., embed=personalab.backends.embed.load('minilm'))"
        )
    return words.Grounder(embed, card.get("threshold", 0.5))


def plain(prompt: str, values: dict[str, str]) -> str:
    """The canonical caption of what was read from a prompt.

    What names no palette or style is asked for as a photograph in natural colours: the miniature generator saw all
    of them equally often and would take any. Words outside the vocabulary are left out, for it meets them in pieces.
    """
    return captions.plain({attribute: scenes.PLAIN[attribute] for attribute in ("palette", "style")} | values)


def named(prompt: str, values: dict[str, str]) -> str:
    """What was read in the form that `words.parse` reads back, so that keys hold the scene and not its wording."""
    return "scene | " + ", ".join(f"{attribute}={value}" for attribute, value in values.items())


def render(requests: Sequence[Request]) -> list[np.ndarray]:
    """Requests whose prompts `named` wrote, to pictures (64, 64, 3) uint8."""
    return [draw.draw(words.parse(request.prompt)[1], request.seed) for request in requests]


def world() -> str:
    """Hash of the code and data that draw the miniature world."""
    folder = Path(draw.__file__).parent
    return weights.fingerprint([*folder.glob("*.py"), *folder.glob("*.yaml")])
