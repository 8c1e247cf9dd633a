"""One person's pictures by FABRIC, DrUM, ViPer, DB-LoRA or a grid of the gallery, each rendered once (VPTT 7.2.2, ZIPP 4.1).

What a method may see of a person is a `Material`; method and material give an image backend whose pictures are kept under
a key of the method, the person, the settings and a hash of what was seen, so that a run which was stopped goes on where
it stood. Nothing is prepared (references encoded, an adapter trained) before a picture is missing. Where a material has
nothing that the method could learn from, every picture is refused with the reason. Tailored Visions rewrites prompts and
has no renderer of its own; what a person's preferences are is the caller's matter.

Defaults are the methods' own, for pictures of 512 pixels and more. At 64 pixels ViPer's degree of .85 drowns the subject
(its place is still right in 25 to 67 % of pictures) and .3 does not; FABRIC works with 8 steps and guidance 3.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..backends import pipelines
from ..backends.backbone import Backbone
from ..backends.backbone import load as load
from ..backends.image import ImageBackend, Render
from ..backends.pictures import Refused, Request
from . import drum as drums
from . import fabric as fabrics
from . import grid as grids
from . import lora as loras
from . import viper as vipers


class Material(NamedTuple):
    """What a method may see of one person."""

    user: str
    #: the person's pictures, uint8 (h, w, 3), of one size; those that matter most first
    liked: Sequence[np.ndarray]
    #: prompts that the person wrote
    prompts: Sequence[str] = ()
    #: of each liked picture what it shows, worded as test prompts are; what they leave unsaid is the person's own
    subjects: Sequence[str] = ()
    #: other people's pictures
    disliked: Sequence[np.ndarray] = ()


def plain(backbone: Backbone) -> ImageBackend:
    """No method: what a request says and nothing else, under the keys of image.load, so that both find the same pictures."""
    render = draws(backbone)
    reading = {"read": backbone.read, "rewrite": backbone.rewrite, "identity": dict(backbone.identity)}
    return ImageBackend(backbone.name, backbone.card, render, store=backbone.store, **reading)


def fabric(
    backbone: Backbone, material: Material, *, steps: int = 20, guidance: float = 8.0, seed: int = 0
) -> ImageBackend:
    """FABRIC: the liked and the disliked pictures in the U-Net's self-attention. Settings as in fabric.renderer."""
    liked, disliked = list(material.liked), list(material.disliked)
    settings = {"steps": steps, "guidance": guidance, "seed": seed}

    def build() -> Render:
        return fabrics.renderer(backbone.pipeline, backbone.card, liked, disliked, **settings)

    lacking = None if liked else "no liked picture"
    return prepared(backbone, "FABRIC", material.user, settings, [*liked, "|", *disliked], lacking, build)


def drum(
    backbone: Backbone,
    material: Material,
    adapter: drums.Adapter,
    *,
    alpha: float = 0.3,
    top: int | None = None,
) -> ImageBackend:
    """DrUM: the prompt's condition mixed with those of the person's prompts.

    Args:
        adapter: trained on this backbone.
        alpha: strength; 0.3, in VPTT 0.5.
        top: each prompt has the so many most similar ones only (5 in VPTT), all there are if fewer; None: all.
    """
    references = backbone.shown(material.prompts)
    settings = {"alpha": alpha, "top": top and min(top, max(len(references), 1))}

    def build() -> Render:
        return drums.renderer(backbone.pipeline, backbone.card, adapter, references, **settings)

    seen = [*references, *_arrays(adapter.state_dict())]
    lacking = None if references else "no prompt"
    return prepared(backbone, "DrUM", material.user, settings, seen, lacking, build)


def viper(
    backbone: Backbone,
    material: Material,
    preferences: vipers.Preferences,
    *,
    degree: float = vipers.DEGREE,
    refiner: Backbone | None = None,
) -> ImageBackend:
    """ViPer: guidance by what the person likes and dislikes; of the material, only who it is of.

    Args:
        preferences: as viper.extract or viper.from_galleries finds them.
        degree: how much they count; 0.85 as released.
        refiner: SDXL's, for the last fifth of the noise, as ViPer was released; None for none.
    """
    settings: dict[str, Any] = {"degree": degree}
    if refiner is not None:
        settings["refiner"] = [refiner.card["model"], dict(refiner.identity)]

    def build() -> Render:
        last = None if refiner is None else refiner.pipeline
        return vipers.renderer(backbone.pipeline, backbone.card, preferences, degree, last)

    lacking = None if any(preferences) else "no preference"
    return prepared(backbone, "ViPer", material.user, settings, map(str, preferences), lacking, build)


