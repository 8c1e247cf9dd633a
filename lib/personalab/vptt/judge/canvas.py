"""What the judge is shown: a numbered grid of the persona's posts and a row of pictures under blind labels (VPTT 15.1).

Sizes and font are fixed, so that the same pictures make the same bytes. A picture is shrunk or enlarged to fit its tile
and never cropped; its number or label stands in a strip above it and covers nothing. Which method hides behind which
label follows from the persona, the task and a seed alone. Nothing here asks or scores.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from ...backends.pictures import is_picture

#: Blind labels; the paper shows four (A-D) or five (A-E).
LABELS = "ABCDEFGHIJ"
#: The profile's grid: columns, rows.
GRID = (5, 2)
#: Sides of the squares that hold a post and a picture to be judged, in pixels.
POST, PICTURE = 256, 384
#: Height of the strip above a tile, and the space around tile and strip together.
STRIP, GAP = 40, 8
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def shuffled(methods: Sequence[str], user: str, task: str, seed: int) -> dict[str, str]:
    """Label -> method, in an order that follows from user, task and seed, whatever the order of `methods`.

    Methods are sorted by the SHA-256 of (user, task, seed, method), so every order is equally likely over users, and the
    same on any machine.

    Raises:
        ValueError: no methods, more than there are labels, or one named twice.
    """
    if not 1 <= len(methods) <= len(LABELS) or len(set(methods)) < len(methods):
        raise ValueError(f"got methods {list(methods)}; expected 1 to {len(LABELS)} different ones")

    def place(method: str) -> bytes:
        return hashlib.sha256(json.dumps([user, task, int(seed), method]).encode()).digest()

    return dict(zip(LABELS, sorted(methods, key=place), strict=False))


def swapped(order: Mapping[str, str]) -> dict[str, str]:
    """The same labels with every method moved half the row on, round its end: with two methods or more none stays."""
    methods = list(order.values())
    half = len(methods) // 2
    return dict(zip(order, methods[half:] + methods[:half], strict=True))


def profile_canvas(posts: Sequence[np.ndarray]) -> np.ndarray:
    """Up to 10 posts in a grid 5 wide and 2 high, numbered from 1 row by row; places left over stay white.

    Args:
        posts: pictures, uint8 (h, w, 3) of any sizes.

    Returns:
        uint8 (616, 1328, 3), whatever the number of posts.

    Raises:
        ValueError: no posts, more than 10, or one that is no picture.
    """
    columns, rows = GRID
    if not 1 <= len(posts) <= columns * rows:
        raise ValueError(f"got {len(posts)} posts; expected 1 to {columns * rows}, chosen beforehand")
    return _grid({str(i): post for i, post in enumerate(posts, 1)}, columns, rows, POST)


def methods_canvas(pictures: Mapping[str, np.ndarray]) -> np.ndarray:
    """The pictures to be judged in one row from left to right, each under its label.

    Args:
        pictures: label -> uint8 (h, w, 3), in the order of the row.

    Returns:
        uint8 (440, 392 n + 8, 3) for n pictures.

    Raises:
        ValueError: no picture, or something that is none.
    """
    if not pictures:
        raise ValueError("got no pictures for the methods canvas; expected at least one")
    return _grid(pictures, len(pictures), 1, PICTURE)


def input_canvas(picture: np.ndarray) -> np.ndarray:
    """The picture that was edited, on a canvas of its own. Raises ValueError for something that is no picture."""
    return _grid({"Input": picture}, 1, 1, PICTURE)


def box(position: int, columns: int, side: int) -> tuple[int, int, int, int]:
    """Where the tile at a position, counted from 0 row by row, lies: left, top, right, bottom in pixels."""
    row, column = divmod(position, columns)
    left = GAP + column * (side + GAP)
    top = GAP + STRIP + row * (side + STRIP + GAP)
    return left, top, left + side, top + side


def _grid(tiles: Mapping[str, np.ndarray], columns: int, rows: int, side: int) -> np.ndarray:
    right, bottom = box(columns * rows - 1, columns, side)[2:]
    canvas = Image.new("RGB", (right + GAP, bottom + GAP), _WHITE)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=28)
    for position, (name, picture) in enumerate(tiles.items()):
        if not is_picture(picture):
            raise ValueError(f"what is to stand at {name!r} is no picture; expected a uint8 array (h, w, 3)")
        left, top = box(position, columns, side)[:2]
        canvas.paste(_fitted(picture, side), (left, top))
        draw.text((left + side // 2, top - STRIP // 2), name, fill=_BLACK, font=font, anchor="mm")
    return np.asarray(canvas)


def _fitted(picture: np.ndarray, side: int) -> Image.Image:
    """As large as fits into the square, in its middle, on white."""
    return ImageOps.pad(Image.fromarray(picture), (side, side), Image.Resampling.LANCZOS, color=_WHITE)
