"""CMMD: how far apart two sets of CLIP features lie (Jayasumana et al. 2024), and what its bias amounts to.

The squared maximum mean discrepancy with k(a, b) = exp(-|a - b|^2 / (2 sigma^2)), times a scale. Features are taken
as they are: the published figures rest on unit rows, on which it is nearly 10 |difference of the means|^2, so it says
little of spread; `diversity` does. Memory stays bounded: kernels are made and summed block by block.
"""

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
import torch

from .rows import finite, labels

#: rows of a block of the kernel
BLOCK = 2048
#: rows of a side below which the biased estimator's floor is told
FEW = 100


class FloorWarning(UserWarning):
    """A CMMD from so few rows that most of it may be the biased estimator's floor."""


class Losses(NamedTuple):
    """Sums of 1 - k over pairs of rows, from which both estimators follow without loss of digits."""

    xx: float
    yy: float
    xy: float
    m: int
    n: int

    def biased(self) -> float:
        """MMD^2 over all pairs, a row with itself included (Gretton et al. 2012, eq. 5)."""
        m, n = self.m, self.n
        return max(0.0, 2 * self.xy / (m * n) - self.xx / m**2 - self.yy / n**2)

    def unbiased(self) -> float:
        """MMD^2 over pairs of different rows of a side (Gretton et al. 2012, eq. 3); may be negative."""
        m, n = self.m, self.n
        return 2 * self.xy / (m * n) - self.xx / (m * (m - 1)) - self.yy / (n * (n - 1))

    def floor(self) -> float:
        """How much the first is expected to exceed the second."""
        m, n = self.m, self.n
        return self.xx / (m**2 * (m - 1)) + self.yy / (n**2 * (n - 1))


def cmmd(x: Any, y: Any, estimator: str = "biased", sigma: float = 10.0, scale: float = 1000.0) -> float:
    """CMMD of two sets of features: scale (mean k(x, x') + mean k(y, y') - 2 mean k(x, y)).

    `"biased"` averages over all pairs, a row with itself included, as the published code does; it cannot fall below
    0 and lies above the truth by `cmmd_floor`. `"unbiased"` leaves a row's pair with itself out; around a truth of 0
    it is negative half of the time.

    Products are in float64; above 2,048 rows a side in float32 where both sides are float32, which moves the value by
    less than a millionth. Sums are in float64.

    Args:
        x: (m, d), NumPy or torch; not normalised here.
        y: (n, d).
        sigma: width of the kernel, in the features' unit.

    Raises:
        ValueError: an unknown estimator, widths that differ, no rows (fewer than two for "unbiased"), rows with NaN
            or infinity, or a sigma that is not positive.

    Warns:
        FloorWarning: biased, with fewer than 100 rows on a side; says how large the floor is.
    """
    if estimator not in ("biased", "unbiased"):
        raise ValueError(f"got estimator {estimator!r}; expected 'biased' or 'unbiased'")
    least = 1 if estimator == "biased" else 2
    losses = _losses(*prepared(x, y, least), gamma(sigma))
    if estimator == "unbiased":
        return scale * losses.unbiased()
    if min(losses.m, losses.n) < FEW:
        warnings.warn(_floor_text(losses, scale), FloorWarning, stacklevel=2)
    return scale * losses.biased()


def cmmd_floor(x: Any, y: Any, sigma: float = 10.0, scale: float = 1000.0) -> float:
    """What the biased estimator is expected to show too much: scale ((1 - mean k_xx) / m + (1 - mean k_yy) / n).

    The means are over pairs of different rows. In the biased sum m of the m^2 pairs have k = 1, whence the excess; of
    two samples of one distribution nothing else is left on average. Biased less floor is the unbiased estimate.

    Args, Raises: as `cmmd`, with at least two rows a side.
    """
    return scale * _losses(*prepared(x, y, 2), gamma(sigma)).floor()