def lora(
    backbone: Backbone,
    material: Material,
    recipe: loras.Recipe,
    *,
    folder: Path | None = None,
    scale: float = 1.0,
) -> ImageBackend:
    """DB-LoRA: an adapter that is trained on the liked pictures when the first picture is wanted.

    Args:
        recipe: of the training; rank 16 and 1,000 steps in VPTT.
        folder: keeps adapters, a file for each person; a finished one is not trained again. None keeps none.
        scale: of the adapter's updates.
    """
    liked, subjects = list(material.liked), backbone.shown(material.subjects)
    seen = [*liked, *subjects]

    def build() -> Render:
        if folder is None:
            adapter = loras.train(backbone.pipeline, liked, subjects, recipe)
        else:
            name = f"{material.user} {_hash([*sorted(backbone.identity.items()), *seen])}"
            files = loras.train_all(backbone.pipeline, {name: (liked, subjects)}, folder, recipe)
            adapter = loras.read(files[name])
        return loras.renderer(backbone.pipeline, backbone.card, adapter, scale=scale)

    settings = {"recipe": recipe._asdict(), "scale": scale}
    lacking = None if liked else "no liked picture"
    return prepared(backbone, "DB-LoRA", material.user, settings, seen, lacking, build)


def grid(
    backbone: Backbone, material: Material, adapter: grids.GridAdapter, *, scale: float = 1.0
) -> ImageBackend:
    """The liked pictures as one, which an adapter reads: as many rows and columns as they fill, at most those of its
    training."""
    columns = min(adapter.columns, isqrt(len(material.liked)))
    liked, settings = list(material.liked[: columns**2]), {"scale": scale, "columns": columns}

    def build() -> Render:
        return grids.renderer(backbone.pipeline, backbone.card, liked, adapter, **settings)

    tensors = {f"{part}.{name}": t for part, of in adapter.tensors.items() for name, t in of.items()}
    seen = [*liked, adapter.side, *_arrays(adapter.encoder.state_dict() | tensors)]
    lacking = None if liked else "no liked picture"
    return prepared(backbone, "Grid", material.user, settings, seen, lacking, build)


def draws(backbone: Backbone) -> Render:
    """Requests to pictures by a backbone as it is: a pipeline, or the function of a service (see in_context.service)."""
    if backbone.card["kind"] == "diffusers":
        return partial(pipelines.run, backbone.pipeline, backbone.card)
    return backbone.pipeline


def prepared(
    backbone: Backbone,
    method: str,
    user: str,
    settings: Mapping[str, Any],
    seen: Iterable[Any],
    lacking: str | None,
    build: Callable[[], Render],
) -> ImageBackend:
    """A backend that prepares the method when a first picture is missing, or refuses all of them.

    Args:
        settings: of the method, which change its pictures.
        seen: texts, numbers and arrays that it was shown, in their order.
        lacking: why it cannot be prepared, None if it can.
        build: prepares it.
    """
    built = cache(build)

    def render(requests: Sequence[Request]) -> Sequence[np.ndarray | Refused]:
        if lacking:
            return [Refused(f"{method} has nothing to learn from: {lacking}")] * len(requests)
        return built()(requests)

    facts = {"method": method, "user": user, "settings": json.dumps(settings), "material": _hash(seen)}
    return ImageBackend(
        backbone.name,
        backbone.card,
        render,
        store=backbone.store,
        read=backbone.read,
        rewrite=backbone.rewrite,
        identity={**backbone.identity, **facts},
    )


def _arrays(tensors: Mapping[str, torch.Tensor]) -> list[Any]:
    """Names and values of tensors."""
    return [part for name in sorted(tensors) for part in (name, tensors[name].detach().float().cpu().numpy())]


def _hash(parts: Iterable[Any]) -> str:
    """Of texts, numbers and arrays, in their order."""
    found = hashlib.sha256()
    for part in parts:
        shaped = isinstance(part, np.ndarray)
        found.update(repr((part.shape, str(part.dtype)) if shaped else part).encode() + b"\n")
        found.update(part.tobytes() if shaped else b"")
    return found.hexdigest()
