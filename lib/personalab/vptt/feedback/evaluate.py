"""How well scores follow labels on unseen personas, and what re-ranking by them gains (VPTT 3.3, 4.2.4).

The paper does not say how a score becomes a class; here two thresholds are fitted on validation. Re-ranking is
taken in expectation over all sets of k candidates, in closed form: nothing is drawn.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import gammaln
from scipy.stats import rankdata

from .data import LABELS


class Thresholds(NamedTuple):
    """Below `low` misaligned (0), from `high` on aligned (1), between them neutral (0.5)."""

    low: float
    high: float


def fit_thresholds(scores: np.ndarray, labels: np.ndarray) -> Thresholds:
    """The two thresholds that class most examples right; of equal ones the lowest. They lie midway between scores.

    Args:
        scores: (n,).
        labels: (n,) of 0, 0.5, 1.

    Raises:
        ValueError: no examples, or a score that is not finite.
    """
    scores, labels = np.asarray(scores, float), np.asarray(labels, float)
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError(
            f"got {len(scores)} scores, finite {np.isfinite(scores).sum()}; expected finite scores"
        )
    values, place = np.unique(scores, return_inverse=True)
    cuts = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    below = {
        k: np.r_[0, np.cumsum(np.bincount(place[labels == k], minlength=len(values)))]
        for k in (0.0, 0.5, 1.0)
    }
    gain_low, gain_high = below[0.0] - below[0.5], below[0.5] - below[1.0]
    best_low = np.maximum.accumulate(gain_low)
    high = int(np.argmax(best_low + gain_high))
    return Thresholds(float(cuts[np.argmax(gain_low[: high + 1])]), float(cuts[high]))


def classes(scores: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """(n,) labels 0, 0.5 or 1."""
    return ((scores >= thresholds.low) * 0.5 + (scores >= thresholds.high) * 0.5).astype(float)


def reranked(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """The expected label of the best-scored of k candidates drawn from n without replacement, exactly.

    The candidate of rank r (best first) wins in C(n - r, k - 1) of the C(n, k) sets; among equal scores each is
    as likely to be put first. With k = 1, or equal scores throughout, it is the mean label: random choice.
    `reranked(labels, labels, k)` is the best possible.

    Raises:
        ValueError: k is not in 1..n.
    """
    scores, labels = np.asarray(scores, float), np.asarray(labels, float)
    n = len(scores)
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}; expected 1 to {n}, the number of candidates")
    left = n - np.arange(1, n + 1)
    inside = np.maximum(left - k + 1, 0)
    log = (
        gammaln(left + 1)
        - gammaln(k)
        - gammaln(inside + 1)
        - (gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
    )
    chance = np.where(left >= k - 1, np.exp(log), 0.0)
    tied = rankdata(-scores, method="dense") - 1
    mean = np.bincount(tied, labels) / np.bincount(tied)
    return float(chance @ mean[np.sort(tied)])


def per_persona(examples: pd.DataFrame, scores: np.ndarray, thresholds: Thresholds, k: int) -> pd.DataFrame:
    """One row per persona: accuracies, absolute error, gap, and re-ranking beside random and the best possible.

    Args:
        examples: columns persona, kind, label; one row per score.
        scores: (n,).
        thresholds: fitted elsewhere.
        k: candidates to choose from.

    Returns:
        persona, accuracy, one `<kind> accuracy` per class, mae, gap (mean score of aligned less that of misaligned),
        reranked, random, oracle. A class that a persona lacks gives NaN.
    """
    label = examples["label"].to_numpy()
    table = examples.assign(
        score=scores, right=classes(scores, thresholds) == label, error=np.abs(scores - label)
    )
    return pd.DataFrame([_measures(persona, rows, k) for persona, rows in table.groupby("persona")])


def _measures(persona: int, rows: pd.DataFrame, k: int) -> dict[str, float]:
    by = rows.groupby("kind")[["right", "score"]].mean().reindex(list(LABELS))
    label = rows["label"].to_numpy()
    return {
        "persona": persona,
        "accuracy": rows["right"].mean(),
        **{f"{kind} accuracy": by.loc[kind, "right"] for kind in LABELS},
        "mae": rows["error"].mean(),
        "gap": by.loc["aligned", "score"] - by.loc["misaligned", "score"],
        "reranked": reranked(rows["score"].to_numpy(), label, k),
        "random": label.mean(),
        "oracle": reranked(label, label, k),
    }
