"""One person's pictures by models that are shown a grid of the gallery: FLUX Kontext, GPT-image-1, and one that GPT-4o writes
the prompt for (VPTT 7.2.2).

As in `makers`, material gives an image backend, and nothing is prepared or asked before a picture is missing. Here the grid
is a picture that goes in with the prompt; an adapter that reads grids is `makers.grid`. Services cost money: they are
behind a cap, and their answers are kept like any picture.
"""

from collections.abc import Sequence
from functools import partial
from math import isqrt
from pathlib import Path

import numpy as np

from ..backends import embed
from ..backends.backbone import Backbone
from ..backends.image import ImageBackend, Render
from ..backends.llm import LLM, OPERATION
from ..backends.pictures import Refused, Request
from . import gpt, grid
from .makers import Material, draws, prepared


def service(name: str, cap: float, store: Path | None = None) -> Backbone:
    """An image service by its card, in a backbone's place.

    Args:
        name: a card of kind openai-images with `dollars_per_image`.
        cap: dollars that all backends made from this one may cost together, pictures in the store not counted.
    """
    card = embed.card(name)
    return Backbone(Path(name).stem, card, gpt.renderer(card, cap), store)


def shown(
    backbone: Backbone, material: Material, variant: str = "", *, columns: int = 5, side: int = 512
) -> ImageBackend:
    """The liked pictures as one, which a model starts from: FLUX Kontext edits it, GPT-image-1 is told what to do.

    Args:
        backbone: a pipeline that edits pictures, or a service.
        variant: of the instruction, see gpt.instructed; empty: the prompt goes in as it is.
        columns: of the grid at most; fewer if there are not enough pictures.
        side: of a picture in it, in pixels.
    """
    liked = _liked(material, columns)
    frame = partial(gpt.instructed, variant=variant) if variant else grid.edit_requests

    def build() -> Render:
        picture, draw = _grid(liked, side), draws(backbone)
        return lambda requests: draw(frame(requests, picture))

    words = [request.prompt for one in liked[:1] for request in frame([Request("", 0)], one)]
    settings = {"words": words, "side": side}
    lacking = None if liked else "no liked picture"
    return prepared(backbone, "Shown grid", material.user, settings, liked, lacking, build)


def described(
    backbone: Backbone, material: Material, llm: LLM, *, columns: int = 5, side: int = 512
) -> ImageBackend:
    """A model that sees the grid writes three phrases from each prompt, which are drawn without the grid.

    A prompt that does not come back in form has no picture, and the answer's reason.
    """
    liked = _liked(material, columns)

    def build() -> Render:
        picture, draw = _grid(liked, side), draws(backbone)

        def render(requests: Sequence[Request]) -> list[np.ndarray | Refused]:
            answers, _ = gpt.describe(llm, [r.prompt for r in requests], [picture] * len(requests))
            wanted = [
                r._replace(prompt=a.text)
                for r, a in zip(requests, answers, strict=True)
                if a.text is not None
            ]
            made = iter(draw(wanted) if wanted else [])
            return [Refused(str(a.reason), lasting=False) if a.text is None else next(made) for a in answers]

        return render

    asked = {key: value for key, value in llm.card.items() if key not in OPERATION}
    words = [chat.messages for one in liked[:1] for chat in gpt.questions(llm, [""], [one])]
    settings = {"reader": asked, "words": words, "side": side}
    lacking = None if liked else "no liked picture"
    return prepared(backbone, "Described grid", material.user, settings, liked, lacking, build)


def _liked(material: Material, columns: int) -> list[np.ndarray]:
    """As many of the liked pictures as fill a square grid."""
    return list(material.liked[: min(columns, isqrt(len(material.liked))) ** 2])


def _grid(liked: Sequence[np.ndarray], side: int) -> np.ndarray:
    return grid.grid_picture(liked, isqrt(len(liked)), side)
