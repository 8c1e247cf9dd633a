"""Training pictures: the smaller set inside the larger, whole epochs, and no half-written file."""

import numpy as np
import pytest
import torch

from personalab.world import scenes
from personalab.world.draw import draw
from personalab.world.train import pictures as module
from personalab.world.train.pictures import batch, pictures


def test_pictures_are_the_drawn_scenes(tmp_path):
    data = pictures(tmp_path, 6, seed=4)
    expected = [scenes.sample(np.random.default_rng([4, i])) for i in range(6)]
    assert data.scenes(np.arange(6)) == expected
    for i, scene in enumerate(expected):
        assert np.array_equal(data.pixels[i], draw(scene, 4 * 1_000_003 + i))


def test_a_larger_set_begins_with_the_smaller_one(tmp_path, monkeypatch):
    small = pictures(tmp_path, 7, seed=1)
    monkeypatch.setattr(module, "_CHUNK", 5)  # neither chunks nor workers matter
    large = pictures(tmp_path, 12, seed=1, workers=2)
    assert large.pixels.shape == (12, 64, 64, 3) and large.codes.shape == (12, 9)
    assert np.array_equal(large.pixels[:7], small.pixels) and np.array_equal(large.codes[:7], small.codes)
    other = pictures(tmp_path, 7, seed=2)
    assert not (other.codes == small.codes).all(axis=1).any()


def test_a_set_that_lies_there_is_not_drawn_again(tmp_path, monkeypatch):
    first = pictures(tmp_path, 4, seed=0)
    monkeypatch.setattr(module, "ProcessPoolExecutor", None)
    again = pictures(tmp_path, 4, seed=0)
    assert np.array_equal(first.pixels, again.pixels) and np.array_equal(first.codes, again.codes)


def test_tensors_are_channels_first_in_minus_one_to_one(tmp_path):
    data = pictures(tmp_path, 3, seed=0)
    x = data.tensor(np.array([2, 0]))
    assert x.shape == (2, 3, 64, 64) and x.dtype == torch.float32 and x.min() >= -1 and x.max() <= 1
    assert x[0, 1, 10, 20] == pytest.approx(data.pixels[2, 10, 20, 1] / 127.5 - 1, abs=1e-6)


def test_a_stop_between_chunks_leaves_no_finished_file(tmp_path, monkeypatch):
    def stopped(jobs, **_):
        yield next(iter(jobs))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_CHUNK", 4)
    with monkeypatch.context() as patch:
        patch.setattr(module, "tqdm", stopped)
        with pytest.raises(KeyboardInterrupt):
            pictures(tmp_path, 10, seed=3)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    again, whole = pictures(tmp_path, 10, seed=3), pictures(tmp_path / "whole", 10, seed=3)
    assert np.array_equal(again.pixels, whole.pixels) and np.array_equal(again.codes, whole.codes)
    assert not list(tmp_path.glob("*.part"))


def test_every_row_once_per_epoch():
    for epoch in range(3):
        rows = [batch(40, 8, 0, 5 * epoch + i) for i in range(5)]
        assert sorted(np.concatenate(rows)) == list(range(40))
        assert all((np.diff(row) > 0).all() for row in rows)
    assert not np.array_equal(batch(40, 8, 0, 0), batch(40, 8, 0, 5))
    assert not np.array_equal(batch(40, 8, 0, 0), batch(40, 8, 1, 0))
    assert np.array_equal(batch(40, 8, 0, 3), batch(40, 8, 0, 3))


def test_a_rest_too_small_for_a_batch_waits_for_a_later_epoch():
    """43 rows in batches of 8: 40 of them once, 3 left over, others each time."""
    epochs = [np.concatenate([batch(43, 8, 0, 5 * e + i) for i in range(5)]) for e in range(12)]
    assert all(len(set(rows)) == 40 for rows in epochs)
    assert set(np.concatenate(epochs)) == set(range(43))


def test_too_few_pictures_for_a_batch():
    with pytest.raises(ValueError, match="got 7 pictures for batches of 8; draw more or take smaller"):
        batch(7, 8, 0, 0)
