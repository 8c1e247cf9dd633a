"""The miniature autoencoder's making: principal components, then the decoder's residual."""

from pathlib import Path

import numpy as np
import torch

from ..autoencoder import PATCH, PatchAutoencoder
from .fit import fit
from .pictures import Pictures, batch

#: Noise on the latents while training, as a share of their spread: what comes from diffusion is never exact.
_NOISE = 0.1
#: Weight of the differences between neighbouring pixels, which makes edges sharp.
_EDGES = 0.6


def patches(x: torch.Tensor) -> torch.Tensor:
    """Pictures (n, 3, 64, 64) as their 8 x 8 patches (n * 64, 192)."""
    cut = x.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)  # n, 3, 8, 8, 8, 8
    return cut.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * PATCH * PATCH)


def train_autoencoder(
    data: Pictures,
    folder: Path,
    *,
    steps: int,
    seed: int,
    channels: int = 16,
    rate: float = 1.5e-3,
    batch_size: int = 16,
    device: str = "cpu",
) -> PatchAutoencoder:
    """Fit the components on 4,000 pictures, then train the decoder; resumes from `folder` and saves there."""
    torch.manual_seed(seed)
    model = PatchAutoencoder(latent_channels=channels)
    first = data.tensor(np.arange(min(4000, len(data.pixels))))
    model.set_principal_components(patches(first))
    model.project.requires_grad_(False)
    model.to(device).train()
    spread = 1 / model.config.scaling_factor

    def step(i: int) -> tuple[torch.Tensor, dict[str, float]]:
        x = data.tensor(batch(len(data.pixels), batch_size, seed, i)).to(device)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + i)
        with torch.no_grad():
            z = model.encode(x).latent_dist.mean
        amount = _NOISE * spread * torch.rand(len(x), 1, 1, 1, generator=generator)
        z = z + (amount * torch.randn(z.shape, generator=generator)).to(device)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            y = model.decode(z).sample
        y = y.float()
        error = (y - x).abs().mean()
        edges = sum((a - b).abs().mean() for a, b in zip(_slopes(y), _slopes(x), strict=True))
        return error + 0.3 * (y - x).square().mean() + _EDGES * edges, {"error": error.item()}

    fit(model, step, folder, steps=steps, rate=rate, decay=1e-4, betas=(0.9, 0.99))
    with torch.no_grad():  # of the encoder that is kept, which may be a checkpoint's
        latents = model.encode(first.to(device)).latent_dist.mean
    model.register_to_config(scaling_factor=float(1 / latents.std()))
    model.eval().save_pretrained(folder)
    return model


@torch.no_grad()
def psnr(model: PatchAutoencoder, x: torch.Tensor) -> float:
    """Mean peak signal-to-noise ratio, in dB, of pictures (n, 3, 64, 64) after encoding and decoding."""
    y = model.decode(model.encode(x).latent_dist.mean).sample.clamp(-1, 1)
    return float((-10 * ((x - y) / 2).square().mean(dim=(1, 2, 3)).log10()).mean())


def _slopes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]
