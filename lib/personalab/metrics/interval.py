"""A bootstrap interval of CMMD, over rows or over whole users.

A drawn set holds some rows twice, and a row is at distance 0 from its double: put into CMMD as it is, a bootstrap set
looks less spread than the data, and every draw comes out too high. Here pairs within a user (a row, where no users
are given) are left out, and the other pairs weighed so that the draws' average is the estimate.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from .cmmd import blocks, gamma, prepared
from .rows import labels

#: users (rows, where no users are given) of a side, whose pairs are all held in memory
MOST = 5000


class CmmdInterval(NamedTuple):
    """The unbiased estimate and the bounds of its interval."""

    estimate: float
    low: float
    high: float


class _Pairs(NamedTuple):
    """Sums over the pairs of a row of one user with a row of another, users as (A, B)."""

    #: sums of 1 - k
    losses: np.ndarray
    #: numbers of pairs
    counts: np.ndarray
    #: 1 over what a draw is expected to make of a pair; 0 within a user
    weight: np.ndarray

    def mean(self) -> float:
        counted = self.weight > 0
        with np.errstate(invalid="ignore"):
            return self.losses[counted].sum() / self.counts[counted].sum()

    def means(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(draws,) mean loss, given how often each draw has each user: (draws, A) and (draws, B)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.divide(
                *(((left @ (of * self.weight)) * right).sum(1) for of in (self.losses, self.counts))
            )


def cmmd_interval(
    x: Any,
    y: Any,
    rng: np.random.Generator,
    n: int = 1000,
    clusters_x: Any = None,
    clusters_y: Any = None,
    sigma: float = 10.0,
    scale: float = 1000.0,
    level: float = 0.95,
) -> CmmdInterval:
    """Percentile interval of the unbiased CMMD, over draws with replacement of rows or of whole users.

    The estimate averages over pairs of rows of different users, on one side and across, so that a user's likeness to
    himself is not taken for a likeness of the sets. A draw in which user c comes W_c times counts pairs of users c
    and d W_c W_d times, over the expected value of that. Users with rows on both sides are drawn with both; those of
    one side are drawn among themselves, so the number of each kind stays.

    Where the sets are near each other, a plain bootstrap of such a statistic spreads up to sqrt(3) times too far: its
    linear part takes up the noise of the quadratic one twice over. The draws are therefore pulled together to the
    variance V_linear - V_quadratic, at least V_quadratic; the parts come from each draw W and its mirror 2 - W.
    Of intervals at 95 % between Gaussians, with 20 users or 50 rows and more a side, 89 to 99 % held the truth.

    Args:
        x: (m, d).
        y: (k, d).
        rng: the generator of the draws.
        n: number of draws.
        clusters_x: (m,) users of the rows; None: every row stands alone.
        clusters_y: (k,).
        level: coverage, in (0, 1).

    Returns:
        The estimate, without users that of `cmmd(x, y, "unbiased")`, and its bounds; NaN bounds with fewer than three
        users on a side, and a NaN estimate where a side has a single one.

    Raises:
        ValueError: as `cmmd`, a level outside (0, 1), labels that are missing or not one per row, or more than 5,000
            users (rows) on a side.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a share such as 0.95")
    width, (x, y) = gamma(sigma), prepared(x, y, 2)
    users_x, users_y, stratum = _users(clusters_x, clusters_y, len(x), len(y))
    sides = [(x, users_x, x, users_x), (y, users_y, y, users_y), (x, users_x, y, users_y)]
    xx, yy, xy = (_pairs(*side, stratum, width) for side in sides)
    estimate = float(scale * (2 * xy.mean() - xx.mean() - yy.mean()))
    own_x, own_y = np.unique(users_x), np.unique(users_y)
    if min(len(own_x), len(own_y)) < 3:
        return CmmdInterval(estimate, float("nan"), float("nan"))

    def mmd(drawn: np.ndarray) -> np.ndarray:
        a, b = drawn[:, own_x], drawn[:, own_y]
        return scale * (2 * xy.means(a, b) - xx.means(a, a) - yy.means(b, b))

    drawn = _draws(stratum, n, rng)
    draws = _pulled(mmd(drawn), mmd(2 - drawn), estimate)
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return CmmdInterval(estimate, float(low), float(high))


