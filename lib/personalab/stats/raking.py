"""Raking: weights on people under which a sample has a population's shares on every axis (ZIPP B.5, Algorithm 1).

Iterative proportional fitting (Deming and Stephan 1940). It reweights whom the sample has; it cannot speak for a
category, or a combination of categories, that the sample lacks, and says so instead of returning weights.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

Axis = Hashable
Targets = Mapping[Axis, Mapping[Hashable, float]]


class NotConverged(ValueError):
    """The weighted shares do not settle on the targets."""


class Raking(NamedTuple):
    """Weights with what they cost."""

    #: (n,) not negative, sum 1
    weights: np.ndarray
    #: passes over all axes
    iterations: int
    #: 1 / sum of squared weights: an equally weighted sample of this size would be as precise (Kish 1965)
    effective_n: float
    #: n / effective_n: by how much the weights inflate the variance of a mean
    design_effect: float
    #: largest |weighted share - target| left
    discrepancy: float
    #: axis: {category: target share} that the sample lacks and `missing="drop"` left out
    dropped: dict[Axis, dict[Hashable, float]]


class Sample(NamedTuple):
    """A sample by the cells of its table: people with the same labels have the same weight."""

    #: (n,) cell of each person
    cell: np.ndarray
    #: (cells, axes) category of each cell, as a column of its axis' targets
    codes: np.ndarray
    #: for each axis its categories and their shares, sum 1
    names: dict[Axis, list[Hashable]]
    shares: list[np.ndarray]
    dropped: dict[Axis, dict[Hashable, float]]


def rake(
    labels: Mapping[Axis, Sequence[Hashable]],
    targets: Targets,
    eps: float = 1e-4,
    max_iter: int = 1000,
    missing: str = "error",
) -> Raking:
    """Weights whose share of every category is its target's, by Algorithm 1 of ZIPP B.5.

    Each pass goes over the axes and multiplies every person's weight by target share / weighted share of the person's
    category, until no share is off by `eps` or more. A target of 0 gives a category's people the weight 0.

    Args:
        labels: for each axis the category of each of n people.
        targets: for the same axes the population's shares, sum 1.
        eps: largest difference of shares allowed.
        max_iter: passes at most.
        missing: "error", or "drop" to leave a target's category that the sample lacks out and spread its share over
            the axis' others in proportion; `dropped` tells.

    Raises:
        ValueError: a category that the sample lacks (named with its axis), labels without target or unknown (None,
            NaN), lengths or axes that differ, shares that are negative or do not sum to 1.
        NotConverged: shares still off after `max_iter` passes, as when empty combinations make targets contradict
            each other; names the worst category.
    """
    sample = tabulate(labels, targets, missing)
    people = np.bincount(sample.cell).astype(float)
    mass, iterations, discrepancy = fit(sample, people, eps, max_iter)
    weights = (mass / people)[sample.cell]
    weights /= weights.sum()
    effective = 1 / float(weights @ weights)
    return Raking(weights, iterations, effective, len(weights) / effective, discrepancy, sample.dropped)


def tabulate(labels: Mapping[Axis, Sequence[Hashable]], targets: Targets, missing: str) -> Sample:
    """The people by cells, and the targets in the order of the codes. Raises ValueError as `rake` does."""
    if missing not in ("error", "drop"):
        raise ValueError(f"missing is {missing!r}; expected 'error' or 'drop'")
    each = dict(targets).values() if hasattr(targets, "items") else [targets]
    if not all(hasattr(given, "items") for given in (labels, *each)):
        raise ValueError(
            "got a list; expected labels as {axis: labels} and targets as {axis: {category: share}}"
        )
    if not len(labels) or set(labels) != set(targets):
        raise ValueError(
            f"labels have the axes {list(labels)}, targets {list(targets)}; expected the same, one or more"
        )
    n = len(next(iter(labels.items()))[1])
    cell, codes, names, shares, dropped = np.zeros(n, np.int64), [], {}, [], {}
    for axis, given in labels.items():
        code, distinct = pd.factorize(column(axis, given, n))
        names[axis], share, lost = _aligned(
            axis, distinct.tolist(), np.bincount(code[code >= 0]), targets[axis], missing
        )
        if lost:
            dropped[axis] = lost
        codes.append(code)
        shares.append(share)
        cell = pd.factorize(cell * len(distinct) + code)[0]
    first = np.unique(cell, return_index=True)[1]
    return Sample(cell, np.stack([code[first] for code in codes], axis=1), names, shares, dropped)


def column(axis: Axis, given: Sequence[Hashable], n: int) -> pd.Series:
    """The labels of one axis. Raises ValueError: not n of them, none at all, or unknown ones, which are counted."""
    if isinstance(given, str):
        raise ValueError(
            f"labels of axis {axis!r} are one text; expected a list with a label for each person"
        )
    values = pd.Series(given if isinstance(given, np.ndarray | pd.Series) else list(given)).reset_index(
        drop=True
    )
    if len(values) != n or not n:
        raise ValueError(
            f"axis {axis!r} has {len(values)} labels, others {n}; expected one per person on every axis"
        )
    unknown = int(values.isna().sum())
    if unknown:
        raise ValueError(
            f"axis {axis!r}: {unknown} of {n} labels are unknown (None, NaN); drop those people first, on every axis, "
            "and say how many"
        )
    return values


def _aligned(
    axis: Axis, present: list[Hashable], people: np.ndarray, target: Mapping[Hashable, float], missing: str
) -> tuple[list[Hashable], np.ndarray, dict[Hashable, float]]:
    """Shares of one axis' categories in the order of the codes, after the checks, and what was left out."""
    wanted = {category: float(share) for category, share in target.items()}
    bad = {category: share for category, share in wanted.items() if not 0 <= share <= 1 + 1e-6}
    if bad or not abs(sum(wanted.values()) - 1) <= 1e-6:
        got = f"shares {bad}" if bad else f"shares that sum to {sum(wanted.values()):.8g}"
        raise ValueError(f"targets of axis {axis!r} have {got}; expected shares from 0 to 1 with sum 1")
    strange = [category for category in present if category not in wanted]
    if strange:
        count = int(people[[present.index(category) for category in strange]].sum())
        raise ValueError(
            f"axis {axis!r}: {count} people have labels without a target: {strange[:10]}; expected labels among "
            f"{list(wanted)[:10]}. Give them a target (0 is one), or drop those people first"
        )
    known = set(present)
    lost = {category: share for category, share in wanted.items() if category not in known and share > 0}
    if lost and missing == "error":
        raise ValueError(
            f"axis {axis!r}: the sample lacks {', '.join(map(repr, lost))} (target {sum(lost.values()):.4g}), so no "
            "weights reach the target; merge the category with another, or pass missing='drop'"
        )
    shares = np.array([wanted[category] for category in present])
    if not shares.sum() > 0:
        raise ValueError(f"axis {axis!r}: the sample has none of the categories with a target above 0")
    return present, shares / shares.sum(), lost


