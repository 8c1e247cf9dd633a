"""The eye: probabilities from known logits, weights that come back, and what the published one reads off drawings."""

import json

import numpy as np
import pytest
import torch
from scipy.special import softmax

from conftest import REPOSITORY
from personalab.world import eye, reading, scenes, taste, users
from personalab.world.autoencoder import PatchAutoencoder
from personalab.world.draw import draw_many
from personalab.world.eye import Eye, load, seen
from personalab.world.train.eye import disturbed, new_eye, publish, round_trip, train_eye
from personalab.world.train.fit import read_log
from personalab.world.train.pictures import Pictures
from personalab.world.words import attributes

SMALL = (8, 8, 8, 16)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data() -> Pictures:
    made = [scenes.sample(np.random.default_rng([5, i])) for i in range(48)]
    return Pictures(draw_many(made, range(48)), scenes.encode(made))


@pytest.fixture(scope="module")
def vae() -> PatchAutoencoder:
    torch.manual_seed(0)
    return PatchAutoencoder(latent_channels=4, block_out_channels=(8, 8, 8, 8)).eval()


# --- what it says


def test_probabilities_are_softmaxes_with_absence_apart():
    rng = np.random.default_rng(0)
    logits = {a: rng.normal(0, 30, (5, 1 + len(v))) for a, v in attributes().items()}
    found = seen(logits)
    for attribute, rows in logits.items():
        assert found.present[attribute] == pytest.approx(1 - softmax(rows, axis=1)[:, 0])
        assert found.values[attribute] == pytest.approx(softmax(rows[:, 1:], axis=1))


def test_pictures_are_read_one_by_one_whatever_else_is_in_the_batch(data, monkeypatch):
    model = new_eye(0)
    before = model.read(data.pixels)
    monkeypatch.setattr(eye, "_BATCH", 7)
    after = model.read(list(data.pixels))
    for attribute, values in attributes().items():
        assert before.values[attribute].shape == (48, len(values)) and before.present[attribute].shape == (
            48,
        )
        assert after.values[attribute] == pytest.approx(before.values[attribute], abs=1e-6)
    assert not model.training


def test_no_pictures_are_read_as_no_rows():
    found = Eye(SMALL).read([])
    assert {a: rows.shape for a, rows in found.values.items()} == {
        a: (0, len(v)) for a, v in attributes().items()
    }
    assert all(rows.shape == (0,) for rows in found.present.values())


@pytest.mark.parametrize(
    "picture, said",
    [
        (None, "picture 1 is NoneType"),
        (np.zeros((64, 64, 3)), "picture 1 is float64"),
        (np.zeros((32, 32, 3), np.uint8), r"uint8 \(32, 32, 3\); expected uint8 \(64, 64, 3\)"),
    ],
)
def test_what_is_no_picture_of_this_world_is_named(picture, said):
    with pytest.raises(ValueError, match=said):
        Eye(SMALL).read([np.zeros((64, 64, 3), np.uint8), picture])


# --- on disk


def test_a_saved_eye_reads_as_before_up_to_half_precision(tmp_path, data):
    model = new_eye(1)
    model.save(tmp_path / "eye")
    before, after = (one.read(data.pixels) for one in (model, load(tmp_path / "eye")))
    for attribute in attributes():
        assert after.values[attribute] == pytest.approx(before.values[attribute], abs=5e-3)
    assert {file.suffix for file in (tmp_path / "eye").iterdir()} == {".safetensors", ".json"}


def test_an_eye_for_other_words_and_no_eye_at_all_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no eye"):
        load(tmp_path)
    Eye(SMALL).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["attributes"]["style"].append("pointillism")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="trained on other attributes or values"):
        load(tmp_path)


# --- training


