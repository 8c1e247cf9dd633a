"""FABRIC: pictures that a person liked and disliked become further keys and values of a U-Net's self-attention.

Nothing is trained (von Rütte et al. 2024; a baseline of ZIPP 4.1). Before each step of the sampler the U-Net reads
the pictures, noised to that step, under the empty prompt; what entered each of its self-attention layers is kept.
The step itself then attends to it: to the liked pictures in the half of the batch that has the prompt, to the disliked
ones in the half that has the negative prompt. Pipelines without a U-Net have no such layers and are refused.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..backends import pipelines
from ..backends.pictures import Refused, Request, is_picture
from .denoising import encoded


def weighted_attention(query: Tensor, key: Tensor, value: Tensor, n_reference: int, weight: float) -> Tensor:
    """Attention whose probabilities on the last keys are multiplied by a weight, and all divided by their sum.

    Multiplying a probability is adding a logarithm to its score, so this is one call of torch's attention.

    Args:
        query: (b, h, q, c); scores are divided by sqrt(c).
        key, value: (b, h, k, c).
        n_reference: the last so many of the k keys are references.
        weight: 0 leaves the references out, 1 treats all keys alike, more favours the references.

    Returns:
        (b, h, q, c).

    Raises:
        ValueError: more references than keys, a negative or infinite weight, or no key that is left.
    """
    n_keys, weight = key.shape[-2], float(weight)
    if not 0 <= n_reference <= n_keys:
        raise ValueError(f"got {n_reference} references among {n_keys} keys; expected 0 to {n_keys}")
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight is {weight}; expected a finite number of 0 or more")
    if weight == 0 and n_reference == n_keys:
        raise ValueError("weight is 0 and every key is a reference; expected a key to attend to")
    weights = key.new_ones(n_keys)
    weights[n_keys - n_reference :] = weight
    return F.scaled_dot_product_attention(query, key, value, attn_mask=weights.log()[None, None, None])


class Schedule(NamedTuple):
    """Weights of the references over the steps of a sampler, numbered from 0."""

    #: shares of the steps between which the references count `strong`, ends included
    start: float = 0.33
    end: float = 0.66
    strong: float = 1.0
    weak: float = 0.1
    #: what the weight of disliked pictures is multiplied by
    disliked: float = 0.5

    def weights(self, step: int, steps: int) -> tuple[float, float]:
        """Weights of the disliked and of the liked pictures at one of `steps` steps."""
        inside = round(steps * self.start) <= step <= round(steps * self.end)
        weight = self.strong if inside else self.weak
        return self.disliked * weight, weight


#: as released with the method
DEFAULT = Schedule()


def renderer(
    pipeline: Any,
    card: dict[str, Any],
    liked: Sequence[np.ndarray],
    disliked: Sequence[np.ndarray] = (),
    *,
    steps: int = 20,
    guidance: float = 8.0,
    schedule: Schedule = DEFAULT,
    seed: int = 0,
) -> Callable[[Sequence[Request]], list[np.ndarray | Refused]]:
    """A function from n requests to n pictures that lean towards what one person liked.

    Args:
        pipeline: Stable Diffusion 1.5, 2 or XL, or one of their shape; afterwards it is as it was before.
        card: the pipeline's.
        liked, disliked: pictures (h, w, 3) uint8, resized to the size that is rendered.
        steps, guidance: of the sampler, in place of the card's.
        seed: of the references' noise, which is drawn anew for each step and is the same for every batch.

    Raises:
        ValueError: a pipeline without a U-Net, no pictures, one that is none, or guidance of 1 or less.
    """
    check(pipeline, [*liked, *disliked], guidance)

    @cache
    def references() -> Tensor:
        return latents(pipeline, card, [*disliked, *liked])

    def render(requests: Sequence[Request]) -> list[np.ndarray | Refused]:
        with attending(pipeline, references(), len(disliked), schedule, seed):
            return pipelines.run(pipeline, card, requests, num_inference_steps=steps, guidance_scale=guidance)

    return render


def check(pipeline: Any, pictures: Sequence[np.ndarray], guidance: float) -> None:
    """Raise ValueError for what FABRIC cannot be applied to."""
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    if not isinstance(pipeline, StableDiffusionPipeline | StableDiffusionXLPipeline):
        raise ValueError(
            f"{type(pipeline).__name__} has no U-Net whose self-attention could read pictures beside its own; "
            "expected a pipeline of the shape of Stable Diffusion 1.5 or SDXL"
        )
    if not pictures:
        raise ValueError("got no picture; without feedback the pipeline's plain renderer is the method")
    if not all(map(is_picture, pictures)):
        raise ValueError("got a reference that is not a uint8 array (h, w, 3); expected pictures")
    if guidance <= 1:
        raise ValueError(
            f"guidance is {guidance}; expected more than 1: below, there is no unconditional half"
        )


def latents(pipeline: Any, card: dict[str, Any], pictures: Sequence[np.ndarray]) -> Tensor:
    """n pictures (h, w, 3) uint8, resized to what is rendered, as the pipeline's scaled latents (n, c, h', w')."""
    side, call = pipeline.unet.config.sample_size * pipeline.vae_scale_factor, card.get("call", {})
    size = {name: call.get(name, side) for name in ("height", "width")}
    pixels = pipeline.image_processor.preprocess([Image.fromarray(picture) for picture in pictures], **size)
    return encoded(pipeline, pixels.split(1)).to(pipeline.unet.dtype)