def cmmd_per_group(
    x: Any, y: Any, groups_x: Any, groups_y: Any, sigma: float = 10.0, scale: float = 1000.0
) -> pd.DataFrame:
    """Both estimates for the rows of each group, such as a user's generated and own pictures.

    Args:
        x: (m, d).
        y: (n, d).
        groups_x: (m,) labels.
        groups_y: (n,) labels.

    Returns:
        A row per label of either side, sorted, as the index: `n_x`, `n_y`, `biased`, `unbiased`, `floor`; NaN where
        a side has too few rows (one suffices for `biased`, the others need two).

    Raises:
        ValueError: as `cmmd`, or labels that are missing or not one per row.
    """
    x, y = prepared(x, y, 0)
    (names_x, codes_x), (names_y, codes_y) = (
        labels(groups_x, len(x), "groups_x"),
        labels(groups_y, len(y), "groups_y"),
    )
    found = {}
    for name in sorted({*names_x, *names_y}):
        a, b = x[codes_x == _code(names_x, name)], y[codes_y == _code(names_y, name)]
        one = _losses(a, b, gamma(sigma))
        few = min(len(a), len(b))
        values = (
            one.biased() if few else None,
            *((one.unbiased(), one.floor()) if few > 1 else (None, None)),
        )
        found[name] = (len(a), len(b), *(float("nan") if v is None else scale * v for v in values))
    columns = ["n_x", "n_y", "biased", "unbiased", "floor"]
    return pd.DataFrame.from_dict(found, orient="index", columns=columns).rename_axis("group")


def gamma(sigma: float) -> float:
    """1 / (2 sigma^2). Raises ValueError unless sigma is positive."""
    if not 0 < sigma < float("inf"):
        raise ValueError(f"sigma is {sigma}; expected a positive width, such as the published 10")
    return 1 / (2 * sigma**2)


def prepared(x: Any, y: Any, least: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sets on one device and in one type, about their common mean, which no distance sees but rounding does."""
    x, y = finite(x, "x"), finite(y, "y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"x has width {x.shape[1]} and y {y.shape[1]}; features of two models do not compare"
        )
    if min(len(x), len(y)) < least:
        raise ValueError(f"x has {len(x)} rows and y {len(y)}; expected at least {least} on each side")
    single = x.dtype == y.dtype == torch.float32 and min(len(x), len(y)) > BLOCK
    total = x.sum(0, dtype=torch.float64) + y.to(x.device).sum(0, dtype=torch.float64)
    dtype, centre = torch.float32 if single else torch.float64, total / max(1, len(x) + len(y))
    return tuple(side.to(x.device, dtype) - centre.to(dtype) for side in (x, y))


def blocks(x: torch.Tensor, y: torch.Tensor, gamma: float) -> Iterator[tuple[int, int, torch.Tensor]]:
    """1 - k of all pairs, block by block with its first row and column; of one set with itself, i <= j suffices."""
    squares = x.square().sum(1), y.square().sum(1)
    for i in range(0, len(x), BLOCK):
        for j in range(i if x is y else 0, len(y), BLOCK):
            loss = squares[0][i : i + BLOCK, None] + squares[1][j : j + BLOCK]
            loss.addmm_(x[i : i + BLOCK], y[j : j + BLOCK].T, alpha=-2).clamp_(min=0)
            loss.mul_(-gamma).expm1_().neg_()
            yield i, j, loss.fill_diagonal_(0) if x is y and i == j else loss


def _losses(x: torch.Tensor, y: torch.Tensor, gamma: float) -> Losses:
    def total(a: torch.Tensor, b: torch.Tensor) -> float:
        return sum(
            (2 if a is b and i < j else 1) * loss.sum(dtype=torch.float64).item()
            for i, j, loss in blocks(a, b, gamma)
        )

    return Losses(total(x, x), total(y, y), total(x, y), len(x), len(y))


def _floor_text(losses: Losses, scale: float) -> str:
    m, n = losses.m, losses.n
    size = f"about {scale * losses.floor():.3g}" if min(m, n) > 1 else "an amount that one row cannot tell"
    return (
        f"CMMD of {m} and {n} rows: the biased estimator lies {size} above the truth, so two samples of one "
        f"distribution would score that much; take {FEW} rows or more a side, or estimator='unbiased'"
    )


def _code(names: Any, name: Any) -> int:
    """The place of a label, -1 where a side lacks it."""
    return next(iter((names == name).nonzero()[0]), -1)
