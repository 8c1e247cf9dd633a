"""CLIPScore in the four scales that papers use, image-to-image alignment, and ZIP Lift.

Features go in, however they were made; nothing is encoded here. Scores are per sample, so that means, intervals and
subgroups are the caller's. ZIPP (4.1) does not print its scale; the size of its figures (59 to 81) fits "zipp".
"""

from typing import Any

import numpy as np

from .rows import giver_back, tensor, unit

#: convention: (factor, whether negative cosines count as 0, sample by sample)
CONVENTIONS = {"cosine": (1.0, False), "100cos": (100.0, False), "hessel": (2.5, True), "zipp": (250.0, True)}


def clip_score(image_features: Any, text_features: Any, convention: str) -> Any:
    """How well each picture fits its text, by the cosine of their CLIP features.

    `"cosine"` is the cosine c; `"100cos"` is 100 c (torchmetrics, before its clamp); `"hessel"` is 2.5 max(c, 0)
    (Hessel et al. 2021, eq. 1); `"zipp"` is 250 max(c, 0), the same in percent. The clamp is of each sample, not of
    the mean.

    Args:
        image_features: (n, d), NumPy or torch, of any length.
        text_features: (n, d), row for row.

    Returns:
        (n,) of the callers' kind, gradient kept; NaN where either row is all zeros or holds NaN or infinity.

    Raises:
        ValueError: shapes that differ, or an unknown convention.
    """
    if convention not in CONVENTIONS:
        raise ValueError(
            f"got convention {convention!r}; expected one of {', '.join(map(repr, CONVENTIONS))}"
        )
    factor, clamped = CONVENTIONS[convention]
    images, texts = tensor(image_features), tensor(text_features)
    if images.shape != texts.shape or images.ndim != 2:
        raise ValueError(
            f"image features have shape {tuple(images.shape)} and text features {tuple(texts.shape)}; "
            "expected (n, d) both, a text for each picture"
        )
    cosine = (unit(images) * unit(texts.to(images.device))).sum(dim=-1).clamp(-1, 1)
    score = factor * (cosine.clamp(min=0) if clamped else cosine)
    return giver_back(image_features, text_features)(score)


def image_alignment(images: Any, references: Any) -> Any:
    """How near each picture is to its reference pictures: the cosine of CLIP features (ZIPP F.3's ImageAlign).

    Args:
        images: (n, d), NumPy or torch, of any length.
        references: (n, d), each picture's own; or (n, r, d), r for each, whose cosines are averaged; or (1, r, d),
            the same r for all.

    Returns:
        (n,) in [-1, 1], of the callers' kind; NaN where a row concerned is all zeros or holds NaN or infinity.

    Raises:
        ValueError: shapes that do not fit.
    """
    x, y = tensor(images), tensor(references)
    own = y[:, None] if y.ndim == 2 and y.shape == x.shape else y
    if (
        x.ndim != 2
        or own.ndim != 3
        or len(own) not in (1, len(x))
        or own.shape[2] != x.shape[1]
        or not own.shape[1]
    ):
        raise ValueError(
            f"images have shape {tuple(x.shape)} and references {tuple(y.shape)}; expected (n, d) with "
            "(n, d), (n, r, d) or (1, r, d)"
        )
    cosines = (unit(x)[:, None] * unit(own.to(x.device))).sum(dim=-1).clamp(-1, 1)
    return giver_back(images, references)(cosines.mean(dim=1))


def zip_lift(with_persona: Any, without: Any) -> float:
    """Relative gain of the mean CLIPScore by the persona, in percent (ZIPP F.1, Table 10).

    100 (mean(with) - mean(without)) / mean(without), over the items that have both scores. For an interval,
    resample the two as columns of one array.

    Args:
        with_persona: (n,) scores of the rewrites that know the persona, NaN where there is none.
        without: (n,) of the same items' rewrites without it, in the same convention.

    Returns:
        Percent; NaN where no item has both, or where the mean without persona is not positive.

    Raises:
        ValueError: shapes that differ.
    """
    x, y = (tensor(scores).detach().cpu().double().numpy() for scores in (with_persona, without))
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"scores have shapes {x.shape} and {y.shape}; expected (n,) both, of the same items")
    both = ~(np.isnan(x) | np.isnan(y))
    base = y[both].mean() if both.any() else float("nan")
    return float(100 * (x[both].mean() - base) / base) if base > 0 else float("nan")
