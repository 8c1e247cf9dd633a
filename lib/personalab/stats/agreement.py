"""Agreement of raters: Kendall's W, Cohen's, Fleiss' and mean pairwise kappa, Krippendorff's alpha (VPTT 4.2.1, ZIPP G.2).

Ratings are (raters, items), NaN or None where a rater gave none; each statistic says what it does about them. What is
undefined, as agreement on a single value is, comes out as NaN and never as 0 or 1. No test of significance lives here.
"""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from .effects import _floats


def kendalls_w(ratings: Any) -> float:
    """Kendall's coefficient of concordance, corrected for ties (Kendall and Gibbons 1990, chapter 6).

    W = variance of the items' mean ranks / mean variance of the raters' ranks. Ranks are averaged over ties, which
    lowers a rater's variance: this is the correction, equal to the usual sum of t^3 - t.

    Args:
        ratings: (raters, items) numbers. An item that some rater left out is left out for all.

    Returns:
        W in [0, 1]; NaN with fewer than two raters or items, or where every rater gave one value only.

    Raises:
        ValueError: not (raters, items), no rater, values that are infinite or no numbers.
    """
    codes, _ = _coded(ratings, numeric=True)
    codes = codes[:, (codes >= 0).all(axis=0)]
    raters, items = codes.shape
    if raters < 2 or items < 2:
        return float("nan")
    centred = rankdata(codes, axis=1) - (items + 1) / 2
    return _ratio((centred.sum(axis=0) ** 2).sum(), raters * (centred**2).sum())


def cohens_kappa(a: Any, b: Any, weights: str | None = None) -> float:
    """Cohen's kappa of two raters, 1 - observed / expected disagreement (Cohen 1960; 1968 with weights).

    Weighted disagreement is the distance of the ratings themselves, so a point of the scale that nobody used still
    counts. On whole numbers that are all in use it is the distance of categories, as usual.

    Args:
        a, b: (items,) labels of any kind, numbers for the weighted forms; an item that one of them lacks is left out.
        weights: None, "linear" for |a - b| or "quadratic" for (a - b)^2.

    Returns:
        Kappa; NaN without items or where both raters gave one and the same label throughout.

    Raises:
        ValueError: lengths that differ, another name of weights, values that are infinite.
    """
    if np.ndim(a) != 1 or np.shape(a) != np.shape(b):
        raise ValueError(f"got ratings of shape {np.shape(a)} and {np.shape(b)}; expected (items,) both")
    return float(pairwise_kappas([a, b], weights)[0, 1])


def pairwise_kappas(ratings: Any, weights: str | None = None) -> np.ndarray:
    """Cohen's kappa of every pair of raters.

    Args:
        ratings: (raters, items) as for `cohens_kappa`; each pair is compared on the items that both rated.
        weights: as for `cohens_kappa`.

    Returns:
        (raters, raters), symmetric; NaN on the diagonal and for pairs without a defined kappa.

    Raises:
        ValueError: not (raters, items), no rater, or as `cohens_kappa`.
    """
    if weights not in (None, "linear", "quadratic"):
        raise ValueError(f"weights is {weights!r}; expected None, 'linear' or 'quadratic'")
    codes, values = _coded(ratings, numeric=weights is not None)
    distance = _distances(values, {None: "nominal"}.get(weights, weights))
    kappas = np.full((len(codes), len(codes)), np.nan)
    for i, j in combinations(range(len(codes)), 2):
        kappas[i, j] = kappas[j, i] = _kappa(codes[i], codes[j], distance)
    return kappas


def mean_pairwise_kappa(ratings: Any, weights: str | None = None) -> float:
    """Mean of Cohen's kappa over the pairs of raters (Light 1971): one reading of a Cohen's kappa of three (ZIPP G.2).

    A pair without a defined kappa is left out of the mean; `pairwise_kappas` shows which.

    Args:
        ratings, weights: as for `pairwise_kappas`.

    Returns:
        NaN where no pair has a kappa, as with one rater.
    """
    kappas = pairwise_kappas(ratings, weights)
    return float(np.nanmean(kappas)) if not np.isnan(kappas).all() else float("nan")