def fit(sample: Sample, people: np.ndarray, eps: float, max_iter: int) -> tuple[np.ndarray, int, float]:
    """Algorithm 1 on the cells of a table that hold so many people.

    Returns:
        (cells,) share of the weight, sum 1; passes; the largest difference left.

    Raises:
        ValueError: people lack a category with a target above 0, or a setting is out of range.
        NotConverged: as `rake`.
    """
    if not eps > 0 or not max_iter >= 1:
        raise ValueError(f"eps is {eps} and max_iter {max_iter}; expected more than 0 and at least 1")
    axes = list(zip(sample.names, sample.codes.T, sample.shares, strict=True))
    mass = people / people.sum()
    for axis, codes, shares in axes:
        gone = np.flatnonzero((np.bincount(codes, mass, len(shares)) == 0) & (shares > 0))
        if len(gone):
            raise ValueError(f"axis {axis!r}: nobody is in {sample.names[axis][gone[0]]!r}")
    for iteration in range(1, max_iter + 1):
        for axis, codes, shares in axes:
            now = np.bincount(codes, mass, len(shares))
            gone = np.flatnonzero((now == 0) & (shares > 0))
            if len(gone):
                raise NotConverged(
                    f"axis {axis!r}: {sample.names[axis][gone[0]]!r} has a target of {shares[gone[0]]:.4g}, but no "
                    "weight is left in it after the other axes; their targets leave no room for it"
                )
            mass = mass * np.divide(shares, now, out=np.zeros_like(now), where=now > 0)[codes]
            mass /= mass.sum()
        off = [np.abs(np.bincount(codes, mass, len(shares)) - shares) for _, codes, shares in axes]
        worst = int(np.argmax([o.max() for o in off]))
        if off[worst].max() < eps:
            return mass, iteration, float(off[worst].max())
    axis, _, shares = axes[worst]
    at = int(off[worst].argmax())
    raise NotConverged(
        f"axis {axis!r}: the share of {sample.names[axis][at]!r} is still off its target {shares[at]:.4g} by "
        f"{off[worst][at]:.3g} after {max_iter} passes, allowed is {eps:g}. Combinations of categories that nobody has "
        "can make targets contradict each other: merge categories or leave an axis out; where it falls, raise max_iter"
    )
