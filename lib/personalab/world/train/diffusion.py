"""The miniature text-to-image model: a stock UNet on latents, in a stock StableDiffusionPipeline.

Velocity prediction (Salimans & Ho 2022) with min-SNR-5 weights (Hang et al. 2023), the finished text encoder of CLIP A,
a tenth of the captions left empty for guidance, an average of the weights. Where an object or a person stands
the loss counts more, because there the picture is hardest and smallest.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import (
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel, CLIPTokenizer

from ..autoencoder import PatchAutoencoder
from ..words import attributes
from .clip import captions, tokenize
from .fit import fit
from .pictures import Pictures, batch

_STEPS = 1000
_NOISE = {
    "num_train_timesteps": _STEPS,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
}
#: Share of training captions without a word.
_EMPTY = 0.1
#: Latent columns of the person (left) and the object (right), rows of both, and how much more they count.
_PERSON, _OBJECT, _ROWS, _EMPHASIS = slice(0, 4), slice(4, 8), slice(2, 8), 1.0


def new_unet(text_width: int, seed: int, channels: int = 16, widths: tuple[int, ...] = (128, 192)):
    """An untrained UNet2DConditionModel for (channels, 8, 8) latents."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        out_channels=channels,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=widths,
        layers_per_block=1,
        cross_attention_dim=text_width,
        attention_head_dim=4,
        norm_num_groups=16,
    )


@torch.no_grad()
def encode_pictures(vae: PatchAutoencoder, data: Pictures, path: Path) -> np.ndarray:
    """Scaled latents (n, 16, 8, 8) float16 of all pictures, from `path` if they lie there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks = []
        for start in range(0, len(data.pixels), 500):
            x = data.tensor(np.arange(start, min(start + 500, len(data.pixels))))
            blocks.append((vae.encode(x).latent_dist.mean * vae.config.scaling_factor).half().numpy())
        with open(path.with_suffix(".part"), "wb") as file:
            np.save(file, np.concatenate(blocks))
        path.with_suffix(".part").rename(path)
    return np.load(path, mmap_mode="r")


def train_unet(
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    data: Pictures,
    latents: np.ndarray,
    folder: Path,
    *,
    steps: int,
    seed: int,
    rate: float = 6e-4,
    batch_size: int = 64,
    device: str = "cpu",
    every: int = 500,
    on_save=None,
) -> UNet2DConditionModel:
    """Train on latents and fresh captions; returns the averaged UNet. Resumes from `folder`."""
    if len(latents) != len(data.pixels):
        raise ValueError(
            f"got {len(latents)} latents for {len(data.pixels)} pictures; delete the file of latents to encode anew"
        )
    noising = DDPMScheduler(**_NOISE)
    weights = _min_snr(noising.alphas_cumprod).to(device)
    unet.set_attn_processor(AttnProcessor())  # the fused kernel's backward is slow on a CPU at this size
    unet.to(device).train()
    text = text.to(device).eval().requires_grad_(False)

    def step(i: int) -> tuple[torch.Tensor, dict[str, float]]:
        rows = batch(len(latents), batch_size, seed, i)
        tokens = tokenize(tokenizer, captions(data, rows, np.random.default_rng([seed, 1, i]), _EMPTY))
        generator = torch.Generator().manual_seed(seed * 1_000_003 + i)
        z = torch.from_numpy(latents[rows]).float()
        noise = torch.randn(z.shape, generator=generator)
        times = torch.randint(0, _STEPS, (len(rows),), generator=generator)
        noised, velocity = noising.add_noise(z, noise, times), noising.get_velocity(z, noise, times)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            with torch.no_grad():
                hidden = text(input_ids=tokens.to(device)).last_hidden_state
            found = unet(noised.to(device), times.to(device), hidden).sample
        error = (found.float() - velocity.to(device)).square()
        weighted = (error * emphasis(data.codes[rows]).to(device)).mean(dim=(1, 2, 3))
        return (weights[times.to(device)] * weighted).mean(), {"velocity": error.mean().item()}

    return fit(
        unet, step, folder, steps=steps, rate=rate, decay=0.01, betas=(0.9, 0.99), average=0.999, every=every,
        on_save=on_save,
    )  # fmt: skip


def emphasis(codes: np.ndarray) -> torch.Tensor:
    """Loss weights (n, 1, 8, 8), mean near 1: more where a named object or person stands."""
    names = list(attributes())
    weight = torch.ones(len(codes), 1, 8, 8)
    weight[codes[:, names.index("garment")] >= 0, :, _ROWS, _PERSON] += _EMPHASIS
    weight[codes[:, names.index("object")] >= 0, :, _ROWS, _OBJECT] += _EMPHASIS
    return weight / (1 + _EMPHASIS / 2)


def pipeline(
    unet: UNet2DConditionModel, text: CLIPTextModel, tokenizer: CLIPTokenizer, vae: PatchAutoencoder
) -> StableDiffusionPipeline:
    """The parts as a pipeline that samples with DPM-Solver++."""
    scheduler = DPMSolverMultistepScheduler(
        **_NOISE, timestep_spacing="trailing", lambda_min_clipped=-5.1, steps_offset=1
    )
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _min_snr(alphas: torch.Tensor, gamma: float = 5.0, floor: float = 0.15) -> torch.Tensor:
    """Weight of each noise level for velocity prediction: min(SNR, gamma) / (SNR + 1), mean 1, not below a floor."""
    snr = alphas / (1 - alphas)
    weights = (snr.clamp(max=gamma) / (snr + 1)).clamp(min=floor)
    return weights / weights.mean()