def fleiss_kappa(ratings: Any) -> float:
    """Fleiss' kappa, chance being that all raters draw from the pooled shares of the labels (Fleiss 1971).

    Raters need not be the same for each item, but as many: with gaps here and there use `krippendorff_alpha`.

    Args:
        ratings: (raters, items) labels of any kind, not a table of counts; an item without any is left out.

    Returns:
        Kappa; NaN without items, with one rating each, or where all ratings are one label.

    Raises:
        ValueError: items with different numbers of ratings; not (raters, items), no rater, infinite values.
    """
    codes, values = _coded(ratings)
    counts = _counts(codes, len(values))
    sizes = np.unique(counts.sum(axis=1))
    if len(sizes) > 1:
        raise ValueError(
            f"items have from {sizes[0]} to {sizes[-1]} ratings; expected the same number for each. Leave the "
            "incomplete items out, or use krippendorff_alpha"
        )
    if not len(sizes) or sizes[0] < 2:
        return float("nan")
    agreed = ((counts**2).sum(axis=1) - sizes[0]).mean() / (sizes[0] * (sizes[0] - 1))
    chance = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return _ratio(agreed - chance, 1 - chance)


def krippendorff_alpha(ratings: Any, level: str = "nominal") -> float:
    """Krippendorff's alpha, 1 - observed / expected disagreement of pairs of ratings (Krippendorff 2011).

    Any number of raters per item; an item with fewer than two ratings has no pair and is left out.

    Args:
        ratings: (raters, items) labels of any kind, numbers for the other levels.
        level: "nominal" (different or not), "ordinal" (ratings that lie between, by how often they were given) or
            "interval" (squared difference).

    Returns:
        Alpha; NaN without pairs or where all ratings are one value.

    Raises:
        ValueError: another level; not (raters, items), no rater, values that are infinite or no numbers.
    """
    if level not in ("nominal", "ordinal", "interval"):
        raise ValueError(f"level is {level!r}; expected 'nominal', 'ordinal' or 'interval'")
    codes, values = _coded(ratings, numeric=level != "nominal")
    counts = _counts(codes, len(values))
    sizes = counts.sum(axis=1)
    counts, sizes = counts[sizes > 1], sizes[sizes > 1]
    pooled = counts.sum(axis=0)
    if level == "ordinal":
        values = np.cumsum(pooled) - pooled / 2
    distance = _distances(values, "nominal" if level == "nominal" else "quadratic")
    observed = (((counts @ distance) * counts).sum(axis=1) / (sizes - 1)).sum()
    expected = pooled @ distance @ pooled / max(pooled.sum() - 1, 1)
    return 1 - _ratio(observed, expected)


def _coded(ratings: Any, numeric: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Ratings as (raters, items) codes into their distinct values, -1 where missing; numbers in ascending order."""
    try:
        given = _floats(ratings)
    except (TypeError, ValueError):
        given = np.asarray(ratings, dtype=object)
    if given.ndim != 2 or not len(given):
        raise ValueError(f"ratings have shape {given.shape}; expected (raters, items), one rater or more")
    if given.dtype == object and numeric:
        raise ValueError("ratings are not all numbers; expected numbers here, NaN where a rater gave none")
    if given.dtype != object and np.isinf(given).any():
        raise ValueError("ratings are infinite in places; expected numbers, NaN where a rater gave none")
    codes, values = pd.factorize(given.ravel(), sort=given.dtype != object)
    return codes.reshape(given.shape), values


def _counts(codes: np.ndarray, k: int) -> np.ndarray:
    """(items, k) how often each value was given, for the items with any rating."""
    counts = (codes[:, :, None] == np.arange(k)).sum(axis=0)
    return counts[counts.sum(axis=1) > 0]


def _distances(values: np.ndarray, how: str) -> np.ndarray:
    """(k, k) disagreement of each value with each."""
    if how == "nominal":
        return 1.0 - np.eye(len(values))
    apart = np.abs(np.subtract.outer(values, values))
    return apart if how == "linear" else apart**2


def _kappa(a: np.ndarray, b: np.ndarray, distance: np.ndarray) -> float:
    """Kappa of two raters' codes under a (k, k) disagreement."""
    both = (a >= 0) & (b >= 0)
    if not both.any():
        return float("nan")
    p, q = (np.bincount(codes[both], minlength=len(distance)) / both.sum() for codes in (a, b))
    return 1 - _ratio(distance[a[both], b[both]].mean(), p @ distance @ q)


def _ratio(part: float, whole: float) -> float:
    """part / whole, NaN where the whole is 0."""
    return float(part / whole) if whole > 0 else float("nan")
