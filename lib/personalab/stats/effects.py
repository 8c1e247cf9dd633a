"""Sizes of differences between methods: Cohen's d, shares of wins, intervals over clusters.

Missing scores are NaN and are left out, never counted as 0. No test of significance lives here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Interval(NamedTuple):
    """A statistic on all the data and the bounds of its bootstrap interval."""

    estimate: float
    low: float
    high: float


def cohens_d(x: Any, y: Any) -> float:
    """(mean(x) - mean(y)) / pooled standard deviation, with n - 1 in each variance.

    Signed: positive where x is larger (VPTT Table 3 prints the absolute value). Values may be of different
    number; NaN is left out.

    Returns:
        NaN where d is undefined: fewer than two values on a side, or no spread beyond rounding.
    """
    x, y = (v[~np.isnan(v)] for v in (_floats(x).ravel(), _floats(y).ravel()))
    if min(len(x), len(y)) < 2:
        return float("nan")
    squares = (len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)
    spread = np.sqrt(squares / (len(x) + len(y) - 2))
    if spread <= 1e-12 * max(np.abs(x).max(), np.abs(y).max()):
        return float("nan")
    return float((x.mean() - y.mean()) / spread)


def win_shares(scores: np.ndarray | pd.DataFrame) -> np.ndarray | pd.Series:
    """Share of items that each method wins by the highest score ("Win %" of the VPTT tables, over 100).

    Each item has one win to give; methods that tie for it share it equally, so no method gains by its place
    in the table. A method without a score (NaN) cannot win; an item without any is left out.

    Args:
        scores: (items, methods).

    Returns:
        (methods,) with sum 1, a Series for a DataFrame; NaN where no item has a score.
    """
    values = _floats(scores)
    if values.ndim != 2:
        raise ValueError(f"scores have shape {values.shape}; expected (items, methods)")
    values = values[~np.isnan(values).all(axis=1)]
    if not len(values):
        shares = np.full(values.shape[1], np.nan)
    else:
        best = values == np.nanmax(values, axis=1, keepdims=True)
        shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return pd.Series(shares, index=scores.columns) if isinstance(scores, pd.DataFrame) else shares


def cluster_bootstrap(
    values: Any,
    clusters: Any,
    statistic: Callable[[np.ndarray], float],
    rng: np.random.Generator,
    n: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a statistic when rows come in clusters, such as the prompts of one persona.

    Whole clusters are drawn with replacement, as many as there are (Davison and Hinkley 1997, section 3.8), so
    that rows of one persona do not count as independent.

    Args:
        values: (rows,) or (rows, columns).
        clusters: (rows,) labels.
        statistic: rows to a number; draws in which it is NaN are left out.
        rng: the generator of the draws.
        n: number of draws.
        level: coverage, in (0, 1).

    Returns:
        The estimate with its bounds; the bounds are NaN with fewer than two clusters.

    Raises:
        ValueError: values and clusters differ in length, or a level outside (0, 1).
    """
    values = _floats(values) if hasattr(values, "detach") else np.asarray(values)
    clusters = np.asarray(clusters)
    if len(values) != len(clusters):
        raise ValueError(f"got {len(values)} values and {len(clusters)} cluster labels; expected as many")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a share such as 0.95")
    _, label = np.unique(clusters, return_inverse=True)
    rows = (
        np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1]) if len(label) else []
    )
    estimate = float(statistic(values))
    if len(rows) < 2:
        return Interval(estimate, float("nan"), float("nan"))
    picks = rng.integers(len(rows), size=(n, len(rows)))
    draws = np.array(
        [statistic(values[np.concatenate([rows[i] for i in pick])]) for pick in picks], dtype=float
    )
    draws = draws[~np.isnan(draws)]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]) if len(draws) else (np.nan, np.nan)
    return Interval(estimate, float(low), float(high))


def _floats(x: Any) -> np.ndarray:
    """Numbers as float64; torch tensors, and lists of them, without their gradient."""
    if isinstance(x, (list, tuple)):
        x = [_floats(v) if hasattr(v, "detach") else v for v in x]
    return x.detach().cpu().double().numpy() if hasattr(x, "detach") else np.asarray(x, dtype=float)
