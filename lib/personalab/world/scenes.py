"""Scenes of the miniature world: which attribute values there are, and which go together.

A scene is a dict attribute -> value with the values of words.yaml; an attribute that is missing is not in the
picture (no object, no person) or has its plain value (daylight, clear, natural colours, a photograph). `colour` is
the scene's one accent: the object and the garment wear it. Nothing here draws or writes.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from .words import attributes

Scene = dict[str, str]

INDOOR = frozenset({"living room", "kitchen", "library", "cafe", "workshop"})
#: What an attribute that is not named looks like; the others are simply absent from the picture.
PLAIN = {"time": "day", "weather": "clear", "palette": "natural", "style": "photo"}
#: Palettes that leave no hue to tell an accent colour by.
ERASING = frozenset({"monochrome", "sepia", "teal"})
#: Share of the scenes drawn for training that have each of these; the others are always there.
_PRESENT = {"object": 0.85, "garment": 0.6, "material": 0.75}
#: Extra weight of the plain value, so that the other attributes are often seen undisguised.
_PLAIN_SHARE = {"weather": 0.3, "palette": 0.3, "style": 0.25}


def check(scene: Mapping[str, str]) -> None:
    """Raise ValueError for an attribute or value that the world does not have."""
    for attribute, value in scene.items():
        if value not in attributes().get(attribute, ()):
            known = attributes().get(attribute) or tuple(attributes())
            raise ValueError(f"{attribute}={value!r} is not in this world; expected one of {known}")


def consistent(scene: Mapping[str, str]) -> Scene:
    """The scene without what its other values make invisible.

    Weather is not seen indoors; an accent colour needs an object or a garment to wear it and a palette that
    leaves it its hue.
    """
    kept = dict(scene)
    if kept.get("setting") in INDOOR:
        kept.pop("weather", None)
    if kept.get("palette") in ERASING or not {"object", "garment"} & kept.keys():
        kept.pop("colour", None)
    return {attribute: kept[attribute] for attribute in attributes() if attribute in kept}


def sample(rng: np.random.Generator) -> Scene:
    """A scene for training: every value of an attribute about equally often, plain ones more."""
    scene: Scene = {}
    for attribute, values in attributes().items():
        if rng.random() >= _PRESENT.get(attribute, 1.0):
            continue
        plain = attribute in _PLAIN_SHARE and rng.random() < _PLAIN_SHARE[attribute]
        scene[attribute] = PLAIN[attribute] if plain else values[int(rng.integers(len(values)))]
    return consistent(scene)


def encode(scenes: Sequence[Mapping[str, str]]) -> np.ndarray:
    """n scenes as (n, attributes) int8 indices into `attributes()`, -1 where a value is missing."""
    table = [(a, {value: i for i, value in enumerate(values)}) for a, values in attributes().items()]
    rows = [[index.get(scene.get(a), -1) for a, index in table] for scene in scenes]
    return np.array(rows, np.int8).reshape(len(rows), len(table))


def decode(codes: np.ndarray) -> list[Scene]:
    """(n, attributes) indices as scenes; the inverse of `encode`."""
    table = list(attributes().items())
    return [{a: values[i] for (a, values), i in zip(table, row, strict=True) if i >= 0} for row in codes]
