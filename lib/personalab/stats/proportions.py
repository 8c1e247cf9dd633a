"""Shares of pairwise choices: the exact binomial test, its power, intervals, corrections for several tests (ZIPP 5, G.1).

Choices count as independent. Those of one participant are not: where each gives several, `cluster_bootstrap` over
participants is the honest interval, and the tests here are too sure of themselves.
"""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np
from scipy.stats import binom, binomtest, false_discovery_control, norm

from .effects import Interval, _floats


def exact_test(wins: int, n: int, against: float = 0.5) -> float:
    """Two-sided p-value of the exact binomial test: the chance of a count no likelier than `wins`.

    Returns:
        NaN where n is 0.

    Raises:
        ValueError: wins outside 0 to n, parts of a win, or `against` outside [0, 1].
    """
    _check_counts(wins, n)
    return float(binomtest(int(wins), int(n), _share("against", against)).pvalue) if n else float("nan")


def share_interval(wins: int, n: int, method: str = "exact", level: float = 0.95) -> Interval:
    """A share with its interval.

    Args:
        method: "exact" (Clopper and Pearson 1934, covers at least `level`) or "wilson" (Wilson 1927, on average).
        level: coverage, in (0, 1).

    Returns:
        NaN throughout where n is 0.

    Raises:
        ValueError: wins outside 0 to n, parts of a win, another method, a level outside (0, 1).
    """
    _check_counts(wins, n)
    if method not in ("exact", "wilson") or not 0 < level < 1:
        raise ValueError(
            f"got method {method!r}, level {level}; expected 'exact' or 'wilson', a share as 0.95"
        )
    if not n:
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = binomtest(int(wins), int(n)).proportion_ci(level, method)
    return Interval(wins / n, float(low), float(high))


def holm(p: Sequence[float]) -> np.ndarray:
    """p-values adjusted for their number: all that stay below alpha are wrong together with chance alpha at most.

    Holm (1979). A p-value of NaN is no test: it stays NaN and does not count.

    Raises:
        ValueError: not (tests,) or values outside [0, 1].
    """
    p, here = _p_values(p)
    order = np.flatnonzero(here)[np.argsort(p[here], kind="stable")]
    p[order] = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)).clip(max=1)
    return p


def benjamini_hochberg(p: Sequence[float]) -> np.ndarray:
    """p-values adjusted so that, of those kept below q, a share of q is wrong on average (Benjamini, Hochberg 1995).

    Weaker than `holm`, with more power. NaN and errors as there.
    """
    p, here = _p_values(p)
    p[here] = false_discovery_control(p[here]) if here.any() else p[here]
    return p


def power(share: float, n: int, alpha: float = 0.05, against: float = 0.5) -> float:
    """Chance that the exact two-sided test of n choices has p <= alpha when the true share is `share`.

    Where `share` is `against` this is the test's true size, alpha at most.

    Raises:
        ValueError: shares or alpha out of range, n negative.
    """
    _check_counts(0, n)
    _check_alpha(alpha)
    counts = np.arange(n + 1)
    chance = binom.pmf(counts, n, _share("against", against))
    ranked = np.sort(chance)
    # as binomtest: counts that are as likely up to rounding belong to both tails
    p = np.cumsum(ranked)[np.searchsorted(ranked, chance * (1 + 1e-7), side="right") - 1]
    return float(binom.pmf(counts, n, _share("share", share))[p <= alpha * (1 + 1e-9)].sum())


def answers_needed(share: float, alpha: float = 0.05, wanted: float = 0.8, against: float = 0.5) -> int:
    """The smallest n from which on, for it and every larger n, `power` is at least `wanted`.

    Power climbs in teeth, since wins are whole numbers: some smaller n may already reach `wanted` and its successor
    miss it again. The search walks down from above until a number misses.

    Args:
        share: the true share that should be found, at least .005 away from `against`.
        wanted: the power, in (0, 1).

    Raises:
        ValueError: shares, alpha or the power out of range, or a share too near to `against`.
    """
    _check_alpha(alpha)
    gap = abs(_share("share", share) - _share("against", against))
    if gap < 0.005 or not 0 < wanted < 1:
        raise ValueError(
            f"share {share} is {gap:.3g} from {against}, wanted power {wanted}; expected .005 or more, and a power in (0, 1)"
        )
    spread = norm.isf(alpha / 2) * sqrt(against * (1 - against))
    spread += max(norm.ppf(wanted), 0) * sqrt(share * (1 - share))
    tooth = ceil(3 / gap) + 10
    top = ceil((spread / gap) ** 2) + 2 * tooth  # the normal approximation and two teeth
    while True:
        n = top
        while n and power(share, n, alpha, against) >= wanted:
            n -= 1
        if n < top - tooth:
            return n + 1
        top += 2 * tooth


def _p_values(p: Any) -> tuple[np.ndarray, np.ndarray]:
    """A copy of (tests,) p-values and where they are numbers."""
    p = np.array(_floats(p))
    here = ~np.isnan(p)
    if p.ndim != 1 or not ((p[here] >= 0) & (p[here] <= 1)).all():
        raise ValueError(
            f"got p-values {p.tolist()}; expected (tests,) from 0 to 1, NaN where there was none"
        )
    return p, here


def _check_counts(wins: int, n: int) -> None:
    if not 0 <= wins <= n or wins != int(wins) or n != int(n):
        raise ValueError(f"got {wins} wins of {n}; expected whole numbers, wins from 0 to n")


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; expected a share such as 0.05")


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; expected a share from 0 to 1")
    return value
