"""The backdrop of a miniature scene: its sky, its setting and its weather, in the light of its time of day.

`settings` draws the places; this module puts a sky behind them, a window into the indoor ones and the weather over
the outdoor ones. It draws no material, object, person, palette or style.
"""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from .canvas import RGB, SCALE, SIZE, Canvas, mix
from .scenes import INDOOR
from .settings import SETTINGS, draw_studio

__all__ = ["TIMES", "WEATHERS", "draw_backdrop", "light"]

_PLAIN: RGB = (1.0, 1.0, 1.0)
_LIGHT: dict[str, RGB] = {
    "dawn": (1.0, 0.84, 0.93),
    "day": _PLAIN,
    "golden hour": (1.05, 0.84, 0.58),
    "night": (0.54, 0.6, 0.82),
    "neon": (0.86, 0.5, 0.9),
}
#: The sky's colour at the zenith and at the horizon.
_SKY: dict[str, tuple[RGB, RGB]] = {
    "dawn": ((170, 142, 214), (255, 194, 204)),
    "day": ((58, 138, 240), (172, 216, 252)),
    "golden hour": ((232, 100, 28), (255, 206, 104)),
    "night": ((6, 8, 30), (24, 32, 78)),
    "neon": ((36, 4, 66), (158, 20, 132)),
}
#: The grey a weather pours over the sky, and how much of it.
_GREY: dict[str, tuple[RGB, float]] = {
    "clear": ((0, 0, 0), 0.0),
    "cloudy": ((158, 162, 170), 0.75),
    "rain": ((86, 96, 112), 0.75),
    "snow": ((176, 184, 200), 0.75),
    "fog": ((200, 202, 206), 0.6),
}
#: Where the sun or the moon stands (x, y), and its radius.
_DISC: dict[str, tuple[float, float, float]] = {
    "dawn": (50, 25, 6),
    "day": (51, 8, 5.5),
    "golden hour": (50, 20, 9.5),
    "night": (50, 9, 5.5),
}
_SUN: dict[str, RGB] = {"dawn": (255, 244, 222), "day": (255, 240, 96), "golden hour": (255, 240, 150)}
_STARS = ((5, 6), (14, 3), (19, 11), (27, 4), (36, 9), (41, 3), (60, 17), (61, 3))
#: Box (x0, y0, x1, y1) and colour of the glowing bars.
_BARS: tuple[tuple[float, float, float, float, RGB], ...] = (
    (3, 5, 18, 8, (60, 245, 255)),
    (46, 4, 61, 7, (255, 90, 190)),
    (57, 11, 60, 25, (255, 232, 70)),
)
TIMES = tuple(_LIGHT)
WEATHERS = tuple(_GREY)
_HORIZON = 40
_WINDOW = (22, 4, 42, 24)


def light(time: str) -> RGB:
    """The share of red, green and blue that a time of day lets through: mild, for things near the viewer.

    The scenery takes it twice over (its square), so that the whole picture's tone tells the time.
    Raises ValueError when `time` is not one of `TIMES`.
    """
    _check("time", time, TIMES)
    return _LIGHT[time]


def draw_backdrop(canvas: Canvas, scene: Mapping[str, str], rng: np.random.Generator) -> None:
    """Fill the whole canvas with the sky, setting and weather of `scene`; the canvas keeps its own light.

    A missing time is day, a missing weather clear, a missing setting a bare grey studio. Indoors the weather is not
    shown. `rng` moves landmarks by at most a unit and scatters the rain and snow.
    Raises ValueError when the scene's setting, time or weather is unknown.
    """
    time, weather, setting = scene.get("time", "day"), scene.get("weather", "clear"), scene.get("setting")
    ambient = light(time)
    _check("weather", weather, WEATHERS)
    if setting is not None:
        _check("setting", setting, tuple(SETTINGS))
    before, scenery = canvas.light, tuple(part**2 for part in ambient)
    if setting is not None and setting not in INDOOR:
        canvas.light = _PLAIN
        _draw_sky(canvas, time, weather, scenery)
    canvas.light = scenery
    SETTINGS.get(setting, draw_studio)(canvas, rng.uniform(-1, 1), time in ("night", "neon"))
    if setting in INDOOR:
        canvas.light = _PLAIN
        _draw_window(canvas, time)
    else:
        _draw_weather(canvas, weather, ambient, rng)
    if time == "neon":
        canvas.light = _PLAIN
        _draw_bars(canvas)
    canvas.light = before


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}: choose one of {', '.join(known)}")


