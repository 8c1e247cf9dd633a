"""The training loss of text-to-image pipelines: what adapters of any kind are fitted with.

One function each for pictures to latents, prompts to conditions, and the loss of predicting what was added to noised
latents, for U-Nets (Stable Diffusion 1.5 and SDXL, and whatever has their calls) and for Flux's transformer. The
pipeline's own parts do the work and are left as they are; what is trained, and how, is the caller's.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

#: What Flux's distilled guidance is told while training; its own recipes use 1 or 3.5.
FLUX_GUIDANCE = 1.0


class Condition(NamedTuple):
    """What n prompts say: tokens (n, t, d) and, where the model takes one, a pooled vector (n, p)."""

    tokens: torch.Tensor
    pooled: torch.Tensor | None = None


def backbone(pipeline: Any) -> torch.nn.Module:
    """The network that denoises.

    Raises:
        ValueError: neither a U-Net nor Flux's transformer.
    """
    import diffusers

    if hasattr(pipeline, "unet"):
        return pipeline.unet
    if isinstance(getattr(pipeline, "transformer", None), diffusers.FluxTransformer2DModel):
        return pipeline.transformer
    raise ValueError(
        f"{type(pipeline).__name__} has neither a U-Net nor Flux's transformer, whose losses are the ones known here; "
        "expected a card of Stable Diffusion 1.5, SDXL or Flux"
    )


def latents_of(pipeline: Any, images: Sequence[np.ndarray], batch_size: int = 8) -> torch.Tensor:
    """n pictures of one size, uint8 (h, w, 3), as scaled latents, see `encoded`."""
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    return encoded(
        pipeline, [torch.from_numpy(np.stack(b)).permute(0, 3, 1, 2).float() / 127.5 - 1 for b in batches]
    )


@torch.no_grad()
def encoded(pipeline: Any, batches: Sequence[torch.Tensor]) -> torch.Tensor:
    """Batches of pictures (n, 3, h, w) in [-1, 1] as scaled latents (all n, c, h', w') float32 on the pipeline's device.

    The mean of the encoder's answer; an encoder that overflows in half precision, as SDXL's does, works in float32 here.
    """
    vae, before = pipeline.vae, pipeline.vae.dtype
    overflows = getattr(vae.config, "force_upcast", False) and before == torch.float16
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    try:
        if overflows:
            vae.to(torch.float32)
        found = [vae.encode(b.to(pipeline._execution_device, vae.dtype)).latent_dist.mean for b in batches]
    finally:
        if overflows:
            vae.to(before)
    return (torch.cat(found).float() - shift) * vae.config.scaling_factor


def condition(pipeline: Any, prompts: Sequence[str]) -> Condition:
    """What n prompts say to the pipeline; gradients reach the text encoders' parameters that ask for them."""
    settings = {"prompt": list(prompts), "device": backbone(pipeline).device, "num_images_per_prompt": 1}
    if not hasattr(pipeline, "unet"):
        tokens, pooled, _ = pipeline.encode_prompt(**settings, prompt_2=None)
        return Condition(tokens, pooled)
    tokens, _, *pooled = pipeline.encode_prompt(**settings, do_classifier_free_guidance=False)
    return Condition(tokens, pooled[0] if pooled else None)


def loss(
    pipeline: Any, latents: torch.Tensor, text: Condition, generator: torch.Generator, **more: Any
) -> torch.Tensor:
    """Mean squared error of the prediction at noise levels drawn at random.

    Args:
        latents: (n, c, h, w), scaled.
        text: of n prompts.
        generator: on the CPU; draws levels and noise.
        more: further added conditions of a U-Net, such as an IP-Adapter's image_embeds.
    """
    noise = torch.randn(latents.shape, generator=generator).to(latents.device)
    if hasattr(pipeline, "unet"):
        return _unet_loss(pipeline, latents, noise, text, generator, more)
    return _flux_loss(pipeline, latents, noise, text, generator)


def _unet_loss(
    pipeline: Any,
    latents: torch.Tensor,
    noise: torch.Tensor,
    text: Condition,
    generator: torch.Generator,
    more: dict,
) -> torch.Tensor:
    from diffusers import DDPMScheduler

    noising, unet = DDPMScheduler.from_config(pipeline.scheduler.config), pipeline.unet
    times = torch.randint(0, noising.config.num_train_timesteps, (len(latents),), generator=generator)
    times, added = times.to(latents.device), dict(more)
    if text.pooled is not None:
        added |= {"text_embeds": text.pooled, "time_ids": _sizes(pipeline, latents)}
    noised = noising.add_noise(latents, noise, times).to(unet.dtype)
    found = unet(noised, times, text.tokens, added_cond_kwargs=added or None).sample
    kind = noising.config.prediction_type
    if kind not in ("epsilon", "v_prediction"):
        raise ValueError(f"{type(pipeline).__name__} predicts {kind!r}; expected 'epsilon' or 'v_prediction'")
    wanted = noise if kind == "epsilon" else noising.get_velocity(latents, noise, times)
    return F.mse_loss(found.float(), wanted)


def _sizes(pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
    """SDXL's micro-conditions (n, 6): original size, upper left corner of the crop, size, in pixels."""
    height, width = (side * pipeline.vae_scale_factor for side in latents.shape[2:])
    sizes = torch.tensor([height, width, 0, 0, height, width], dtype=pipeline.unet.dtype)
    return sizes.to(latents.device).expand(len(latents), 6)


def _flux_loss(
    pipeline: Any, latents: torch.Tensor, noise: torch.Tensor, text: Condition, generator: torch.Generator
) -> torch.Tensor:
    """Rectified flow: levels logistic-normal, the target is noise less picture, on latents packed two by two."""
    network, (n, channels, height, width) = pipeline.transformer, latents.shape
    kind = {"device": latents.device, "dtype": network.dtype}

    def packed(x: torch.Tensor) -> torch.Tensor:
        return pipeline._pack_latents(x, n, channels, height, width)

    levels = torch.randn(n, generator=generator).sigmoid().to(latents.device)
    share = levels.view(n, 1, 1, 1)
    noised = packed((1 - share) * latents + share * noise)
    guidance = torch.full((n,), FLUX_GUIDANCE, **kind) if network.config.guidance_embeds else None
    found = network(
        hidden_states=noised.to(network.dtype),
        timestep=levels.to(network.dtype),
        guidance=guidance,
        pooled_projections=text.pooled,
        encoder_hidden_states=text.tokens,
        txt_ids=torch.zeros(text.tokens.shape[1], 3, **kind),
        img_ids=pipeline._prepare_latent_image_ids(n, height // 2, width // 2, **kind),
    ).sample
    return F.mse_loss(found.float(), packed(noise - latents))
