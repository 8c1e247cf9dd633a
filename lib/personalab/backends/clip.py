"""CLIP features of pictures and texts: unit rows in one space, cached by content.

A card in params/backends names any CLIPModel: a folder, such as the miniature world's, or a hub's id. Pictures go
through the model's own preprocessing (on Pillow, so that no torchvision is needed). Features are compared by the
metrics; nothing here scores anything. Texts longer than the model reads are cut by it; `truncated` says how many.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from . import embed, weights

#: settings of a card that change no feature by more than rounding
_SPEED = ("batch_size",)
Encode = Callable[[Sequence[Any]], np.ndarray]


class ClipFeatures:
    """Pictures and texts to unit vectors.

    Args:
        card: the model's card: `model`, `width`, `max_tokens`, `batch_size`.
        encode_images: n RGB pictures (PIL) to (n, width).
        encode_texts: n texts to (n, width).
        count_tokens: n texts to n token counts before truncation.
        cache: an SQLite file, or None to keep nothing.
        identity: what else tells this model from others under the same card.
        scale: the model's own logit scale, what its cosines are multiplied by before a softmax.
    """

    def __init__(
        self,
        card: dict[str, Any],
        encode_images: Encode,
        encode_texts: Encode,
        count_tokens: Callable[[Sequence[str]], np.ndarray],
        cache: Path | None = None,
        identity: dict[str, str] | None = None,
        scale: float = 100.0,
    ):
        self.card, self.scale = card, scale
        self._encode_images, self._encode_texts = encode_images, encode_texts
        self._count_tokens = count_tokens
        kept = {key: value for key, value in card.items() if key not in _SPEED}
        self._identity = json.dumps(kept | (identity or {}), sort_keys=True).encode()
        self._vectors = embed.Vectors(cache)

    def images(self, images: Sequence[np.ndarray | Image.Image]) -> np.ndarray:
        """n pictures, uint8 arrays (h, w, 3) or PIL, to (n, width) float32 rows of length 1.

        Raises:
            ValueError: an array of another type or shape.
        """
        pictures = [_picture(image) for image in images]
        keys = [self._key(b"image %dx%d" % picture.size, picture.tobytes()) for picture in pictures]
        return self._rows(keys, pictures, self._encode_images)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """n texts to (n, width) float32 rows of length 1. Raises TypeError for one string instead of a list."""
        embed.refuse_one_string(texts)
        keys = [self._key(b"text", text.encode()) for text in texts]
        return self._rows(keys, texts, self._encode_texts)

    def truncated(self, texts: Sequence[str]) -> float:
        """Share of the texts that the model cuts (more than `max_tokens` tokens); nan for no texts."""
        embed.refuse_one_string(texts)
        if not len(texts):
            return float("nan")
        return float((self._count_tokens(list(texts)) > self.card["max_tokens"]).mean())

    def _key(self, kind: bytes, content: bytes) -> bytes:
        return hashlib.sha256(b"\n".join([self._identity, kind, content])).digest()

    def _rows(self, keys: list[bytes], items: Sequence[Any], encode: Encode) -> np.ndarray:
        def compute(new: list[Any]) -> np.ndarray:
            size = self.card["batch_size"]
            rows = [encode(new[start : start + size]) for start in range(0, len(new), size)]
            return embed.unit_rows(np.concatenate(rows), len(new), self.card)

        rows = self._vectors(keys, items, compute)
        return np.stack(rows) if rows else np.empty((0, self.card["width"]), np.float32)


def load(name: str, *, device: str = "cpu", cache: Path | None = None) -> ClipFeatures:
    """The CLIP of card `name` (in params/backends, or a path that ends in .yaml).

    Args:
        device: "cpu" or "cuda".
        cache: folder for the SQLite file of this card, or None.

    Raises:
        ValueError: a card of another kind, or weights that are not safetensors.
        FileNotFoundError: no such card, or a folder that is not there.
    """
    card = embed.card(name)
    if card.get("kind") != "clip":
        raise ValueError(f"card {name}: kind {card.get('kind')!r}; expected 'clip'")
    identity = weights.identity(card)
    file = cache / f"{Path(name).stem}.sqlite" if cache else None
    *encoders, scale = _clip(card, device)
    return ClipFeatures(card, *encoders, file, identity, scale)


def _clip(card: dict[str, Any], device: str) -> tuple[Encode, Encode, Callable, float]:
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    source, revision = weights.folder(card) or card["model"], card.get("revision")
    dtype = getattr(torch, card.get("dtype", "float32"))
    with weights.quiet():
        model = CLIPModel.from_pretrained(source, revision=revision, dtype=dtype, use_safetensors=True)
    model = model.to(device).eval()
    tokenizer = CLIPTokenizer.from_pretrained(source, revision=revision)
    processor = CLIPImageProcessorPil.from_pretrained(source, revision=revision)

    def images(pictures: Sequence[Image.Image]) -> np.ndarray:
        pixels = processor(images=list(pictures), return_tensors="pt").pixel_values
        with torch.inference_mode():
            return _array(model.get_image_features(pixel_values=pixels.to(device, dtype)))

    def texts(texts: Sequence[str]) -> np.ndarray:
        settings = {"padding": True, "truncation": True, "max_length": card["max_tokens"]}
        tokens = tokenizer(list(texts), **settings, return_tensors="pt").to(device)
        with torch.inference_mode():
            return _array(model.get_text_features(tokens.input_ids, attention_mask=tokens.attention_mask))

    def count(texts: Sequence[str]) -> np.ndarray:
        tokens = tokenizer(list(texts), padding=False, truncation=False, verbose=False).input_ids
        return np.array([len(ids) for ids in tokens])

    return images, texts, count, float(model.logit_scale.detach().exp())


def _array(features: Any) -> np.ndarray:
    """The projected embedding (n, width), which newer transformers wrap in an output object."""
    rows = features if isinstance(features, torch.Tensor) else features.pooler_output
    return rows.float().cpu().numpy()


def _picture(image: np.ndarray | Image.Image) -> Image.Image:
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,):
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"a picture is {got}; expected a uint8 array (h, w, 3) or a PIL image")
    return Image.fromarray(image)
