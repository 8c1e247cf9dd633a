"""The miniature diffusion model: its weights by hand, and everything a stock pipeline can do with it."""

import numpy as np
import pytest
import torch
from diffusers import (
    DDPMScheduler,
    DiffusionPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
)
from PIL import Image
from transformers import CLIPTextModel

import personalab.world.autoencoder
from personalab.world import scenes
from personalab.world.autoencoder import PatchAutoencoder
from personalab.world.train import diffusion
from personalab.world.train.clip import new_clip
from personalab.world.train.decoder import patches
from personalab.world.train.pictures import Pictures
from personalab.world.train.tokenizer import corpus, train_tokenizer
from personalab.world.words import attributes

TOKENIZER = train_tokenizer(corpus(100, 0), 800)
PROMPTS = ["a red boat on a river", "a cat in a library at night", "mountains", ""]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data() -> Pictures:
    rng = np.random.default_rng(0)
    codes = scenes.encode([scenes.sample(rng) for _ in range(16)])
    return Pictures(rng.integers(0, 256, (16, 64, 64, 3), dtype=np.uint8), codes)


@pytest.fixture(scope="module")
def vae(data) -> PatchAutoencoder:
    torch.manual_seed(0)
    model = PatchAutoencoder()
    model.set_principal_components(patches(data.tensor(np.arange(16))))
    return model.eval()


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> CLIPTextModel:
    folder = tmp_path_factory.mktemp("text")
    new_clip(TOKENIZER, 0, width=40, text_width=32).save_pretrained(folder)
    return CLIPTextModel.from_pretrained(folder, attn_implementation="eager").eval()


@pytest.fixture
def pipe(text, vae) -> StableDiffusionPipeline:
    return quiet(diffusion.pipeline(diffusion.new_unet(32, 0, widths=(32, 64)).eval(), text, TOKENIZER, vae))


def quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


def painted(pipe, prompts, seeds, **options) -> np.ndarray:
    """n pictures as levels 0-255, not rounded."""
    noise = [torch.Generator().manual_seed(seed) for seed in seeds]
    options = {"num_inference_steps": 4, "guidance_scale": 3.0} | options
    return 255 * pipe(list(prompts), generator=noise, output_type="np", **options).images


# --- the model and the loss


def test_the_unet_has_at_most_twelve_million_parameters():
    assert 1e6 < sum(p.numel() for p in diffusion.new_unet(128, 0).parameters()) <= 12e6


def test_noise_levels_are_weighted_by_min_snr_in_closed_form():
    """min(SNR, 5) / (SNR + 1), not below 0.15, then divided by the mean: SNR is alpha / (1 - alpha)."""
    alphas = torch.tensor([0.5, 5 / 6, 0.9, 0.99, 0.01], dtype=torch.float64)  # SNR 1, 5, 9, 99, 1/99
    weights = diffusion._min_snr(alphas)
    raw = np.array([1 / 2, 5 / 6, 5 / 10, 0.15, 0.15])
    assert weights.numpy() == pytest.approx(raw / raw.mean())


def test_weights_of_the_schedule_have_mean_1_and_keep_the_floor():
    alphas = DDPMScheduler(**diffusion._NOISE).alphas_cumprod
    weights = diffusion._min_snr(alphas)
    assert weights.shape == (1000,) and float(weights.mean()) == pytest.approx(1, abs=1e-5)
    assert float(weights.max() / weights.min()) == pytest.approx(5 / 6 / 0.15, rel=0.01)
    assert float(alphas[weights.argmax()]) == pytest.approx(5 / 6, abs=0.01)


@pytest.mark.parametrize(
    ("scene", "left", "right"),
    [
        ({"setting": "beach"}, 1, 1),
        ({"object": "boat"}, 1, 2),
        ({"garment": "coat"}, 2, 1),
        ({"object": "boat", "garment": "coat"}, 2, 2),
    ],
)
def test_where_something_stands_the_loss_counts_double(scene, left, right):
    [weight] = diffusion.emphasis(scenes.encode([scene]))
    assert weight.shape == (1, 8, 8)
    assert (weight[0, :2] == 1 / 1.5).all()
    assert (weight[0, 2:, :4] == left / 1.5).all() and (weight[0, 2:, 4:] == right / 1.5).all()


def test_emphasis_has_mean_near_1_over_training_scenes():
    codes = scenes.encode([scenes.sample(np.random.default_rng(i)) for i in range(400)])
    assert float(diffusion.emphasis(codes).mean()) == pytest.approx(1, abs=0.05)
    assert codes.shape[1] == len(attributes())


