"""Reading a picture's attributes with a CLIP, zero-shot: which value's words lie nearest to the picture.

Works on embeddings that are handed in, from whatever CLIP; it trains nothing. A value is stood for by the mean
of its wordings' embeddings, worded as captions word them.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .captions import spoken
from .scenes import Scene, encode
from .words import attributes

Embed = Callable[[Sequence[str]], np.ndarray]


def value_embeddings(embed: Embed) -> dict[str, np.ndarray]:
    """attribute -> (values, d) unit rows, the mean embedding of each value's wordings.

    Args:
        embed: list of n texts to (n, d) unit rows, the text side of a CLIP.
    """
    return {
        a: np.stack([_mean(embed(spoken(a, value))) for value in values])
        for a, values in attributes().items()
    }


def read(images: np.ndarray, values: Mapping[str, np.ndarray], scale: float) -> dict[str, np.ndarray]:
    """attribute -> (n, values) probabilities of each value being the one in the picture.

    Args:
        images: (n, d) unit rows, the image side of the same CLIP.
        values: from `value_embeddings`.
        scale: what cosines are multiplied by before the softmax, the CLIP's own logit scale.
    """
    found = {}
    for attribute, rows in values.items():
        logits = scale * images @ rows.T
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        found[attribute] = weights / weights.sum(axis=1, keepdims=True)
    return found


def recognised(probabilities: Mapping[str, np.ndarray], scenes: Sequence[Scene]) -> dict[str, float]:
    """attribute -> share of the pictures that show one in which the most probable value is the true one."""
    codes = encode(scenes)
    shares = {}
    for column, attribute in enumerate(attributes()):
        shown = codes[:, column] >= 0
        right = probabilities[attribute].argmax(axis=1)[shown] == codes[shown, column]
        shares[attribute] = float(right.mean()) if shown.any() else float("nan")
    return shares


def recall_at_1(images: np.ndarray, texts: np.ndarray, among: int = 256) -> float:
    """Share of pictures (n, d) whose own caption (n, d) is nearest among blocks of `among` captions.

    Raises:
        ValueError: fewer pictures than a block.
    """
    blocks = len(images) // among
    if not blocks:
        raise ValueError(f"got {len(images)} pictures; recall among {among} captions needs at least as many")
    hits = [
        (images[i : i + among] @ texts[i : i + among].T).argmax(axis=1) == np.arange(among)
        for i in range(0, blocks * among, among)
    ]
    return float(np.mean(hits))


def _mean(rows: np.ndarray) -> np.ndarray:
    mean = rows.mean(axis=0)
    return mean / np.linalg.norm(mean)