def _pulled(draws: np.ndarray, mirrored: np.ndarray, estimate: float) -> np.ndarray:
    """The draws about the estimate, with the variance that the statistic has."""
    linear, quadratic = np.nanvar((draws - mirrored) / 2), np.nanvar((draws + mirrored) / 2)
    spread = np.nanvar(draws)
    factor = np.sqrt(max(linear - quadratic, quadratic) / spread) if spread > 0 else 1.0
    return estimate + min(factor, 1.0) * (draws - estimate)


def _users(clusters_x: Any, clusters_y: Any, m: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users of the rows of either side, numbered together, and for each whether it is in x (1), y (2) or both (3)."""
    x = range(m) if clusters_x is None else clusters_x
    y = range(n) if clusters_y is None else clusters_y
    (names_x, codes_x), (names_y, codes_y) = labels(x, m, "clusters_x"), labels(y, n, "clusters_y")
    most = max(len(names_x), len(names_y))
    if most > MOST:
        raise ValueError(
            f"got {most} users (or rows without users) on a side; expected at most {MOST}: give the rows' users, "
            "or draw a part of the rows"
        )
    shared = clusters_x is not None and clusters_y is not None
    place = {name: i for i, name in enumerate(names_x)} if shared else {}
    own = iter(range(len(names_x), len(names_x) + len(names_y)))
    numbers_y = np.array([place[name] if name in place else next(own) for name in names_y])
    stratum = np.zeros(max(len(names_x), int(numbers_y.max()) + 1), int)
    stratum[: len(names_x)] += 1
    stratum[numbers_y] += 2
    return codes_x, numbers_y[codes_y], stratum


def _draws(stratum: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, users) how often each draw has each user, as many of a stratum as it has."""
    out = np.zeros((n, len(stratum)))
    for kind in np.unique(stratum):
        users = np.flatnonzero(stratum == kind)
        out[:, users] = rng.multinomial(len(users), np.full(len(users), 1 / len(users)), size=n)
    return out


def _pairs(
    x: torch.Tensor,
    users_x: np.ndarray,
    y: torch.Tensor,
    users_y: np.ndarray,
    stratum: np.ndarray,
    gamma: float,
) -> _Pairs:
    (names_x, place_x), (names_y, place_y) = (np.unique(u, return_inverse=True) for u in (users_x, users_y))
    sums = torch.zeros(len(names_x), len(names_y), dtype=torch.float64, device=x.device)
    into_x, into_y = (torch.as_tensor(place, device=x.device) for place in (place_x, place_y))
    for i, j, loss in blocks(x, y, gamma):
        rows, columns = into_x[i : i + len(loss)], into_y[j : j + loss.shape[1]]
        for one, a, b in ((loss, rows, columns), (loss.T, columns, rows))[: 2 if x is y and i < j else 1]:
            narrow = torch.zeros(len(one), sums.shape[1], dtype=torch.float64, device=x.device)
            sums.index_add_(0, a, narrow.index_add_(1, b, one.double()))
    size_x, size_y = np.bincount(place_x).astype(float), np.bincount(place_y).astype(float)
    counts = np.outer(size_x, size_y)
    users = np.bincount(stratum, minlength=4)[stratum]
    together = stratum[names_x][:, None] == stratum[names_y]
    weight = np.where(together, (users / np.maximum(users - 1, 1))[names_x][:, None], 1.0)
    return _Pairs(sums.cpu().numpy(), counts, weight * (names_x[:, None] != names_y))
