"""The places of the miniature world, one function each: few, large, flat shapes with an outline of their own.

Outdoor settings leave the sky alone and cover the ground down to the lower edge; indoor ones cover everything and
leave room for the window at x 22-42, y 4-24. Sky, window and weather are drawn elsewhere. Every function takes the
canvas, a shift of its landmark to the right (-1 to 1 unit), and whether lamps are on.
"""

from .canvas import RGB, SIZE, Canvas

_WHITE: RGB = (246, 244, 236)
_LAMP: RGB = (255, 222, 84)
_RED: RGB = (206, 38, 40)
_STEEL: RGB = (58, 62, 74)


def draw_studio(canvas: Canvas, shift: float, lamps: bool) -> None:
    """A bare grey wall and floor, for a scene that names no setting."""
    _bands(canvas, (0, (190, 190, 190)), (46, (150, 150, 150)))


def _bands(canvas: Canvas, *bands: tuple[float, RGB]) -> None:
    """Full-width bands, each from its own height down to the lower edge."""
    for y, colour in bands:
        canvas.rectangle(0, y, SIZE, SIZE, colour)


def _boxes(canvas: Canvas, colour: RGB, *boxes: tuple[float, float, float, float]) -> None:
    """Rectangles (x0, y0, x1, y1) of one colour."""
    for box in boxes:
        canvas.rectangle(*box, colour)


def _pane(canvas: Canvas, x: float, y: float, width: float, height: float, dark: RGB, lamps: bool) -> None:
    """A window or lamp: the colour `dark` by day, yellow in no light but its own when lamps are on."""
    before, canvas.light = canvas.light, (1, 1, 1) if lamps else canvas.light
    canvas.rectangle(x, y, x + width, y + height, _LAMP if lamps else dark)
    canvas.light = before


def _beach(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (29, (22, 112, 190)), (38.5, _WHITE), (41, (244, 218, 150)))
    x = 30 + shift
    canvas.line([(x - 3, 47), (x - 1.5, 32), (x, 16)], (120, 78, 40), 3)
    for dx, dy in ((-13, 8), (-10, -3), (0, -9), (10, -3), (13, 8)):
        leaf = [(x - 1, 15), (x + dx * 0.6, 11 + dy * 0.6), (x + dx, 15 + dy), (x + dx * 0.5, 17 + dy * 0.4)]
        canvas.polygon(leaf, (28, 132, 56))


def _mountains(canvas: Canvas, shift: float, lamps: bool) -> None:
    for middle, top, half, grey in ((9, 14, 20, 98), (57, 15, 20, 98), (31, 6, 23, 124)):
        x, side, cap = middle + shift, 12 * half / (42 - top), top + 12
        canvas.polygon([(x - half, 42), (x, top), (x + half, 42)], (grey - 4, grey + 4, grey + 32))
        teeth = [(x + side, cap), (x + 4, top + 8), (x, cap + 1), (x - 4, top + 8), (x - side, cap)]
        canvas.polygon([(x, top), *teeth], (252, 252, 255))
    _bands(canvas, (41, (86, 140, 84)))