def test_latents_are_the_encoders_scaled_in_half_precision(vae, data, tmp_path, monkeypatch):
    path = tmp_path / "deep" / "latents.npy"
    z = diffusion.encode_pictures(vae, data, path)
    with torch.no_grad():
        expected = vae.encode(data.tensor(np.arange(16))).latent_dist.mean * vae.config.scaling_factor
    assert z.shape == (16, 16, 8, 8) and z.dtype == np.float16
    assert np.abs(z - expected.numpy()).max() <= 2**-11 * np.abs(expected.numpy()).max()
    assert [file.name for file in path.parent.iterdir()] == ["latents.npy"]
    assert np.array_equal(diffusion.encode_pictures(None, data, path), z)


def test_training_runs_and_returns_the_average(text, vae, data, tmp_path):
    latents = diffusion.encode_pictures(vae, data, tmp_path / "latents.npy")
    before = {k: v.clone() for k, v in text.state_dict().items()}
    start, unet = (diffusion.new_unet(32, 0, widths=(32, 64)) for _ in range(2))
    shown = []
    best = diffusion.train_unet(
        unet, text, TOKENIZER, data, latents, tmp_path / "unet",
        steps=2, seed=0, batch_size=4, on_save=lambda model, step: shown.append(step),
    )  # fmt: skip
    assert shown == [2] and best is not unet
    first = [m.conv_in.weight for m in (start, best, unet)]
    assert not torch.equal(first[0], first[1]) and not torch.equal(first[1], first[2])
    assert all(torch.equal(v, before[k]) for k, v in text.state_dict().items())


# --- the pipeline


def test_a_saved_pipeline_paints_the_same(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    again = quiet(DiffusionPipeline.from_pretrained(tmp_path))
    assert type(again) is StableDiffusionPipeline and type(again.vae) is PatchAutoencoder
    assert personalab.world.autoencoder.__name__ in (tmp_path / "model_index.json").read_text()
    assert all(pipe.scheduler.config[k] == v for k, v in again.scheduler.config.items() if k[0] != "_")
    one, other = (painted(p, PROMPTS[:2], [0, 1]) for p in (pipe, again))
    assert one.shape == (2, 64, 64, 3) and np.abs(one - other).max() < 0.1


def test_alone_or_in_a_batch_is_the_same_picture(pipe):
    batch = painted(pipe, PROMPTS, range(4)).round()
    alone = np.concatenate([painted(pipe, [p], [i]) for i, p in enumerate(PROMPTS)]).round()
    off = np.abs(batch - alone)
    assert off.max() <= 1 and (off > 0).mean() <= 1e-3
    assert np.abs(batch[0] - batch[1]).mean() > 1


def test_image_to_image_keeps_more_of_the_picture_at_less_strength(pipe):
    again = quiet(StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False))
    pixels = np.full((64, 64, 3), (200, 90, 40), np.uint8)
    options = {"image": Image.fromarray(pixels), "num_inference_steps": 10}
    off = [
        np.abs(painted(again, PROMPTS[:1], [0], strength=s, **options)[0] - pixels).mean()
        for s in (0.1, 0.5, 1.0)
    ]
    assert off[0] < min(off[1:])


def test_a_lora_learns_is_saved_and_loaded(pipe, text, vae, tmp_path):
    """One step on one latent lowers its loss; the file paints as the trained adapter does."""
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    base = painted(pipe, PROMPTS[:1], [0])
    pipe.unet.requires_grad_(False)
    pipe.unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    assert np.abs(painted(pipe, PROMPTS[:1], [0]) - base).max() < 0.1  # starts at nothing
    trained = [p for p in pipe.unet.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=0.02)
    generator = torch.Generator().manual_seed(0)
    z, noise = (torch.randn(1, 16, 8, 8, generator=generator) for _ in range(2))
    noising, time = DDPMScheduler(**diffusion._NOISE), torch.tensor([400])
    with torch.no_grad():
        hidden = text(TOKENIZER(PROMPTS[:1], return_tensors="pt").input_ids).last_hidden_state

    def loss():
        found = pipe.unet(noising.add_noise(z, noise, time), time, hidden).sample
        return (found - noising.get_velocity(z, noise, time)).square().mean()

    before = loss()
    before.backward()
    optimiser.step()
    with torch.no_grad():
        assert loss() < before
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.unet))
    StableDiffusionPipeline.save_lora_weights(tmp_path, unet_lora_layers=layers)
    fresh = quiet(diffusion.pipeline(diffusion.new_unet(32, 0, widths=(32, 64)).eval(), text, TOKENIZER, vae))
    fresh.load_lora_weights(tmp_path)
    adapted, again = (painted(p, PROMPTS[:1], [0]) for p in (pipe, fresh))
    assert np.abs(adapted - again).max() < 0.1 < np.abs(adapted - base).max()
    fresh.unload_lora_weights()
    assert np.abs(painted(fresh, PROMPTS[:1], [0]) - base).max() < 0.1
