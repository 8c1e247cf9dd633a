"""What is made of a pairwise judge's preferences, and a stand-in for the judge where no such model can run.

PIGReward (ZIPP 4.1) is a vision-language model that compares two pictures for a user. It is not here: its answers come
in as arrays. Whatever comes from `gallery_preference` bears the name in STAND_IN and none of PIGReward's figures may
be set beside it as the same quantity.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .rows import finite, giver_back, tensor, unit

STAND_IN = "gallery preference, not PIGReward"


class WinRate(NamedTuple):
    """How often a judge prefers A over B when each pair is shown in both orders."""

    #: mean over the judged items, ties one half; NaN where none was judged
    win_rate: float
    #: items with both answers
    judged: int
    #: reason: items without both answers, which count neither for A nor for B
    missing: dict[str, int]
    #: share of judged items whose winner changes with the order
    flip_rate: float
    #: mean preference for A shown first less that for A shown second: above 0, the judge leans to the first picture
    first_bias: float
    #: (n,) preference for A averaged over the orders, NaN where missing; for intervals
    per_item: np.ndarray


def swap_averaged_win_rate(
    a_first: Any, b_first: Any, reasons: Sequence[str | None] | None = None
) -> WinRate:
    """Win rate of A over B, averaged over both orders of showing them, so that a lean to one place cancels.

    Args:
        a_first: (n,) preference for A when A is shown first: 1, 0, 0.5 for a tie (or a probability), NaN for none.
        b_first: (n,) preference for A, too, when B is shown first.
        reasons: (n,) why an answer is missing, None where nothing is.

    Raises:
        ValueError: lengths that differ, or preferences outside [0, 1].
    """
    first, second = (tensor(p).detach().cpu().double().numpy() for p in (a_first, b_first))
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"preferences have shapes {first.shape} and {second.shape}; expected (n,) both")
    if reasons is not None and len(reasons) != len(first):
        raise ValueError(
            f"got {len(reasons)} reasons for {len(first)} items; expected one each, None for none"
        )
    for one in (first, second):
        outside = one[~np.isnan(one) & ~((one >= 0) & (one <= 1))]
        if len(outside):
            raise ValueError(f"got preference {outside[0]}; expected 1 (A), 0 (B), between for ties, or NaN")
    per_item = (first + second) / 2
    judged = ~np.isnan(per_item)
    gap = (first - second)[judged]
    flips = ((first - 0.5) * (second - 0.5) < 0)[judged]
    return WinRate(
        *_means(per_item[judged])[:1],
        int(judged.sum()),
        _missing(first, second, reasons),
        *_means(flips, gap),
        per_item,
    )


def gallery_preference(a: Any, b: Any, gallery: Any) -> Any:
    """The stand-in judge: of two pictures the one whose features are nearer to the mean of a user's gallery.

    It knows neither style nor mood by name, and the order of showing means nothing to it.

    Args:
        a: (n, d) features of the pictures A, NumPy or torch, of any length.
        b: (n, d) of the pictures B.
        gallery: (g, d) of one user's own pictures, unit or not; each counts by its direction.

    Returns:
        (n,) of the callers' kind: 1 where A has the higher cosine with the mean, 0 where B has, 0.5 where they are
        equal; NaN where a row of A or B is all zeros or holds NaN, or where the gallery's mean is zero.

    Raises:
        ValueError: shapes that do not fit, an empty gallery, or one with NaN or infinity.
    """
    x, y, own = tensor(a).detach(), tensor(b).detach(), finite(gallery, "gallery")
    if x.shape != y.shape or x.ndim != 2 or x.shape[1] != own.shape[1] or not len(own):
        raise ValueError(
            f"pictures have shapes {tuple(x.shape)} and {tuple(y.shape)}, the gallery {tuple(own.shape)}; "
            "expected (n, d) twice and (g, d) with g of at least 1"
        )
    lead = (unit(x) - unit(y.to(x.device))) @ unit(unit(own.to(x.device)).mean(0))
    preferred = (lead > 1e-12).double() + 0.5 * (lead.abs() <= 1e-12)
    return giver_back(a, b)(preferred.where(~lead.isnan(), lead))


def _means(*values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v.mean()) if len(v) else float("nan") for v in values)


def _missing(first: np.ndarray, second: np.ndarray, reasons: Sequence[str | None] | None) -> dict[str, int]:
    lost = np.isnan(first).astype(int) + np.isnan(second)
    default = {1: "one order not answered", 2: "neither order answered"}
    given = reasons if reasons is not None else [None] * len(lost)
    return dict(Counter(why or default[k] for why, k in zip(given, lost.tolist(), strict=True) if k))
