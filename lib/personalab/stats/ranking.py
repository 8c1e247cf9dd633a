"""Rankings: Spearman's rho, Bradley-Terry strengths from pairwise choices, top-two agreement (VPTT 4.2.1).

Missing scores are NaN and are left out, never counted. Intervals come from `cluster_bootstrap`; no test lives here.
"""

from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.csgraph import connected_components
from scipy.special import expit
from scipy.stats import rankdata

from .effects import _floats

#: Elo points of a unit of log odds: 400 points are odds of 10 to 1.
ELO = 400 / np.log(10)


def spearman(x: Any, y: Any) -> float:
    """Spearman's rank correlation, ties with average ranks.

    Args:
        x, y: (n,) paired; a pair with a NaN is left out.

    Returns:
        Rho in [-1, 1]; NaN with fewer than three pairs (two always lie on a line) or where a side has no spread.

    Raises:
        ValueError: lengths that differ, or infinite values.
    """
    x, y = _floats(x), _floats(y)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"got x {x.shape} and y {y.shape}; expected (n,) both, in pairs")
    if np.isinf(x).any() or np.isinf(y).any():
        raise ValueError("x or y is infinite in places; expected numbers, NaN where there is none")
    ranks = rankdata(np.stack([x, y])[:, ~np.isnan(x + y)], axis=1)
    if ranks.shape[1] < 3 or (np.ptp(ranks, axis=1) == 0).any():
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1])


def top_two_agreement(metric: Any, human: Any) -> float:
    """Share of cases whose best method by human rating is among the metric's best two (VPTT 4.2.1).

    Ties count by what breaking them at random would give on average: a metric that scores all of k methods alike
    reaches 2 / k, which is also the level of chance. With two methods the share is always 1.

    Args:
        metric, human: (cases, methods) scores, the higher the better; a case with a NaN on either side is left out.

    Returns:
        NaN without a complete case.

    Raises:
        ValueError: shapes that differ or are not (cases, methods).
    """
    metric, human = _floats(metric), _floats(human)
    if metric.ndim != 2 or metric.shape != human.shape or not metric.shape[1]:
        raise ValueError(f"got metric {metric.shape} and human {human.shape}; expected (cases, methods) both")
    complete = ~(np.isnan(metric) | np.isnan(human)).any(axis=1)
    metric, human = metric[complete], human[complete]
    if not len(metric):
        return float("nan")
    higher = (metric[:, None, :] > metric[:, :, None]).sum(axis=2)
    level = (metric[:, None, :] == metric[:, :, None]).sum(axis=2)
    among = np.clip((2 - higher) / level, 0, 1)
    best = human == human.max(axis=1, keepdims=True)
    return float(((among * best).sum(axis=1) / best.sum(axis=1)).mean())


def bradley_terry(wins: Any, matches: Any) -> np.ndarray:
    """Strengths under which i beats j with probability 1 / (1 + 10^((s_j - s_i) / 400)) (Bradley and Terry 1952).

    The maximum of the likelihood, without a prior. It exists only where every method can be reached from every other
    by a chain of wins (Ford 1957); a method that always wins, or groups that never met, have no finite strength.

    Args:
        wins: (k, k) times the row beat the column; a tie counts half for each side.
        matches: (k, k) times they met, `wins + wins.T`. Diagonals are not read.

    Returns:
        (k,) in Elo points, mean 1500.

    Raises:
        ValueError: no finite strengths, naming the rows that the others never beat; shapes, negative numbers, or matches
            that are not wins + wins.T.
    """
    wins, matches = _results(wins, matches)
    k, total = len(wins), matches.sum()
    _, group = connected_components(wins > 0, connection="strong")
    for one in range(group.max() + 1):
        ahead = group == one
        if not ahead.all() and not wins[~ahead][:, ahead].any():
            raise ValueError(
                f"rows {np.flatnonzero(ahead).tolist()} were never beaten by rows {np.flatnonzero(~ahead).tolist()}, so "
                "the distance between them has no finite estimate; rank them apart, gather more matches, or add half "
                "a win for each side of every pair"
            )

    def loss(s: np.ndarray) -> float:
        # the square of the sum only fixes the mean, which the likelihood leaves open
        return (wins * np.logaddexp(0, s[None] - s[:, None])).sum() / total + s.sum() ** 2 / 2

    def slope(s: np.ndarray) -> np.ndarray:
        return (matches * expit(s[:, None] - s[None]) - wins).sum(axis=1) / total + s.sum()

    def curvature(s: np.ndarray) -> np.ndarray:
        chance = expit(s[:, None] - s[None])
        pairs = matches * chance * (1 - chance) / total
        return np.diag(pairs.sum(axis=1)) - pairs + 1

    found = minimize(
        loss, np.zeros(k), jac=slope, hess=curvature, method="trust-exact", options={"gtol": 1e-12}
    ).x
    return 1500 + ELO * (found - found.mean())


def _results(wins: Any, matches: Any) -> tuple[np.ndarray, np.ndarray]:
    """Checked wins and matches with a diagonal of 0."""
    wins, matches = np.array(_floats(wins)), np.array(_floats(matches))
    if wins.ndim != 2 or wins.shape != matches.shape or len(wins) != wins.shape[1] or len(wins) < 2:
        raise ValueError(
            f"got wins {wins.shape} and matches {matches.shape}; expected (k, k) both, k at least 2"
        )
    for table in (wins, matches):
        np.fill_diagonal(table, 0)
        if not (np.isfinite(table) & (table >= 0)).all():
            raise ValueError(
                "wins or matches are negative or not finite; expected counts, 0 where two never met"
            )
    if not np.allclose(wins + wins.T, matches):
        i, j = np.argwhere(~np.isclose(wins + wins.T, matches))[0]
        raise ValueError(
            f"rows {i} and {j}: {wins[i, j]:g} and {wins[j, i]:g} wins, but {matches[i, j]:g} matches; expected "
            "matches = wins + wins.T, a tie as half a win for each side"
        )
    return wins, matches
