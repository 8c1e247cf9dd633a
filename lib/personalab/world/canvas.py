"""A small drawing surface in the world's own units: 64 x 64, whatever the number of pixels behind it.

Shapes are drawn several times larger than asked for and shrunk at the end, which smooths their edges. Colours are
RGB triples of 0-255; `light` multiplies them, so that one call dims or warms everything drawn afterwards.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

RGB = tuple[float, float, float]
Point = tuple[float, float]

#: Width and height of the world, in its own units.
SIZE = 64
#: Pixels per unit while drawing.
SCALE = 3


class Canvas:
    """Shapes on a square image; x runs right and y down, from 0 to SIZE."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE))
        self.light: RGB = (1.0, 1.0, 1.0)
        self._draw = ImageDraw.Draw(self.image)

    def polygon(self, points: Iterable[Point], colour: RGB) -> None:
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=self._lit(colour))

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, colour: RGB) -> None:
        self._draw.rectangle(
            [x0 * SCALE, y0 * SCALE, max(x0 * SCALE, x1 * SCALE - 1), max(y0 * SCALE, y1 * SCALE - 1)],
            fill=self._lit(colour),
        )

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: RGB) -> None:
        self._draw.ellipse(_box(x, y, rx, ry), fill=self._lit(colour))

    def ring(self, x: float, y: float, rx: float, ry: float, colour: RGB, width: float) -> None:
        self.arc(x, y, rx, ry, 0, 360, colour, width)

    def arc(
        self, x: float, y: float, rx: float, ry: float, start: float, end: float, colour: RGB, width: float
    ) -> None:
        """Part of an ellipse's outline; degrees run clockwise from three o'clock."""
        self._draw.arc(_box(x, y, rx, ry), start, end, fill=self._lit(colour), width=_pixels(width))

    def pie(self, x: float, y: float, rx: float, ry: float, start: float, end: float, colour: RGB) -> None:
        """A filled slice of an ellipse; 180 to 360 is its upper half."""
        self._draw.pieslice(_box(x, y, rx, ry), start, end, fill=self._lit(colour))

    def line(self, points: Sequence[Point], colour: RGB, width: float) -> None:
        path = [(x * SCALE, y * SCALE) for x, y in points]
        self._draw.line(path, fill=self._lit(colour), width=_pixels(width), joint="curve")

    def gradient(self, x0: float, y0: float, x1: float, y1: float, top: RGB, bottom: RGB) -> None:
        """A rectangle that fades from `top` to `bottom`."""
        corner = (round(x0 * SCALE), round(y0 * SCALE))
        width, height = round(x1 * SCALE) - corner[0], round(y1 * SCALE) - corner[1]
        share = np.linspace(0, 1, height)[:, None, None]
        column = np.array(self._lit(top)) * (1 - share) + np.array(self._lit(bottom)) * share
        fill = np.broadcast_to(column, (height, width, 3)).astype(np.uint8)
        self.image.paste(Image.fromarray(fill), corner)

    def _lit(self, colour: RGB) -> tuple[int, ...]:
        return tuple(int(min(255, max(0, part * lit))) for part, lit in zip(colour, self.light, strict=True))


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """Colour a with the given share of colour b."""
    return tuple(x * (1 - share) + y * share for x, y in zip(a, b, strict=True))


def _box(x: float, y: float, rx: float, ry: float) -> list[float]:
    return [(x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE]


def _pixels(width: float) -> int:
    return max(1, round(width * SCALE))
