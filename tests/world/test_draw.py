"""The renderer: reproducible to the byte, every value leaves its trace, nothing invisible does."""

import numpy as np
import pytest

from personalab.world.draw import draw, draw_many
from personalab.world.scenes import INDOOR, PLAIN, consistent, sample
from personalab.world.words import attributes

FULL = {
    "setting": "beach", "time": "day", "weather": "clear", "palette": "natural", "material": "wood",
    "object": "boat", "colour": "red", "garment": "coat", "style": "photo",
}  # fmt: skip


@pytest.fixture(scope="module")
def scenes() -> list[dict[str, str]]:
    return [sample(np.random.default_rng([2, i])) for i in range(70)]


def test_same_seed_same_bytes_for_any_number_of_workers(scenes):
    alone = [draw(scene, seed) for seed, scene in enumerate(scenes)]
    for workers in (1, 2):
        many = draw_many(scenes, range(len(scenes)), workers)
        assert many.shape == (70, 64, 64, 3) and many.dtype == np.uint8
        assert many.tobytes() == np.stack(alone).tobytes()


def test_another_seed_is_another_picture_of_the_same_scene(scenes):
    for scene in scenes[:20]:
        one, other = (draw(scene, seed).astype(float) for seed in (0, 1))
        assert 0 < np.abs(one - other).mean() < 30


def test_no_scenes_no_pictures():
    assert draw_many([], []).shape == (0, 64, 64, 3)
    with pytest.raises(ValueError, match="got 1 scenes and 2 seeds"):
        draw_many([FULL], [0, 1])


@pytest.mark.parametrize("attribute", attributes())
def test_every_value_changes_the_picture_plainly(attribute):
    """From one fully named scene, any two values of an attribute and its absence: a level and more on average."""
    pictures = [draw(FULL | {attribute: value}, 0).astype(float) for value in attributes()[attribute]]
    if attribute in ("material", "object", "garment"):
        pictures.append(draw({a: v for a, v in FULL.items() if a != attribute}, 0).astype(float))
    for i, picture in enumerate(pictures):
        assert all(np.abs(picture - other).mean() > 1 for other in pictures[:i])


def test_every_change_of_a_visible_value_changes_some_bytes(scenes):
    rng = np.random.default_rng(0)
    for seed, scene in enumerate(scenes[:25]):
        picture = draw(scene, seed)
        for attribute, value in scene.items():
            other = rng.choice([v for v in attributes()[attribute] if v != value])
            assert not np.array_equal(draw(scene | {attribute: str(other)}, seed), picture), (scene, other)


def test_what_is_not_named_is_plain(scenes):
    for scene in scenes[:20]:
        named = {a: v for a, v in scene.items() if PLAIN.get(a) != v}
        assert np.array_equal(draw(named, 5), draw(PLAIN | scene, 5))


def test_invisible_values_leave_no_trace():
    for setting in sorted(INDOOR):
        scene = FULL | {"setting": setting}
        assert len({draw(scene | {"weather": w}, 0).tobytes() for w in attributes()["weather"]}) == 1
    for palette in ("monochrome", "sepia", "teal"):
        scene = FULL | {"palette": palette}
        assert len({draw(scene | {"colour": c}, 0).tobytes() for c in attributes()["colour"]}) == 1
        assert np.array_equal(draw(scene, 3), draw(consistent(scene), 3))


@pytest.mark.parametrize("style", attributes()["style"])
def test_monochrome_has_no_hue_and_natural_has_one(style):
    grey, coloured = (np.ptp(draw(FULL | {"palette": p, "style": style}, 0).astype(int), axis=2)
                      for p in ("monochrome", "natural"))  # fmt: skip
    assert grey.max() == 0 and coloured.max() > 40


def test_film_and_watercolour_leave_the_rim_unpainted():
    film = draw(FULL | {"style": "instant film", "palette": "sepia"}, 0)
    assert (film[:4] == 246).all() and (film[-10:] == 246).all() and (film[:, :4] == 246).all()
    assert not (film[4:-10, 4:-4] == 246).all()
    assert (draw(FULL | {"style": "watercolor"}, 0)[0] == 248).all()


@pytest.mark.parametrize("attribute", attributes())
def test_an_unknown_value_is_refused(attribute):
    with pytest.raises(ValueError, match=f"{attribute}='moon' is not in this world; expected one of "):
        draw(FULL | {attribute: "moon"}, 0)
    with pytest.raises(ValueError, match="planet='mars' is not in this world"):
        draw(FULL | {"planet": "mars"}, 0)
