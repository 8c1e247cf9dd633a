"""The miniature CLIP: trains, is saved in the stock layout, sees what the stock preprocessing sees."""

from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from personalab.world import scenes
from personalab.world.captions import plain
from personalab.world.train.clip import captions, new_clip, normalised, tokenize, train_clip
from personalab.world.train.fit import read_log
from personalab.world.train.pictures import Pictures
from personalab.world.train.tokenizer import corpus, train_tokenizer

TOKENIZER = train_tokenizer(corpus(100, 0), 800)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data() -> Pictures:
    rng = np.random.default_rng(0)
    codes = scenes.encode([scenes.sample(rng) for _ in range(64)])
    return Pictures(rng.integers(0, 256, (64, 64, 64, 3), dtype=np.uint8), codes)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    model = new_clip(TOKENIZER, 0, width=40, text_width=32)
    return train_clip(model, TOKENIZER, data, folder, steps=3, seed=0, batch_size=16), folder


def test_a_miniature_has_at_most_six_million_parameters():
    assert 1e6 < sum(p.numel() for p in new_clip(TOKENIZER, 0).parameters()) <= 6e6


def test_three_steps_move_every_weight_and_the_saved_folder_is_stock(trained, data):
    model, folder = trained
    start = new_clip(TOKENIZER, 0, width=40, text_width=32)
    moved = [
        not torch.equal(p, q)
        for p, q in zip(model.parameters(), start.parameters(), strict=True)
        if p.ndim > 1
    ]
    assert all(moved) and not model.training and all(p.isfinite().all() for p in model.parameters())
    again = CLIPModel.from_pretrained(folder, attn_implementation="eager")
    words = CLIPTokenizer.from_pretrained(folder)
    texts = ["a red boat on a river", ""]
    ids = tokenize(words, texts)
    assert torch.equal(ids, tokenize(TOKENIZER, texts))
    x = normalised(data.tensor(np.arange(3)))
    with torch.no_grad():
        for one, other in (
            (model.get_image_features(x), again.get_image_features(x)),
            (model.get_text_features(ids), again.get_text_features(ids)),
        ):
            assert one.pooler_output.shape[1] == 128 and torch.equal(one.pooler_output, other.pooler_output)
    assert CLIPImageProcessorPil.from_pretrained(folder).crop_size["height"] == 64


def test_a_log_is_kept(trained):
    [last] = read_log(trained[1])
    assert last["step"] == 3 and last["loss"] > last["contrastive"] > 0 and last["attributes"] > 0
    assert (trained[1] / "checkpoint.pt").exists()


def test_padding_does_not_change_what_a_text_means(trained):
    model, _ = trained
    ids = tokenize(TOKENIZER, ["a red boat"])
    length = int((ids[0] == TOKENIZER.eos_token_id).nonzero()[0]) + 1
    with torch.no_grad():
        padded, short = (model.get_text_features(x).pooler_output for x in (ids, ids[:, :length]))
    assert torch.allclose(padded, short, atol=1e-5)


def test_the_same_seed_starts_the_same_model():
    one, again, other = (new_clip(TOKENIZER, seed, 40, 32).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[k], again[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_pixels_are_normalised_as_the_stock_processor_does(data):
    processor = CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    pictures = [Image.fromarray(pixels) for pixels in data.pixels[:4]]
    expected = torch.as_tensor(np.stack(processor(pictures)["pixel_values"]))
    assert torch.allclose(normalised(data.tensor(np.arange(4))), expected, atol=1e-5)


def test_an_eighth_of_the_captions_is_canonical_and_a_share_empty(data):
    rows = np.tile(np.arange(64), 20)
    n = len(rows)
    for empty in (0.0, 0.1):
        made = captions(data, rows, np.random.default_rng(0), empty)
        canonical = [text == plain(scene) for text, scene in zip(made, data.scenes(rows), strict=True)]
        assert abs(Counter(made)[""] / n - empty) <= 4 * np.sqrt(empty * (1 - empty) / n)
        assert abs(np.mean(canonical) - 0.125) < 4 * np.sqrt(0.125 * 0.875 / n) + 0.005
    assert captions(data, rows, np.random.default_rng(0)) == captions(data, rows, np.random.default_rng(0))
    assert captions(data, rows[:5], np.random.default_rng(0), 1.0) == [""] * 5
