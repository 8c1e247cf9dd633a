"""The miniature CLIP: a stock CLIPModel of about two million parameters, trained on pictures and their captions.

Beside the contrastive loss, small classifiers read the attributes off the picture's embedding while it trains; they
are thrown away afterwards. Each caption names a random share of the attributes, so that the text encoder learns
both full descriptions and single phrases.
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from ..captions import caption, plain
from ..words import attributes
from .fit import fit
from .pictures import Pictures, batch
from .tokenizer import LENGTH

#: Probabilities with which a caption names an attribute.
SHARES = (0.3, 0.6, 0.9, 1.0)
#: Scale of unit embeddings before the classifiers, and weight of their loss.
_HEAD_SCALE, _HEAD_WEIGHT = 12.0, 0.4
#: What is small in the picture counts more.
_EMPHASIS = {"object": 2.0, "garment": 2.0, "colour": 1.5}


def new_clip(tokenizer: CLIPTokenizer, seed: int, width: int = 160, text_width: int = 128) -> CLIPModel:
    """An untrained miniature CLIP for 64-pixel pictures in patches of 8."""
    torch.manual_seed(seed)
    start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    config = CLIPConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": text_width,
            "intermediate_size": 4 * text_width,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "max_position_embeddings": LENGTH,
            "bos_token_id": start,
            "eos_token_id": end,
            "pad_token_id": end,
        },
        vision_config={
            "hidden_size": width,
            "intermediate_size": 3 * width,
            "num_hidden_layers": 5,
            "num_attention_heads": 5,
            "image_size": 64,
            "patch_size": 8,
        },
        projection_dim=128,
        logit_scale_init_value=math.log(1 / 0.07),
        attn_implementation="eager",
    )
    model = CLIPModel(config)
    for layer in model.modules():
        if isinstance(layer, nn.Linear):  # the stock start is far too small at these widths
            nn.init.trunc_normal_(layer.weight, std=0.7 / math.sqrt(layer.in_features))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return model


def new_processor() -> CLIPImageProcessorPil:
    """CLIP's preprocessing at the world's 64 pixels."""
    return CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})


def train_clip(
    model: CLIPModel,
    tokenizer: CLIPTokenizer,
    data: Pictures,
    folder: Path,
    *,
    steps: int,
    seed: int,
    rate: float = 1.5e-3,
    batch_size: int = 128,
    device: str = "cpu",
) -> CLIPModel:
    """Train on pictures and fresh captions; resumes from `folder`, and saves the finished CLIP there."""
    heads = nn.ModuleDict(
        {a: nn.Linear(model.config.projection_dim, 1 + len(values)) for a, values in attributes().items()}
    )
    both = nn.ModuleDict({"clip": model, "heads": heads}).to(device).train()

    def step(i: int) -> tuple[torch.Tensor, dict[str, float]]:
        rows = batch(len(data.pixels), batch_size, seed, i)
        texts = captions(data, rows, np.random.default_rng([seed, 1, i]))
        tokens = tokenize(tokenizer, texts).to(device)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            image = model.get_image_features(pixel_values=normalised(data.tensor(rows).to(device)))
            text = model.get_text_features(input_ids=tokens)
        image, text = (F.normalize(x.pooler_output.float(), dim=-1) for x in (image, text))
        logits = model.logit_scale.exp().clamp(max=100) * image @ text.T
        same = torch.arange(len(rows), device=device)
        contrast = (F.cross_entropy(logits, same) + F.cross_entropy(logits.T, same)) / 2
        reading = _reading(heads, image, torch.from_numpy(data.codes[rows]).long().to(device))
        return contrast + _HEAD_WEIGHT * reading, {
            "contrastive": contrast.item(),
            "attributes": reading.item(),
        }

    fit(both, step, folder, steps=steps, rate=rate)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    new_processor().save_pretrained(folder)
    return model


def captions(data: Pictures, rows: np.ndarray, rng: np.random.Generator, empty: float = 0.0) -> list[str]:
    """Fresh captions of some pictures: an eighth in the canonical form, a share `empty` without a word."""
    made = []
    for scene in data.scenes(rows):
        kind = rng.random()
        if kind < empty:
            made.append("")
        elif kind < empty + 0.125:
            made.append(plain(scene))
        else:
            made.append(caption(scene, rng, share=SHARES[int(rng.integers(len(SHARES)))]))
    return made


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """n texts to (n, LENGTH) token ids, cut and padded."""
    return tokenizer(
        texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
    ).input_ids


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """Pixels (n, 3, 64, 64) in [-1, 1] as CLIP's preprocessing leaves them."""
    mean, std = (
        torch.tensor(x, device=pixels.device).view(1, 3, 1, 1) for x in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
    )
    return ((pixels + 1) / 2 - mean) / std


def _reading(heads: nn.ModuleDict, image: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Mean loss of reading each attribute off the embedding; a missing one is a class of its own."""
    losses = [
        _EMPHASIS.get(a, 1.0) * F.cross_entropy(head(_HEAD_SCALE * image), codes[:, k] + 1)
        for k, (a, head) in enumerate(heads.items())
    ]
    return torch.stack(losses).sum()
