"""Published models: half precision on disk, the same weights but for rounding, and a card that hides no score."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors import safe_open
from transformers import CLIPModel, CLIPTextModel, CLIPTokenizer

from personalab.world.autoencoder import PatchAutoencoder
from personalab.world.train import publish
from personalab.world.train.clip import new_clip, tokenize
from personalab.world.train.diffusion import new_unet, pipeline
from personalab.world.train.tokenizer import corpus, train_tokenizer

TOKENIZER = train_tokenizer(corpus(100, 0), 800)
LOG = [{"step": 50, "loss": 1.0, "seconds": 10.0}, {"step": 1600, "loss": 0.5, "seconds": 5400.0}]
SCORES = {
    "model": "mini-clip-x", "R@1": 0.98765, "setting": np.float32(0.5), "colour": np.float64(0.25),
    "pictures": 1500, "garment": float("nan"),
}  # fmt: skip


@pytest.fixture(scope="module")
def clip():
    return new_clip(TOKENIZER, 0, width=40, text_width=32).eval()


@pytest.fixture(scope="module")
def published(clip, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "mini-clip-x"
    publish.clip(folder, clip, TOKENIZER, log=LOG, scores=SCORES, device="cpu")
    return folder


def types(folder: Path) -> set[str]:
    found = set()
    for file in folder.rglob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            found |= {tensors.get_slice(name).get_dtype() for name in tensors.keys()}
    return found


def rounded_only(saved: dict, given: dict) -> bool:
    """Half precision keeps 11 binary digits, and steps of 2 ** -24 near zero."""
    floats = {k: v for k, v in given.items() if v.is_floating_point()}
    return all(((saved[k].float() - v).abs() <= v.abs() * 2**-11 + 2**-25).all() for k, v in floats.items())


def test_a_card_lists_every_score_and_how_it_was_made(published):
    card = (published / "README.md").read_text()
    rows = dict(
        line.strip("| ").split(" | ")
        for line in card.splitlines()
        if line.startswith("| ") and "value" not in line
    )
    assert rows == {
        "R@1": "0.988",
        "setting": "0.500",
        "colour": "0.250",
        "pictures": "1500",
        "garment": "nan",
    }
    for part in ("mini-clip-x", "1600 steps", "1.5 h of training", "Apache-2.0", "**Hardware.** cpu"):
        assert part in card


def test_weights_are_halves_on_disk_and_reload(published, clip):
    assert types(published) == {"F16"} and next(clip.parameters()).dtype == torch.float32
    again = CLIPModel.from_pretrained(published, dtype=torch.float32)
    assert rounded_only(again.state_dict(), clip.state_dict())
    words = CLIPTokenizer.from_pretrained(published)
    assert torch.equal(tokenize(words, ["a red boat"]), tokenize(TOKENIZER, ["a red boat"]))


def test_a_pipeline_is_published_whole(published, tmp_path):
    text = CLIPTextModel.from_pretrained(published, dtype=torch.float32)
    torch.manual_seed(0)
    vae = PatchAutoencoder(block_out_channels=(16, 16, 8, 8), scaling_factor=0.7)
    made = pipeline(new_unet(32, 0, widths=(32, 32)), text, TOKENIZER, vae)
    folder = tmp_path / "mini-sd"
    publish.stable_diffusion(folder, made, log=LOG, scores={"error": 0.125}, device="cuda")
    assert types(folder) == {"F16"} and made.unet.dtype == made.vae.dtype == torch.float32
    again = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    for name in ("unet", "vae", "text_encoder"):
        assert rounded_only(getattr(again, name).state_dict(), getattr(made, name).state_dict())
    assert again.vae.config.scaling_factor == 0.7
    assert again.scheduler.config.prediction_type == "v_prediction"
    card = (folder / "README.md").read_text()
    assert "| error | 0.125 |" in card and "import personalab.world.autoencoder" in card
    assert publish.megabytes(folder) == sum(file.stat().st_size for file in folder.rglob("*.*")) / 1e6


def test_megabytes_by_hand(tmp_path):
    assert publish.megabytes(tmp_path) == 0
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "one").write_bytes(bytes(1_500_000))
    (tmp_path / "a" / "b" / "two").write_bytes(bytes(250_000))
    assert publish.megabytes(tmp_path) == 1.75