def test_training_starts_from_ignorance_falls_and_repeats_itself(data, vae, tmp_path):
    """At the start the loss is about the mean logarithm of the numbers of classes."""
    logs, weights = [], []
    for name in ("one", "again"):
        torch.manual_seed(3)
        model = train_eye(Eye(SMALL), data, vae, tmp_path / name, steps=50, seed=0, batch_size=16)
        logs.append([{k: v for k, v in line.items() if k != "seconds"} for line in read_log(tmp_path / name)])
        weights.append(model.state_dict())
    assert logs[0] == logs[1] and all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    ignorant = np.mean([np.log(1 + len(v)) for v in attributes().values()])
    assert logs[0][-1]["loss"] < ignorant and not model.training


def test_every_second_picture_passes_the_autoencoder_and_none_moves_far(data, vae):
    """A white spot on black stays within three pixels; where the decoder says grey, every second picture is grey."""
    x = -torch.ones(6, 3, 64, 64)
    x[:, :, 30:34, 30:34] = 1
    grey = PatchAutoencoder(latent_channels=4, block_out_channels=(8, 8, 8, 8)).eval()
    for parameter in grey.parameters():
        torch.nn.init.zeros_(parameter)
    y = disturbed(x, grey, torch.Generator().manual_seed(0))
    assert y.abs().max() <= 1 and y[::2].mean().abs() < 0.01
    bright = (y[1::2].mean(dim=1) > 0).nonzero()
    assert len(bright) and bright[:, 1:].min() >= 27 and bright[:, 1:].max() <= 36
    again = disturbed(x, grey, torch.Generator().manual_seed(0))
    assert torch.equal(y, again) and (x[:, :, 30:34, 30:34] == 1).all()


def test_the_round_trip_is_the_autoencoders(data, vae):
    """An identity in place of the networks gives the pictures back to the byte."""

    class Same(torch.nn.Module):
        def encode(self, x):
            return type("", (), {"latent_dist": type("", (), {"mean": x})})

        def decode(self, z):
            return type("", (), {"sample": z})

    assert (round_trip(Same(), data.pixels) == data.pixels).all()
    assert round_trip(vae, data.pixels).shape == data.pixels.shape


def test_the_card_says_what_it_was_trained_on(tmp_path):
    publish(tmp_path, Eye(SMALL), log=[{"step": 7, "seconds": 36.0}], scores={"style": 0.5}, device="cpu")
    card = (tmp_path / "README.md").read_text()
    assert "no generated picture" in card and "| style | 0.500 |" in card and "7 steps" in card
    assert load(tmp_path).widths == SMALL


# --- the published one


@pytest.fixture(scope="module")
def published() -> Eye:
    return load(REPOSITORY / "models" / "mini-eye")


def test_the_published_eye_reads_unseen_drawings(published):
    """The drawing code knows the truth: scenes of no training set, drawn and read back."""
    truth = [scenes.sample(np.random.default_rng([71, i])) for i in range(400)]
    found = published.read(draw_many(truth, range(400)))
    shares = reading.recognised(found.values, truth)
    assert all(share >= 0.85 for share in shares.values()), shares
    assert all(shares[attribute] >= 0.95 for attribute in taste.VISIBLE), shares
    there = scenes.encode(truth) >= 0
    for k, attribute in enumerate(attributes()):
        assert ((found.present[attribute] > 0.5) == there[:, k]).mean() >= 0.95, attribute


def test_what_it_sees_matches_a_taste_as_the_true_scene_does(published):
    """Own posts above a stranger's, and the bits of its reading near those of the truth."""
    people = [users.draw_user(np.random.default_rng([72, i])).taste for i in range(100)]
    posts = [taste.sample(one, np.random.default_rng([73, i])) for i, one in enumerate(people)]
    codes = scenes.encode(posts)
    sure = {a: np.eye(len(v))[codes[:, k]] for k, (a, v) in enumerate(attributes().items())}
    values = published.read(draw_many(posts, range(100))).values
    own, stranger = taste.match(values, people), taste.match(values, people[1:] + people[:1])
    assert own.mean() > stranger.mean() + 1
    assert np.corrcoef(own, taste.match(sure, people))[0, 1] > 0.95
