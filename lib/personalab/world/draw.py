"""The renderer: a scene and a seed to a 64 x 64 picture, the same bytes every time.

The scene is drawn in layers (backdrop, floor, object, person), then palette and style are laid over the whole.
Palettes change colours only, styles mainly edges, contrast and frame, so that both can be told apart in one
picture.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from PIL import Image, ImageFilter

from .backdrop import draw_backdrop, light
from .canvas import SIZE, Canvas
from .scenes import PLAIN, check, consistent
from .sprites import draw_material, draw_object, draw_person

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: Share of the time's light that falls on what stands in front.
_FRONT_LIGHT = 0.35


def draw(scene: Mapping[str, str], seed: int) -> np.ndarray:
    """One scene as a picture.

    Args:
        scene: attribute -> value; what is missing is absent or plain. Values that others make invisible are
            left out first (`scenes.consistent`).
        seed: of the small variety between pictures of one scene.

    Returns:
        (64, 64, 3) uint8.

    Raises:
        ValueError: an attribute or value that the world does not have.
    """
    check(scene)
    scene = PLAIN | consistent(scene)
    rng = np.random.default_rng(seed)
    canvas = Canvas()
    draw_backdrop(canvas, scene, rng)
    canvas.light = tuple(1 + _FRONT_LIGHT * (part - 1) for part in light(scene["time"]))
    if "material" in scene:
        draw_material(canvas, scene["material"], rng)
    if "object" in scene:
        draw_object(canvas, scene["object"], scene.get("colour"), rng)
    if "garment" in scene:
        draw_person(canvas, scene["garment"], scene.get("colour"), rng)
    picture = _styled(canvas.image, scene["style"])
    return _framed(_toned(picture, scene["palette"]), scene["style"]).round().clip(0, 255).astype(np.uint8)


def draw_many(scenes: Sequence[Mapping[str, str]], seeds: Sequence[int], workers: int = 1) -> np.ndarray:
    """n scenes to (n, 64, 64, 3) uint8, the same whatever the number of workers; n seeds, else ValueError."""
    if len(scenes) != len(seeds):
        raise ValueError(f"got {len(scenes)} scenes and {len(seeds)} seeds; expected one seed per scene")
    if workers == 1 or len(scenes) < 64:
        pictures = list(map(draw, scenes, seeds))
    else:
        with ProcessPoolExecutor(workers) as pool:
            pictures = list(pool.map(draw, scenes, seeds, chunksize=64))
    return np.stack(pictures) if pictures else np.empty((0, SIZE, SIZE, 3), np.uint8)


def _styled(image: Image.Image, style: str) -> np.ndarray:
    """The drawing at its full size to (64, 64, 3) float32 in its style."""
    if style == "watercolor":
        image = image.filter(ImageFilter.GaussianBlur(3.5))
    outline = _edges(image) if style in ("sketch", "flat") else None
    pixels = np.asarray(image.resize((SIZE, SIZE), Image.BOX), np.float32)
    if style == "flat":
        return np.round((pixels + 10) / 48) * 48 * (1 - 0.8 * outline)
    if style == "sketch":
        return (160 + 0.38 * pixels) * (1 - outline) + 40 * outline
    if style == "watercolor":
        return 0.8 * pixels + 50
    if style == "dramatic":
        middle = pixels.mean()
        return (1.6 * (pixels - middle) + 0.95 * middle).clip(0, 255) * _vignette()
    return pixels


def _toned(pixels: np.ndarray, palette: str) -> np.ndarray:
    grey = (pixels @ _LUMA)[..., None]
    match palette:
        case "vibrant":
            return grey + 1.9 * (pixels - grey)
        case "muted":
            return 0.6 * (grey + 0.4 * (pixels - grey)) + 60
        case "pastel":
            return 0.45 * (grey + 1.1 * (pixels - grey)) + 136
        case "monochrome":
            return np.repeat(grey, 3, axis=2)
        case "sepia":
            return grey * np.array([0.95, 0.75, 0.5], np.float32) + np.array([36, 22, 4], np.float32)
        case "teal":
            return grey * np.array([0.4, 0.9, 0.95], np.float32) + np.array([0, 24, 36], np.float32)
    return pixels


def _framed(pixels: np.ndarray, style: str) -> np.ndarray:
    """Instant film's white card and watercolour's unpainted paper, which no palette colours."""
    if style == "instant film":
        card = np.full_like(pixels, 246)
        card[4:-10, 4:-4] = 0.85 * pixels[4:-10, 4:-4] + 28
        return card
    if style == "watercolor":
        paper = _paper()
        return pixels * (1 - paper) + 248 * paper
    return pixels


def _edges(image: Image.Image) -> np.ndarray:
    """Strength of outlines (64, 64, 1) in [0, 1]."""
    found = image.convert("L").filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.FIND_EDGES)
    strength = np.array(found.resize((SIZE, SIZE), Image.BOX), np.float32)[..., None] / 18
    strength[0], strength[-1], strength[:, 0], strength[:, -1] = 0, 0, 0, 0
    return strength.clip(0, 0.85)


def _distance() -> np.ndarray:
    """(64, 64, 1) distance of each pixel from the picture's rim, in units."""
    steps = np.minimum(np.arange(SIZE), np.arange(SIZE)[::-1]) + 0.5
    return np.minimum.outer(steps, steps)[..., None].astype(np.float32)


def _paper() -> np.ndarray:
    """Watercolour's rim: bare paper for three units, wavy and soft."""
    wave = np.sin(np.arange(SIZE) * 0.7)
    return (1 - (_distance() - 2.5 - (wave[:, None] + wave[None, :])[..., None]) / 3).clip(0, 1)


def _vignette() -> np.ndarray:
    across = np.linspace(-1, 1, SIZE, dtype=np.float32)
    return (1.25 - 0.7 * np.add.outer(across**2, across**2)[..., None]).clip(0.1, 1)