@contextmanager
def attending(
    pipeline: Any, references: Tensor, n_disliked: int, schedule: Schedule, seed: int
) -> Iterator[None]:
    """While it lasts, the pipeline's next call attends to references (n, c, h', w'), disliked ones first."""
    unet = pipeline.unet
    reading = _Reading(pipeline, references, n_disliked, schedule, seed)
    before = unet.attn_processors
    own = {name: _Attention(reading) for name in before if name.endswith("attn1.processor")}
    handle = unet.register_forward_pre_hook(reading, with_kwargs=True)
    try:
        unet.set_attn_processor(before | own)
        yield
    finally:
        handle.remove()
        unet.set_attn_processor(before)


class _Reading:
    """Called before every step of the U-Net: shows it the references first. One object per call of the pipeline."""

    def __init__(self, pipeline: Any, references: Tensor, n_disliked: int, schedule: Schedule, seed: int):
        self.sizes = (n_disliked, len(references) - n_disliked)
        self.active, self.step = False, 0
        self.weights = (0.0, 0.0)
        self._pipeline, self._references, self._schedule = pipeline, references, schedule
        self._noise = torch.Generator("cpu").manual_seed(seed)
        self._empty = _empty_prompt(pipeline)

    def __call__(self, unet: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        time, scheduler, clean = args[1], self._pipeline.scheduler, self._references
        self.weights = self._schedule.weights(self.step, len(scheduler.timesteps))
        self.step += 1
        noise = torch.randn(clean.shape, generator=self._noise).to(clean)
        noised = scheduler.add_noise(clean, noise, time.reshape(1).expand(len(clean)))
        tokens, *pooled = (part.expand(len(clean), *part.shape[1:]) for part in self._empty)
        added = {}
        if pooled:
            sizes = kwargs["added_cond_kwargs"]["time_ids"][:1].expand(len(clean), -1)
            added = {"added_cond_kwargs": {"text_embeds": pooled[0], "time_ids": sizes}}
        self.active = True
        try:
            unet.forward(scheduler.scale_model_input(noised, time), time, tokens, **added)
        finally:
            self.active = False


def _empty_prompt(pipeline: Any) -> list[Tensor]:
    """The embedding (1, tokens, width) of no prompt, as the pipeline itself uses it, and for SDXL the pooled vector."""
    device = pipeline._execution_device
    found = pipeline.encode_prompt(
        "", device=device, num_images_per_prompt=1, do_classifier_free_guidance=True
    )
    return list(found[1::2])


class _Attention:
    """Self-attention of one layer: keeps what enters while references are read, else attends to what was kept."""

    def __init__(self, reading: _Reading):
        self._reading, self._kept = reading, None

    def __call__(self, attn: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """(b, t, d) to (b, t, d)."""
        if self._reading.active:
            self._kept = hidden_states
            return _attend(attn, hidden_states, hidden_states[0, :0], 1.0)
        halves, parts = hidden_states.chunk(2), self._kept.split(self._reading.sizes)
        together = zip(halves, parts, self._reading.weights, strict=True)
        return torch.cat([_attend(attn, half, part.flatten(0, 1), weight) for half, part, weight in together])


def _attend(attn: Any, hidden: Tensor, references: Tensor, weight: float) -> Tensor:
    """A layer's attention of (b, t, d) to itself and to (r, d) tokens of references."""
    context = torch.cat([hidden, references.expand(len(hidden), -1, -1)], dim=1)
    inputs = ((attn.to_q, hidden), (attn.to_k, context), (attn.to_v, context))
    heads = [layer(x).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for layer, x in inputs]
    mixed = weighted_attention(*heads, len(references), weight).transpose(1, 2).flatten(2)
    return attn.to_out[1](attn.to_out[0](mixed))
