"""The miniature autoencoder: 8 x 8 patches to 16 numbers and back, with the calls of diffusers' AutoencoderKL.

The encoder is one linear map, the half-whitened principal components of patches. The decoder adds learned residual
convolutions to the inverse map. In a prototype a stock AutoencoderKL, trained as long on a CPU, stayed behind eight
principal components, which is why this is the one class of the miniature family that is not stock. A pipeline that holds it
names this module in its model_index.json: `import personalab.world.autoencoder` before `from_pretrained`.
"""

import itertools

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, ModelMixin  # noqa: F401 (pipelines look ModelMixin up here)
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import nn

PATCH = 8
#: The posterior's log variance: none to speak of, the encoder is deterministic.
_LOG_VARIANCE = -20.0


class _Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(F.silu(self.first(F.silu(self.norm(x)))))


class PatchAutoencoder(AutoencoderKL):
    """Pictures (b, 3, 64, 64) in [-1, 1] to latents (b, 16, 8, 8) and back.

    Args:
        latent_channels: numbers per patch.
        block_out_channels: widths of the decoder at 8, 16, 32 and 64 pixels; their number tells pipelines the
            factor between pictures and latents, 2 to the power of one less.
        scaling_factor: latents times this have a standard deviation of about 1.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 16,
        block_out_channels: tuple[int, ...] = (192, 96, 48, 24),
        scaling_factor: float = 1.0,
        sample_size: int = 64,
        force_upcast: bool = False,
    ):
        super(AutoencoderKL, self).__init__()  # none of the stock layers
        self.use_slicing = self.use_tiling = False
        widths = block_out_channels
        self.project = nn.Conv2d(3, latent_channels, PATCH, stride=PATCH)
        self.restore = nn.ConvTranspose2d(latent_channels, 3, PATCH, stride=PATCH)
        self.enter = nn.Conv2d(latent_channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*[_Residual(width) for _ in range(2 if i == 0 else 1)])
            for i, width in enumerate(widths[:-1])
        )
        self.grow = nn.ModuleList(nn.Conv2d(a, 4 * b, 1) for a, b in itertools.pairwise(widths))
        self.refine = nn.Conv2d(widths[-1] + 3, widths[-1], 3, padding=1)
        self.leave = nn.Conv2d(widths[-1], 3, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def encode(self, x: torch.Tensor, return_dict: bool = True) -> AutoencoderKLOutput | tuple:
        """Pictures to a posterior whose mean is the latents."""
        mean = self.project(x)
        posterior = DiagonalGaussianDistribution(
            torch.cat([mean, torch.full_like(mean, _LOG_VARIANCE)], dim=1)
        )
        return AutoencoderKLOutput(latent_dist=posterior) if return_dict else (posterior,)

    def decode(self, z: torch.Tensor, return_dict: bool = True, generator=None) -> DecoderOutput | tuple:
        """Latents to pictures."""
        coarse = self.restore(z)
        hidden = self.enter(z)
        for block, grow in zip(self.blocks, self.grow, strict=True):
            hidden = F.pixel_shuffle(grow(block(hidden)), 2)
        hidden = F.silu(self.refine(torch.cat([F.silu(hidden), coarse], dim=1)))
        picture = coarse + self.leave(hidden)
        return DecoderOutput(sample=picture) if return_dict else (picture,)

    @torch.no_grad()
    def set_principal_components(self, patches: torch.Tensor) -> None:
        """Encoder and inverse from the patches (n, 192) of some pictures, channels first.

        Each component is divided by the square root of its standard deviation, so that latents differ in scale
        less than components do, and still keep the larger ones larger. Patches are centred on their mean colour,
        not on their mean patch: a transposed convolution can add back one number per colour channel and no more.
        """
        colour = patches.reshape(-1, 3, PATCH * PATCH).mean(dim=(0, 2))
        mean = colour.repeat_interleave(PATCH * PATCH)
        centred = (patches - mean).double()
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(patches))
        channels = self.config.latent_channels
        vectors = vectors.flip(1)[:, :channels].float()
        scale = values.flip(0)[:channels].clamp(min=1e-8).float() ** 0.25
        self.project.weight.copy_((vectors / scale).T.reshape(channels, 3, PATCH, PATCH))
        self.project.bias.copy_(-(mean @ (vectors / scale)))
        self.restore.weight.copy_((vectors * scale).T.reshape(channels, 3, PATCH, PATCH))
        self.restore.bias.copy_(colour)
        latents = centred.float() @ (vectors / scale)
        self.register_to_config(scaling_factor=float(1 / latents.std()))
