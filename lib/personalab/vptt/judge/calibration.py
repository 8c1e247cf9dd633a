"""A judge's scores on the scale of people's ratings, 0 to 5 (VPTT 4.2.1: judges are calibrated on a small set).

The paper does not say how. Here the default is isotonic regression, which changes no order and no more than it must; a
straight line that never falls is the other choice. Both are scikit-learn's. The map is fitted on some cases and measured
on others: all rows of a case fall on one side. Nothing here asks for scores, and no missing score is filled in.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression

#: The scale of ratings.
LOW, HIGH = 0.0, 5.0
Kind = Literal["isotonic", "linear"]


class Calibration(NamedTuple):
    """A map from scores to ratings that never falls, and from how many pairs it comes."""

    model: IsotonicRegression | LinearRegression
    n: int

    def __call__(self, scores: Any) -> np.ndarray:
        """Scores of any shape as ratings from 0 to 5; NaN stays NaN. Beyond the scores fitted, isotonic maps are level."""
        values = np.asarray(scores, np.float64)
        out, known = np.full(values.shape, np.nan), ~np.isnan(values)
        if known.any():
            out[known] = self.model.predict(values[known].reshape(-1, 1))
        return np.clip(out, LOW, HIGH)


class Evaluation(NamedTuple):
    """A calibration and what it does to cases that it was not fitted on."""

    calibration: Calibration
    #: rows "raw" and "calibrated": mae, rmse, bias (mean of score - rating), all on the 0-5 scale, of the same pairs
    errors: pd.DataFrame
    #: of the calibrated scores, see `reliability`
    reliability: pd.DataFrame
    #: (n,) whether the row was on the side of the fit
    fitted: np.ndarray
    #: pairs used for the fit and for the errors, rows left out for want of a score, and of a rating alone
    n_fit: int
    n_test: int
    no_score: int
    no_rating: int


def fit(scores: Any, ratings: Any, kind: Kind = "isotonic") -> Calibration:
    """A calibration from pairs (score, rating).

    Args:
        scores: (n,) of a judge, on any scale; pairs with a NaN are left out.
        ratings: (n,) of people, from 0 to 5.
        kind: "isotonic", or "linear" with a slope of at least 0.

    Raises:
        ValueError: lengths that differ, ratings outside 0 to 5, infinite scores, fewer than 2 pairs, another kind.
    """
    x, y = _pairs(scores, ratings)
    known = ~(np.isnan(x) | np.isnan(y))
    if known.sum() < 2:
        raise ValueError(f"got {known.sum()} pairs of score and rating to fit; expected at least 2")
    match kind:
        case "isotonic":
            model: Any = IsotonicRegression(y_min=LOW, y_max=HIGH, increasing=True, out_of_bounds="clip")
        case "linear":
            model = LinearRegression(positive=True)
        case _:
            raise ValueError(f"kind is {kind!r}; expected 'isotonic' or 'linear'")
    return Calibration(model.fit(x[known].reshape(-1, 1), y[known]), int(known.sum()))


def halves(cases: Sequence[Any], rng: np.random.Generator) -> np.ndarray:
    """Which rows to fit on: all rows of a random half of the cases (of an odd number the smaller half).

    Args:
        cases: (n,) the case of each row; give users instead to keep a user's cases together.

    Raises:
        ValueError: fewer than two cases, or rows without one.
    """
    codes, distinct = pd.factorize(np.asarray(cases), sort=True)
    if len(distinct) < 2 or (codes < 0).any():
        raise ValueError(
            f"got {len(distinct)} cases and {(codes < 0).sum()} rows without one; expected two or more, and none"
        )
    chosen = rng.permutation(len(distinct))[: len(distinct) // 2]
    return np.isin(codes, chosen)


def evaluate(
    scores: Any,
    ratings: Any,
    cases: Sequence[Any],
    rng: np.random.Generator,
    kind: Kind = "isotonic",
    bins: int = 5,
) -> Evaluation:
    """Fit on one half of the cases and measure on the other.

    Args:
        scores, ratings: (n,), see `fit`; scores should be on the 0-5 scale for the row "raw" to mean something.
        cases: (n,) what must not be on both sides.
        rng: draws the halves.
        bins: of the reliability table.

    Raises:
        ValueError: as `fit` and `halves`, or no pair left to measure on.
    """
    x, y = _pairs(scores, ratings)
    if len(cases) != len(x):
        raise ValueError(f"got {len(cases)} cases for {len(x)} rows; expected one each")
    fitted = halves(cases, rng)
    calibration = fit(x[fitted], y[fitted], kind)
    test = ~fitted & ~np.isnan(x) & ~np.isnan(y)
    if not test.any():
        raise ValueError("no row outside the half fitted on has a score and a rating; expected at least one")
    raw, people = x[test], y[test]
    mapped = calibration(raw)
    errors = pd.DataFrame({"raw": _errors(raw, people), "calibrated": _errors(mapped, people)}).T
    lacking = np.isnan(x)
    return Evaluation(
        calibration,
        errors,
        reliability(mapped, people, bins),
        fitted,
        calibration.n,
        int(test.sum()),
        int(lacking.sum()),
        int((np.isnan(y) & ~lacking).sum()),
    )


def reliability(scores: Any, ratings: Any, bins: int = 5) -> pd.DataFrame:
    """How people rated what got about the same score.

    Args:
        scores: (n,) from 0 to 5; pairs with a NaN are left out.
        ratings: (n,) from 0 to 5.
        bins: of equal width; each holds its lower bound, the last one 5 as well.

    Returns:
        low, high, n, mean_score, mean_rating of every bin; the means of an empty one are NaN.

    Raises:
        ValueError: scores or ratings outside 0 to 5, lengths that differ, or fewer than one bin.
    """
    x, y = _pairs(scores, ratings)
    outside = (x < LOW) | (x > HIGH)
    if outside.any() or bins < 1:
        raise ValueError(
            f"got {bins} bins and {outside.sum()} scores outside 0 to 5; expected 1 bin or more, and no such score"
        )
    known = ~(np.isnan(x) | np.isnan(y))
    edges = np.linspace(LOW, HIGH, bins + 1)
    pairs = pd.DataFrame({"score": x[known], "rating": y[known]})
    pairs["bin"] = np.clip(np.searchsorted(edges, x[known], side="right") - 1, 0, bins - 1)
    by_bin = pairs.groupby("bin").agg(
        n=("score", "size"), mean_score=("score", "mean"), mean_rating=("rating", "mean")
    )
    by_bin = by_bin.reindex(range(bins))
    by_bin["n"] = by_bin["n"].fillna(0).astype(int)
    return by_bin.assign(low=edges[:-1], high=edges[1:])[["low", "high", "n", "mean_score", "mean_rating"]]


def _errors(scores: np.ndarray, ratings: np.ndarray) -> dict[str, float]:
    gap = scores - ratings
    return {
        "mae": float(np.abs(gap).mean()),
        "rmse": float(np.sqrt((gap**2).mean())),
        "bias": float(gap.mean()),
    }


def _pairs(scores: Any, ratings: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(scores, np.float64), np.asarray(ratings, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"scores have shape {x.shape} and ratings {y.shape}; expected (n,) both")
    if np.isinf(x).any() or ((y < LOW) | (y > HIGH)).any():
        raise ValueError(
            f"got {np.isinf(x).sum()} infinite scores and {((y < LOW) | (y > HIGH)).sum()} ratings outside 0 to 5; "
            "expected finite scores and ratings from 0 to 5, NaN for missing ones"
        )
    return x, y
