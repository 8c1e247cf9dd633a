"""The foreground: complete against the vocabulary, reproducible, told apart at 64 pixels, in the colour asked for."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from personalab.world.canvas import Canvas
from personalab.world.sprites import COLOURS, FLOOR, MATERIALS, draw_material, draw_object, draw_person
from personalab.world.words import attributes

WORDS = attributes()
DRAWN = [(draw_object, name) for name in WORDS["object"]] + [(draw_person, name) for name in WORDS["garment"]]


def picture(draw, *what, ground=128, seed=0, pixels=64) -> np.ndarray:
    """What a function draws on plain grey, pixels x pixels x 3."""
    canvas = Canvas()
    canvas.rectangle(0, 0, 64, 64, (ground, ground, ground))
    draw(canvas, *what, np.random.default_rng(seed))
    return np.asarray(canvas.image.resize((pixels, pixels), Image.BOX), int)


def test_same_seed_same_bytes_and_another_seed_another_picture():
    for draw, *what in [(draw, name, None) for draw, name in DRAWN] + [(draw_material, m) for m in MATERIALS]:
        assert np.array_equal(picture(draw, *what), picture(draw, *what))
        assert not np.array_equal(picture(draw, *what), picture(draw, *what, seed=3)), what


def test_any_two_differ_in_grey_over_three_tenths_of_the_object_box():
    grey = [(name, picture(draw, name, "red").mean(axis=2)) for draw, name in DRAWN]
    for (one, a), (other, b) in combinations(grey, 2):
        assert (abs(a - b) > 24).sum() > 0.3 * 28 * 28, (one, other)


@pytest.mark.parametrize("colour", WORDS["colour"])
def test_three_tenths_of_a_thing_have_its_colour_or_a_shade_of_it(colour):
    accent = np.array(COLOURS[colour])
    shades = np.array([accent, accent * 0.62, accent * 0.58 + 255 * 0.42])
    for draw, name in DRAWN:
        on_dark, on_pale = (picture(draw, name, colour, ground=grey, pixels=192) for grey in (9, 199))
        thing = on_dark[(on_dark == on_pale).all(axis=2)]
        assert (abs(thing[:, None] - shades).max(axis=2) < 2).any(axis=1).mean() >= 0.3, name


def test_colours_and_floors_are_far_apart():
    assert min(np.linalg.norm(np.subtract(*pair)) for pair in combinations(COLOURS.values(), 2)) > 85
    floors = [picture(draw_material, name)[FLOOR:].mean(axis=2) for name in MATERIALS]
    assert min(abs(one - other).mean() for one, other in combinations(floors, 2)) > 30


@pytest.mark.parametrize("kind", ["object", "garment", "material"])
def test_an_unknown_name_raises_with_the_choices_which_are_the_vocabulary(kind):
    draw = {"object": draw_object, "garment": draw_person, "material": draw_material}[kind]
    with pytest.raises(ValueError, match=f"got {kind} 'mud', expected one of: ") as error:
        picture(draw, "mud", *([] if kind == "material" else ["red"]))
    assert set(str(error.value).partition("of: ")[2].split(", ")) == set(WORDS[kind])
