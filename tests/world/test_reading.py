"""Zero-shot reading, on embeddings whose nearest value is known."""

import math

import numpy as np
import pytest
from scipy.special import softmax

from personalab.world.captions import spoken
from personalab.world.reading import read, recall_at_1, recognised, value_embeddings
from personalab.world.scenes import encode, sample
from personalab.world.words import attributes


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture
def values() -> dict[str, np.ndarray]:
    """Orthogonal directions, one per value of any attribute."""
    sizes = [len(v) for v in attributes().values()]
    basis, start = np.eye(sum(sizes)), np.cumsum([0, *sizes])
    return {a: basis[i : i + n] for a, i, n in zip(attributes(), start, sizes, strict=False)}


def pictures_of(scenes, values) -> np.ndarray:
    """Embeddings that point at each value of the scenes equally."""
    return unit(
        np.stack([sum(values[a][attributes()[a].index(v)] for a, v in scene.items()) for scene in scenes])
    )


def test_the_nearest_value_is_read_and_rows_sum_to_1(values):
    scenes = [sample(np.random.default_rng(i)) for i in range(60)]
    found = read(pictures_of(scenes, values), values, 100.0)
    for attribute, p in found.items():
        assert p.shape == (60, len(attributes()[attribute])) and p.sum(axis=1) == pytest.approx(1)
    shares = recognised(found, scenes)
    assert set(shares) == set(attributes()) and all(share == 1 for share in shares.values())


def test_reading_is_a_softmax_of_scaled_cosines():
    rng = np.random.default_rng(0)
    images = unit(rng.normal(size=(5, 8)))
    values = {a: unit(rng.normal(size=(len(v), 8))) for a, v in attributes().items()}
    for scale in (1.0, 100.0, 1e6):
        for attribute, p in read(images, values, scale).items():
            assert p == pytest.approx(softmax(scale * images @ values[attribute].T, axis=1))


def test_value_embeddings_are_unit_means_of_the_spoken_wordings():
    seen = []

    def embed(texts):
        seen.extend(texts)
        return unit(np.stack([np.random.default_rng(len(t)).normal(size=6) for t in texts]))

    rows = value_embeddings(embed)
    assert {a: len(r) for a, r in rows.items()} == {a: len(v) for a, v in attributes().items()}
    assert np.linalg.norm(rows["style"], axis=1) == pytest.approx(1)
    mean = embed(spoken("style", "flat")).mean(axis=0)
    assert rows["style"][1] == pytest.approx(mean / np.linalg.norm(mean))
    assert "a person in a suit" in seen and "a red boat" in seen and "wood underfoot" in seen


def test_missing_attributes_do_not_count():
    """Three pictures, two show an object, one of them read rightly; nobody wears anything."""
    scenes = [{"object": "bicycle"}, {"object": "boat"}, {"time": "dawn"}]
    p = {a: np.eye(len(v))[[0, 0, 0]] for a, v in attributes().items()}
    assert encode(scenes)[:, list(attributes()).index("object")].tolist() == [0, 1, -1]
    shares = recognised(p, scenes)
    assert shares["object"] == 0.5 and shares["time"] == 1 and math.isnan(shares["garment"])


def test_nothing_is_recognised_in_no_pictures():
    none = {a: np.empty((0, len(v))) for a, v in attributes().items()}
    assert all(math.isnan(share) for share in recognised(none, []).values())


def test_recall_of_identical_rows_is_1_and_of_shifted_ones_0():
    rows = unit(np.random.default_rng(0).normal(size=(70, 16)))
    assert recall_at_1(rows, rows, 32) == 1
    assert recall_at_1(rows, np.roll(rows, 1, axis=0), 70) == 0


def test_recall_counts_whole_blocks_only():
    """Half of the first block is mixed up; rows beyond the second block do not count."""
    rows = np.eye(25)
    texts = rows.copy()
    texts[[0, 1, 2, 3, 4]] = texts[[1, 2, 3, 4, 0]]
    texts[20:] = 0
    assert recall_at_1(rows, texts, 10) == 15 / 20


def test_recall_needs_a_block():
    with pytest.raises(ValueError, match="got 5 pictures; recall among 6 captions"):
        recall_at_1(np.eye(5), np.eye(5), 6)
