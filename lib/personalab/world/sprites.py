"""The foreground of a scene: one object on the right, one person on the left, the material of the floor.

What objects and garments look like is data, in sprites.yaml; this module places it on a canvas, filled with the
scene's colour and outlined in ink, so that it stands out from any backdrop. It draws no backdrop, weather or style.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml

from .canvas import RGB, SIZE, Canvas, Point, mix

#: Left-top corner of the object's 28 x 28 box; the person's centre and top; how far they may move, in units.
OBJECT_CORNER = (34.0, 33.0)
PERSON_TOP = (15.0, 14.0)
JITTER = 1.0
#: Width of the outline, in units, and the first row of the floor.
OUTLINE = 1.1
FLOOR = 48

Part = dict[str, Any]


@cache
def _sheet() -> dict[str, Any]:
    text = resources.files("personalab.world").joinpath("sprites.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


#: The eight accent colours, by the names that the vocabulary gives them.
COLOURS: dict[str, RGB] = {name: tuple(colour) for name, colour in _sheet()["colours"].items()}


def draw_object(canvas: Canvas, name: str, colour: str | None, rng: np.random.Generator) -> None:
    """Draw an object in a colour of COLOURS (None: the object's own), within a unit of OBJECT_CORNER.

    Raises ValueError on an unknown object or colour.
    """
    entry = _pick(_sheet()["objects"], name, "object")
    x, y = OBJECT_CORNER + rng.uniform(-JITTER, JITTER, 2)
    _draw(canvas, entry["parts"], _fills(entry, colour), (x, y))


def draw_person(canvas: Canvas, garment: str, colour: str | None, rng: np.random.Generator) -> None:
    """Draw a person in a garment of that colour (None: the garment's own); skin and hair are drawn by lot.

    Raises ValueError on an unknown garment or colour.
    """
    sheet = _sheet()
    entry = _pick(sheet["garments"], garment, "garment")
    fills = _fills(entry, colour)
    fills["skin"] = sheet["skins"][rng.integers(len(sheet["skins"]))]
    fills["hair"] = sheet["hairs"][rng.integers(len(sheet["hairs"]))]
    x = PERSON_TOP[0] + rng.uniform(-JITTER, JITTER)
    _draw(canvas, sheet["head"] + entry["parts"], fills, (x, PERSON_TOP[1]))


def draw_material(canvas: Canvas, name: str, rng: np.random.Generator) -> None:
    """Cover the floor, rows 48 to 64, with a material's pattern. Raises ValueError on an unknown material."""
    _pick(MATERIALS, name, "material")(canvas, rng.uniform(-JITTER, JITTER))


def _pick(choices: dict[str, Any], name: str, kind: str) -> Any:
    if name not in choices:
        raise ValueError(f"got {kind} {name!r}, expected one of: {', '.join(choices)}")
    return choices[name]


def _fills(entry: dict[str, Any], colour: str | None) -> dict[str, RGB]:
    """The RGB of every fill that a part may name."""
    accent = tuple(entry["natural"]) if colour is None else _pick(COLOURS, colour, "colour")
    dark, light = mix(accent, (0, 0, 0), 0.38), mix(accent, (255, 255, 255), 0.42)
    fills = _sheet()["fills"] | {"accent": accent, "accent dark": dark, "accent light": light}
    if max(accent) < 60:
        fills["ink"] = fills["ink on black"]
    if min(accent) > 230:
        fills["paper"] = fills["paper on white"]
    return fills


def _draw(canvas: Canvas, parts: Sequence[Part], fills: dict[str, RGB], origin: Point) -> None:
    for part in parts:
        if "inside" not in part:
            _shape(canvas, part, fills["ink"], origin, OUTLINE)
    for part in parts:
        if "edge" in part:
            _shape(canvas, part, fills["ink"], origin, OUTLINE)
        fill = part["fill"]
        _shape(canvas, part, fills[fill] if isinstance(fill, str) else fill, origin, 0)


def _shape(canvas: Canvas, part: Part, colour: RGB, origin: Point, grow: float) -> None:
    """Draw one part moved to the origin and made larger by `grow` units on all sides."""
    x, y = origin
    shape = part["shape"]
    if shape == "rectangle":
        x0, y0, x1, y1 = part["box"]
        canvas.rectangle(x + x0 - grow, y + y0 - grow, x + x1 + grow, y + y1 + grow, colour)
    elif "points" in part:
        points = [(x + px, y + py) for px, py in part["points"]]
        if shape == "polygon":
            canvas.polygon(points, colour)
            points += points[:2]
        if shape == "line" or grow:
            canvas.line(points, colour, part.get("width", 0) + 2 * grow)
    else:
        place = [x + part["at"][0], y + part["at"][1], *(radius + grow for radius in part["radii"])]
        width = [part["width"] + 2 * grow] if "width" in part else []
        getattr(canvas, shape)(*place, *part.get("angles", []), colour, *width)


def _wood(canvas: Canvas, shift: float) -> None:
    canvas.rectangle(0, FLOOR, SIZE, SIZE, (62, 34, 18))
    for row, colour in enumerate([(186, 122, 66), (160, 98, 50), (186, 122, 66)]):
        top = FLOOR + 0.6 + 5.3 * row
        canvas.rectangle(0, top, SIZE, top + 4.1, colour)
        joint = 14 + 26 * (row % 2) + shift
        canvas.rectangle(joint, top, joint + 1.4, top + 4.1, (62, 34, 18))


def _stone(canvas: Canvas, shift: float) -> None:
    canvas.rectangle(0, FLOOR, SIZE, SIZE, (62, 62, 68))
    for row in range(2):
        for column in range(-1, 6):
            grey = 150 + 34 * ((column + row) % 3 == 0)
            x = 12 * column + 6 * row + 6 + shift
            canvas.ellipse(x, FLOOR + 4 + 8 * row, 5.3, 3.4, (grey, grey, grey + 4))


def _brick(canvas: Canvas, shift: float) -> None:
    canvas.rectangle(0, FLOOR, SIZE, SIZE, (226, 204, 184))
    for row in range(3):
        top = FLOOR + 1 + 5.3 * row
        for column in range(-1, 5):
            x = 13 * column + 6.5 * (row % 2) + shift
            canvas.rectangle(x, top, x + 11.4, top + 3.9, (172, 54, 40))


def _metal(canvas: Canvas, shift: float) -> None:
    canvas.rectangle(0, FLOOR, SIZE, SIZE, (190, 206, 220))
    canvas.rectangle(0, FLOOR, SIZE, FLOOR + 4, (112, 128, 148))
    for column in range(-1, 8):
        x = 9 * column + shift
        canvas.ellipse(x + 4.5, FLOOR + 2, 1.3, 1.3, (236, 242, 248))
        canvas.line([(x, SIZE - 1), (x + 7, FLOOR + 6)], (84, 100, 122), 3)


def _tile(canvas: Canvas, shift: float) -> None:
    canvas.rectangle(0, FLOOR, SIZE, SIZE, (240, 244, 250))
    for row in range(2):
        for column in range(-1, 5):
            x = 16 * column + 8 * row + shift
            canvas.rectangle(x, FLOOR + 8 * row, x + 8, FLOOR + 8 * row + 8, (36, 84, 170))


def _textile(canvas: Canvas, shift: float) -> None:
    canvas.rectangle(0, FLOOR, SIZE, SIZE, (120, 18, 36))
    points = [(8 * step - 8 + shift, FLOOR + (4 if step % 2 else 12)) for step in range(11)]
    canvas.line(points, (250, 206, 60), 3)


#: The floors, by the names that the vocabulary gives them.
MATERIALS: dict[str, Callable[[Canvas, float], None]] = dict(
    wood=_wood, stone=_stone, brick=_brick, metal=_metal, tile=_tile, textile=_textile
)
