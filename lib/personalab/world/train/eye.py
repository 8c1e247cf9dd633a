"""The eye's making: drawn scenes, half of them through the miniature autoencoder, a little moved and disturbed.

Pictures of the miniature diffusion all leave by that autoencoder's decoder and from latents that are never exact; so does
half of what the eye is shown. It sees no generated picture while it trains: their scenes are not known.
"""

from pathlib import Path
from typing import Unpack

import numpy as np
import torch
import torch.nn.functional as F

from ..autoencoder import PatchAutoencoder
from ..eye import Eye
from ..words import attributes
from .fit import fit
from .pictures import Pictures, batch
from .publish import Training, finish, size

#: Noise on the latents of what goes through the autoencoder, as a share of their spread.
_LATENT_NOISE = 0.15
#: Largest move in pixels (parts of pixels blur), and largest spread of noise on pixels in [-1, 1].
_MOVE, _PIXEL_NOISE = 2.0, 0.08


def new_eye(seed: int) -> Eye:
    """An untrained eye."""
    torch.manual_seed(seed)
    return Eye()


def train_eye(
    model: Eye,
    data: Pictures,
    vae: PatchAutoencoder,
    folder: Path,
    *,
    steps: int,
    seed: int,
    rate: float = 2e-3,
    batch_size: int = 64,
    device: str = "cpu",
) -> Eye:
    """Train on drawn pictures and their scenes; resumes from the checkpoint in `folder`."""
    model.to(device, memory_format=torch.channels_last).train()
    vae = vae.to(device).eval().requires_grad_(False)

    def step(i: int) -> tuple[torch.Tensor, dict[str, float]]:
        rows = batch(len(data.pixels), batch_size, seed, i)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + i)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            x = disturbed(data.tensor(rows).to(device), vae, generator)
            logits = model(x.contiguous(memory_format=torch.channels_last))
        codes = torch.from_numpy(data.codes[rows]).long().to(device) + 1
        losses = [F.cross_entropy(logits[a].float(), codes[:, k]) for k, a in enumerate(attributes())]
        return torch.stack(losses).mean(), {}

    return fit(model, step, folder, steps=steps, rate=rate).eval()


@torch.no_grad()
def disturbed(x: torch.Tensor, vae: PatchAutoencoder, generator: torch.Generator) -> torch.Tensor:
    """Pictures (n, 3, 64, 64) in [-1, 1]: every second one decoded from its noisy latents, all moved, with noise."""
    z = vae.encode(x[::2]).latent_dist.mean
    amount = torch.rand(len(z), 1, 1, 1, generator=generator) * _LATENT_NOISE / vae.config.scaling_factor
    z = z + (amount * torch.randn(z.shape, generator=generator)).to(x.device)
    x = x.clone()
    x[::2] = vae.decode(z).sample.float()
    moves = torch.eye(2, 3).repeat(len(x), 1, 1)
    moves[:, :, 2] = (2 * torch.rand(len(x), 2, generator=generator) - 1) * 2 * _MOVE / x.shape[-1]
    grid = F.affine_grid(moves, list(x.shape), align_corners=False).to(x.device)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    spread = torch.rand(len(x), 1, 1, 1, generator=generator) * _PIXEL_NOISE
    return (x + (spread * torch.randn(x.shape, generator=generator)).to(x.device)).clamp(-1, 1)


@torch.no_grad()
def round_trip(vae: PatchAutoencoder, pictures: np.ndarray) -> np.ndarray:
    """Pictures (n, 64, 64, 3) uint8 after encoding and decoding."""
    x = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    y = torch.cat([vae.decode(vae.encode(part).latent_dist.mean).sample for part in x.split(250)])
    return ((y.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def publish(folder: Path, model: Eye, **training: Unpack[Training]) -> None:
    """Save the eye with its model card."""
    model.save(folder)
    recipe = (
        "Batches of 64 drawn scenes, half of them through the miniature autoencoder with noise on their latents, all moved "
        "by up to two pixels and with noise; cross-entropy of every attribute, its absence a class; AdamW, cosine schedule, "
        "bfloat16 autocast."
    )
    data = "Scenes drawn by `personalab.world`; no generated picture, no photograph, no person's data."
    finish(folder, "A miniature eye", f"Convolutional classifier, {size(model)}", recipe, data, **training)