def _city(canvas: Canvas, shift: float, lamps: bool) -> None:
    towers = ((-2, 13, 15), (12, 12, 8), (25, 12, 18), (38, 10, 9), (49, 9, 24), (59, 8, 12))
    for index, (left, width, top) in enumerate(towers):
        x, wall = left + shift, ((96, 106, 126), (134, 142, 158))[index % 2]
        canvas.rectangle(x, top, x + width, 46, wall)
        for cell in range(width // 5 * ((40 - top) // 6)):
            row, column = divmod(cell, width // 5)
            _pane(canvas, x + 1.6 + column * 5, top + 2.5 + row * 6, 2.8, 3.2, (40, 48, 70), lamps)
    _bands(canvas, (43, (176, 176, 180)), (48, (82, 84, 92)))
    _boxes(canvas, _WHITE, *((x, 54, x + 9, 56) for x in (2, 20, 38, 56)))


def _desert(canvas: Canvas, shift: float, lamps: bool) -> None:
    canvas.ellipse(52, 44, 30, 16, (206, 138, 66))
    canvas.ellipse(8, 46, 32, 16, (222, 158, 80))
    _bands(canvas, (41, (240, 190, 104)))
    for x, top, size in ((29 + shift, 10, 1.0), (57 + shift, 18, 0.8)):
        canvas.ellipse(x, top + 2, 2.6 * size, 2.6 * size, (34, 112, 62))
        canvas.rectangle(x - 2.6 * size, top + 2, x + 2.6 * size, 45, (34, 112, 62))
        for reach, low in ((-7 * size, top + 16 * size), (7 * size, top + 11 * size)):
            arm = [(x, low), (x + reach, low), (x + reach, low - 8 * size)]
            canvas.line(arm, (34, 112, 62), 3 * size)


def _forest(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (26, (14, 44, 30)), (45, (74, 78, 40)))
    for index, (middle, top) in enumerate(((0, 8), (21, 9), (43, 12), (64, 8), (10, 13), (32, 4), (54, 17))):
        x, colour = middle + shift, (18, 62, 40) if index < 4 else (26, 88, 52)
        canvas.rectangle(x - 1.5, 40, x + 1.5, 48, (72, 46, 28))
        for y, half in ((top, 5), (top + 9, 7), (top + 18, 9)):
            canvas.polygon([(x - half, y + 13), (x, y), (x + half, y + 13)], colour)


def _field(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (32, (240, 200, 66)))
    for x in range(-88, 153, 24):
        canvas.polygon([(28 + x * 0.12, 32), (x - 4, SIZE), (x + 5, SIZE)], (176, 122, 34))
    x = 30 + shift
    canvas.rectangle(x - 9, 19, x + 9, 36, _RED)
    canvas.polygon([(x - 11, 20), (x - 7, 12), (x, 8), (x + 7, 12), (x + 11, 20)], (104, 24, 28))
    canvas.rectangle(x - 4.5, 25, x + 4.5, 36, _WHITE)
    _pane(canvas, x - 2.8, 26.7, 5.6, 9.3, (128, 24, 26), lamps)


def _garden(canvas: Canvas, shift: float, lamps: bool) -> None:
    for x in range(0, 70, 11):
        canvas.ellipse(x, 25, 7.5, 6, (34, 110, 48))
    _bands(canvas, (25, (34, 110, 48)), (42, (122, 200, 80)))
    for index in range(11):
        x, y = 2 + index * 6 + shift, (26, 35)[index % 2]
        canvas.ellipse(x, y, 3.1, 3.1, ((236, 48, 70), (255, 222, 60), (250, 140, 200), _WHITE)[index % 4])
        canvas.ellipse(x, y, 1.1, 1.1, (150, 90, 20))


def _temple(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (42, (186, 176, 150)))
    x = 30 + shift
    canvas.rectangle(x - 1, 1, x + 1, 8, (224, 178, 60))
    for half, top in ((12, 6), (17, 17), (22, 29)):
        canvas.rectangle(x - half * 0.58, top + 5, x + half * 0.58, top + 14, (246, 226, 184))
        for middle in (x - half * 0.4, x, x + half * 0.4):
            _pane(canvas, middle - 1.3, top + 7.5, 2.6, 4, (110, 44, 30), lamps)
        brim = [(x - half, top + 4), (x - half * 0.5, top), (x + half * 0.5, top), (x + half, top + 4)]
        canvas.polygon([*brim, (x + half * 0.75, top + 7), (x - half * 0.75, top + 7)], _RED)


def _castle(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (42, (100, 136, 74)))
    merlons = ((x + shift, 22, x + shift + 3.4, 26) for x in range(-4, 68, 6))
    _boxes(canvas, (140, 142, 152), (0, 25, SIZE, 46), *merlons)
    for x, half, top in ((7 + shift, 5.5, 16), (30 + shift, 7, 14), (55 + shift, 5.5, 16)):
        canvas.rectangle(x - half, top, x + half, 46, (170, 172, 182))
        canvas.polygon([(x - half - 2, top), (x, top - 13), (x + half + 2, top)], (150, 34, 58))
        _pane(canvas, x - 1.6, top + 4, 3.2, 5, (52, 50, 66), lamps)
    canvas.pie(30 + shift, 37, 4.5, 8, 180, 360, (60, 40, 34))
    canvas.rectangle(25.5 + shift, 37, 34.5 + shift, 46, (60, 40, 34))


def _market(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (20, (84, 58, 44)), (37, (150, 98, 54)), (46, (196, 172, 136)))
    for left, cloth in ((shift - 3, _RED), (shift + 21, (30, 120, 70)), (shift + 45, (36, 84, 176))):
        for stripe in range(5):
            x, colour = left + stripe * 4.4, _WHITE if stripe % 2 else cloth
            canvas.polygon([(x + 1, 11), (x + 3.4, 11), (x + 4.4, 24), (x, 24)], colour)
            canvas.pie(x + 2.2, 23.8, 2.2, 3, 0, 180, colour)
        for x, ware in ((left + 4, (240, 130, 30)), (left + 11, _RED), (left + 18, (120, 190, 50))):
            canvas.ellipse(x, 35.5, 3.2, 3, ware)
        _pane(canvas, left + 9, 27.5, 4, 3.5, (120, 90, 66), lamps)


def _harbour(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (31, (28, 92, 140)), (49, (128, 122, 118)))
    _boxes(canvas, (120, 180, 212), (20, 45, 29, 46.5), (38, 42, 47, 43.5), (52, 46, 61, 47.5))
    x = 29 + shift
    canvas.polygon([(x - 11, 42), (x - 7, 37), (x + 7, 37), (x + 11, 42)], (84, 80, 84))
    for step in range(5):
        half, y, colour = 3.4 + step * 0.6, 11 + step * 5.4, (_RED, _WHITE)[step % 2]
        low = [(x + half + 0.6, y + 5.4), (x - half - 0.6, y + 5.4)]
        canvas.polygon([(x - half, y), (x + half, y), *low], colour)
    _pane(canvas, x - 2.4, 6, 4.8, 5, (250, 236, 160), lamps)
    canvas.polygon([(x - 4, 6.4), (x, 2), (x + 4, 6.4)], (120, 26, 32))
    for mast in (6, 47, 58):
        canvas.rectangle(mast - 0.7, 13, mast + 0.7, 36, (74, 48, 34))
        canvas.polygon([(mast + 1, 15), (mast + 6.5, 30), (mast + 1, 30)], _WHITE)
        canvas.polygon([(mast - 5, 33), (mast + 6, 33), (mast + 4, 38), (mast - 3, 38)], (116, 62, 36))


def _river(canvas: Canvas, shift: float, lamps: bool) -> None:
    canvas.ellipse(8, 40, 28, 24, (66, 140, 66))
    canvas.ellipse(56, 42, 28, 22, (92, 166, 76))
    _bands(canvas, (36, (122, 186, 84)))
    x, water = 31 + shift, (40, 132, 220)
    right = [(x + 9, 34), (x + 4, 42), (x + 15, 50), (x + 27, 64)]
    canvas.polygon([(x - 9, 34), *right, (x - 17, 64), (x - 9, 51), (x - 15, 43)], water)
    canvas.pie(x, 36, 18, 12, 180, 360, (214, 204, 190))
    canvas.pie(x, 37, 11, 8.5, 180, 360, water)


def _living_room(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (0, (238, 208, 160)), (46, (164, 108, 66)))
    canvas.rectangle(46 + shift, 7, 61 + shift, 21, (96, 60, 34))
    canvas.rectangle(48 + shift, 9, 59 + shift, 19, _WHITE)
    canvas.ellipse(53.5 + shift, 14, 3, 3, _RED)
    canvas.rectangle(6, 29, 58, 44, (32, 112, 128))
    canvas.rectangle(6, 38, 58, 49, (86, 145, 155))
    _boxes(canvas, (22, 78, 90), (1, 33, 9, 50), (55, 33, 63, 50))


def _kitchen(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (0, (206, 228, 226)))
    for step in range(1, 9):
        _boxes(
            canvas, (150, 184, 186), (step * 7, 0, step * 7 + 1, 34), (0, step * 4.4 - 1, SIZE, step * 4.4)
        )
    for x, radius in ((5, 4), (14, 4.6), (49, 4), (58, 4.6)):
        _boxes(canvas, _STEEL, (x - 5, 10, x + 5, 11.5), (x + shift - 0.8, 10, x + shift + 0.8, 19))
        canvas.ellipse(x + shift, 22, radius, radius, (176, 90, 46))
    _bands(canvas, (33, (120, 80, 50)), (36, _WHITE), (50, (110, 116, 122)))
    canvas.rectangle(23, 31.5, 41, 50, _STEEL)
    _pane(canvas, 26, 39, 12, 7, (250, 140, 50), lamps)
    canvas.rectangle(27, 27, 37, 32, _RED)


def _library(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (0, (186, 132, 84)), (46, (170, 62, 60)))
    _boxes(canvas, (104, 66, 40), (0, 0, 19.5, 48), (44.5, 0, SIZE, 48))
    spines = (_RED, (36, 96, 160), (236, 190, 70), (40, 128, 80), (240, 226, 196))
    for index in range(40):
        row, book = divmod(index, 10)
        x, top = 1 + book % 5 * 3.6 + book // 5 * 44.5, 2 + row * 11.5 + (book * 2 + row) % 3
        canvas.rectangle(x, top + shift / 2, x + 3, 11 + row * 11.5, spines[(book + row * 2) % 5])
    canvas.rectangle(20, 38, 44, 50, (120, 74, 44))


def _cafe(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (0, (60, 92, 84)), (32, (232, 204, 164)), (35, (134, 80, 46)), (50, (92, 62, 48)))
    for x in (5 + shift, 15 + shift, 49 + shift, 59 + shift):
        canvas.rectangle(x - 0.6, 0, x + 0.6, 10, (20, 22, 24))
        canvas.polygon([(x - 4.5, 16), (x - 1.5, 9), (x + 1.5, 9), (x + 4.5, 16)], (236, 110, 40))
        _pane(canvas, x - 2.6, 16, 5.2, 3, (255, 236, 150), lamps)
    _boxes(canvas, _WHITE, (23.5, 27, 29.5, 32), (33.5, 27, 39.5, 32))


def _workshop(canvas: Canvas, shift: float, lamps: bool) -> None:
    _bands(canvas, (0, (140, 148, 156)), (32, (196, 136, 74)), (36.5, (84, 60, 44)), (50, (96, 96, 98)))
    _boxes(canvas, (226, 186, 122), (0, 2, 19, 29), (45, 2, SIZE, 29))
    x = 5 + shift
    _boxes(canvas, _RED, (x - 1, 8, x + 1, 25), (x + 8, 11, x + 10.2, 25), (x + 42, 5, x + 46, 14))
    canvas.rectangle(x - 4, 5, x + 4, 10, _STEEL)
    canvas.ring(x + 9, 8, 3.4, 3.4, _STEEL, 1.8)
    canvas.polygon([(x + 46, 6), (x + 57, 14), (x + 57, 17), (x + 46, 13)], _STEEL)
    _boxes(canvas, (40, 92, 160), (26, 28, 38, 32), *((a, 19, a + 2, 27) for a in (48, 54, 60)))


_OUTDOOR = (
    _beach,
    _mountains,
    _city,
    _desert,
    _forest,
    _field,
    _garden,
    _temple,
    _castle,
    _market,
    _harbour,
    _river,
)
_ROOMS = (_living_room, _kitchen, _library, _cafe, _workshop)
#: What draws each setting, under the setting's own name.
SETTINGS = {draw.__name__[1:].replace("_", " "): draw for draw in _OUTDOOR + _ROOMS}
