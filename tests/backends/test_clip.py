"""CLIP features against transformers itself, on a random miniature model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
import transformers
import yaml
from PIL import Image

from personalab.backends import clip
from personalab.backends.clip import ClipFeatures
from personalab.backends.embed import card as read_card

TEXTS = ["a boat", "", "a red boat on the quay", "東京 🙂 naïve", "a lamp"]


def pictures(n: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (16 + 5 * i, 40 - 6 * i, 3), np.uint8) for i in range(n)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_models.save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def load(folder, tmp_path) -> Callable[..., ClipFeatures]:
    def call(cache: Path | None = None, **changes: Any) -> ClipFeatures:
        card = {"kind": "clip", "model": str(folder), "width": 8, "max_tokens": 24, "batch_size": 2}
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(card | changes))
        return clip.load(str(path), cache=cache)

    return call


@pytest.fixture(scope="module")
def reference(folder) -> Callable[..., np.ndarray]:
    """The same weights in transformers' own hands: unit rows of texts or pictures, one at a time."""
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    processor = transformers.CLIPImageProcessorPil.from_pretrained(folder)

    def rows(texts=(), images=()) -> np.ndarray:
        tokens = [tokenizer(t, truncation=True, max_length=24, return_tensors="pt").input_ids for t in texts]
        pixels = [processor(images=Image.fromarray(x), return_tensors="pt").pixel_values for x in images]
        dummy = torch.zeros(1, 3, 16, 16), torch.tensor([[0, 1]])
        with torch.inference_mode():
            found = [model(input_ids=ids, pixel_values=dummy[0]).text_embeds for ids in tokens]
            found += [model(input_ids=dummy[1], pixel_values=x).image_embeds for x in pixels]
        return torch.cat(found).numpy()

    return rows


def counted(features: ClipFeatures) -> list[int]:
    """Sizes of the batches that reach the model from now on."""
    sizes: list[int] = []

    def count(encode):
        return lambda items: (sizes.append(len(items)), encode(items))[1]

    features._encode_images, features._encode_texts = map(
        count, (features._encode_images, features._encode_texts)
    )
    return sizes


def test_rows_are_transformers_own_whatever_the_batch(load, reference):
    features = load()
    texts, images = features.texts(TEXTS), features.images(pictures())
    assert texts == pytest.approx(reference(texts=TEXTS), abs=1e-5)
    assert images == pytest.approx(reference(images=pictures()), abs=1e-5)
    assert texts.dtype == images.dtype == np.float32
    assert np.linalg.norm(np.concatenate([texts, images]), axis=1) == pytest.approx(1, abs=1e-6)
    assert features.texts(TEXTS[:1]) == pytest.approx(texts[:1], abs=1e-6)


def test_pil_pictures_of_any_mode_count_as_their_rgb(load):
    features, (array, *_) = load(), pictures()
    picture = Image.fromarray(array)
    rows = features.images([array, picture, picture.convert("RGBA")])
    assert (rows == rows[0]).all()
    grey = picture.convert("L")
    assert (features.images([grey]) == features.images([np.asarray(grey.convert("RGB"))])).all()


def test_a_second_call_asks_nothing_and_returns_the_same_bytes(load, tmp_path):
    first = load(tmp_path)
    images, texts = first.images(pictures()), first.texts(TEXTS)
    second = load(tmp_path)
    sizes = counted(second)
    assert second.images(pictures()[::-1])[::-1].tobytes() == images.tobytes()
    assert second.texts(TEXTS).tobytes() == texts.tobytes() and sizes == []
    second.images([*pictures(6), pictures(6)[5]])
    assert sizes == [1], "only what is new, once"


def test_batches_are_the_cards(load):
    features = load(batch_size=3)
    sizes = counted(features)
    features.images(pictures(5))
    features.texts([f"boat {i}" for i in range(7)])
    assert sizes == [3, 2, 3, 3, 1]


def test_pictures_of_the_same_bytes_and_another_shape_are_told_apart(load, tmp_path):
    features = load(tmp_path)
    tall = np.random.default_rng(1).integers(0, 256, (32, 16, 3), np.uint8)
    a, b = features.images([tall, tall.reshape(16, 32, 3)])
    assert np.abs(a - b).max() > 1e-4


@pytest.mark.parametrize("change", [{"max_tokens": 6}, {"revision": "abc"}, {"dtype": "bfloat16"}], ids=str)
def test_another_card_never_meets_an_old_row(change, load, tmp_path):
    load(tmp_path).texts(TEXTS)
    features = load(tmp_path, **change)
    sizes = counted(features)
    features.texts(TEXTS)
    assert sum(sizes) == len(TEXTS)


def test_other_weights_under_the_same_card_never_meet_an_old_row(load, folder, tmp_path):
    load(tmp_path).texts(TEXTS)
    config = folder / "config.json"
    before = config.read_text()
    try:
        config.write_text(before + "\n")
        features = load(tmp_path)
        sizes = counted(features)
        features.texts(TEXTS)
        assert sum(sizes) == len(TEXTS)
    finally:
        config.write_text(before)


@pytest.mark.parametrize("letters", [1, 21, 22, 23, 60])
def test_truncated_says_whether_an_ending_is_lost(letters, load):
    """24 tokens less the opening and the closing one hold 22 letters of one token each."""
    features = load()
    text = "b" * letters
    assert features.truncated([text]) == float(letters > 22)
    assert (np.abs(features.texts([text]) - features.texts([text[:-1] + "c"])).max() < 1e-6) == (letters > 22)


def test_truncated_is_a_share(load):
    assert load().truncated(["b" * 60, "b", "boat", "c" * 61]) == 0.5
    assert np.isnan(load().truncated([]))


def test_nothing_gives_no_rows_of_the_right_width(load):
    assert load().images([]).shape == load().texts([]).shape == (0, 8)


def test_one_string_is_not_taken_for_a_list_of_letters(load):
    for call in (load().texts, load().truncated):
        with pytest.raises(TypeError, match="expected a list"):
            call("a lamp")


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), float), "x.png"]
)
def test_what_is_no_picture_is_named(image, load):
    with pytest.raises(ValueError, match=r"expected a uint8 array \(h, w, 3\)"):
        load().images([image])


def test_a_wrong_card_is_named(load, tmp_path):
    with pytest.raises(ValueError, match=r"returned shape \(1, 8\), expected \(1, 9\)"):
        load(width=9).texts(["a"])
    with pytest.raises(ValueError, match="kind 'sentence-transformers'; expected 'clip'"):
        clip.load("minilm")
    with pytest.raises(FileNotFoundError, match="models/none"):
        load(model="models/none")
    with pytest.raises(FileNotFoundError, match=r"none\.yaml"):
        clip.load(str(tmp_path / "none.yaml"))


def test_pickled_weights_are_refused(load, folder, tmp_path):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model.bin is a pickle.*expected safetensors"):
        load(model=str(copy))


def test_loading_says_nothing(load, capfd):
    load().images(pictures(1))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["mini-clip-a", "mini-clip-b", "clip-vit-b-32", "clip-vit-l-14"])
def test_the_cards_name_all_that_is_read(name):
    card = read_card(name)
    assert card["kind"] == "clip" and {"model", "width", "max_tokens", "batch_size"} <= card.keys()
    assert card["model"].startswith("models/") or len(card["revision"]) == 40
