"""The backdrop: deterministic, and every setting, time and weather plainly unlike the others."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from personalab.world.backdrop import TIMES, WEATHERS, draw_backdrop, light
from personalab.world.canvas import Canvas
from personalab.world.scenes import INDOOR
from personalab.world.settings import SETTINGS
from personalab.world.words import attributes


def picture(seed: int = 0, **scene: str) -> np.ndarray:
    canvas = Canvas()
    draw_backdrop(canvas, scene, np.random.default_rng(seed))
    assert canvas.light == (1.0, 1.0, 1.0)
    return np.asarray(canvas.image.resize((64, 64), Image.BOX), dtype=float)


def closest(pictures: list[np.ndarray]) -> float:
    return min(np.abs(a - b).mean() for a, b in combinations(pictures, 2))


def test_same_seed_same_bytes_and_another_seed_another_picture():
    first, again, other = (picture(seed, setting="castle", weather="snow") for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes() and 0 < np.abs(first - other).mean() < 12


def test_the_drawn_values_are_those_of_the_vocabulary():
    for name, drawn in (("setting", SETTINGS), ("time", TIMES), ("weather", WEATHERS)):
        assert set(drawn) == set(attributes()[name])


def test_every_two_settings_differ_by_at_least_25_levels_and_in_greyscale_by_15():
    pictures = [picture(setting=setting) for setting in SETTINGS]
    assert closest(pictures) > 25
    assert closest([each.mean(axis=2) for each in pictures]) > 15


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_two_times_differ_by_at_least_15_levels(setting):
    assert closest([picture(setting=setting, time=time) for time in TIMES]) > 15


@pytest.mark.parametrize("setting", sorted(set(SETTINGS) - INDOOR))
def test_every_two_weathers_differ_by_at_least_8_levels_outdoors(setting):
    assert closest([picture(setting=setting, weather=weather) for weather in WEATHERS]) > 8


@pytest.mark.parametrize("name", ["setting", "time", "weather"])
def test_an_unknown_value_is_refused_and_the_choices_named(name):
    with pytest.raises(ValueError, match=rf"unknown {name} 'moon'.*(beach|dawn|clear)"):
        picture(**{name: "moon"})


def test_missing_attributes_mean_day_clear_and_a_grey_studio():
    assert np.array_equal(picture(setting="city"), picture(setting="city", time="day", weather="clear"))
    assert np.ptp(picture(), axis=2).max() == 0 and light("day") == (1, 1, 1)
