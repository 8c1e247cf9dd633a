"""Means under raking weights, and intervals that rake every draw anew (ZIPP 4.2.4, B.5)."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .effects import _floats
from .raking import Axis, NotConverged, Sample, Targets, column, fit, tabulate


class RakedInterval(NamedTuple):
    """A raked mean and its bootstrap interval."""

    estimate: float
    low: float
    high: float
    #: people without a value, left out before raking
    missing: int
    #: reason: draws that could not be raked
    failed: dict[str, int]


def raked_mean(values: Any, weights: Any) -> float:
    """Weighted mean, line 14 of Algorithm 1.

    A person without a value (NaN) is left out and the others' weights are scaled up to sum 1. The population's shares
    then hold only as far as values are missing evenly; to be exact, rake those with a value, as `raked_interval` does.

    Args:
        values: (n,).
        weights: (n,) not negative.

    Returns:
        NaN where no weight is left.

    Raises:
        ValueError: lengths that differ, or weights that are negative or not finite.
    """
    values, weights = _floats(values), _floats(weights)
    if values.shape != weights.shape or values.ndim != 1:
        raise ValueError(f"got values {values.shape} and weights {weights.shape}; expected (n,) both")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("weights are negative or not finite; expected those of rake()")
    here = ~np.isnan(values)
    total = weights[here].sum()
    return float(weights[here] @ values[here] / total) if total > 0 else float("nan")


def raked_interval(
    values: Any,
    labels: Mapping[Axis, Sequence[Hashable]],
    targets: Targets,
    rng: np.random.Generator,
    n: int = 1000,
    level: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
    eps: float = 1e-4,
    max_iter: int = 1000,
    missing: str = "error",
) -> RakedInterval:
    """Percentile interval of a raked mean; every draw of people is raked anew, so the weights' own noise is in it.

    People without a value are left out before raking, counted. A draw may lack a rare category, or not converge: it
    has no mean and is counted in `failed`. When those are many, the interval speaks only for draws that have the rare
    category, and the axis needs coarser categories.

    Args:
        values: (n,) a number for each person.
        labels, targets, eps, max_iter, missing: as `rake`.
        rng: the generator of the draws.
        n: number of draws.
        level: coverage, in (0, 1).
        clusters: (n,) whose rows are drawn together; None: each row alone.

    Returns:
        The bounds are NaN where no draw could be raked, or with fewer than two clusters.

    Raises:
        ValueError, NotConverged: as `rake` on all the data; a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a share such as 0.95")
    values = _floats(values)
    here = ~np.isnan(values)
    if not here.any():
        raise ValueError(
            f"none of the {len(values)} people has a value; expected numbers, NaN where there is none"
        )
    kept = {axis: column(axis, given, len(values))[here] for axis, given in labels.items()}
    sample, values = tabulate(kept, targets, missing), values[here]
    groups = (
        np.arange(len(here)) if clusters is None else pd.factorize(column("clusters", clusters, len(here)))[0]
    )
    _, group = np.unique(groups[here], return_inverse=True)
    most = group.max() + 1
    estimate = _mean(sample, values, np.ones(len(values)), eps, max_iter)
    means, failed = [], {"lacks a category": 0, "not converged": 0}
    for _ in range(n if most > 1 else 0):
        times = np.bincount(rng.integers(most, size=most), minlength=most)[group].astype(float)
        try:
            means.append(_mean(sample, values, times, eps, max_iter))
        except NotConverged:
            failed["not converged"] += 1
        except ValueError:
            failed["lacks a category"] += 1
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(means, tails) if means else (np.nan, np.nan)
    failed = {why: count for why, count in failed.items() if count}
    return RakedInterval(estimate, float(low), float(high), int((~here).sum()), failed)


def _mean(sample: Sample, values: np.ndarray, times: np.ndarray, eps: float, max_iter: int) -> float:
    """Raked mean of a sample that has each person so many times."""
    people = np.bincount(sample.cell, times, minlength=len(sample.codes))
    mass, _, _ = fit(sample, people, eps, max_iter)
    sums = np.bincount(sample.cell, times * values, minlength=len(people))
    return float((mass * np.divide(sums, people, out=np.zeros_like(sums), where=people > 0)).sum())