def _draw_sky(canvas: Canvas, time: str, weather: str, scenery: RGB) -> None:
    grey, share = _GREY[weather]
    grey = tuple(part * lit for part, lit in zip(grey, scenery, strict=True))
    top, bottom = (mix(colour, grey, share) for colour in _SKY[time])
    canvas.gradient(0, 0, SIZE, _HORIZON, top, bottom)
    canvas.rectangle(0, _HORIZON, SIZE, SIZE, bottom)
    if weather == "clear":
        if time == "night":
            for x, y in _STARS:
                canvas.ellipse(x, y, 1.1, 1.1, (255, 255, 230))
        if time in _DISC:
            _draw_disc(canvas, time, *_DISC[time], top)


def _draw_disc(canvas: Canvas, time: str, x: float, y: float, radius: float, sky: RGB) -> None:
    if time == "night":
        canvas.ellipse(x, y, radius, radius, (250, 246, 214))
        canvas.ellipse(x + radius * 0.5, y - radius * 0.25, radius * 0.85, radius * 0.85, sky)
    else:
        canvas.ellipse(x, y, radius, radius, _SUN[time])


def _draw_window(canvas: Canvas, time: str) -> None:
    x0, y0, x1, y1 = _WINDOW
    frame = tuple(238 * part for part in _LIGHT[time])
    top, bottom = _SKY[time]
    canvas.rectangle(x0 - 1.5, y0 - 1.5, x1 + 1.5, y1 + 2.5, frame)
    canvas.gradient(x0, y0, x1, y1, top, bottom)
    if time == "night":
        for x, y in ((25, 8), (29, 13), (26, 20), (38, 20)):
            canvas.ellipse(x, y, 1, 1, (255, 255, 230))
    if time in _DISC:
        y, radius = {"dawn": (19.5, 3.5), "golden hour": (17, 5)}.get(time, (9.5, 3.5))
        _draw_disc(canvas, time, 36.5, y, radius, top)
    canvas.rectangle(31.2, y0, 32.8, y1, frame)
    canvas.rectangle(x0, 13.2, x1, 14.8, frame)


def _draw_bars(canvas: Canvas) -> None:
    for x0, y0, x1, y1, colour in _BARS:
        canvas.rectangle(x0 - 1.3, y0 - 1.3, x1 + 1.3, y1 + 1.3, mix(colour, (110, 10, 110), 0.6))
        canvas.rectangle(x0, y0, x1, y1, colour)


def _draw_weather(canvas: Canvas, weather: str, ambient: RGB, rng: np.random.Generator) -> None:
    if weather == "cloudy":
        for x, y in ((10, 6), (33, 4), (54, 7)):
            _draw_cloud(canvas, x + rng.uniform(-1, 1), y)
    elif weather == "fog":
        _veil(canvas, 0, 48, (214, 216, 220), 0.62)
    elif weather == "snow":
        _veil(canvas, 31, 44, (240, 245, 255), 0.5)
        canvas.rectangle(0, 44, SIZE, SIZE, (244, 248, 255))
        canvas.light = mix(ambient, _PLAIN, 0.6)
        _draw_flakes(canvas, rng)
    elif weather == "rain":
        canvas.light = mix(ambient, _PLAIN, 0.6)
        _draw_rain(canvas, rng)


def _draw_cloud(canvas: Canvas, x: float, y: float) -> None:
    colour = (224, 227, 232)
    canvas.ellipse(x - 5, y + 1, 4.5, 3.5, colour)
    canvas.ellipse(x, y - 1, 5.5, 5, colour)
    canvas.ellipse(x + 6, y + 1, 4, 3.5, colour)
    canvas.rectangle(x - 6, y, x + 7, y + 4.5, colour)


def _draw_rain(canvas: Canvas, rng: np.random.Generator) -> None:
    shifts = rng.uniform(-1, 1, (15, 2))
    for index, (dx, dy) in enumerate(shifts):
        x, y = 2 + index % 5 * 13 + index // 5 * 4 + dx, index // 5 * 14 + index % 2 * 5 + 1 + dy
        canvas.line([(x + 2.5, y), (x, y + 7)], (206, 230, 255), 1.2)


def _draw_flakes(canvas: Canvas, rng: np.random.Generator) -> None:
    shifts = rng.uniform(-2, 2, (25, 2))
    for index, (dx, dy) in enumerate(shifts):
        x, y = 5 + index % 5 * 13.5 + dx, 4 + index // 5 * 9 + (index % 2) * 4 + dy
        canvas.ellipse(x, y, 1.2, 1.2, (255, 255, 255))


def _veil(canvas: Canvas, y0: int, y1: int, colour: RGB, share: float) -> None:
    box = (0, y0 * SCALE, SIZE * SCALE, y1 * SCALE)
    lit = tuple(min(255, int(part * by)) for part, by in zip(colour, canvas.light, strict=True))
    part = canvas.image.crop(box)
    canvas.image.paste(Image.blend(part, Image.new("RGB", part.size, lit), share), box)
