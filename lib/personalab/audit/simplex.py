"""Who wins Tables 7-10 under other weights than the paper's: the simplex of weights over PA, GS, CP and NV.

Works on the printed means, so it says which method's mean is highest in a cell (one table, one LLM), not how
often a method wins a single persona. Methods without a novelty score get 0, as in the paper.
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from .vptt_agreements import COMPONENTS

METHODS = ["Baseline", "Persona Only", "BRAG", "VPRAG", "Comb."]


def weight_grid(step: float) -> np.ndarray:
    """All weights (PA, GS, CP, NV) that are multiples of `step` and sum to 1.

    Returns:
        Shape (n, 4) with n = C(1 / step + 3, 3).

    Raises:
        ValueError: `step` does not divide 1.
    """
    parts = round(1 / step)
    if parts < 1 or abs(parts * step - 1) > 1e-9:
        raise ValueError(f"step is {step}; expected 1 divided by a whole number, such as 0.02")
    axis = np.arange(parts + 1)
    a, b, c = (grid.ravel() for grid in np.meshgrid(axis, axis, axis, indexing="ij"))
    inside = a + b + c <= parts
    a, b, c = a[inside], b[inside], c[inside]
    return np.stack([a, b, c, parts - a - b - c], axis=1) / parts


def along_novelty(novelty: np.ndarray, rest: tuple[float, float, float] = (2.0, 3.0, 3.0)) -> np.ndarray:
    """Weights with a given share of novelty and the remainder split as `rest` over PA, GS and CP.

    The default is the paper's proportion: novelty 0.2 gives its 0.2, 0.3, 0.3, 0.2 (section 3.4). A novelty of
    shape (n,) gives (n, 4).
    """
    novelty = np.asarray(novelty, dtype=float)
    others = np.outer(1 - novelty, np.asarray(rest) / np.sum(rest))
    return np.column_stack([others, novelty])


def cell_components(breakdown: pd.DataFrame) -> tuple[pd.MultiIndex, np.ndarray]:
    """Tables 7-10 as an array: the 12 cells (table, llm), and components of shape (cells, methods, 4)."""
    cells = breakdown.groupby(["table", "llm"], sort=True)
    arrays = [cell.set_index("method").loc[METHODS, COMPONENTS].fillna(0.0).to_numpy() for _, cell in cells]
    return pd.MultiIndex.from_tuples([name for name, _ in cells], names=["table", "llm"]), np.stack(arrays)


def wins(components: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Which method has the highest composite; ties are shared.

    Args:
        components: (cells, methods, 4).
        weights: (n, 4).

    Returns:
        Shares of shape (n, cells, methods), summing to 1 over methods.
    """
    scores = np.einsum("cmk,nk->ncm", components, weights)
    best = scores >= scores.max(axis=-1, keepdims=True) - 1e-12
    return best / best.sum(axis=-1, keepdims=True)


def simplex_shares(breakdown: pd.DataFrame, step: float = 0.02) -> pd.DataFrame:
    """The share of the weight simplex on which each method leads.

    The grid's points are drawn inwards by a quarter of a step, so that the simplex's faces, which have no volume,
    do not count; on uniform random weights shares differ by at most 0.011 in a cell at a step of 0.02.

    Returns:
        One row per cell and a last row "all" with the mean over cells; columns table, llm and the methods.
    """
    cells, components = cell_components(breakdown)
    shares = wins(components, (weight_grid(step) + step / 4) / (1 + step)).mean(axis=0)
    table = pd.DataFrame(shares, index=cells, columns=METHODS).reset_index().astype({"table": str})
    overall = pd.DataFrame(
        [{"table": "all", "llm": "all", **dict(zip(METHODS, shares.mean(axis=0), strict=True))}]
    )
    return pd.concat([table, overall], ignore_index=True)


def novelty_intervals(breakdown: pd.DataFrame, method: str = "VPRAG") -> pd.DataFrame:
    """For which weight of novelty `method` leads, the rest in the paper's proportion; exact.

    Along that line every composite is linear in the weight of novelty, so a method leads on one interval, bounded
    by its crossings with the other methods.

    Returns:
        One row per cell: table, llm, low, high; both NaN where it never leads.
    """
    cells, components = cell_components(breakdown)
    ends = (
        components @ along_novelty(np.array([0.0, 1.0])).T
    )  # (cells, methods, 2): the composite at either end
    lead = ends[:, [METHODS.index(method)]] - np.delete(ends, METHODS.index(method), axis=1)
    rows = [_positive_interval(cell) for cell in lead]
    return pd.DataFrame(rows, index=cells, columns=["low", "high"]).reset_index()


def _positive_interval(lead: np.ndarray) -> tuple[float, float]:
    """Where all lines with ends `lead` (methods, 2) over [0, 1] are at least 0."""
    crossings = [start / (start - end) for start, end in lead if start * end < 0]
    knots = sorted({0.0, 1.0, *crossings})
    pieces = [
        (a, b)
        for a, b in pairwise(knots)
        if (lead[:, 0] + (lead[:, 1] - lead[:, 0]) * (a + b) / 2 >= 0).all()
    ]
    return (pieces[0][0], pieces[-1][1]) if pieces else (np.nan, np.nan)
